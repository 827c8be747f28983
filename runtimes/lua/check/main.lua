-- `guichet runtime check` runs this: the image holds what every program is promised.
local missing = false

local function check(holds, what)
    if not holds then
        print("missing: " .. what)
        missing = true
    end
end

local function read(path)
    local file = io.open(path)
    local text = file and file:read("a")
    if file then file:close() end
    return text or ""
end

local uid = read("/proc/self/status"):match("Uid:%s*(%d+)")
local name, home = read("/etc/passwd"):match("([^:\n]*):[^:\n]*:" .. uid .. ":%d+:[^:\n]*:([^:\n]*)")
check(os.setlocale(""), "the locale of LANG")
check(read("/usr/share/zoneinfo/Europe/Paris"):sub(1, 4) == "TZif", "the time zone Europe/Paris")
check(os.date("%H:%M", 1700000000) == "22:13", "the time UTC")
check(name == os.getenv("USER") and name == os.getenv("LOGNAME"), "a name for the uid")
check(home == os.getenv("HOME"), "a home for the uid")
check(io.open("/dev/stderr", "w"), "a stream that can be opened by name")
check(io.open("made", "w"), "a work folder that can be written to")
os.exit(not missing)

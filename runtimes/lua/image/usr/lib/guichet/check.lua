-- Compiles sources without running them: exits with 1 if one is not Lua, and says where as gcc does.
local ok = true
for _, path in ipairs(arg) do
    local file, problem = io.open(path, "rb")
    local text = file and file:read("a")
    if text then
        -- As lua itself reads a file: a byte order mark and a first line that begins with # say nothing.
        text = text:gsub("^\xEF\xBB\xBF", ""):gsub("^#[^\n]*", "")
        _, problem = load(text, "=x", "t")
    end
    if problem then
        local line, message = problem:match("^x:(%d+): (.*)$")
        print(path .. (line and ":" .. line or "") .. ": error: " .. (message or problem))
        ok = false
    end
end
os.exit(ok)

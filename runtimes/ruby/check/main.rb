# `guichet runtime check` runs this: the image holds what every program is promised.
require "etc"
require "json"
require "matrix"
require "prime"

missing = []
check = lambda do |what, holds|
  missing << what unless holds
end

user = Etc.getpwuid
ENV["TZ"] = "Europe/Paris"
check.("the locale of LANG", Encoding.default_external == Encoding::UTF_8 && Encoding.find("locale") == Encoding::UTF_8)
check.("the time zone Europe/Paris", Time.at(1_700_000_000).hour == 23)
check.("a name for the uid", user && user.name == ENV["USER"] && user.name == ENV["LOGNAME"])
check.("a home for the uid", user && user.dir == ENV["HOME"] && Dir.home == user.dir)
check.("a stream that can be opened by name", File.open("/dev/stderr", "w"))
check.("a work folder that can be written to", File.open("made", "w"))
missing.each { |what| puts "missing: #{what}" }
exit missing.empty?

# Reads sources without running them: exits with 1 if one is not Ruby; `ruby -wc` says where.
ok = ARGV.map { |path| system("/usr/bin/ruby3.1", "--disable-gems", "-wc", path, out: "/dev/null") }.all?
exit ok

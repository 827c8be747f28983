# Links what the named gems hold to where `require` looks without RubyGems.
ARGV.each do |gem|
  lib = Dir["{/usr/lib/ruby/gems/3.1.0,/usr/share/rubygems-integration/all}/gems/#{gem}-[0-9]*/lib"].first
  abort "no gem #{gem}" unless lib
  Dir["#{lib}/*"].each { |path| File.symlink(path, "/usr/lib/ruby/vendor_ruby/#{File.basename(path)}") }
end

# `guichet runtime check` runs this: the image holds what every program is promised.
use strict;
use warnings;
use I18N::Langinfo qw(langinfo CODESET);
use POSIX qw(setlocale LC_ALL tzset);

my $missing = 0;

sub check {
    my ($holds, $what) = @_;
    return if $holds;
    print "missing: $what\n";
    $missing = 1;
}

my @user = getpwuid($>);
check(defined setlocale(LC_ALL, "") && langinfo(CODESET) eq "UTF-8", "the locale of LANG");
$ENV{TZ} = "Europe/Paris";
tzset();
check((localtime 1_700_000_000)[2] == 23, "the time zone Europe/Paris");
check(@user && $user[0] eq $ENV{USER} && $user[0] eq $ENV{LOGNAME}, "a name for the uid");
check(@user && $user[7] eq $ENV{HOME}, "a home for the uid");
check(open(my $error, ">", "/dev/stderr"), "a stream that can be opened by name");
check(open(my $made, ">", "made"), "a work folder that can be written to");
exit $missing;

<?php
// `guichet runtime check` runs this: the image holds what every program is promised.
$missing = 0;

function check(bool $holds, string $what): void
{
    global $missing;
    if (!$holds) {
        echo "missing: $what\n";
        $missing = 1;
    }
}

$user = posix_getpwuid(posix_getuid());
$paris = new DateTime('@1700000000');
$paris->setTimezone(new DateTimeZone('Europe/Paris'));
check(setlocale(LC_ALL, '') !== false && nl_langinfo(CODESET) === 'UTF-8', 'the locale of LANG');
check($paris->format('H:i') === '23:13', 'the time zone Europe/Paris');
check(is_file('/usr/share/zoneinfo/Europe/Paris'), 'the time zones');
check($user && $user['name'] === getenv('USER') && $user['name'] === getenv('LOGNAME'), 'a name for the uid');
check($user && $user['dir'] === getenv('HOME'), 'a home for the uid');
check(fopen('php://stderr', 'w') !== false, 'a stream that can be opened by name');
check(fopen('made', 'w') !== false, 'a work folder that can be written to');
foreach (['bcmath', 'ctype', 'gmp', 'iconv', 'json', 'mbstring', 'pcntl', 'posix', 'readline', 'tokenizer'] as $extension) {
    check(extension_loaded($extension), "the extension $extension");
}
exit($missing);

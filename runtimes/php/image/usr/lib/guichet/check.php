<?php
// Reads sources without running them: exits with 1 if one is not PHP; `php -l` says where.
$bad = 0;
foreach (array_slice($argv, 1) as $path) {
    $child = pcntl_fork();
    if ($child === 0) {
        pcntl_exec(PHP_BINARY, ['-l', '-f', $path]);
    }
    pcntl_waitpid($child, $status);
    $bad |= $child < 0 || $status !== 0;
}
exit($bad);

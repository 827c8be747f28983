//! What a program finds: its streams, folder, environment, locale, time zones, name. `docs/what-a-program-finds.md` tells it.

use serde_json::{Value, json};

use crate::support::engine::root;
use crate::support::{Bench, Program, exercises};

/// A bench for an exercise of some tests that all want the same.
async fn bench_of_tests(count: usize, stdin: &str, expected: &str) -> Bench {
    let mut exercise = exercises::one_test(stdin, expected);
    let test = exercise["tests"][0].clone();
    let tests = (0..count).map(|number| {
        let mut test = test.clone();
        test["name"] = json!(format!("test {number}"));
        test
    });
    exercise["tests"] = tests.collect();
    Bench::new(&exercise).await
}

async fn accepted(bench: &Bench, program: &Program) -> Value {
    let result = bench.result(program).await;
    assert_eq!(result["verdict"], "accepted", "{program:?}: {result}");
    result
}

#[tokio::test]
async fn a_program_opens_its_three_streams_by_every_name() {
    let bench = Bench::with_limits("given\n", "given\n\n", &json!({})).await;
    for name in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "/proc/thread-self/fd/0"] {
        accepted(&bench, &Program::python(&format!("print(open({name:?}).read())\n"))).await;
    }
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        for mode in ["w", "a"] {
            let source =
                format!("with open({name:?}, {mode:?}) as out:\n    print(input() + '\\n', file=out)\n");
            accepted(&bench, &Program::python(&source)).await;
        }
    }
    let reopening = "int main(void) { char line[99]; freopen(\"/dev/stdin\", \"r\", stdin); freopen(\"/dev/stdout\", \"w\", stdout);
        freopen(\"/dev/stderr\", \"w\", stderr); fgets(line, sizeof line, stdin); printf(\"%s\\n\", line); fputs(\"beside\", stderr); return 0; }";
    let result = accepted(&bench, &Program::c(reopening)).await;

    assert_eq!(result["tests"][0]["stderr"], "beside", "{result}");
    for name in ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"] {
        let source = format!("print(input() + '\\n')\nprint('beside', file=open({name:?}, 'a'))\n");
        let result = accepted(&bench, &Program::python(&source)).await;
        assert_eq!(result["tests"][0]["stderr"], "beside\n", "{result}");
    }
}

#[tokio::test]
async fn a_program_opens_no_stream_of_anything_else() {
    let bench = Bench::expecting("nothing\n").await;

    let source = "import os
opened = []
for pid in ['1'] + [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()]:
    for fd in range(130):
        for mode in (os.O_RDONLY, os.O_WRONLY):
            for path in (f'/proc/{pid}/fd/{fd}', f'/proc/{pid}/task/{pid}/fd/{fd}'):
                try:
                    opened.append((path, os.open(path, mode | os.O_NONBLOCK)))
                except OSError:
                    pass
for path in ('/dev/tty', '/dev/console', '/dev/kmsg', '/.guichet/socket/agent'):
    try:
        opened.append((path, os.open(path, os.O_RDWR | os.O_NONBLOCK)))
    except OSError:
        pass
print(opened or 'nothing')
";

    accepted(&bench, &Program::python(source)).await;
}

#[tokio::test]
async fn a_program_may_do_all_to_its_folder_and_each_test_finds_it_as_it_was() {
    let bench = bench_of_tests(4, "", "one\n").await;

    let python = "import os
print(open('data.txt').read())
with open('data.txt', 'a') as file:
    file.write('two')
os.rename('sub/other.txt', 'moved.txt')
os.remove('moved.txt')
os.symlink('/etc/passwd', 'sub/link')
os.mkdir('new')
os.chmod('sub', 0)
os.rename('main.py', 'new/main.py')
open('main.py', 'w').write('print(\"never\")')
";
    accepted(&bench, &Program::python(python).with("data.txt", b"one").with("sub/other.txt", b"other")).await;
    let c = "int main(int argc, char **argv) { char text[9] = {0}; FILE *file = fopen(\"data.txt\", \"r+\"); fgets(text, 9, file); puts(text);
        rewind(file); fputs(\"two\", file); fclose(file);
        if (!remove(argv[0]) || !rename(argv[0], \"away\") || !chmod(argv[0], 0) || fopen(argv[0], \"r+\")) puts(\"changed\");
        return remove(\"main.c\") || chmod(\".\", 0); }";
    accepted(&bench, &Program::c(c).with("data.txt", b"one")).await;
}

#[tokio::test]
async fn files_of_a_program_are_its_own_and_named_as_sent() {
    let bench =
        Bench::expecting("['data.txt', 'main.py', 'sub', 'sub/b.txt']\n{'student'} {420, 493}\n").await;

    let source = "import glob, os, pathlib, stat
paths = sorted(glob.glob('**', recursive=True))
print(paths)
print({pathlib.Path(path).owner() for path in paths + ['.']}, {stat.S_IMODE(os.stat(path).st_mode) for path in paths + ['.']})
";

    accepted(&bench, &Program::python(source).with("data.txt", b"").with("sub/b.txt", b"")).await;
}

#[tokio::test]
async fn the_locale_that_the_environment_names_is_there() {
    let bench = Bench::expecting("caf\u{e9} UTF-8\n").await;

    let python = "import locale
locale.setlocale(locale.LC_ALL, '')
print('caf\\u00e9', locale.nl_langinfo(locale.CODESET))
";
    accepted(&bench, &Program::python(python)).await;
    let c = "#include <langinfo.h>\n#include <locale.h>\n#include <wchar.h>
int main(void) { if (!setlocale(LC_ALL, \"\")) return 1; wprintf(L\"caf\\u00e9 %s\\n\", nl_langinfo(CODESET)); return 0; }";
    accepted(&bench, &Program::plain_c(c)).await;
}

#[tokio::test]
async fn time_zones_are_there_and_the_own_one_is_utc() {
    let bench = Bench::expecting("23 22 22\n").await;

    let python = "import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
now = datetime.fromtimestamp(1_700_000_000, timezone.utc)
print(now.astimezone(ZoneInfo('Europe/Paris')).hour, now.astimezone(ZoneInfo('UTC')).hour, time.localtime(1_700_000_000).tm_hour)
";
    accepted(&bench, &Program::python(python)).await;
    let c = "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>
static int hour(const char *zone) { time_t now = 1700000000; if (zone) setenv(\"TZ\", zone, 1); else unsetenv(\"TZ\"); tzset(); return localtime(&now)->tm_hour; }
int main(void) { printf(\"%d %d %d\\n\", hour(\"Europe/Paris\"), hour(\"UTC\"), hour(0)); return 0; }";
    accepted(&bench, &Program::plain_c(c)).await;
}

#[tokio::test]
async fn a_program_has_a_name_and_a_home() {
    let bench = Bench::expecting("student student student /tmp /tmp student\n").await;

    let python = "import getpass, grp, os, pwd
user = pwd.getpwuid(os.getuid())
print(getpass.getuser(), os.environ['LOGNAME'], user.pw_name, os.path.expanduser('~'), user.pw_dir, grp.getgrgid(os.getgid()).gr_name)
";
    for _ in 0..2 {
        accepted(&bench, &Program::python(python)).await;
    }
    let c = "#include <grp.h>\n#include <pwd.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>
int main(void) { struct passwd *user = getpwuid(getuid()), *same = getpwnam(\"student\"); if (!user || !same || same->pw_uid != getuid()) return 1;
    printf(\"%s %s %s %s %s %s\\n\", getenv(\"USER\"), getenv(\"LOGNAME\"), user->pw_name, getenv(\"HOME\"), user->pw_dir, getgrgid(getgid())->gr_name); return 0; }";
    accepted(&bench, &Program::plain_c(c)).await;
}

#[tokio::test]
async fn the_environment_is_as_told() {
    let bench = Bench::expecting(
        "HOME=/tmp LANG=C.UTF-8 LOGNAME=student PATH=/usr/local/bin:/usr/bin:/bin TMPDIR=/tmp USER=student \n",
    )
    .await;

    let c = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nextern char **environ;
static int order(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }
int main(void) { size_t count = 0; while (environ[count]) count++; qsort(environ, count, sizeof *environ, order);
    for (size_t i = 0; i < count; i++) printf(\"%s \", environ[i]); puts(\"\"); return 0; }";

    accepted(&bench, &Program::plain_c(c)).await;
}

#[tokio::test]
async fn temporary_files_go_after_each_test() {
    let bench = bench_of_tests(3, "", "0\n").await;

    let python = "import os, tempfile
print(sum(len(os.listdir(folder)) for folder in (tempfile.gettempdir(), '/dev/shm')))
for folder in (None, '/dev/shm'):
    tempfile.NamedTemporaryFile(dir=folder, delete=False).write(b'left')
";

    accepted(&bench, &Program::python(python)).await;
}

#[tokio::test]
async fn languages_and_limits_are_those_that_the_document_tells() {
    let document =
        std::fs::read_to_string(root().join("docs/what-a-program-finds.md")).expect("the document");
    let bench = Bench::expecting("GCC 12, glibc 2.36 CPython 3.11\n").await;

    let c = "#include <gnu/libc-version.h>\nint main(void) { printf(\"GCC %d, glibc %s CPython 3.11\\n\", __GNUC__, gnu_get_libc_version()); return 0; }";
    accepted(&bench, &Program::c(c)).await;
    let python = "import platform, sys\nprint('GCC 12, glibc 2.36', platform.python_implementation(), '%d.%d' % sys.version_info[:2])\n";
    accepted(&bench, &Program::python(python)).await;
    assert!(document.contains("| `c` | C, GCC 12, glibc 2.36, `-std=gnu17 -O2 -Wall`, linked with `-lm` |"));
    assert!(document.contains("| `python` | CPython 3.11, `-B -s` |"));
    let runtimes = guichet::runtimes::load(&root().join("runtimes")).expect("the languages");
    for (id, runtime) in runtimes {
        let limits = runtime.run.limits.default;
        let (cpu, wall, memory) =
            (limits.cpu_time_ms / 1000, limits.wall_time_ms / 1000, limits.memory_bytes >> 20);
        let row = format!("| `{id}` | {cpu} s | {wall} s | {memory} MiB | {} |\n", limits.processes);
        assert!(document.contains(&row), "{row}");
        assert_eq!(limits.output_bytes, 64 << 10, "{id}");
    }
}

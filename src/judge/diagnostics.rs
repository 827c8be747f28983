//! What a compiler says, line by line: as the language's own patterns say, or `file:line[:column]: severity: message`, as
//! gcc, clang and javac write it, and what assembler, linker and driver say without a place.

use regex::Captures;

use super::classify::Meaning;
use super::failure::own_path;
use crate::domain::pattern::Pattern;
use crate::domain::verdict::{Diagnostic, Exit, Severity};

/// Most diagnostics kept of a compilation.
const MAX_DIAGNOSTICS: usize = 100;
/// Longest message kept, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// What stands before a message, and how bad that is.
const MARKS: [(&str, Severity); 8] = [
    ("fatal error: ", Severity::Error),
    ("internal compiler error: ", Severity::Error),
    ("error: ", Severity::Error),
    ("warning: ", Severity::Warning),
    ("note: ", Severity::Note),
    ("Fatal error: ", Severity::Error),
    ("Error: ", Severity::Error),
    ("Warning: ", Severity::Warning),
];

/// What a compilation's output says, in order.
///
/// What failed has at least one error: if no line is known as one, what stopped it or the last line is.
///
/// * `patterns` — of the language's own forms; the first that fits a line counts.
pub fn diagnostics(output: &[u8], meaning: &Meaning, patterns: &[Pattern]) -> Vec<Diagnostic> {
    let output = String::from_utf8_lossy(output);
    let of_line = |line| {
        let own = patterns.iter().find_map(|pattern| pattern.find(line));
        own.map_or_else(|| diagnostic(line), |groups| Some(of_groups(&groups)))
    };
    let mut found: Vec<_> = output.lines().filter_map(of_line).collect();
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    if meaning.verdict.is_some() && !found.iter().any(is_error) {
        found.truncate(MAX_DIAGNOSTICS - 1);
        found.push(unplaced(Severity::Error, &cause(&output, meaning)));
    }
    if let Some(error) = found.iter().position(is_error).filter(|first| *first >= MAX_DIAGNOSTICS) {
        found.swap(MAX_DIAGNOSTICS - 1, error);
    }
    found.truncate(MAX_DIAGNOSTICS);
    found
}

/// Why a compilation failed whose output does not tell.
fn cause(output: &str, meaning: &Meaning) -> String {
    if let Some(limit) = meaning.limit {
        return format!("the compilation was stopped by its limit of {}", limit.kind.described());
    }
    if let Some(line) = output.lines().rev().find(|line| !line.trim().is_empty()) {
        return line.trim().to_owned();
    }
    match meaning.exit {
        Exit::Code(code) => format!("the compiler ended with exit code {code} and said nothing"),
        Exit::Signal(signal) => format!("signal {signal} killed the compiler, which said nothing"),
    }
}

/// What the groups of a language's own pattern say. A severity that is not told is an error.
fn of_groups(groups: &Captures<'_>) -> Diagnostic {
    let group = |name| groups.name(name).map(|group| group.as_str().trim()).filter(|text| !text.is_empty());
    let number = |name| group(name).and_then(|text| text.parse().ok());
    let severity = group("severity").unwrap_or_default().to_lowercase();
    let severity = match severity.as_str() {
        text if text.starts_with("warn") => Severity::Warning,
        text if ["note", "info", "hint", "help"].iter().any(|mark| text.starts_with(mark)) => Severity::Note,
        _ => Severity::Error,
    };
    Diagnostic {
        file: group("file").map(|file| own_path(file).to_owned()),
        line: number("line"),
        column: number("column"),
        ..unplaced(severity, group("message").unwrap_or_default())
    }
}

fn diagnostic(line: &str) -> Option<Diagnostic> {
    let starts = [0].into_iter().chain(line.match_indices(": ").map(|(at, separator)| at + separator.len()));
    let marks = starts.filter_map(|start| Some((line.get(..start)?, marked(line.get(start..)?)?)));
    let first = marks.into_iter().next();
    if let Some((place, (severity, message))) = first
        && let Some((file, line, column)) = split_place(place.trim_end_matches(": "))
        && file != "{standard input}"
    {
        let (file, line) = (Some(own_path(file).to_owned()), Some(line));
        return Some(Diagnostic { file, line, column, ..unplaced(severity, message) });
    }
    if let Some((place, message)) = split_section(line) {
        let (severity, message) = marked(message).unwrap_or((Severity::Error, message));
        let file = place.rsplit(':').next().map(str::trim).filter(|file| !file.is_empty());
        let file = file.filter(|file| !file.starts_with('/')).map(str::to_owned);
        return Some(Diagnostic { file, ..unplaced(severity, message) });
    }
    if let Some((_tool, (severity, message))) = first {
        return Some(unplaced(severity, message));
    }
    let (tool, message) = line.split_once(": ")?;
    let is_linker = tool.rsplit('/').next().is_some_and(|name| name == "ld" || name.starts_with("ld."));
    let is_heading = message.ends_with(':');
    (is_linker && !is_heading).then(|| unplaced(Severity::Error, message))
}

fn unplaced(severity: Severity, message: &str) -> Diagnostic {
    let message = without_temporary_names(message).chars().take(MAX_MESSAGE_CHARS).collect();
    Diagnostic { file: None, line: None, column: None, severity, message }
}

fn marked(text: &str) -> Option<(Severity, &str)> {
    MARKS.into_iter().find_map(|(mark, severity)| Some((severity, text.strip_prefix(mark)?)))
}

/// A linker's `place:(section+0x1f): message`.
fn split_section(line: &str) -> Option<(&str, &str)> {
    let (before, message) = line.split_once("): ")?;
    let (place, section) = before.rsplit_once('(')?;
    let (_, offset) = section.rsplit_once("+0x")?;
    let is_offset = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_offset.then(|| (place.strip_suffix(':').unwrap_or(place), message))
}

/// `file:line` or `file:line:column`.
fn split_place(place: &str) -> Option<(&str, u32, Option<u32>)> {
    let (rest, last) = place.rsplit_once(':')?;
    let last: u32 = last.parse().ok()?;
    match rest.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) => Some((file, line, Some(last))),
        None => Some((rest, last, None)),
    }
}

/// The message without names like `/tmp/ccA1b2C3.o`, which say nothing to who reads it.
fn without_temporary_names(message: &str) -> String {
    const BEGIN: &str = "/tmp/cc";
    const RANDOM_CHARS: usize = 6;
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, behind)) = rest.split_once(BEGIN) {
        let name = behind.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let ending = behind.get(name..).and_then(|behind| behind.strip_prefix('.'));
        text.push_str(before);
        match ending.filter(|_| name == RANDOM_CHARS) {
            Some(ending) => {
                rest = ending.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
                match rest.strip_prefix(':').filter(|behind| !behind.starts_with(' ')) {
                    Some(behind) => rest = behind,
                    None => text.push_str("a temporary file"),
                }
            }
            None => {
                text.push_str(BEGIN);
                rest = behind;
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, Exit, MAX_DIAGNOSTICS, Meaning, Pattern, Severity, diagnostics};
    use crate::domain::verdict::{LimitHit, LimitKind, Usage, Verdict};

    const FAILED: Meaning = Meaning {
        verdict: Some(Verdict::RuntimeError),
        exit: Exit::Code(1),
        limit: None,
        usage: Usage { cpu_time_ms: 1, wall_time_ms: 1, memory_bytes: 1 },
    };

    fn found(output: &str) -> Vec<Diagnostic> {
        diagnostics(output.as_bytes(), &FAILED, &[])
    }

    fn messages(output: &str) -> Vec<(Severity, Option<String>, String)> {
        found(output).into_iter().map(|one| (one.severity, one.file, one.message)).collect()
    }

    fn error(file: Option<&str>, message: &str) -> (Severity, Option<String>, String) {
        (Severity::Error, file.map(str::to_owned), message.to_owned())
    }

    #[test]
    fn gcc_tells_file_line_and_column() {
        let found = found("main.c: In function 'main':\nmain.c:3:5: error: expected ';'\n    3 |     }\n");

        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].column, found[0].severity), (Some(3), Some(5), Severity::Error));
        assert_eq!((found[0].file.as_deref(), found[0].message.as_str()), (Some("main.c"), "expected ';'"));
    }

    #[test]
    fn javac_tells_no_column() {
        let found = found("Main.java:7: error: ';' expected\n");

        assert_eq!(
            (found[0].file.as_deref(), found[0].line, found[0].column),
            (Some("Main.java"), Some(7), None)
        );
    }

    #[test]
    fn a_message_may_look_like_another_one() {
        let found = found("a: b.c:1:2: warning: not an error: x:3: fatal error: y\nm.c:1:1: error: z\n");

        assert_eq!((found[0].severity, found[0].line), (Severity::Warning, Some(1)));
        assert_eq!(found[0].message, "not an error: x:3: fatal error: y");
    }

    #[test]
    fn the_linker_names_what_is_missing_and_where_it_knows_that() {
        let output = "/usr/bin/ld: /usr/lib/gcc/x86_64-linux-gnu/12/../../../x86_64-linux-gnu/Scrt1.o: in function `_start':\n\
            (.text+0x17): undefined reference to `main'\n/usr/bin/ld: a.c:(.text.startup+0x9): undefined reference to `foo'\n\
            /usr/bin/ld: cannot find -lfoo: No such file or directory\n\
            /usr/bin/ld: a.c:(.text+0x11): warning: the `gets' function is dangerous\n\
            collect2: error: ld returned 1 exit status\n";

        let (warning, file) = (Severity::Warning, Some("a.c".to_owned()));
        assert_eq!(
            messages(output),
            [
                error(None, "undefined reference to `main'"),
                error(Some("a.c"), "undefined reference to `foo'"),
                error(None, "cannot find -lfoo: No such file or directory"),
                (warning, file, "the `gets' function is dangerous".to_owned()),
                error(None, "ld returned 1 exit status"),
            ]
        );
    }

    #[test]
    fn names_of_temporary_files_are_left_out() {
        let output = "/usr/bin/ld: /tmp/ccJQ8JL7.o: in function `main':\n\
            b.c:(.text.startup+0x0): multiple definition of `main'; /tmp/cc4t9SQd.o:a.c:(.text.startup+0x0): first defined here\n\
            {standard input}: Fatal error: can't fill 256 bytes in section .data of /tmp/cc7PMRWr.o: 'No space left on device'\n\
            main.c:1:2: error: #error /tmp/cc1 is mine\n";

        assert_eq!(
            messages(output),
            [
                error(
                    Some("b.c"),
                    "multiple definition of `main'; a.c:(.text.startup+0x0): first defined here"
                ),
                error(
                    None,
                    "can't fill 256 bytes in section .data of a temporary file: 'No space left on device'"
                ),
                error(Some("main.c"), "#error /tmp/cc1 is mine"),
            ]
        );
    }

    #[test]
    fn assembler_and_driver_are_heard() {
        let output = "a.c: Assembler messages:\na.c:2: Error: no such instruction: `foo bar'\n\
            {standard input}:4: Error: file not found: /etc/nope\n\
            gcc: fatal error: Killed signal terminated program cc1\n\
            gcc: internal compiler error: File size limit exceeded signal terminated program as\nerror: no file\n";

        assert_eq!(
            messages(output),
            [
                error(Some("a.c"), "no such instruction: `foo bar'"),
                error(None, "file not found: /etc/nope"),
                error(None, "Killed signal terminated program cc1"),
                error(None, "File size limit exceeded signal terminated program as"),
                error(None, "no file"),
            ]
        );
    }

    #[test]
    fn what_failed_has_an_error_whatever_the_compiler_says() {
        let hit = LimitHit { kind: LimitKind::CpuTime, allowed: 10, measured: 11 };
        let stopped = diagnostics(b"half a li", &Meaning { limit: Some(hit), ..FAILED }, &[]);

        assert_eq!(stopped[0].message, "the compilation was stopped by its limit of CPU time");
        assert_eq!(messages("strange\nlast words\n\n"), [error(None, "last words")]);
        assert_eq!(messages(""), [error(None, "the compiler ended with exit code 1 and said nothing")]);
        assert!(diagnostics(b"strange", &Meaning { verdict: None, ..FAILED }, &[]).is_empty());
    }

    #[test]
    fn a_language_may_have_forms_of_its_own() {
        let patterns: Vec<Pattern> = [
            r"^(?P<file>.+?)\((?P<line>\d+),(?P<column>\d+)\): (?P<severity>error|warning) (?P<message>TS\d+: .*)$",
            r"^(?P<file>\S+\.go):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)$",
        ]
        .into_iter()
        .map(|text| serde_json::from_value(text.into()).unwrap())
        .collect();
        let output = "# command-line-arguments\nmain.ts(3,5): warning TS1: w\n./a.go:4:2: undefined: x\nm.c:1:1: note: n\n";

        let found = diagnostics(output.as_bytes(), &FAILED, &patterns);

        let told =
            found.iter().map(|one| (one.severity, one.file.as_deref(), one.line, one.message.as_str()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (Severity::Warning, Some("main.ts"), Some(3), "TS1: w"),
                (Severity::Error, Some("a.go"), Some(4), "undefined: x"),
                (Severity::Note, Some("m.c"), Some(1), "n"),
            ]
        );
    }

    #[test]
    fn an_error_is_not_lost_behind_many_warnings() {
        let output = "a.c:1:1: warning: w\n".repeat(200) + "a.c:9:1: error: e\n";

        let found = found(&output);

        assert_eq!((found.len(), found[MAX_DIAGNOSTICS - 1].line), (MAX_DIAGNOSTICS, Some(9)));
    }
}

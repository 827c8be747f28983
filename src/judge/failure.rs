//! Where a program failed and why, read from what its language wrote to standard error.

use crate::domain::pattern::Pattern;
use crate::domain::runtime::{ErrorFormat, Innermost};

/// Longest message kept, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// Folders below which commands see the submission's files, as languages write them.
const OWN_FOLDERS: [&str; 2] = ["/w/work/", "./"];

/// `main.py, line 3: ZeroDivisionError: division by zero`; what is not told is left out.
///
/// * `files` — the submission's: calls in other files (of the language's library) are not the place.
pub fn failure<'a>(
    stderr: &[u8],
    format: &ErrorFormat,
    files: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let place = format.place.as_ref().and_then(|pattern| place(&text, pattern, format.innermost, files));
    let message = chosen(
        format.message.all(&text).filter_map(|found| Some(found.name("message")?.as_str().trim().to_owned())),
        format.innermost,
    );
    let message = message.filter(|message| !message.is_empty());
    let told = match (place, message) {
        (Some((file, line)), Some(message)) => format!("{file}, line {line}: {message}"),
        (Some((file, line)), None) => format!("{file}, line {line}"),
        (None, message) => message?,
    };
    Some(told.chars().take(MAX_MESSAGE_CHARS).collect())
}

fn place<'a>(
    text: &str,
    pattern: &Pattern,
    innermost: Innermost,
    files: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<(String, u32)> {
    let calls = pattern.all(text).filter_map(|call| {
        let file = own_path(call.name("file")?.as_str());
        let line = call.name("line")?.as_str().parse().ok()?;
        files.clone().any(|own| own == file).then(|| (file.to_owned(), line))
    });
    chosen(calls, innermost)
}

fn chosen<T>(mut found: impl Iterator<Item = T>, innermost: Innermost) -> Option<T> {
    match innermost {
        Innermost::First => found.next(),
        Innermost::Last => found.last(),
    }
}

/// A path as the submission names it.
pub fn own_path(path: &str) -> &str {
    let path = path.strip_prefix("file://").unwrap_or(path);
    OWN_FOLDERS.into_iter().find_map(|folder| path.strip_prefix(folder)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{ErrorFormat, failure};

    fn format(toml: &str) -> ErrorFormat {
        toml::from_str(toml).unwrap()
    }

    fn python() -> ErrorFormat {
        format(
            r#"
            place = '(?m)^  File "(?P<file>[^"]+)", line (?P<line>\d+)'
            innermost = "last"
            message = '(?m)^(?P<message>[A-Za-z_][\w.]*(?:: .*)?)$'
            "#,
        )
    }

    const TRACE: &str = "Traceback (most recent call last):\n  File \"/w/work/main.py\", line 7, in <module>\n    f()\n  \
        File \"/w/work/sub/a.py\", line 3, in f\n    json.loads(\"\")\n  \
        File \"/usr/lib/python3.11/json/__init__.py\", line 346, in loads\nValueError: no\n";

    #[test]
    fn the_innermost_call_in_a_file_of_the_submission_is_the_place() {
        let told = failure(TRACE.as_bytes(), &python(), &["main.py", "sub/a.py"].into_iter());

        assert_eq!(told.as_deref(), Some("sub/a.py, line 3: ValueError: no"));
    }

    #[test]
    fn a_language_that_tells_the_innermost_call_first_is_read_so() {
        let node = format(
            r"
            place = '(?m)(?:\(|at |^)(?P<file>[^\s():]+):(?P<line>\d+)(?::\d+)?\)?$'
            message = '(?m)^(?P<message>\w*Error: .*)$'
            ",
        );
        let trace = "/w/work/main.js:2\n\nTypeError: x is not a function\n    at f (/w/work/main.js:2:3)\n    \
            at Object.<anonymous> (/w/work/main.js:5:1)\n    at node:internal/main:14:47\n";

        let told = failure(trace.as_bytes(), &node, &["main.js"].into_iter());

        assert_eq!(told.as_deref(), Some("main.js, line 2: TypeError: x is not a function"));
    }

    #[test]
    fn what_is_not_told_is_left_out() {
        assert_eq!(failure(b"Killed\n", &python(), &["main.py"].into_iter()).as_deref(), Some("Killed"));
        assert_eq!(
            failure(TRACE.as_bytes(), &python(), &["other.py"].into_iter()).as_deref(),
            Some("ValueError: no")
        );
        assert_eq!(failure(b"", &python(), &["main.py"].into_iter()), None);
        assert_eq!(failure(b"\xff\xfe !", &python(), &["main.py"].into_iter()), None);
    }
}

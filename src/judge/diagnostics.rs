//! Places in a compiler's messages: `file:line[:column]: severity: message`, as gcc, clang and javac write them.

use crate::domain::verdict::{Diagnostic, Severity};

/// Most diagnostics kept of a compilation.
const MAX_DIAGNOSTICS: usize = 100;
/// Longest message kept, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// The places that a compiler's output names, in order.
pub fn diagnostics(output: &[u8]) -> Vec<Diagnostic> {
    String::from_utf8_lossy(output).lines().filter_map(diagnostic).take(MAX_DIAGNOSTICS).collect()
}

fn diagnostic(line: &str) -> Option<Diagnostic> {
    let (place, severity, message) = [
        (": fatal error: ", Severity::Error),
        (": error: ", Severity::Error),
        (": warning: ", Severity::Warning),
        (": note: ", Severity::Note),
    ]
    .into_iter()
    .find_map(|(mark, severity)| line.split_once(mark).map(|(place, message)| (place, severity, message)))?;
    let (file, line, column) = split_place(place)?;
    Some(Diagnostic {
        file: file.to_owned(),
        line,
        column,
        severity,
        message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
    })
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

#[cfg(test)]
mod tests {
    use super::{Severity, diagnostics};

    #[test]
    fn gcc_tells_file_line_and_column() {
        let found =
            diagnostics(b"main.c: In function 'main':\nmain.c:3:5: error: expected ';'\n    3 |     }\n");

        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].column, found[0].severity), (3, Some(5), Severity::Error));
        assert_eq!(found[0].message, "expected ';'");
    }

    #[test]
    fn javac_tells_no_column() {
        let found = diagnostics(b"Main.java:7: error: ';' expected\n");

        assert_eq!((found[0].file.as_str(), found[0].line, found[0].column), ("Main.java", 7, None));
    }
}

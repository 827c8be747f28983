//! What a terminal shows of a submission: its place and its tests as they come, and how it ended.

use std::io::{Write, stderr, stdout};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{shown_of, text_of};
use crate::cli::api::{Error, shown};

/// Characters of the bar of the queue.
const BAR: usize = 20;
/// Lines of a difference that are shown.
const MOST_LINES: usize = 40;

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether a line may be written over.
    pub(super) is_terminal: bool,
    /// Whether there are colours.
    pub(super) colours: bool,
}

#[derive(Clone, Copy, Debug)]
enum Colour {
    Good,
    Bad,
}

impl Style {
    fn coloured(self, text: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Good => 32,
            Colour::Bad => 31,
        };
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// One JSON object on a line.
pub(super) fn json_line(out: &mut dyn Write, value: &Value) -> std::io::Result<()> {
    writeln!(out, "{value}")
}

/// The id of a submission that is stored.
pub(super) fn id(out: &mut dyn Write, submission: &Value) -> Result<(), Error> {
    Ok(writeln!(out, "{}", shown_of(submission, "/id"))?)
}

/// Writes what becomes of one submission: how it goes to standard error, how it ended to standard output.
#[derive(Debug)]
pub(super) struct Lines {
    style: Style,
    /// Whether its tests are shown.
    grades: bool,
    /// The first place it had.
    first_place: Option<u64>,
    /// What was said of its place last.
    place: String,
    /// Whether the last line is to be written over.
    is_open: bool,
}

impl Lines {
    pub(super) const fn new(style: Style, grades: bool) -> Self {
        Self { style, grades, first_place: None, place: String::new(), is_open: false }
    }

    /// Shows an event.
    pub(super) fn event(&mut self, name: &str, event: &Value) -> std::io::Result<()> {
        match name {
            "submission.queued" | "queue.position" => self.place(event),
            "submission.started" => self.line("running", true),
            "submission.test_finished" if self.grades => {
                let text = test_line(self.style, event.get("test").unwrap_or(&Value::Null));
                self.line(&text, false)
            }
            "submission.requeued" => {
                let (reason, place) = (shown_of(event, "/reason"), number(event, "/position"));
                self.line(&format!("{reason}: it runs again; place {place}"), false)
            }
            _others => Ok(()),
        }
    }

    fn place(&mut self, event: &Value) -> std::io::Result<()> {
        let place = number(event, "/position");
        let first = *self.first_place.get_or_insert(place);
        let eta = match (event.pointer("/eta/low_s"), event.pointer("/eta/high_s")) {
            (Some(low), Some(high)) if low == high => format!(", starts in about {high} s"),
            (Some(low), Some(high)) => format!(", starts in about {low} to {high} s"),
            _unknown => String::new(),
        };
        let text = format!("place {place}{eta}");
        if text == self.place {
            return Ok(());
        }
        self.place.clone_from(&text);
        if self.style.is_terminal {
            let text = format!("[{}] {text}", bar(first, place));
            return self.line(&text, true);
        }
        self.line(&text, false)
    }

    /// Writes a line; one that is open is written over by the next.
    fn line(&mut self, text: &str, is_open: bool) -> std::io::Result<()> {
        let mut out = stderr();
        if self.is_open {
            write!(out, "\r\u{1b}[K")?;
        }
        self.is_open = is_open && self.style.is_terminal;
        if self.is_open {
            write!(out, "{text}")?;
        } else {
            writeln!(out, "{text}")?;
        }
        out.flush()
    }

    /// Leaves nothing open.
    fn close(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.is_open) {
            write!(stderr(), "\r\u{1b}[K")?;
        }
        Ok(())
    }

    /// Shows how a graded one ended.
    pub(super) fn graded(&mut self, submission: &Value) -> std::io::Result<()> {
        self.close()?;
        let mut out = stdout();
        Self::not_compiled(&mut out, submission)?;
        for test in tests(submission) {
            self.difference(&mut out, test)?;
        }
        let verdict = self.verdict(submission);
        match (submission.pointer("/result/score"), submission.pointer("/result/max_score")) {
            (Some(score), Some(most)) => writeln!(out, "{verdict}, {score} of {most} points"),
            _no_result => writeln!(out, "{verdict}"),
        }
    }

    /// Shows what one that was only run has written, and how it ended unless it ended well.
    pub(super) fn ran(&mut self, submission: &Value) -> std::io::Result<()> {
        self.close()?;
        Self::not_compiled(&mut stderr(), submission)?;
        let empty = Value::Null;
        let test = tests(submission).next().unwrap_or(&empty);
        stdout().write_all(&written(test, "stdout"))?;
        stdout().flush()?;
        stderr().write_all(&written(test, "stderr"))?;
        if text_of(submission, "/result/verdict") == Some("accepted") {
            return Ok(());
        }
        let message = text_of(test, "/message").map(|message| format!(": {}", shown(message)));
        writeln!(stderr(), "{}{}", self.verdict(submission), message.unwrap_or_default())
    }

    /// The verdict, or why there is none.
    fn verdict(&self, submission: &Value) -> String {
        match text_of(submission, "/result/verdict") {
            Some("accepted") => self.style.coloured("accepted", Colour::Good),
            Some(verdict) => self.style.coloured(&shown(verdict), Colour::Bad),
            None => match text_of(submission, "/failure/message") {
                Some(why) => format!("{}: {}", shown_of(submission, "/state"), shown(why)),
                None => shown_of(submission, "/state"),
            },
        }
    }

    /// What the compiler said, if it refused.
    fn not_compiled(out: &mut dyn Write, submission: &Value) -> std::io::Result<()> {
        let Some(compile) = submission.pointer("/result/compile").filter(|compile| compile["ok"] == false)
        else {
            return Ok(());
        };
        for line in text_of(compile, "/output").unwrap_or_default().lines() {
            writeln!(out, "{}", shown(line))?;
        }
        Ok(())
    }

    /// Where the output of a failed test differs from what was expected, if both are to be seen.
    fn difference(&self, out: &mut dyn Write, test: &Value) -> std::io::Result<()> {
        let (Some("wrong_answer"), Some(expected), Some(printed)) =
            (text_of(test, "/verdict"), text_of(test, "/expected"), text_of(test, "/stdout"))
        else {
            return Ok(());
        };
        writeln!(out, "{}: - expected, + printed", shown_of(test, "/name"))?;
        let diff = TextDiff::from_lines(expected, printed);
        for change in diff.iter_all_changes().take(MOST_LINES) {
            let line = shown(change.value().trim_end_matches('\n'));
            let text = match change.tag() {
                ChangeTag::Equal => format!("  {line}"),
                ChangeTag::Delete => self.style.coloured(&format!("- {line}"), Colour::Good),
                ChangeTag::Insert => self.style.coloured(&format!("+ {line}"), Colour::Bad),
            };
            writeln!(out, "{text}")?;
        }
        Ok(())
    }
}

fn tests(submission: &Value) -> impl Iterator<Item = &Value> {
    submission.pointer("/result/tests").and_then(Value::as_array).into_iter().flatten()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn test_line(style: Style, test: &Value) -> String {
    let (name, time) = (shown_of(test, "/name"), number(test, "/usage/cpu_time_ms"));
    match text_of(test, "/verdict") {
        Some("accepted") => format!("{} {name}, {time} ms", style.coloured("ok", Colour::Good)),
        verdict => {
            let verdict = style.coloured(&shown(verdict.unwrap_or("?")), Colour::Bad);
            let message = text_of(test, "/message").map(|message| format!(": {}", shown(message)));
            format!("{verdict} {name}, {time} ms{}", message.unwrap_or_default())
        }
    }
}

/// How far it came from its first place to the front.
fn bar(first: u64, place: u64) -> String {
    let most = first.max(place).max(1);
    let passed = most.saturating_sub(place);
    let full = usize::try_from(passed.saturating_mul(20) / most).unwrap_or(BAR).min(BAR);
    format!("{}{}", "#".repeat(full), "-".repeat(BAR - full))
}

/// Bytes of a stream of a report: in base64 where they are no text.
fn written(test: &Value, stream: &str) -> Vec<u8> {
    let encoded =
        text_of(test, &format!("/{stream}_base64")).and_then(|encoded| STANDARD.decode(encoded).ok());
    encoded.unwrap_or_else(|| text_of(test, &format!("/{stream}")).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn the_bar_fills_from_the_first_place_to_the_front() {
        assert_eq!(bar(10, 10), "-".repeat(20));
        assert_eq!(bar(10, 5), format!("{}{}", "#".repeat(10), "-".repeat(10)));
        assert_eq!(bar(10, 12), "-".repeat(20));
        assert_eq!(bar(1, 1), "-".repeat(20));
    }
}

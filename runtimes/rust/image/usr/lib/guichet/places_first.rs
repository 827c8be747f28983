//! Runs a compiler of Rust and writes what it says with the place of each message before it, on one line.
//!
//!     error[E0425]: cannot find value `x`          main.rs:2:5: error[E0425]: cannot find value `x`
//!      --> main.rs:2:5                        →      |
//!       |                                          2 | …

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio, exit};

/// What the compiler adds at its end, which says nothing of the program.
const CLOSING: [&str; 3] = ["error: aborting due to ", "For more information about ", "Some errors have detailed "];

fn main() -> std::io::Result<()> {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let (program, arguments) = words.split_first().expect("a command");
    let mut compiler = Command::new(program).args(arguments).stderr(Stdio::piped()).spawn()?;
    let said = BufReader::new(compiler.stderr.take().expect("a pipe"));
    let mut out = std::io::stderr().lock();
    let mut heading: Option<String> = None;
    for line in said.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(heading) = heading.take() {
            match place(&line) {
                Some(place) => {
                    writeln!(out, "{place}: {heading}")?;
                    continue;
                }
                None => writeln!(out, "{heading}")?,
            }
        }
        if is_heading(&line) {
            heading = Some(line);
        } else if !CLOSING.iter().any(|closing| line.starts_with(closing)) {
            writeln!(out, "{line}")?;
        }
    }
    if let Some(heading) = heading {
        writeln!(out, "{heading}")?;
    }
    exit(compiler.wait()?.code().unwrap_or(1));
}

fn is_heading(line: &str) -> bool {
    let closes = CLOSING.iter().any(|closing| line.starts_with(closing)) || line.ends_with(" emitted");
    ["error", "warning"].iter().any(|word| {
        line.strip_prefix(word).map_or(false, |rest| rest.starts_with(": ") || rest.starts_with('['))
    }) && !closes
}

/// `file:line:column` of a line ` --> file:line:column`.
fn place(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("--> ")
}

//! Small programs in C and Python, each with one trait.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Files in a runtime.
#[derive(Clone, Debug)]
pub struct Program {
    runtime: &'static str,
    files: Vec<(String, Vec<u8>)>,
}

impl Program {
    /// A Python program of one file.
    pub fn python(source: &str) -> Self {
        Self { runtime: "python", files: vec![("main.py".to_owned(), source.as_bytes().to_vec())] }
    }

    /// A C program of one file, with the usual headers.
    pub fn c(source: &str) -> Self {
        Self { runtime: "c", files: vec![("main.c".to_owned(), format!("{HEADERS}{source}").into_bytes())] }
    }

    /// A C program of one file as it stands.
    pub fn plain_c(source: &str) -> Self {
        Self { runtime: "c", files: vec![("main.c".to_owned(), source.as_bytes().to_vec())] }
    }

    /// A program of one file of any name.
    pub fn of_one_file(runtime: &'static str, path: &str, content: &[u8]) -> Self {
        Self { runtime, files: vec![(path.to_owned(), content.to_vec())] }
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: &str, content: &[u8]) -> Self {
        self.files.push((path.to_owned(), content.to_vec()));
        self
    }

    /// Its files, as requests hold them.
    pub fn files(&self) -> Value {
        let file = |(path, content): &(String, Vec<u8>)| match std::str::from_utf8(content) {
            Ok(text) => json!({ "path": path, "content": text }),
            Err(_) => json!({ "path": path, "content_base64": STANDARD.encode(content) }),
        };
        self.files.iter().map(file).collect()
    }

    /// The start of a request.
    pub fn body(&self) -> Value {
        json!({ "runtime": self.runtime, "files": self.files() })
    }
}

const HEADERS: &str = "#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
";

/// Adds two numbers.
pub fn python_sum() -> Program {
    Program::python("a, b = map(int, input().split())\nprint(a + b)\n")
}

/// Adds two numbers.
pub fn c_sum() -> Program {
    Program::c(
        "int main(void) { long a, b; if (scanf(\"%ld %ld\", &a, &b) == 2) printf(\"%ld\\n\", a + b); }",
    )
}

/// Adds two numbers wrongly if the first is greater than 9.
pub fn python_nearly_sum() -> Program {
    Program::python("a, b = map(int, input().split())\nprint(a + b + (a > 9))\n")
}

/// Sleeps for so many seconds, then is right about any sum.
pub fn sleep_then_sum(seconds: f64) -> Program {
    Program::python(&format!(
        "import time\ntime.sleep({seconds})\na, b = map(int, input().split())\nprint(a + b)\n"
    ))
}

/// Prints a line to standard output.
pub fn python_print(line: &str) -> Program {
    Program::python(&format!("print({line:?})\n"))
}

/// Keeps its slot until it is cancelled.
pub fn sitter() -> Program {
    Program::python("import signal\nsignal.pause()\n")
}

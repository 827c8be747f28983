//! The resident agent: process 1 of a container, one command at a time, told what to do over its standard input.

mod program;

fn main() -> std::process::ExitCode {
    program::run()
}

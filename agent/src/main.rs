//! The resident agent: process 1 of a container, one command at a time, told what to do over its standard input.
//! With two arguments it removes control groups instead, and ends.

mod program;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, guichet_agent::REMOVE_CONTROL_GROUPS, folder] => program::remove_control_groups(folder),
        _ => program::run(),
    }
}

//! What comes with the program in a package: manual pages, completion, the unit. scripts/try-package.sh installs it.

use std::collections::BTreeSet;

use crate::support::engine::{guichet, root, say};

/// The commands that `guichet` names in its help.
fn commands() -> BTreeSet<String> {
    let help = say(guichet().arg("--help"));
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");

    say(guichet().arg("man").arg(folder.path()));

    assert!(commands().len() > 5);
    for command in commands() {
        let page = folder.path().join(format!("guichet-{command}.1"));
        let page = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn shells_complete_each_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = say(guichet().args(["completions", shell]));

        for command in commands() {
            assert!(script.contains(&command), "{shell} does not complete {command}");
        }
    }
}

#[test]
fn systemd_waits_longer_for_the_end_of_the_service_than_the_service_for_that_of_its_programs() {
    let unit = std::fs::read_to_string(root().join("packaging/guichet.service")).expect("the unit");
    let defaults = std::fs::read_to_string(root().join("src/config.default.toml")).expect("the settings");
    let seconds = |text: &str, key: &str| -> u64 {
        let value = text.lines().find_map(|line| line.strip_prefix(key)).expect(key);
        let digits: String = value.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("seconds")
    };

    assert!(seconds(&unit, "TimeoutStopSec=") > seconds(&defaults, "shutdown_grace ="));
}

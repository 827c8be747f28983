//! Languages: what `runtimes/<id>/runtime.toml` says.

use serde::Deserialize;

use super::ids::RuntimeId;
use super::limits::Limits;

/// A language in a version, with its image and commands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// Its id: the name of its folder.
    pub id: RuntimeId,
    /// The language, in lower case.
    pub language: String,
    /// Version of the language or compiler.
    pub version: String,
    /// What people read.
    pub name: String,
    /// The Docker image that holds it, `name:tag`.
    pub image: String,
    /// The file that is run or compiled; a submission of one file may name it otherwise.
    pub entry_file: String,
    /// Environment of every command, `NAME=value`, besides `PATH`, `HOME`, `TMPDIR` and `LANG`.
    #[serde(default)]
    pub env: Vec<String>,
    /// How a program is built; `None` if it is run as it is.
    pub compile: Option<Step>,
    /// How a program is run.
    pub run: Step,
    /// A command that exits with 0 if the image is in order.
    pub probe: Vec<String>,
    /// How the image is made; `None` if `image` must exist already.
    pub build: Option<ImageRecipe>,
}

/// A command and what it may use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Program and arguments; [`ENTRY_PLACEHOLDER`] stands for the entry file's path.
    pub command: Vec<String>,
    /// What it may use.
    pub limits: StepLimits,
}

/// What a command may use if nobody says otherwise, and at most.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLimits {
    /// If nobody says otherwise.
    pub default: Limits,
    /// At most.
    pub maximum: Limits,
}

/// How an image is made from Debian packages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipe {
    /// Debian release.
    pub suite: String,
    /// Packages, by name.
    pub packages: Vec<String>,
    /// Commands run inside the finished tree (each an argument vector), to warm what an installer would.
    #[serde(default)]
    pub finish: Vec<Vec<String>>,
}

/// Stands for the entry file's path in a command.
pub const ENTRY_PLACEHOLDER: &str = "{entry}";

impl Step {
    /// The argument vector for an entry file.
    ///
    /// A name that a compiler would read as an option (`-o.c`) or a file of options (`@x.c`) gets `./` before it.
    pub fn argv(&self, entry: &str) -> Vec<String> {
        let guard = if entry.starts_with(['-', '@']) { "./" } else { "" };
        let path = format!("{guard}{entry}");
        self.command.iter().map(|word| word.replace(ENTRY_PLACEHOLDER, &path)).collect()
    }
}

impl Runtime {
    /// Which of a submission's files is run: the entry file, or the only one. `None` if neither exists.
    pub fn entry<'a>(&self, mut paths: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
        let mut all = paths.clone();
        let only = all.next().filter(|_| all.next().is_none());
        paths.find(|path| *path == self.entry_file).or(only)
    }
}

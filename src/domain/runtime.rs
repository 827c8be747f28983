//! Languages: what `runtimes/<id>/runtime.toml` says.

use serde::Deserialize;

use super::ids::RuntimeId;
use super::limits::Limits;
use super::pattern::Pattern;

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
    /// How names of sources end, besides the entry file's; see [`SOURCES_PLACEHOLDER`].
    #[serde(default)]
    pub source_suffixes: Vec<String>,
    /// Environment of every command, `NAME=value`, besides `PATH`, `HOME`, `TMPDIR`, `LANG`, `USER` and `LOGNAME`.
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
    /// Program and arguments, with placeholders.
    pub command: Vec<String>,
    /// Memory that the language itself holds before a program's first line, in bytes; it doesn't count in the limit.
    #[serde(default)]
    pub start_memory_bytes: u64,
    /// What it may use.
    pub limits: StepLimits,
    /// How a compiler's lines are read that have another form than gcc's: the first that fits a line counts. Groups: `file`,
    /// `line`, `column`, `severity`, `message`.
    #[serde(default)]
    pub diagnostics: Vec<Pattern>,
    /// How what a failing program says is read.
    pub error: Option<ErrorFormat>,
}

/// How the place of a run-time error is found in what a program wrote to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorFormat {
    /// Each match is a call: its groups `file` and `line` say where.
    pub place: Option<Pattern>,
    /// Which call of several is the one that failed.
    #[serde(default)]
    pub innermost: Innermost,
    /// Its group `message` is what went wrong.
    pub message: Pattern,
}

/// In which order a language tells the calls that led to an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Innermost {
    /// The call that failed is told first.
    #[default]
    First,
    /// It is told last.
    Last,
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
    /// Files laid over the tree before those commands: the folder `image` beside the recipe.
    #[serde(skip)]
    pub overlay: Vec<OverlayFile>,
}

/// A file of a recipe's own in its image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OverlayFile {
    /// Where, relative to the image's root.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Stands for the entry file's path in a command.
pub const ENTRY_PLACEHOLDER: &str = "{entry}";

/// A word of its own that stands for the paths of all sources, each a word: the entry file first.
pub const SOURCES_PLACEHOLDER: &str = "{sources}";

/// Stands for the folder in which a compilation leaves what is no file of the submission.
pub const OUTPUT_PLACEHOLDER: &str = "{output}";

/// Stands for the command's memory limit, in MiB.
pub const MEMORY_PLACEHOLDER: &str = "{memory_mib}";

/// What the placeholders of a command stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths<'a> {
    /// The entry file.
    pub entry: &'a str,
    /// All sources, the entry file first.
    pub sources: Vec<&'a str>,
    /// The folder for what a compilation makes.
    pub output: &'a str,
}

impl Step {
    /// The argument vector for these paths, under these limits.
    ///
    /// A name that a compiler would read as an option (`-o.c`) or a file of options (`@x.c`) gets `./` before it.
    pub fn argv(&self, paths: &Paths<'_>, limits: &Limits) -> Vec<String> {
        let entry = guarded(paths.entry);
        let memory_mib = (limits.memory_bytes >> 20).max(1).to_string();
        let words = self.command.iter().flat_map(|word| {
            if word == SOURCES_PLACEHOLDER {
                return paths.sources.iter().map(|path| guarded(path)).collect();
            }
            // The entry last: its name may hold anything.
            let word =
                word.replace(MEMORY_PLACEHOLDER, &memory_mib).replace(OUTPUT_PLACEHOLDER, paths.output);
            vec![word.replace(ENTRY_PLACEHOLDER, &entry)]
        });
        words.collect()
    }
}

fn guarded(path: &str) -> String {
    let guard = if path.starts_with(['-', '@']) { "./" } else { "" };
    format!("{guard}{path}")
}

impl Runtime {
    /// Which of a submission's files is run: the entry file, or the only one. `None` if neither exists.
    pub fn entry<'a>(&self, mut paths: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
        let mut all = paths.clone();
        let only = all.next().filter(|_| all.next().is_none());
        paths.find(|path| *path == self.entry_file).or(only)
    }

    /// What the placeholders of its commands stand for, in a submission of these files.
    ///
    /// * `output` — the folder for what a compilation makes.
    pub fn paths<'a>(&'a self, files: impl Iterator<Item = &'a str> + Clone, output: &'a str) -> Paths<'a> {
        let entry = self.entry(files.clone()).unwrap_or(&self.entry_file);
        let is_source = |path: &&str| {
            *path != entry && self.source_suffixes.iter().any(|suffix| path.ends_with(suffix.as_str()))
        };
        let mut others: Vec<&str> = files.filter(is_source).collect();
        others.sort_unstable();
        Paths { entry, sources: [vec![entry], others].concat(), output }
    }
}

#[cfg(test)]
mod tests {
    use super::{Runtime, Step};

    fn c() -> Runtime {
        toml::from_str(include_str!("../../runtimes/c/runtime.toml")).unwrap()
    }

    fn argv(runtime: &Runtime, command: &[&str], files: &[&str]) -> Vec<String> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let step = Step { command, ..runtime.run.clone() };
        step.argv(&runtime.paths(files.iter().copied(), "/out"), &step.limits.default)
    }

    #[test]
    fn every_source_is_a_word_the_entry_first_and_headers_are_none() {
        let files = ["b.c", "z/a.c", "add.h", "notes.txt", "main.c"];

        assert_eq!(argv(&c(), &["cc", "{sources}", "-lm"], &files), ["cc", "main.c", "b.c", "z/a.c", "-lm"]);
    }

    #[test]
    fn the_only_file_is_the_source_whatever_its_name() {
        assert_eq!(argv(&c(), &["{sources}"], &["main.h"]), ["main.h"]);
    }

    #[test]
    fn names_that_look_like_options_are_guarded() {
        let words = argv(&c(), &["{entry}", "{sources}"], &["main.c", "-o.c", "@x.c"]);

        assert_eq!(words, ["main.c", "main.c", "./-o.c", "./@x.c"]);
        assert_eq!(argv(&c(), &["{entry}"], &["-o.c"]), ["./-o.c"]);
    }

    #[test]
    fn a_command_may_name_its_memory_limit() {
        assert_eq!(argv(&c(), &["java", "-Xmx{memory_mib}m"], &["main.c"]), ["java", "-Xmx256m"]);
    }

    #[test]
    fn a_name_that_looks_like_a_placeholder_is_a_name() {
        let words = argv(&c(), &["{output}/{entry}", "{sources}"], &["{output}{sources}{entry}.c"]);

        assert_eq!(words, ["/out/{output}{sources}{entry}.c", "{output}{sources}{entry}.c"]);
    }
}

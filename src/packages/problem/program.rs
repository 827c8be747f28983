//! Programs of a package, a file or a folder, as the files of a runtime.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::bytes;
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::{Runtime, SOURCES_PLACEHOLDER};

/// A language of the format: its code, the language of our runtimes, and how its sources end.
struct Language {
    code: &'static str,
    ours: &'static str,
    endings: &'static [&'static str],
}

/// The languages of the format that a runtime may have.
const LANGUAGES: [Language; 18] = [
    Language { code: "bash", ours: "bash", endings: &["sh"] },
    Language { code: "c", ours: "c", endings: &["c"] },
    Language { code: "cpp", ours: "c++", endings: &["cc", "cpp", "cxx", "c++", "C"] },
    Language { code: "csharp", ours: "csharp", endings: &["cs"] },
    Language { code: "go", ours: "go", endings: &["go"] },
    Language { code: "haskell", ours: "haskell", endings: &["hs"] },
    Language { code: "java", ours: "java", endings: &["java"] },
    Language { code: "javascript", ours: "javascript", endings: &["js"] },
    Language { code: "lua", ours: "lua", endings: &["lua"] },
    Language { code: "ocaml", ours: "ocaml", endings: &["ml"] },
    Language { code: "pascal", ours: "pascal", endings: &["pas"] },
    Language { code: "perl", ours: "perl", endings: &["pm", "pl"] },
    Language { code: "php", ours: "php", endings: &["php"] },
    Language { code: "python3", ours: "python", endings: &["py", "py3"] },
    Language { code: "python3numpy", ours: "python", endings: &[] },
    Language { code: "ruby", ours: "ruby", endings: &["rb"] },
    Language { code: "rust", ours: "rust", endings: &["rs"] },
    Language { code: "typescript", ours: "typescript", endings: &["ts"] },
];

/// The runtime that is Python with its numerical libraries.
const WITH_NUMPY: &str = "python-scientific";

/// Files that are no sources and decide no language.
const HEADERS: [&str; 5] = ["h", "hh", "hpp", "hxx", "h++"];

/// The codes of the format that a runtime's language has.
pub(super) fn codes(runtime: &Runtime) -> impl Iterator<Item = &'static str> {
    let (language, has_numpy) = (runtime.language.clone(), runtime.id.as_str() == WITH_NUMPY);
    LANGUAGES.iter().map(|known| (known.ours, known.code)).filter_map(move |(ours, code)| {
        let is_its_own = ours == language && (code == "python3numpy") == has_numpy;
        is_its_own.then_some(code)
    })
}

/// A program as it is submitted.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) runtime: RuntimeId,
    /// Its files as a document has them.
    pub(super) files: Vec<Value>,
}

/// What a package says about a program beside its files.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) language: Option<String>,
    pub(super) entry: Option<String>,
}

/// The program of these files, by path within it.
///
/// # Errors
/// Why it cannot be run here: a lower-case fragment.
pub(super) fn program(
    files: Vec<(String, Vec<u8>)>,
    said: &Said,
    runtimes: &BTreeMap<RuntimeId, Runtime>,
) -> Result<Program, String> {
    if files.iter().any(|(path, _)| ["build", "run"].contains(&path.as_str())) {
        return Err("has a script build or run, which is not run here".to_owned());
    }
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let language = match &said.language {
        Some(code) => by_code(code).ok_or_else(|| format!("is in {code}, which is not known here"))?,
        None => language_of(&paths)?,
    };
    let shebang = |content: &[u8]| {
        content.starts_with(b"#!")
            && content
                .split(|byte| *byte == b'\n')
                .next()
                .is_some_and(|line| line.windows(7).any(|part| part == b"python2"))
    };
    if language.ours == "python" && files.iter().any(|(_, content)| shebang(content)) {
        return Err("is in Python 2, which is not known here".to_owned());
    }
    let runtime = runtimes.values().find(|runtime| codes(runtime).any(|code| code == language.code));
    let runtime =
        runtime.ok_or_else(|| format!("is in {}, for which there is no runtime here", language.ours))?;
    let entry = entry_of(&paths, said, language, runtime)?.to_owned();
    let is_only = files.len() == 1;
    let taken = files.iter().any(|(path, _)| *path == runtime.entry_file);
    if !is_only && taken && entry != runtime.entry_file {
        return Err(format!("begins in {entry} and has another {}", runtime.entry_file));
    }
    let files = files.into_iter().map(|(path, content)| {
        let path = if path == entry && !is_only { runtime.entry_file.clone() } else { path };
        bytes::file(&path, content)
    });
    Ok(Program { runtime: runtime.id.clone(), files: files.collect() })
}

fn by_code(code: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|known| known.code == code)
}

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// The only language that its sources have.
fn language_of(paths: &[&str]) -> Result<&'static Language, String> {
    let mut found: Option<&'static Language> = None;
    for path in paths.iter().filter(|path| !HEADERS.contains(&ending(path))) {
        let Some(language) = LANGUAGES.iter().find(|known| known.endings.contains(&ending(path))) else {
            continue;
        };
        if found.is_some_and(|found| found.code != language.code) {
            return Err("has sources of several languages".to_owned());
        }
        found = Some(language);
    }
    found.ok_or_else(|| "is in a language that is not known here".to_owned())
}

/// The file that is run.
fn entry_of<'a>(
    paths: &[&'a str],
    said: &Said,
    language: &Language,
    runtime: &Runtime,
) -> Result<&'a str, String> {
    let named = |name: &str| paths.iter().copied().find(|path| *path == name);
    if let Some(entry) = &said.entry {
        let endings = language.endings.iter();
        let as_file = endings.map(|ending| format!("{entry}.{ending}")).find_map(|name| named(&name));
        return named(entry).or(as_file).ok_or_else(|| format!("begins in {entry}, which it does not have"));
    }
    let sources: Vec<&'a str> =
        paths.iter().copied().filter(|path| language.endings.contains(&ending(path))).collect();
    if let Some(entry) = named(&runtime.entry_file).or_else(|| named("__main__.py")) {
        return Ok(entry);
    }
    match (sources.as_slice(), paths) {
        ([only], _) | ([], [only]) => Ok(only),
        // All of them are compiled, so it decides nothing which is named first.
        ([first, ..], _) if compiles_all(runtime) => Ok(first),
        _ => Err(format!("has several files and none is called {}", runtime.entry_file)),
    }
}

fn compiles_all(runtime: &Runtime) -> bool {
    runtime.compile.as_ref().is_some_and(|step| step.command.iter().any(|word| word == SOURCES_PLACEHOLDER))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::{Program, Runtime, RuntimeId, Said, program};

    fn runtimes() -> BTreeMap<RuntimeId, Runtime> {
        crate::runtimes::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("runtimes")).unwrap()
    }

    fn of(files: &[(&str, &str)], said: &Said) -> Result<Program, String> {
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec()));
        program(files.collect(), said, &runtimes())
    }

    fn shown(program: Result<Program, String>) -> String {
        match program {
            Ok(program) => {
                let paths = program.files.iter().map(|file| file["path"].as_str().unwrap());
                format!("{}: {}", program.runtime, paths.collect::<Vec<_>>().join(" "))
            }
            Err(reason) => reason,
        }
    }

    #[test]
    fn a_program_gets_the_runtime_of_its_language_and_the_file_that_this_one_runs() {
        let none = Said::default();
        let entry = Said { entry: Some("Solver".to_owned()), ..Said::default() };
        let numpy = Said { language: Some("python3numpy".to_owned()), ..Said::default() };

        assert_eq!(shown(of(&[("sum.py", "")], &none)), "python: sum.py");
        assert_eq!(shown(of(&[("sum.py", "")], &numpy)), "python-scientific: sum.py");
        assert_eq!(shown(of(&[("a.cc", ""), ("b.cc", ""), ("b.h", "")], &none)), "cpp: main.cpp b.cc b.h");
        assert_eq!(shown(of(&[("Help.java", ""), ("Solver.java", "")], &entry)), "java: Help.java Main.java");
        assert_eq!(
            shown(of(&[("__init__.py", ""), ("__main__.py", "")], &none)),
            "python: __init__.py main.py"
        );
    }

    #[test]
    fn a_program_that_cannot_be_run_is_refused_with_the_reason() {
        let none = Said::default();

        assert!(shown(of(&[("a.py", ""), ("b.py", "")], &none)).contains("none is called main.py"));
        assert!(shown(of(&[("a.py", ""), ("b.cc", "")], &none)).contains("several languages"));
        assert!(shown(of(&[("a.cob", "")], &none)).contains("not known here"));
        assert!(shown(of(&[("build", ""), ("a.c", "")], &none)).contains("script"));
        assert!(shown(of(&[("a.py", "#!/usr/bin/python2\n")], &none)).contains("Python 2"));
    }
}

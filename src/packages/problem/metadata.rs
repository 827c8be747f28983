//! `problem.yaml`: what the problem is called, how it is judged, and what a submission may use.

use serde_json::{Map, Value, json};

use super::super::yaml::as_text;
use super::super::{Error, PROBLEM};
use super::{Package, program};
use crate::domain::limits::{MAX_COMPILE_CPU_TIME_MS, MAX_CPU_TIME_MS, MAX_OUTPUT_BYTES, MIN_MEMORY_BYTES};

/// Which form of the format a package has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Also `legacy-icpc`.
    Legacy,
    /// 2023-07 and its drafts.
    Newer,
}

impl Format {
    /// Whether something at the top of a package is read.
    pub(super) fn reads(self, name: &str) -> bool {
        let own: &[&str] = match self {
            Self::Legacy => &["problem_statement", "output_validators"],
            Self::Newer => &["statement", "output_validator"],
        };
        own.contains(&name)
            || ["data", "submissions", PROBLEM, ".timelimit", "domjudge-problem.ini"].contains(&name)
    }

    /// The folder of statements.
    pub(super) const fn statements(self) -> &'static str {
        match self {
            Self::Legacy => "problem_statement/",
            Self::Newer => "statement/",
        }
    }

    /// The folder of output validators.
    pub(super) const fn validators(self) -> &'static str {
        match self {
            Self::Legacy => "output_validators/",
            Self::Newer => "output_validator/",
        }
    }
}

/// Keys that say nothing about judging.
const NOT_KEPT: [&str; 10] = [
    "uuid",
    "version",
    "author",
    "credits",
    "source",
    "source_url",
    "license",
    "rights_owner",
    "keywords",
    "embargo_until",
];
/// Keys that are read.
const READ: [&str; 9] = [
    "problem_format_version",
    "type",
    "name",
    "limits",
    "validation",
    "validator_flags",
    "languages",
    "constants",
    "grading",
];

/// What `problem.yaml` says.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) format: Format,
    /// Its names by language; under an empty key if it has only one.
    pub(super) names: Vec<(String, String)>,
    pub(super) is_scoring: bool,
    /// Whether outputs are checked by a program of the package: legacy alone says so.
    pub(super) is_custom: bool,
    pub(super) validator_flags: Vec<String>,
    limits: Map<String, Value>,
    languages: Option<Vec<String>>,
    constants: Vec<(String, String)>,
}

/// Limits as a document has them.
pub(super) struct Limits {
    pub(super) run: Value,
    pub(super) compile: Value,
}

pub(super) fn read(package: &mut Package<'_>) -> Result<Metadata, Error> {
    let entries = package.yaml(PROBLEM, None)?.unwrap_or_default();
    let text = |key: &str| entries.get(key).and_then(as_text);
    let format = match text("problem_format_version").as_deref() {
        None | Some("legacy" | "legacy-icpc") => Format::Legacy,
        Some(version) if version.starts_with("2023-07") => Format::Newer,
        Some(version) if version == "draft" || version.starts_with("202") => {
            package.notes.add(PROBLEM, format!("problem_format_version {version} is read as 2023-07"));
            Format::Newer
        }
        Some(version) => {
            return Err(Error::unfit(
                PROBLEM,
                format!("problem_format_version must be legacy or 2023-07, not {version}"),
            ));
        }
    };
    let kinds = words_or_list(entries.get("type"));
    let validation: Vec<String> = match format {
        Format::Legacy => {
            text("validation").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        }
        Format::Newer => Vec::new(),
    };
    for kind in kinds.iter().chain(&validation) {
        match kind.as_str() {
            "pass-fail" | "scoring" | "default" | "custom" | "score" => {}
            "interactive" | "multi-pass" | "submit-answer" => {
                return Err(Error::unfit(
                    PROBLEM,
                    format!("asks for {kind}, which cannot be graded from a package yet"),
                ));
            }
            other => return Err(Error::unfit(PROBLEM, format!("asks for {other}, which is not known here"))),
        }
    }
    let metadata = Metadata {
        format,
        names: names(entries.get("name")),
        is_scoring: kinds.iter().any(|kind| kind == "scoring"),
        is_custom: validation.first().is_some_and(|word| word == "custom"),
        validator_flags: text("validator_flags")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        limits: entries.get("limits").and_then(Value::as_object).cloned().unwrap_or_default(),
        languages: entries.get("languages").map(|value| words_or_list(Some(value))),
        constants: constants(entries.get("constants")),
    };
    note_keys(package, &entries);
    Ok(metadata)
}

/// A list of texts, or one text that stands for a list of one.
fn words_or_list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(as_text).collect(),
        Some(value) => as_text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn names(value: Option<&Value>) -> Vec<(String, String)> {
    match value {
        Some(Value::Object(names)) => {
            names.iter().filter_map(|(language, name)| Some((language.clone(), as_text(name)?))).collect()
        }
        Some(value) => as_text(value).map(|name| (String::new(), name)).into_iter().collect(),
        None => Vec::new(),
    }
}

fn constants(value: Option<&Value>) -> Vec<(String, String)> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((format!("{{{{{name}}}}}"), as_text(value)?))).collect()
}

fn note_keys(package: &mut Package<'_>, entries: &Map<String, Value>) {
    for key in entries.keys().map(String::as_str) {
        if NOT_KEPT.contains(&key) {
            package.notes.add(PROBLEM, format!("{key} is not kept"));
        } else if key == "allow_file_writing" {
            if entries.get(key) == Some(&Value::Bool(false)) {
                package
                    .notes
                    .add(PROBLEM, "allow_file_writing is not heeded: programs may write into their folder");
            }
        } else if !READ.contains(&key) {
            package.notes.add(PROBLEM, format!("{key} is not known here and left out"));
        }
    }
    let grading = entries.get("grading").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in grading {
        match key.as_str() {
            "objective" if value == "max" => {}
            "objective" => {
                package.notes.add(PROBLEM, "grading/objective is not heeded: the most points are best");
            }
            "show_test_data_groups" => {
                package
                    .notes
                    .add(PROBLEM, "grading/show_test_data_groups is not heeded: groups are always shown");
            }
            _ => package.notes.add(PROBLEM, format!("grading/{key} is not known here and left out")),
        }
    }
}

impl Metadata {
    /// A text with the package's constants put in.
    pub(super) fn fill(&self, text: &str) -> String {
        self.constants.iter().fold(text.to_owned(), |text, (name, value)| {
            if text.contains(name.as_str()) { text.replace(name.as_str(), value) } else { text }
        })
    }

    /// The bytes of a source with the package's constants put in.
    pub(super) fn fill_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.fill(text).into_bytes(),
            Err(_) => bytes.to_vec(),
        }
    }

    /// The languages that a student may choose from: those of the format that are here.
    pub(super) fn runtimes(&self, package: &Package<'_>) -> Result<Value, Error> {
        let is_asked = |code: &str| {
            self.languages
                .as_ref()
                .is_none_or(|asked| asked.iter().any(|asked| asked == "all" || asked == code))
        };
        let ids: Vec<&str> = package
            .runtimes
            .values()
            .filter(|runtime| program::codes(runtime).any(is_asked))
            .map(|runtime| runtime.id.as_str())
            .collect();
        if ids.is_empty() {
            return Err(Error::unfit(PROBLEM, "languages names none that is here"));
        }
        Ok(json!(ids))
    }

    /// A limit of the package, in the unit that it has there.
    pub(super) fn limit(&self, key: &str) -> Option<f64> {
        self.limits.get(key).and_then(Value::as_f64).filter(|limit| *limit > 0.0)
    }

    /// What a submission may use, and what its compilation may.
    pub(super) fn limits(&self, package: &mut Package<'_>) -> Limits {
        let (mut run, mut compile) = (Map::new(), Map::new());
        let maxima = package.runtimes.values();
        let most =
            maxima.clone().map(|runtime| runtime.run.limits.maximum.memory_bytes).max().unwrap_or(u64::MAX);
        let compiled =
            maxima.filter_map(|runtime| Some(runtime.compile.as_ref()?.limits.maximum.memory_bytes));
        let most_compiled = compiled.max().unwrap_or(most);
        match self.time_limit(package) {
            Some(seconds) => {
                let at_most = between(seconds * 1000.0, 1, MAX_CPU_TIME_MS);
                put(package, &mut run, "time limit", "cpu_time_ms", at_most);
            }
            None => package.notes.add(
                PROBLEM,
                "has no time limit: the runtime's default counts, and is not measured from the accepted submissions",
            ),
        }
        let mib = |value: f64| value * 1_048_576.0;
        if let Some(limit) = self.limit("memory") {
            put(package, &mut run, "memory", "memory_bytes", between(mib(limit), MIN_MEMORY_BYTES, most));
        }
        if let Some(limit) = self.limit("output") {
            put(package, &mut run, "output", "output_bytes", between(mib(limit), 1, MAX_OUTPUT_BYTES));
        }
        if let Some(limit) = self.limit("compilation_time") {
            let at_most = between(limit * 1000.0, 1, MAX_COMPILE_CPU_TIME_MS);
            put(package, &mut compile, "compilation_time", "cpu_time_ms", at_most);
        }
        if let Some(limit) = self.limit("compilation_memory") {
            let at_most = between(mib(limit), MIN_MEMORY_BYTES, most_compiled);
            put(package, &mut compile, "compilation_memory", "memory_bytes", at_most);
        }
        self.note_limits(package);
        Limits { run: Value::Object(run), compile: Value::Object(compile) }
    }

    fn note_limits(&self, package: &mut Package<'_>) {
        for (key, value) in &self.limits {
            let message = match key.as_str() {
                "time_limit" | "memory" | "output" | "compilation_time" | "compilation_memory"
                | "validation_time" | "validation_memory" | "validation_output" => {
                    if self.limit(key).is_some() {
                        continue;
                    }
                    format!("limits/{key} is not heeded: {value} is no number above 0")
                }
                "time_multiplier" | "time_multipliers" | "time_safety_margin" | "time_resolution" => {
                    format!("limits/{key} is not heeded: the time limit is not measured")
                }
                "code" => {
                    "limits/code is not heeded: the files of a submission may have 1 MiB together".to_owned()
                }
                _ => format!("limits/{key} is not known here and left out"),
            };
            package.notes.add(PROBLEM, message);
        }
    }

    /// The time limit in seconds, wherever a package says it.
    fn time_limit(&self, package: &Package<'_>) -> Option<f64> {
        let number = |text: &str| {
            text.trim()
                .trim_matches(['\'', '"'])
                .parse()
                .ok()
                .filter(|limit: &f64| *limit > 0.0 && limit.is_finite())
        };
        let text = |path| package.files.text(path).ok().flatten();
        let ini = || {
            let lines = text("domjudge-problem.ini")?.lines();
            let mut entries = lines.filter_map(|line| line.split_once('='));
            entries.find(|(key, _)| key.trim() == "timelimit").and_then(|(_, value)| number(value))
        };
        self.limit("time_limit").or_else(|| number(text(".timelimit")?)).or_else(ini)
    }
}

/// A limit within what is taken here, and whether that is another than was asked for.
pub(super) fn between(asked: f64, least: u64, most: u64) -> (u64, bool) {
    let whole = format!("{:.0}", asked.ceil().clamp(0.0, 1e18)).parse().unwrap_or(most);
    let taken: u64 = u64::clamp(whole, least, most.max(least));
    (taken, taken != whole)
}

/// Puts a limit into a document; that it is not the one asked for is noted.
pub(super) fn put(
    package: &mut Package<'_>,
    limits: &mut Map<String, Value>,
    asked: &str,
    field: &str,
    (taken, is_changed): (u64, bool),
) {
    if is_changed {
        package.notes.add(
            PROBLEM,
            format!("limits: the {asked} that is asked for is not taken here: {field} is {taken}"),
        );
    }
    limits.insert(field.to_owned(), taken.into());
}

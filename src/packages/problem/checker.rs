//! How outputs are checked: the default validator's flags, or the program of the package.

use serde_json::{Map, Value, json};

use super::super::{Error, PROBLEM, files};
use super::data::{Data, most_frequent};
use super::metadata::{Format, Metadata, between};
use super::program::{self, Said};
use super::{Package, metadata};
use crate::domain::limits::{MAX_CPU_TIME_MS, MAX_OUTPUT_BYTES, MIN_MEMORY_BYTES};

/// The checker as a document has it.
pub(super) fn read(package: &mut Package<'_>, metadata: &Metadata, data: &Data) -> Result<Value, Error> {
    let args = args(package, metadata, data);
    let folder = metadata.format.validators();
    let names: Vec<String> =
        files::names(package.files.below(folder)).into_iter().map(str::to_owned).collect();
    let is_custom = match metadata.format {
        Format::Legacy => metadata.is_custom,
        Format::Newer => !names.is_empty(),
    };
    if !is_custom {
        if !names.is_empty() {
            package
                .notes
                .add(folder.trim_end_matches('/'), "is left out: validation in problem.yaml is not custom");
        }
        return Ok(tokens(package, &args));
    }
    let (path, files) = source(package, metadata, &names);
    if files.is_empty() {
        return Err(Error::unfit(folder.trim_end_matches('/'), "is missing: validation is custom"));
    }
    let files = files.into_iter().map(|(path, content)| (path, metadata.fill_bytes(&content))).collect();
    let refused = match program::program(files, &Said::default(), package.runtimes) {
        Ok(program) => {
            package.origins.insert("/checker".to_owned(), path);
            let limits = limits(package, metadata);
            return Ok(
                json!({ "type": "program", "runtime": program.runtime.as_str(), "files": program.files,
                              "limits": limits, "args": args }),
            );
        }
        Err(reason) => reason,
    };
    package
        .notes
        .add(path, format!("{refused}: outputs are compared with the answers token by token instead"));
    Ok(tokens(package, &[]))
}

/// The one set of arguments that an exercise's checker is called with.
fn args(package: &mut Package<'_>, metadata: &Metadata, data: &Data) -> Vec<String> {
    let tests = data.root.tests();
    let of_test = |test: &&super::data::Test| {
        let own = test.validator_args.clone().unwrap_or_default();
        match metadata.format {
            Format::Legacy => [metadata.validator_flags.clone(), own].concat(),
            Format::Newer => own,
        }
    };
    let (args, has_others) = most_frequent(tests.iter().map(of_test)).unwrap_or_default();
    if has_others {
        let message = format!("tests have different arguments for the output validator: all get {args:?}");
        package.notes.add("data", message);
    }
    args
}

/// The files of the validator, and where it is.
fn source(
    package: &mut Package<'_>,
    metadata: &Metadata,
    names: &[String],
) -> (String, Vec<(String, Vec<u8>)>) {
    let folder = metadata.format.validators();
    // In the newer format the folder is the program itself; in the other it holds programs.
    let (path, inside) = match (metadata.format, names) {
        (Format::Legacy, [first, others @ ..]) => {
            for other in others {
                package
                    .notes
                    .add(format!("{folder}{other}"), "is not run: outputs are checked by one program");
            }
            (format!("{folder}{first}"), !package.files.has(&format!("{folder}{first}")))
        }
        (Format::Legacy, []) | (Format::Newer, _) => (folder.trim_end_matches('/').to_owned(), true),
    };
    if !inside {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        return (path.clone(), vec![(name, package.files.get(&path).unwrap_or_default().to_vec())]);
    }
    let below = format!("{path}/");
    let inner: Vec<String> = package.files.below(&below).map(str::to_owned).collect();
    let content = |name: &String| package.files.get(&format!("{below}{name}")).unwrap_or_default().to_vec();
    let files = inner.iter().map(|name| (name.clone(), content(name))).collect();
    (path, files)
}

/// Limits of the validator; null if the package names none.
fn limits(package: &mut Package<'_>, metadata: &Metadata) -> Value {
    let mut limits = Map::new();
    let most = package.runtimes.values().map(|runtime| runtime.run.limits.maximum.memory_bytes).max();
    let mib = |value: f64| value * 1_048_576.0;
    if let Some(limit) = metadata.limit("validation_time") {
        metadata::put(
            package,
            &mut limits,
            "validation_time",
            "cpu_time_ms",
            between(limit * 1000.0, 1, MAX_CPU_TIME_MS),
        );
    }
    if let Some(limit) = metadata.limit("validation_memory") {
        let taken = between(mib(limit), MIN_MEMORY_BYTES, most.unwrap_or(u64::MAX));
        metadata::put(package, &mut limits, "validation_memory", "memory_bytes", taken);
    }
    if let Some(limit) = metadata.limit("validation_output") {
        metadata::put(
            package,
            &mut limits,
            "validation_output",
            "output_bytes",
            between(mib(limit), 1, MAX_OUTPUT_BYTES),
        );
    }
    if limits.is_empty() { Value::Null } else { Value::Object(limits) }
}

/// What the default validator does with these flags.
fn tokens(package: &mut Package<'_>, args: &[String]) -> Value {
    let (mut case_sensitive, mut space_sensitive) = (false, false);
    let (mut absolute, mut relative) = (None, None);
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "case_sensitive" => case_sensitive = true,
            "space_change_sensitive" => space_sensitive = true,
            "float_tolerance" | "float_absolute_tolerance" | "float_relative_tolerance" => {
                let tolerance = words
                    .next()
                    .and_then(|word| word.parse::<f64>().ok())
                    .filter(|value| value.is_finite() && *value >= 0.0);
                if tolerance.is_none() {
                    package
                        .notes
                        .add(PROBLEM, format!("the validator's {word} has no number and is not heeded"));
                }
                if word != "float_relative_tolerance" {
                    absolute = tolerance.or(absolute);
                }
                if word != "float_absolute_tolerance" {
                    relative = tolerance.or(relative);
                }
            }
            other => package
                .notes
                .add(PROBLEM, format!("the validator's argument {other} is not known here and left out")),
        }
    }
    let has_tolerance = absolute.or(relative).is_some();
    if space_sensitive && case_sensitive && !has_tolerance {
        return json!({ "type": "exact" });
    }
    if space_sensitive {
        let message = "space_change_sensitive is heeded only with case_sensitive and without a tolerance: white space only separates";
        package.notes.add(PROBLEM, message);
    }
    let tolerance = has_tolerance
        .then(|| json!({ "absolute": absolute.unwrap_or(0.0), "relative": relative.unwrap_or(0.0) }));
    json!({ "type": "tokens", "case_sensitive": case_sensitive, "float_tolerance": tolerance })
}

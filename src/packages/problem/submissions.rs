//! `submissions/`: programs of the package as solutions, each with the verdicts that it may get.

use serde_json::{Map, Value, json};

use super::super::yaml::as_text;
use super::super::{Error, files};
use super::Package;
use super::metadata::{Format, Metadata};
use super::program::{self, Said};

/// What says more about submissions in the newer format.
const SAID_IN: &str = "submissions/submissions.yaml";

/// Verdicts of the format, and those that they are called here.
const VERDICTS: [(&str, &[&str]); 4] = [
    ("AC", &["accepted"]),
    ("WA", &["wrong_answer"]),
    ("TLE", &["time_limit_exceeded"]),
    ("RTE", &["runtime_error", "memory_limit_exceeded", "output_limit_exceeded"]),
];

/// Which verdicts the tests of a submission may get, and one of which at least one must.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    permitted: Vec<String>,
    required: Vec<String>,
}

impl Rule {
    fn of(permitted: &[&str], required: &[&str]) -> Self {
        let owned = |verdicts: &[&str]| verdicts.iter().map(|verdict| (*verdict).to_owned()).collect();
        Self { permitted: owned(permitted), required: owned(required) }
    }

    fn any() -> Self {
        Self::of(&["AC", "WA", "TLE", "RTE"], &["AC", "WA", "TLE", "RTE"])
    }

    /// The verdicts that the submission may get: that of its first test which is not accepted, or `accepted`.
    fn expected(&self) -> Vec<&'static str> {
        let may_pass = self.required.iter().any(|verdict| verdict == "AC");
        let is_allowed = |verdict: &str| self.permitted.iter().any(|permitted| permitted == verdict);
        let allowed = VERDICTS.iter().filter(|(code, _)| is_allowed(code) && (*code != "AC" || may_pass));
        allowed.flat_map(|(_, verdicts)| verdicts.iter().copied()).collect()
    }
}

/// What a folder of submissions asks for by its name.
fn of_folder(name: &str, format: Format) -> Option<Rule> {
    let all = ["AC", "WA", "TLE", "RTE"];
    let failed = ["WA", "TLE", "RTE"];
    Some(match (name, format) {
        ("accepted", _) => Rule::of(&["AC"], &["AC"]),
        ("wrong_answer", _) => Rule::of(&["AC", "WA"], &["WA"]),
        ("time_limit_exceeded", Format::Legacy) => Rule::of(&["AC", "WA", "TLE"], &["TLE"]),
        ("time_limit_exceeded", Format::Newer) => Rule::of(&["AC", "TLE"], &["TLE"]),
        ("run_time_error", Format::Legacy) => Rule::of(&all, &["RTE"]),
        ("run_time_error", Format::Newer) => Rule::of(&["AC", "RTE"], &["RTE"]),
        ("rejected" | "partially_accepted", _) => Rule::of(&all, &failed),
        ("brute_force", _) => Rule::of(&["AC", "TLE", "RTE"], &["TLE", "RTE"]),
        _ => return None,
    })
}

/// The solutions as a document has them.
pub(super) fn read(package: &mut Package<'_>, metadata: &Metadata) -> Result<Vec<Value>, Error> {
    let said = package.yaml(SAID_IN, Some(metadata))?.unwrap_or_default();
    let mut solutions = Vec::new();
    let mut folders: Vec<String> =
        files::names(package.files.below("submissions/")).into_iter().map(str::to_owned).collect();
    folders.retain(|folder| !package.files.has(&format!("submissions/{folder}")));
    for folder in folders {
        let below = format!("submissions/{folder}/");
        let programs: Vec<String> =
            files::names(package.files.below(&below)).into_iter().map(str::to_owned).collect();
        for name in programs {
            let path = format!("{folder}/{name}");
            match solution(package, metadata, &said, &path) {
                Ok(solution) => {
                    package
                        .origins
                        .insert(format!("/solutions/{}", solutions.len()), format!("submissions/{path}"));
                    solutions.push(solution);
                }
                Err(reason) => {
                    package.notes.add(format!("submissions/{path}"), format!("is left out: it {reason}"));
                }
            }
        }
    }
    Ok(solutions)
}

/// One program, by its path below `submissions`.
fn solution(
    package: &mut Package<'_>,
    metadata: &Metadata,
    said: &Map<String, Value>,
    path: &str,
) -> Result<Value, String> {
    let (rule, more) = rule(package, metadata, said, path)?;
    let whole = format!("submissions/{path}");
    let files = match package.files.get(&whole) {
        Some(content) => {
            vec![(path.rsplit('/').next().unwrap_or(path).to_owned(), metadata.fill_bytes(content))]
        }
        None => {
            let below = format!("{whole}/");
            let inner: Vec<String> = package.files.below(&below).map(str::to_owned).collect();
            let content = |name: &String| package.files.get(&format!("{below}{name}")).unwrap_or_default();
            inner.iter().map(|name| (name.clone(), metadata.fill_bytes(content(name)))).collect()
        }
    };
    let program = program::program(files, &more, package.runtimes)?;
    let expected = rule.expected();
    if expected.is_empty() {
        return Err("may get no verdict at all".to_owned());
    }
    Ok(
        json!({ "name": path, "runtime": program.runtime.as_str(), "files": program.files, "expected_verdicts": expected }),
    )
}

/// What its folder and `submissions.yaml` ask of a program.
fn rule(
    package: &mut Package<'_>,
    metadata: &Metadata,
    said: &Map<String, Value>,
    path: &str,
) -> Result<(Rule, Said), String> {
    let folder = path.split('/').next().unwrap_or(path);
    let mut rule = of_folder(folder, metadata.format);
    let mut more = Said::default();
    for (pattern, entries) in said {
        let Some(entries) = entries.as_object().filter(|_| matches_path(pattern, path)) else { continue };
        let list = |key: &str| match entries.get(key) {
            Some(Value::Array(items)) => Some(items.iter().filter_map(as_text).collect::<Vec<_>>()),
            Some(one) => as_text(one).map(|one| vec![one]),
            None => None,
        };
        let (permitted, required) = (list("permitted"), list("required"));
        if permitted.is_some() || required.is_some() {
            let before = rule.take();
            // Under its own name a folder's rule is replaced; other patterns ask for more.
            let is_folder = pattern == folder;
            let mut next = before.clone().unwrap_or_else(Rule::any);
            next.permitted = match permitted {
                Some(permitted) if is_folder => permitted,
                Some(permitted) => next.permitted.into_iter().filter(|one| permitted.contains(one)).collect(),
                None => next.permitted,
            };
            next.required = match required {
                Some(required) if is_folder || before.is_none() => required,
                Some(required) => next.required.into_iter().filter(|one| required.contains(one)).collect(),
                None => next.required,
            };
            rule = Some(next);
        }
        more.language = entries.get("language").and_then(as_text).or(more.language);
        more.entry = entries.get("entrypoint").and_then(as_text).or(more.entry);
        let heeded = ["permitted", "required", "language", "entrypoint"];
        for key in entries.keys().filter(|key| !heeded.contains(&key.as_str())) {
            package.notes.add(SAID_IN, format!("{pattern}: {key} is not heeded"));
        }
    }
    let rule = rule.ok_or_else(|| format!("is in {folder}, which asks for no verdict that is known here"))?;
    Ok((rule, more))
}

/// Whether a pattern names a path or a folder of it: `*` stands for any part of a name, `{a,b}` for either.
fn matches_path(pattern: &str, path: &str) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    let wholes: Vec<&str> = ends.filter_map(|end| path.get(..end)).collect();
    // Enough for what a package says, and no more than a few steps for each path.
    let patterns = alternatives(pattern.trim_end_matches('/'), 64);
    patterns.iter().any(|pattern| {
        wholes.iter().any(|whole| {
            let (parts, names): (Vec<&str>, Vec<&str>) =
                (pattern.split('/').collect(), whole.split('/').collect());
            parts.len() == names.len() && parts.iter().zip(names).all(|(part, name)| matches_name(part, name))
        })
    })
}

/// The patterns that one with `{a,b}` stands for, at most so many.
fn alternatives(pattern: &str, most: usize) -> Vec<String> {
    let mut open = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = open.pop() {
        if done.len() + open.len() >= most {
            return done;
        }
        let braces = next.find('{').and_then(|from| Some((from, from + next.get(from..)?.find('}')?)));
        match braces {
            Some((from, to)) => {
                let (before, inside, behind) = (next.get(..from), next.get(from + 1..to), next.get(to + 1..));
                let (Some(before), Some(inside), Some(behind)) = (before, inside, behind) else { continue };
                open.extend(inside.split(',').map(|choice| format!("{before}{choice}{behind}")));
            }
            None => done.push(next),
        }
    }
    done
}

/// Whether a name fits a pattern with `*`.
fn matches_name(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Format, matches_path, of_folder};

    #[test]
    fn patterns_name_programs_and_their_folders() {
        for pattern in
            ["accepted", "accepted/*", "accepted/a*.py", "{accepted,rejected}/{a,b}1.py", "*/a1.py"]
        {
            assert!(matches_path(pattern, "accepted/a1.py"), "{pattern}");
        }
        for pattern in ["*", "rejected/*", "accepted/b*", "a1.py", "accepted/a1", "accepted/a1.py/x"] {
            assert_eq!(matches_path(pattern, "accepted/a1.py"), pattern == "*", "{pattern}");
        }
    }

    #[test]
    fn a_folder_asks_for_the_verdict_of_the_first_test_that_fails() {
        let expected = |name, format| of_folder(name, format).unwrap().expected();
        let crash = ["runtime_error", "memory_limit_exceeded", "output_limit_exceeded"];

        assert_eq!(expected("accepted", Format::Legacy), ["accepted"]);
        assert_eq!(expected("time_limit_exceeded", Format::Legacy), ["wrong_answer", "time_limit_exceeded"]);
        assert_eq!(expected("time_limit_exceeded", Format::Newer), ["time_limit_exceeded"]);
        assert_eq!(expected("run_time_error", Format::Newer), crash);
        assert!(of_folder("slow", Format::Newer).is_none());
    }
}

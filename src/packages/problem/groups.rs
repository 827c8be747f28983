//! Groups: what `testdata.yaml` or `test_group.yaml` says about scores, as the groups of an exercise.

use serde_json::{Map, Value, json};

use super::super::yaml::as_text;
use super::Package;
use super::data::{Data, Entry, Folder, flags};
use super::metadata::{Format, Metadata};
use super::scoring::{self, Flat, Fold, Group, Item};

/// What the most is that a scoring problem of the newer format is worth if it says nothing.
const DEFAULT_SCORE: f64 = 100.0;

/// The groups of the exercise.
///
/// * `has_program` — whether a program of the package checks outputs, which may tell scores.
pub(super) fn groups(
    package: &mut Package<'_>,
    metadata: &Metadata,
    data: &Data,
    has_program: bool,
) -> Value {
    let flat = if metadata.is_scoring {
        match metadata.format {
            Format::Legacy => legacy(package, data, has_program),
            Format::Newer => newer(package, data, has_program),
        }
    } else {
        pass_fail(package, metadata, data)
    };
    let group = |group: Flat| {
        let Flat { name, tests, scoring, points, depends_on, stops } = group;
        let points: u64 = format!("{points:.0}").parse().unwrap_or_default();
        json!({ "name": name, "tests": tests, "scoring": scoring, "points": points, "depends_on": depends_on,
                "stop_on_first_failure": stops })
    };
    Value::Array(flat.into_iter().map(group).collect())
}

/// Of a problem without scores: a point if all is accepted.
fn pass_fail(package: &mut Package<'_>, metadata: &Metadata, data: &Data) -> Vec<Flat> {
    let all = |folder: &Folder| folder.tests().into_iter().map(|test| test.name.clone()).collect();
    let stops = match metadata.format {
        Format::Legacy => {
            let mut rules = LegacyRules::default();
            let root = rules.group(package, &data.root);
            root.breaks
        }
        Format::Newer => {
            note_newer(package, &data.root);
            false
        }
    };
    vec![Flat {
        name: "data".to_owned(),
        tests: all(&data.root),
        scoring: "all_or_nothing",
        points: 1.0,
        depends_on: Vec::new(),
        stops,
    }]
}

/// What the closest `testdata.yaml` says.
#[derive(Clone, Debug)]
struct LegacyRules {
    breaks: bool,
    accepts_always: bool,
    fold: Fold,
    test_score: f64,
    ignores_sample: bool,
    said_in: String,
}

impl Default for LegacyRules {
    fn default() -> Self {
        Self {
            breaks: true,
            accepts_always: false,
            fold: Fold::Sum,
            test_score: 1.0,
            ignores_sample: false,
            said_in: "data".to_owned(),
        }
    }
}

impl LegacyRules {
    /// A folder as a group; the rules are those of the closest file above it.
    fn group(&mut self, package: &mut Package<'_>, folder: &Folder) -> Group {
        if let Some(own) = &folder.own {
            *self = Self::of(package, own, &folder.said_in);
        }
        let item = |entry: &Entry| match entry {
            Entry::Test(test) => Item::Test(test.name.clone()),
            Entry::Folder(folder) => Item::Group(self.clone().group(package, folder)),
        };
        let items = folder.entries.iter().map(item).collect();
        Group {
            name: if folder.name.is_empty() { "data".to_owned() } else { folder.name.clone() },
            said_in: self.said_in.clone(),
            items,
            accepts_always: self.accepts_always,
            fold: self.fold,
            test_score: self.test_score,
            worth: None,
            breaks: self.breaks,
            requires: Vec::new(),
        }
    }

    fn of(package: &mut Package<'_>, own: &Map<String, Value>, said_in: &str) -> Self {
        let mut rules = Self { said_in: said_in.to_owned(), ..Self::default() };
        let notes = &mut package.notes;
        let text = |key: &str| own.get(key).and_then(as_text);
        rules.breaks = text("on_reject").is_none_or(|word| word != "continue");
        if text("grading").is_some_and(|word| word == "custom") {
            notes.add(said_in, "grading: custom is not heeded: the default grader's way is taken");
        }
        for flag in own.get("grader_flags").map(flags).unwrap_or_default() {
            match flag.as_str() {
                "always_accept" => rules.accepts_always = true,
                "worst_error" | "no_errors" => rules.accepts_always = false,
                "first_error" => {
                    rules.accepts_always = false;
                    if !rules.breaks {
                        notes.add(said_in, "grader_flags: first_error is how verdicts are chosen anyway");
                    }
                }
                "sum" => rules.fold = Fold::Sum,
                "avg" => rules.fold = Fold::Average,
                "min" => rules.fold = Fold::Least,
                "max" => rules.fold = Fold::Greatest,
                "ignore_sample" => rules.ignores_sample = true,
                other => notes.add(said_in, format!("grader_flags: {other} is not heeded")),
            }
        }
        if rules.fold == Fold::Average && rules.breaks && rules.accepts_always {
            notes.add(said_in, "grader_flags: avg counts tests that are not run, too");
        }
        let number = |key: &str| own.get(key).and_then(Value::as_f64);
        if let Some(score) = number("accept_score") {
            rules.test_score = score;
        }
        if number("reject_score").is_some_and(|score| score != 0.0) {
            notes.add(said_in, "reject_score is not heeded: a test that is not accepted is worth nothing");
        }
        if rules.test_score < 0.0 {
            notes.add(said_in, "accept_score is not heeded: no test is worth less than nothing");
            rules.test_score = 0.0;
        }
        let known = [
            "on_reject",
            "grading",
            "grader_flags",
            "accept_score",
            "reject_score",
            "range",
            "output_validator_flags",
            "input_validator_flags",
        ];
        for key in own.keys().filter(|key| !known.contains(&key.as_str())) {
            notes.add(said_in, format!("{key} is not known here and left out"));
        }
        rules
    }
}

fn legacy(package: &mut Package<'_>, data: &Data, has_program: bool) -> Vec<Flat> {
    let mut rules = LegacyRules::default();
    let root = rules.group(package, &data.root);
    if has_program {
        package.notes.add(
            "output_validators",
            "tells the part of a test's points by score.txt here, from 0 to 1, and not the points themselves",
        );
    }
    if !rules.ignores_sample {
        return scoring::flatten(&[(&root, 1.0)], false, has_program, &mut package.notes);
    }
    let parts: Vec<(&Group, f64)> = root
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Group(group) => Some((group, if group.name == "sample" { 0.0 } else { 1.0 })),
            Item::Test(_) => None,
        })
        .collect();
    scoring::flatten(&parts, root.breaks, has_program, &mut package.notes)
}

/// What a `test_group.yaml` says about the scores of its group.
struct NewerRules {
    /// The most that it is worth; `None` if it does not say.
    score: Option<f64>,
    fold: Option<&'static str>,
    requires: Vec<String>,
}

impl NewerRules {
    fn of(package: &mut Package<'_>, folder: &Folder) -> Self {
        let said = folder.own.as_ref().and_then(|own| own.get("scoring")).and_then(Value::as_object);
        let mut rules = Self { score: None, fold: None, requires: Vec::new() };
        for (key, value) in said.into_iter().flatten() {
            let heeded = match (key.as_str(), value) {
                ("score", Value::String(word)) if word == "unbounded" => {
                    let message = "scoring/score: unbounded is not heeded: the most is 100 points, or a part of the group's";
                    package.notes.add(&folder.said_in, message);
                    true
                }
                ("score" | "max_score", value) => {
                    let score = value.as_f64().filter(|score| *score >= 0.0);
                    rules.score = score.or(rules.score);
                    score.is_some()
                }
                ("aggregation", Value::String(word)) => {
                    rules.fold = ["pass-fail", "sum", "min"].into_iter().find(|known| known == word);
                    rules.fold.is_some()
                }
                ("require_pass", value) => {
                    rules.requires = match value {
                        Value::Array(items) => items.iter().filter_map(as_text).collect(),
                        one => as_text(one).into_iter().collect(),
                    };
                    true
                }
                _ => false,
            };
            if !heeded {
                package.notes.add(&folder.said_in, format!("scoring/{key}: {value} is not heeded"));
            }
        }
        rules
    }
}

/// Notes keys of `test_group.yaml` that are not read, in a folder and below it.
fn note_newer(package: &mut Package<'_>, folder: &Folder) {
    let read = [
        "scoring",
        "args",
        "output_validator_args",
        "output_validator_flags",
        "full_feedback",
        "input_validator_args",
        "input_validator_flags",
    ];
    let keys = folder.own.iter().flat_map(Map::keys).filter(|key| !read.contains(&key.as_str()));
    for key in keys {
        let message = if key == "static_validation" {
            "static_validation is not run".to_owned()
        } else {
            format!("{key} is left out")
        };
        package.notes.add(&folder.said_in, message);
    }
    for entry in &folder.entries {
        if let Entry::Folder(folder) = entry {
            note_newer(package, folder);
        }
    }
}

fn newer(package: &mut Package<'_>, data: &Data, has_program: bool) -> Vec<Flat> {
    note_newer(package, &data.root);
    if has_program {
        let message = "tells the part of a test's points by score.txt here, from 0 to 1; score_multiplier.txt is not read";
        package.notes.add("output_validator", message);
    }
    let mut groups = Vec::new();
    for entry in &data.root.entries {
        let Entry::Folder(folder) = entry else { continue };
        let is_sample = folder.name == "sample";
        let worth =
            if is_sample { 0.0 } else { NewerRules::of(package, folder).score.unwrap_or(DEFAULT_SCORE) };
        let fold = if is_sample { "pass-fail" } else { "sum" };
        groups.push((newer_group(package, folder, worth, fold), 1.0));
    }
    let roots: Vec<(&Group, f64)> = groups.iter().map(|(group, factor)| (group, *factor)).collect();
    scoring::flatten(&roots, false, has_program, &mut package.notes)
}

/// A folder as a group that is worth so much at most.
fn newer_group(package: &mut Package<'_>, folder: &Folder, worth: f64, default: &'static str) -> Group {
    let rules = NewerRules::of(package, folder);
    let fold = rules.fold.unwrap_or(default);
    let inner = |entry: &Entry| match entry {
        Entry::Test(_) => None,
        Entry::Folder(folder) => Some(folder.own.as_ref()?.get("scoring")?.get("score")?.as_f64()?.max(0.0)),
    };
    let told: Vec<Option<f64>> = folder.entries.iter().map(inner).collect();
    let open = told.iter().filter(|told| told.is_none()).count();
    let left = worth - told.iter().flatten().sum::<f64>();
    if fold == "sum" && left < -1e-9 {
        package
            .notes
            .add(&folder.said_in, format!("its groups are worth more together than its own {worth}"));
    }
    let share = match fold {
        "sum" => left.max(0.0) / f64::from(u32::try_from(open.max(1)).unwrap_or(u32::MAX)),
        _ => worth,
    };
    let mut items = Vec::new();
    for (entry, told) in folder.entries.iter().zip(told) {
        items.push(match entry {
            Entry::Test(test) => Item::Test(test.name.clone()),
            Entry::Folder(folder) => {
                Item::Group(newer_group(package, folder, told.unwrap_or(share), "pass-fail"))
            }
        });
    }
    Group {
        name: folder.name.clone(),
        said_in: folder.said_in.clone(),
        items,
        accepts_always: fold != "pass-fail",
        fold: if fold == "min" { Fold::Least } else { Fold::Sum },
        test_score: share,
        worth: (fold == "pass-fail").then_some(worth),
        breaks: false,
        requires: rules.requires,
    }
}

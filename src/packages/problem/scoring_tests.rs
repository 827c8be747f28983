//! Trees of groups against a model of their own: what the format says that they are worth, test by test.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::Notes;
use super::scoring::{Flat, Fold, Group, Item, flatten};
use crate::domain::blob::Blob;
use crate::domain::exercise::Visibility;
use crate::domain::groups::{self, Course, Scoring};
use crate::domain::verdict::{Capture, Points, TestReport, Usage, Verdict};

/// Divisible by how many parts an average has, at each level.
const SCORE: f64 = 216.0;

/// Whether a group is accepted and what it is worth, as the format's text says it: its parts are judged one after the
/// other, up to the first that is not accepted if it breaks there; what is not accepted is worth nothing.
fn model(group: &Group, accepted: &BTreeSet<String>) -> (bool, f64) {
    let mut results = Vec::new();
    for item in &group.items {
        let result = match item {
            Item::Test(name) if accepted.contains(name) => (true, group.test_score),
            Item::Test(_) => (false, 0.0),
            Item::Group(part) => model(part, accepted),
        };
        results.push(result);
        if group.breaks && !result.0 {
            break;
        }
    }
    let is_accepted = group.accepts_always || results.iter().all(|(is_accepted, _)| *is_accepted);
    let scores = || results.iter().map(|(_, score)| *score);
    let score = match (group.worth, group.fold) {
        (Some(worth), _) => worth,
        (None, Fold::Sum) => scores().sum(),
        (None, Fold::Average) => {
            scores().sum::<f64>() / f64::from(u32::try_from(results.len().max(1)).unwrap())
        }
        (None, Fold::Least) => scores().reduce(f64::min).unwrap_or(0.0),
        (None, Fold::Greatest) => scores().reduce(f64::max).unwrap_or(0.0),
    };
    (is_accepted, if is_accepted { score } else { 0.0 })
}

fn report(name: &str, verdict: Verdict) -> TestReport {
    let nothing = Capture { bytes: Blob::default(), truncated: false };
    TestReport {
        judge_message: None,
        index: 1,
        name: name.to_owned(),
        visibility: Visibility::Hidden,
        verdict,
        points: Some(Points { score: u64::from(verdict == Verdict::Accepted), max_score: 1 }),
        usage: Usage { cpu_time_ms: 0, wall_time_ms: 0, memory_bytes: 0 },
        exit: None,
        limit: None,
        stdin: None,
        expected: None,
        stdout: nothing.clone(),
        stderr: nothing,
        message: None,
    }
}

/// What the groups of an exercise are worth, by the rules that submissions are graded by.
fn graded(tests: &[String], flat: &[Flat], accepted: &BTreeSet<String>) -> u64 {
    let group = |flat: &Flat| groups::Group {
        name: flat.name.clone(),
        tests: flat.tests.clone(),
        scoring: match flat.scoring {
            "sum" => Scoring::Sum,
            "min" => Scoring::Min,
            _ => Scoring::AllOrNothing,
        },
        points: format!("{:.0}", flat.points).parse().unwrap(),
        depends_on: flat.depends_on.clone(),
        stop_on_first_failure: flat.stops,
    };
    let groups: Vec<groups::Group> = flat.iter().map(group).collect();
    let mut course = Course::new(tests.iter().map(String::as_str), &groups, false);
    let mut reports: Vec<_> = tests.iter().map(|name| report(name, Verdict::Skipped)).collect();
    for place in course.order() {
        let name = &tests[place];
        let verdict = match (course.runs(place), accepted.contains(name)) {
            (false, _) => Verdict::Skipped,
            (true, true) => Verdict::Accepted,
            (true, false) => Verdict::WrongAnswer,
        };
        course.ended(place, verdict);
        reports[place] = report(name, verdict);
    }
    course.reports(&reports).iter().map(|group| group.points.score).sum()
}

/// Groups of up to three parts, three deep; tests and groups get their names from where they stand.
fn trees() -> impl Strategy<Value = Group> {
    let rules = || (any::<bool>(), 0..6_usize, any::<bool>(), 1..3_u8);
    let group = |((always, fold, breaks, score), items): ((bool, usize, bool, u8), Vec<Item>)| {
        let fold = [Fold::Sum, Fold::Sum, Fold::Sum, Fold::Least, Fold::Average, Fold::Greatest][fold];
        Group {
            name: String::new(),
            said_in: String::new(),
            items,
            accepts_always: always,
            fold,
            test_score: SCORE * f64::from(score),
            worth: None,
            // What an average is over if parts are not judged is noted where it is read.
            breaks: breaks && !(always && fold == Fold::Average),
            requires: Vec::new(),
        }
    };
    let leaf = (rules(), proptest::collection::vec(Just(Item::Test(String::new())), 1..4)).prop_map(group);
    leaf.prop_recursive(2, 24, 3, move |inner| {
        let item = prop_oneof![Just(Item::Test(String::new())), inner.prop_map(Item::Group)];
        (rules(), proptest::collection::vec(item, 1..4)).prop_map(group)
    })
}

fn named(mut group: Group, name: &str) -> Group {
    group.name = name.to_owned();
    let items = group.items.into_iter().enumerate();
    group.items = items
        .map(|(index, item)| match item {
            Item::Test(_) => Item::Test(format!("{name}/{index}")),
            Item::Group(part) => Item::Group(named(part, &format!("{name}/{index}"))),
        })
        .collect();
    group
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn groups_side_by_side_are_worth_what_the_tree_is_worth(tree in trees(), picks in any::<u64>(), all in 0..4_u8) {
        let tree = named(tree, "data");
        let tests = tree.tests();
        let is_picked = |index: usize| all == 0 || picks >> (index % 64) & 1 == 1;
        let accepted: BTreeSet<String> =
            tests.iter().enumerate().filter(|(index, _)| is_picked(*index)).map(|(_, name)| name.clone()).collect();
        let mut notes = Notes::default();

        let flat = flatten(&[(&tree, 1.0)], false, false, &mut notes);

        let mut held: Vec<&String> = flat.iter().flat_map(|flat| &flat.tests).collect();
        held.sort();
        held.dedup();
        prop_assert_eq!(held.len(), flat.iter().map(|flat| flat.tests.len()).sum::<usize>());
        // What cannot be said by groups side by side is noted, and differs.
        if notes.0.is_empty() {
            let (_, worth) = model(&tree, &accepted);
            let worth = format!("{worth:.0}").parse();
            prop_assert_eq!(Ok(graded(&tests, &flat, &accepted)), worth, "{:#?}\n{:#?}", tree, flat);
        }
    }
}

fn group(name: &str, tests: usize, score: f64) -> Group {
    let items = (1..=tests).map(|test| Item::Test(format!("{name}/{test}"))).collect();
    Group {
        name: name.to_owned(),
        said_in: name.to_owned(),
        items,
        accepts_always: false,
        fold: Fold::Sum,
        test_score: score,
        worth: None,
        breaks: true,
        requires: Vec::new(),
    }
}

fn adding(name: &str, groups: Vec<Group>) -> Group {
    let items = groups.into_iter().map(Item::Group).collect();
    Group { items, accepts_always: true, breaks: false, ..group(name, 0, 0.0) }
}

#[test]
fn points_that_are_not_whole_add_up_to_the_whole_and_are_noted() {
    let thirds = ["a", "b", "c"].map(|name| group(name, 1, 100.0 / 3.0)).to_vec();
    let mut notes = Notes::default();

    let flat = flatten(&[(&adding("secret", thirds), 1.0)], false, false, &mut notes);

    assert_eq!(flat.iter().map(|flat| flat.points).collect::<Vec<_>>(), [33.0, 34.0, 33.0]);
    assert_eq!(notes.0.len(), 3, "{notes:?}");
}

#[test]
fn a_group_that_breaks_leaves_out_what_stands_behind_a_rejected_part() {
    let breaking = Group { breaks: true, ..adding("secret", vec![group("a", 2, 5.0), group("b", 1, 7.0)]) };
    let mut notes = Notes::default();

    let flat = flatten(&[(&breaking, 1.0)], false, false, &mut notes);

    let told: Vec<_> =
        flat.iter().map(|flat| (flat.name.as_str(), flat.points, flat.depends_on.clone())).collect();
    assert_eq!(told, [("a", 10.0, vec![]), ("b", 7.0, vec!["a".to_owned()])]);
}

#[test]
fn what_is_required_comes_before_or_is_noted() {
    let mut second = group("secret/b", 1, 2.0);
    second.requires = vec!["secret/a".to_owned(), "secret/none".to_owned()];
    let tree = adding("secret", vec![group("secret/a", 1, 1.0), second]);
    let mut notes = Notes::default();

    let flat = flatten(&[(&tree, 1.0)], false, false, &mut notes);

    assert_eq!(flat[1].depends_on, ["secret/a"]);
    assert!(notes.0[0].message.contains("secret/none, which has no tests"), "{notes:?}");
}

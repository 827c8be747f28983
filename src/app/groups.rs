//! Rules for the groups of an exercise's tests.

use std::collections::HashSet;

use super::exercises::MAX_TEST_NAME_CHARS;
use super::validate::Faults;
use crate::domain::exercise::{MAX_WEIGHT, TestCase};
use crate::domain::groups::{Group, MAX_GROUPS};

/// That each group has a name and tests of its own, and depends on groups before it.
pub(super) fn check(groups: &[Group], tests: &[TestCase], faults: &mut Faults) {
    if groups.len() > MAX_GROUPS {
        faults.add("/groups", format!("must have at most {MAX_GROUPS} groups"));
    }
    let known: HashSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    let (mut names, mut taken) = (HashSet::new(), HashSet::new());
    for (index, group) in groups.iter().enumerate() {
        let at = format!("/groups/{index}");
        let chars = group.name.chars().count();
        if chars == 0 || chars > MAX_TEST_NAME_CHARS || group.name.chars().any(char::is_control) {
            let message =
                format!("must have 1 to {MAX_TEST_NAME_CHARS} characters, none a control character");
            faults.add(format!("{at}/name"), message);
        } else if names.contains(group.name.as_str()) {
            faults.add(format!("{at}/name"), "is the name of another group");
        }
        if group.tests.is_empty() {
            faults.add(format!("{at}/tests"), "must name at least one test");
        }
        for (place, test) in group.tests.iter().enumerate() {
            if !known.contains(test.as_str()) {
                faults.add(format!("{at}/tests/{place}"), "there is no such test");
            } else if !taken.insert(test.as_str()) {
                faults.add(format!("{at}/tests/{place}"), "is in a group already");
            }
        }
        if group.points > MAX_WEIGHT {
            faults.add(format!("{at}/points"), format!("must be between 0 and {MAX_WEIGHT}"));
        }
        for (place, other) in group.depends_on.iter().enumerate() {
            if !names.contains(other.as_str()) {
                faults.add(format!("{at}/depends_on/{place}"), "must be a group that stands before this one");
            }
        }
        names.insert(group.name.as_str());
    }
}

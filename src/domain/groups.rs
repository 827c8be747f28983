//! Groups of tests (subtasks): which tests are run, in what order, and what a group is worth.

use serde::{Deserialize, Serialize};

use super::verdict::{GroupReport, GroupSkipped, Points, TestReport, Verdict};

/// Most groups of an exercise.
pub const MAX_GROUPS: usize = 100;

/// How a group's points come from its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scoring {
    /// The part of the group's points that its tests won of their weights.
    Sum,
    /// The part that its worst test won of its weight.
    Min,
    /// All if every test was accepted, else none.
    AllOrNothing,
}

/// Tests that are worth something together. A test is in one group at most; one in none is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, different from the others'.
    pub name: String,
    /// Its tests, by name; at least one.
    pub tests: Vec<String>,
    /// How its points come from its tests.
    pub scoring: Scoring,
    /// The most it is worth.
    pub points: u64,
    /// Groups before it, by name, whose tests must all be accepted; else none of its tests is run.
    pub depends_on: Vec<String>,
    /// Whether its tests after the first that is not accepted are left out.
    pub stop_on_first_failure: bool,
}

impl Group {
    /// Points won by what became of its tests.
    fn won<'a>(&self, tests: impl Iterator<Item = &'a TestReport>) -> u64 {
        let weights: Vec<Points> = tests.map(weight).collect();
        let all = !weights.is_empty() && weights.iter().all(|points| points.score == points.max_score);
        match self.scoring {
            Scoring::AllOrNothing => {
                if all {
                    self.points
                } else {
                    0
                }
            }
            Scoring::Sum => {
                let score = weights.iter().map(|points| points.score).sum();
                let max_score = weights.iter().map(|points| points.max_score).sum();
                part(self.points, Points { score, max_score })
            }
            Scoring::Min => weights.iter().map(|points| part(self.points, *points)).min().unwrap_or(0),
        }
    }
}

/// What a test won of its weight; of one without weight, whether it was accepted.
fn weight(test: &TestReport) -> Points {
    match test.points {
        Some(points) if points.max_score > 0 => points,
        Some(_) | None => Points { score: u64::from(test.verdict == Verdict::Accepted), max_score: 1 },
    }
}

/// The part of `points`, rounded down.
fn part(points: u64, won: Points) -> u64 {
    let part = u128::from(points) * u128::from(won.score) / u128::from(won.max_score.max(1));
    u64::try_from(part).unwrap_or(points)
}

/// Which tests of an exercise are run, as it becomes known how earlier ones ended.
#[derive(Debug)]
pub struct Course<'a> {
    groups: &'a [Group],
    /// The group of each test, by place.
    group_of: Vec<Option<usize>>,
    /// Whether a test of each group was not accepted.
    failed: Vec<bool>,
    /// Whether nothing more is run once a test was not accepted.
    stops: bool,
    has_failed: bool,
}

impl<'a> Course<'a> {
    /// The course of these tests, by name and in order.
    ///
    /// * `stops` — whether nothing more is run once a test was not accepted.
    pub fn new<'t>(tests: impl Iterator<Item = &'t str>, groups: &'a [Group], stops: bool) -> Self {
        let of = |test: &str| groups.iter().position(|group| group.tests.iter().any(|name| name == test));
        let group_of = tests.map(of).collect();
        Self { groups, group_of, failed: vec![false; groups.len()], stops, has_failed: false }
    }

    /// Whether there are groups: then a test that is not run is told as such, and else left out.
    pub const fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Places of the tests as they are to be run: those of no group, then group by group, each in order.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.group_of.len()).collect();
        // None comes before each group, and equal ones stay in order.
        order.sort_by_key(|place| self.group(*place));
        order
    }

    /// Whether the test at `place` is run.
    pub fn runs(&self, place: usize) -> bool {
        if self.stops && self.has_failed {
            return false;
        }
        let Some(index) = self.group(place) else { return true };
        let Some(group) = self.groups.get(index) else { return true };
        let stopped = group.stop_on_first_failure && self.failed.get(index) == Some(&true);
        !stopped && self.waits_for(group).is_none()
    }

    /// Takes in what became of the test at `place`.
    pub fn ended(&mut self, place: usize, verdict: Verdict) {
        if verdict == Verdict::Accepted {
            return;
        }
        self.has_failed = true;
        if let Some(failed) = self.group(place).and_then(|index| self.failed.get_mut(index)) {
            *failed = true;
        }
    }

    /// What became of each group, by the reports of all tests.
    pub fn reports(&self, tests: &[TestReport]) -> Vec<GroupReport> {
        let report = |group: &Group| {
            let own = || tests.iter().filter(|test| group.tests.contains(&test.name));
            let waits = self.waits_for(group).is_some();
            let verdicts = || own().map(|test| test.verdict);
            let not_run = verdicts().all(|verdict| verdict == Verdict::Skipped);
            GroupReport {
                name: group.name.clone(),
                points: Points { score: group.won(own()), max_score: group.points },
                verdict: if not_run { Verdict::Skipped } else { first_failure(verdicts()) },
                skipped: waits.then_some(GroupSkipped::DependsOn),
            }
        };
        self.groups.iter().map(report).collect()
    }

    fn group(&self, place: usize) -> Option<usize> {
        self.group_of.get(place).copied().flatten()
    }

    /// A group that this one depends on and of which not all tests were accepted.
    fn waits_for(&self, group: &Group) -> Option<&Group> {
        let failed = self.groups.iter().zip(&self.failed).filter(|(_, failed)| **failed);
        failed.map(|(other, _)| other).find(|other| group.depends_on.contains(&other.name))
    }
}

/// The first verdict of a test that was run and not accepted, or `accepted`.
pub fn first_failure(mut verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let failed = |verdict: &Verdict| !matches!(verdict, Verdict::Accepted | Verdict::Skipped);
    verdicts.find(failed).unwrap_or(Verdict::Accepted)
}

#[cfg(test)]
mod tests {
    use super::{
        Course, Group, GroupReport, GroupSkipped, Points, Scoring, TestReport, Verdict, first_failure,
    };
    use crate::domain::blob::Blob;
    use crate::domain::exercise::Visibility;
    use crate::domain::verdict::{Capture, Usage};

    fn group(name: &str, tests: &[&str], scoring: Scoring, depends_on: &[&str]) -> Group {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Group {
            name: name.to_owned(),
            tests: owned(tests),
            scoring,
            points: 30,
            depends_on: owned(depends_on),
            stop_on_first_failure: false,
        }
    }

    fn report(name: &str, verdict: Verdict, score: u64, max_score: u64) -> TestReport {
        let nothing = Capture { bytes: Blob::default(), truncated: false };
        TestReport {
            index: 1,
            name: name.to_owned(),
            visibility: Visibility::Public,
            verdict,
            points: Some(Points { score, max_score }),
            usage: Usage { cpu_time_ms: 0, wall_time_ms: 0, memory_bytes: 0 },
            exit: None,
            limit: None,
            stdin: None,
            expected: None,
            stdout: nothing.clone(),
            stderr: nothing,
            message: None,
            judge_message: None,
        }
    }

    /// Runs tests of weight 1 with these verdicts, and tells verdicts and groups.
    fn run(tests: &[(&str, Verdict)], groups: &[Group], stops: bool) -> (Vec<Verdict>, Vec<GroupReport>) {
        let mut course = Course::new(tests.iter().map(|(name, _)| *name), groups, stops);
        let mut came: Vec<_> = tests.iter().map(|(name, _)| report(name, Verdict::Skipped, 0, 1)).collect();
        for place in course.order() {
            let (name, verdict) = tests[place];
            let verdict = if course.runs(place) { verdict } else { Verdict::Skipped };
            course.ended(place, verdict);
            came[place] = report(name, verdict, u64::from(verdict == Verdict::Accepted), 1);
        }
        (came.iter().map(|test| test.verdict).collect(), course.reports(&came))
    }

    use Verdict::{Accepted, RuntimeError, Skipped, WrongAnswer};

    #[test]
    fn a_group_is_worth_the_sum_of_its_tests_the_worst_of_them_or_all_or_nothing() {
        let tests =
            [report("a", Accepted, 2, 2), report("b", WrongAnswer, 0, 1), report("c", Accepted, 0, 0)];
        let won =
            |scoring, tests: &[TestReport]| group("g", &["a", "b", "c"], scoring, &[]).won(tests.iter());

        assert_eq!(won(Scoring::Sum, &tests), 22, "3 of 4 parts of 30, rounded down");
        assert_eq!(won(Scoring::Min, &tests), 0);
        assert_eq!(won(Scoring::AllOrNothing, &tests), 0);
        let good = [tests[0].clone(), tests[2].clone()];
        assert!([Scoring::Sum, Scoring::Min, Scoring::AllOrNothing].iter().all(|one| won(*one, &good) == 30));
        let half = [report("a", Accepted, 1, 2), report("b", Accepted, 1, 1)];
        assert_eq!((won(Scoring::Min, &half), won(Scoring::AllOrNothing, &half)), (15, 0));
    }

    #[test]
    fn a_group_that_depends_on_a_failed_one_is_skipped_and_so_is_what_depends_on_it() {
        let groups = [
            group("small", &["a"], Scoring::Sum, &[]),
            group("large", &["b", "c"], Scoring::Sum, &["small"]),
            group("huge", &["d"], Scoring::Sum, &["large"]),
            group("other", &["e"], Scoring::Sum, &[]),
        ];
        let tests =
            [("a", WrongAnswer), ("b", Accepted), ("c", Accepted), ("d", Accepted), ("e", RuntimeError)];

        let (verdicts, reports) = run(&tests, &groups, false);

        assert_eq!(verdicts, [WrongAnswer, Skipped, Skipped, Skipped, RuntimeError]);
        let told = reports.iter().map(|group| (group.verdict, group.skipped, group.points.score));
        let skipped = Some(GroupSkipped::DependsOn);
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(WrongAnswer, None, 0), (Skipped, skipped, 0), (Skipped, skipped, 0), (RuntimeError, None, 0)]
        );
        assert_eq!(first_failure(verdicts.into_iter()), WrongAnswer);
    }

    #[test]
    fn a_group_may_stop_at_its_first_failure_and_so_may_all() {
        let mut stopping = group("g", &["a", "b"], Scoring::Sum, &[]);
        stopping.stop_on_first_failure = true;
        let groups = [stopping, group("h", &["c"], Scoring::Sum, &[])];
        let tests = [("a", WrongAnswer), ("b", Accepted), ("c", Accepted)];

        assert_eq!(run(&tests, &groups, false).0, [WrongAnswer, Skipped, Accepted]);
        assert_eq!(run(&tests, &groups, true).0, [WrongAnswer, Skipped, Skipped]);
    }

    #[test]
    fn tests_are_run_group_by_group_whatever_their_order_and_those_of_none_first() {
        let groups = [group("g", &["c", "a"], Scoring::Sum, &[]), group("h", &["b"], Scoring::Sum, &["g"])];
        let course = Course::new(["b", "a", "free", "c"].into_iter(), &groups, false);

        assert_eq!(course.order(), [2, 1, 3, 0]);
    }
}

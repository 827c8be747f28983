//! What came of an exercise: what each owner reached, and how often each test came out how.

use super::ids::{Owner, SubmissionId};
use super::time::Timestamp;
use super::verdict::{Points, Verdict};

/// A submission that was graded, by its newest result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graded {
    /// The submission.
    pub id: SubmissionId,
    /// The version of the exercise that it is graded with.
    pub exercise_version: u32,
    /// The outcome.
    pub verdict: Verdict,
    /// Points won of points to win.
    pub points: Points,
    /// When its last round ended; `None` while another goes on.
    pub ended_at: Option<Timestamp>,
}

impl Graded {
    /// Whether it is better than `other`: by the part of the points that it won, then by being accepted, then by points.
    ///
    /// Versions of an exercise may give different points, so points alone say little.
    pub fn is_better_than(&self, other: &Self) -> bool {
        let part = |won: Points, of: Points| u128::from(won.score) * u128::from(of.max_score.max(1));
        let rank = |one: &Self, against: &Self| {
            (part(one.points, against.points), one.verdict == Verdict::Accepted, one.points.score)
        };
        rank(self, other) > rank(other, self)
    }
}

/// What an owner reached in an exercise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub owner: Owner,
    /// How many of his submissions were graded.
    pub submissions: u64,
    /// The best; of several that are as good, the first.
    pub best: Graded,
    /// The one sent last.
    pub last: Graded,
}

impl Standing {
    /// With his first.
    pub fn begin(owner: Owner, first: Graded) -> Self {
        Self { owner, submissions: 1, best: first.clone(), last: first }
    }

    /// Takes in the next that he sent.
    pub fn add(&mut self, next: Graded) {
        self.submissions = self.submissions.saturating_add(1);
        if next.is_better_than(&self.best) {
            self.best = next.clone();
        }
        self.last = next;
    }
}

/// How often something came out how: the verdicts that came, in the order of [`Verdict::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerdictCounts(Vec<(Verdict, u64)>);

impl VerdictCounts {
    /// Counts `verdict` that often.
    pub fn add(&mut self, verdict: Verdict, times: u64) {
        if times == 0 {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count = count.saturating_add(times),
            None => self.0.push((verdict, times)),
        }
        let place = |verdict| Verdict::ALL.iter().position(|known| *known == verdict);
        self.0.sort_by_key(|(verdict, _)| place(*verdict));
    }

    /// Each verdict that came, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Verdict, u64)> + '_ {
        self.0.iter().copied()
    }

    /// How often it ran.
    pub fn runs(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How often it was not accepted.
    pub fn failures(&self) -> u64 {
        let failed = self.0.iter().filter(|(verdict, _)| *verdict != Verdict::Accepted);
        failed.map(|(_, count)| count).sum()
    }
}

/// How often a test came out how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestTally {
    /// Its name.
    pub name: String,
    /// In the last graded submission of each owner.
    pub last: VerdictCounts,
    /// In all graded submissions.
    pub all: VerdictCounts,
}

#[cfg(test)]
mod tests {
    use super::{Graded, Standing, VerdictCounts};
    use crate::domain::ids::SubmissionId;
    use crate::domain::verdict::{Points, Verdict};

    fn graded(score: u64, max_score: u64, verdict: Verdict) -> Graded {
        let points = Points { score, max_score };
        Graded { id: SubmissionId::generate(), exercise_version: 1, verdict, points, ended_at: None }
    }

    #[test]
    fn four_of_four_points_are_better_than_five_of_ten() {
        let (whole, half) = (graded(4, 4, Verdict::Accepted), graded(5, 10, Verdict::WrongAnswer));

        assert!(whole.is_better_than(&half));
        assert!(!half.is_better_than(&whole));
    }

    #[test]
    fn where_no_test_is_worth_points_what_is_accepted_is_better() {
        let (right, wrong) = (graded(0, 0, Verdict::Accepted), graded(0, 0, Verdict::WrongAnswer));

        assert!(right.is_better_than(&wrong));
        assert!(!wrong.is_better_than(&right));
    }

    #[test]
    fn the_best_is_the_first_of_those_that_are_as_good_and_the_last_the_one_sent_last() {
        let sent = [
            graded(1, 4, Verdict::WrongAnswer),
            graded(3, 4, Verdict::WrongAnswer),
            graded(3, 4, Verdict::WrongAnswer),
            graded(0, 4, Verdict::CompilationError),
        ];
        let [first, best, same, last] = sent.clone();

        let mut standing = Standing::begin("alice".parse().unwrap(), first);
        standing.add(best);
        standing.add(same);
        standing.add(last);

        assert_eq!((standing.submissions, &standing.best, &standing.last), (4, &sent[1], &sent[3]));
    }

    #[test]
    fn counts_stand_in_one_order_whatever_came_first() {
        let mut counts = VerdictCounts::default();
        counts.add(Verdict::RuntimeError, 2);
        counts.add(Verdict::Accepted, 5);
        counts.add(Verdict::RuntimeError, 1);
        counts.add(Verdict::WrongAnswer, 0);

        assert_eq!(counts.iter().collect::<Vec<_>>(), [(Verdict::Accepted, 5), (Verdict::RuntimeError, 3)]);
        assert_eq!((counts.runs(), counts.failures()), (8, 3));
    }
}

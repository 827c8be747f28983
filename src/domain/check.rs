//! A check of an exercise: its reference solutions are judged, and each must get a verdict that it is to get.

use super::ids::{CheckId, SubmissionId};
use super::submission::{ExerciseRef, StateName};
use super::time::Timestamp;
use super::verdict::Verdict;

/// A check as far as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its id.
    pub id: CheckId,
    /// The exercise in the version that is checked.
    pub exercise: ExerciseRef,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The solutions, in their order.
    pub items: Vec<CheckItem>,
}

impl Check {
    /// Whether all solutions were judged, as far as they can be.
    pub fn has_ended(&self) -> bool {
        self.items.iter().all(CheckItem::has_ended)
    }

    /// Whether each solution got a verdict that it must get; `None` until that is known.
    pub fn is_ok(&self) -> Option<bool> {
        self.has_ended().then(|| self.items.iter().all(|item| item.is_ok() == Some(true)))
    }
}

/// A solution in a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckItem {
    /// Its name.
    pub solution: String,
    /// The verdicts of which it must get one.
    pub expected_verdicts: Vec<Verdict>,
    /// What is judged for it.
    pub submission: SubmissionId,
    /// Where that is in its life; `None` once it is deleted.
    pub state: Option<StateName>,
    /// What it came to, if it was judged.
    pub verdict: Option<Verdict>,
}

impl CheckItem {
    fn has_ended(&self) -> bool {
        self.state.is_none_or(StateName::is_ended)
    }

    /// Whether it got a verdict that it must get; `None` until that is known.
    pub fn is_ok(&self) -> Option<bool> {
        let is_expected = self.verdict.is_some_and(|verdict| self.expected_verdicts.contains(&verdict));
        self.has_ended().then_some(is_expected)
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, CheckItem};
    use crate::domain::ids::{CheckId, SubmissionId};
    use crate::domain::submission::{ExerciseRef, StateName};
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::Verdict;

    fn item(state: StateName, verdict: Option<Verdict>) -> CheckItem {
        CheckItem {
            solution: "slow".to_owned(),
            expected_verdicts: vec![Verdict::TimeLimitExceeded, Verdict::WrongAnswer],
            submission: SubmissionId::generate(),
            state: Some(state),
            verdict,
        }
    }

    fn check(items: Vec<CheckItem>) -> Check {
        let exercise = ExerciseRef { id: "sum".parse().unwrap(), version: 1 };
        Check { id: CheckId::generate(), exercise, created_at: Timestamp::from_millis(0), items }
    }

    #[test]
    fn a_solution_is_right_if_it_got_any_of_its_verdicts() {
        let finished = |verdict| item(StateName::Finished, Some(verdict)).is_ok();

        assert_eq!(finished(Verdict::WrongAnswer), Some(true));
        assert_eq!(finished(Verdict::Accepted), Some(false));
        assert_eq!(item(StateName::Failed, None).is_ok(), Some(false));
        assert_eq!(item(StateName::Running, None).is_ok(), None);
    }

    #[test]
    fn a_check_is_right_once_all_of_its_solutions_are() {
        let right = || item(StateName::Finished, Some(Verdict::WrongAnswer));

        assert_eq!(check(vec![right(), right()]).is_ok(), Some(true));
        assert_eq!(check(vec![right(), item(StateName::Queued, None)]).is_ok(), None);
        assert_eq!(check(vec![right(), item(StateName::Cancelled, None)]).is_ok(), Some(false));
    }
}

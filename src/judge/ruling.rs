//! What a checker program's facts and words decide. Pure.
//!
//! The convention is that of the ICPC's problem packages: exit code 42 accepts, 43 refuses, and all else is the exercise's
//! fault. In the feedback folder `teammessage.txt` is for students, `judgemessage.txt` for teachers, and `score.txt` is the
//! part of the test's weight that an accepted output is worth.

use super::classify::Meaning;
use crate::domain::verdict::{Exit, Verdict};

/// Exit code of a checker that accepts.
const ACCEPTED: i32 = 42;
/// Exit code of one that does not.
const WRONG_ANSWER: i32 = 43;
/// Longest `score.txt`.
const SCORE_BYTES: usize = 64;

/// What was decided about an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling {
    /// The verdict.
    pub verdict: Verdict,
    /// The part of the test's weight that is won if it is accepted, 0 to 1.
    pub fraction: f64,
    /// For whom may see the test.
    pub message: Option<String>,
    /// For teachers.
    pub judge_message: Option<String>,
}

impl From<Verdict> for Ruling {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, fraction: 1.0, message: None, judge_message: None }
    }
}

/// What a checker decided by its end; else what was wrong with it, in words.
///
/// * `score` — what `score.txt` holds, if it is there.
pub fn ruling(meaning: &Meaning, score: Option<&[u8]>) -> Result<Ruling, String> {
    if let Some(limit) = meaning.limit {
        return Err(format!("was stopped by its limit of {}", limit.kind.described()));
    }
    match meaning.exit {
        Exit::Code(ACCEPTED) => {
            let fraction = score.map_or(Ok(1.0), fraction)?;
            Ok(Ruling { fraction, ..Verdict::Accepted.into() })
        }
        Exit::Code(WRONG_ANSWER) => Ok(Verdict::WrongAnswer.into()),
        Exit::Code(code) => {
            Err(format!("ended with exit code {code}, which is neither {ACCEPTED} nor {WRONG_ANSWER}"))
        }
        Exit::Signal(signal) => Err(format!("was killed by signal {signal}")),
    }
}

fn fraction(score: &[u8]) -> Result<f64, String> {
    let text = std::str::from_utf8(score).ok().filter(|text| text.len() <= SCORE_BYTES);
    let number = text.and_then(|text| text.trim().parse::<f64>().ok());
    let number = number.filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "wrote something else into score.txt than a number from 0 to 1".to_owned())
}

/// The part of a weight, rounded down; what is a whole number but for the error of the fraction is that number.
pub fn share(weight: u64, fraction: f64) -> u64 {
    let least = weight_times(weight, fraction);
    least.min(weight)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a weight is at most a million, and a fraction at most 1"
)]
fn weight_times(weight: u64, fraction: f64) -> u64 {
    (weight as f64 * fraction + 1e-6).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::{Exit, Meaning, Verdict, ruling, share};
    use crate::domain::verdict::{LimitHit, LimitKind, Usage};

    fn ended(exit: Exit) -> Meaning {
        let usage = Usage { cpu_time_ms: 1, wall_time_ms: 1, memory_bytes: 1 };
        Meaning { verdict: None, exit, limit: None, usage }
    }

    #[test]
    fn two_exit_codes_decide_and_all_else_is_the_exercises_fault() {
        let verdict = |exit| ruling(&ended(exit), None).map(|ruling| ruling.verdict);

        assert_eq!(verdict(Exit::Code(42)), Ok(Verdict::Accepted));
        assert_eq!(verdict(Exit::Code(43)), Ok(Verdict::WrongAnswer));
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Code(127), Exit::Code(44), Exit::Signal(11)] {
            assert!(verdict(exit).is_err(), "{exit:?}");
        }
    }

    #[test]
    fn a_checker_that_exceeds_a_limit_decides_nothing_whatever_its_exit_code() {
        let limit = Some(LimitHit { kind: LimitKind::Memory, allowed: 1, measured: 2 });
        let told = ruling(&Meaning { limit, ..ended(Exit::Code(42)) }, None);

        assert_eq!(told, Err("was stopped by its limit of memory".to_owned()));
    }

    #[test]
    fn a_score_is_a_part_from_0_to_1_and_counts_only_for_what_is_accepted() {
        let fraction =
            |score: &str| ruling(&ended(Exit::Code(42)), Some(score.as_bytes())).map(|it| it.fraction);

        assert_eq!((fraction("0.25\n"), fraction(" 1 "), fraction("0")), (Ok(0.25), Ok(1.0), Ok(0.0)));
        for wrong in ["", "1.01", "-0.5", "nan", "inf", "half", "0.5 0.5", &"0".repeat(65)] {
            assert!(fraction(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            ruling(&ended(Exit::Code(43)), Some(b"half")).map(|it| it.verdict),
            Ok(Verdict::WrongAnswer)
        );
    }

    #[test]
    fn a_part_of_a_weight_is_rounded_down_but_not_for_the_error_of_its_fraction() {
        assert_eq!([share(100, 0.29), share(10, 0.999), share(1, 0.5), share(3, 1.0)], [29, 9, 0, 3]);
        assert_eq!(
            [share(1_000_000, 1.0), share(1_000_000, 0.123_456), share(0, 1.0)],
            [1_000_000, 123_456, 0]
        );
    }
}

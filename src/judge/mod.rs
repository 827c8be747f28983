//! Running a submission: compile once, run the tests, check what they wrote.
//!
//! Programs run in a container; everything that decides about them stays here: expected outputs, checkers,
//! limits, verdicts. No storage and no queue: who leased the submission stores what comes out.

mod check;
mod classify;
mod compile;
mod diagnostics;
mod evaluate;
mod failure;
mod output;
mod setting;

pub use check::canary;
pub use evaluate::{Outcome, evaluate};

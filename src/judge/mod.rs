//! Running a submission: compile once, run the tests, check what they wrote.
//!
//! Programs run in a container; everything that decides about them stays here: expected outputs, limits, verdicts. A checker
//! that is a program of the exercise runs in another container (`checking`). No storage and no queue: who leased the submission stores what comes out.

mod check;
mod checking;
mod classify;
mod compile;
mod diagnostics;
mod evaluate;
mod failure;
mod output;
mod ruling;
mod setting;
mod trial;

pub use check::canary;
pub use evaluate::{Means, Outcome, evaluate};

//! What the database is asked and what it answers about the results of an exercise: plain values.

use crate::domain::ids::Owner;
use crate::domain::standing::{Standing, TestTally};

/// Which part of the results of an exercise is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsPage {
    /// Owners behind this one; `None`: from the first.
    pub after: Option<Owner>,
    /// Most owners to answer, 1..=101.
    pub limit: u32,
    /// Whether the tests are counted, too.
    pub tests: Tests,
}

/// Whether the tests are counted, which reads all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// Over all owners, whatever page it is.
    Counted,
    /// They are not.
    LeftOut,
}

/// What came of an exercise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExerciseResults {
    /// What each owner reached, in the order of their names (by bytes).
    pub standings: Vec<Standing>,
    /// How often each test came out how, in the order of the tests; `None` if they were left out.
    pub tests: Option<Vec<TestTally>>,
}

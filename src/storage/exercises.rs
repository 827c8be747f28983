//! What the database is asked and what it answers about exercises: plain values.

use crate::domain::exercise::Exercise;

/// What became of a new version of an exercise.
#[derive(Clone, Debug, PartialEq)]
pub enum ExercisePut {
    /// It is new (or new again after a deletion).
    Created(Exercise),
    /// It has a new version.
    Changed(Exercise),
    /// It says what it said before.
    Unchanged(Exercise),
    /// The version expected is not the stored one.
    VersionMismatch,
}

/// An exercise as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedExercise {
    /// The exercise without its tests.
    pub exercise: Exercise,
    /// How many tests it has.
    pub test_count: u32,
}

/// A piece of the list of exercises.
#[derive(Clone, Debug, PartialEq)]
pub struct ExercisePage {
    /// Exercises, newest first.
    pub items: Vec<ListedExercise>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// What a change of an exercise expects of the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Anything,
    /// That it exists.
    Existing,
    /// That there is none.
    Absent,
    /// This version.
    Version(u32),
}

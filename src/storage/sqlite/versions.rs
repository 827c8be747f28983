//! Versions of exercises that were read before, and which of an exercise's is the newest.
//!
//! A version never changes. Which one is the newest is forgotten inside the transaction that changes it, and learned
//! again only from a reading that saw the change: one that began before the commit tells an older number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::exercises::ExerciseRow;
use crate::domain::exercise::Exercise;
use crate::domain::ids::ExerciseId;
use crate::domain::submission::ExerciseRef;
use crate::storage::Result;

/// Bytes of stored documents that are kept decoded; the largest exercise has half of it.
const MAX_BYTES: u64 = 64 << 20;
/// How many exercises that may be, about.
const EXPECTED: usize = 256;

/// Exercises whose newest version is known.
const NEWEST_KNOWN: usize = 4096;

/// The versions used lately. The locks are held for looks and insertions only.
pub(super) struct Versions {
    cache: Mutex<Cache<(ExerciseId, u32), Version, Bytes>>,
    newest: Mutex<Cache<ExerciseId, Newest>>,
}

/// What is known of the newest version of an exercise.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    /// No older one is the newest, or will be when the transaction going on is committed.
    at_least: u32,
    version: Option<u32>,
}

#[derive(Clone, Debug)]
struct Version {
    exercise: Arc<Exercise>,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<(ExerciseId, u32), Version> for Bytes {
    fn weight(&self, _key: &(ExerciseId, u32), version: &Version) -> u64 {
        version.bytes
    }
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Versions").field("kept", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            cache: Mutex::new(Cache::with_weighter(EXPECTED, MAX_BYTES, Bytes)),
            newest: Mutex::new(Cache::new(NEWEST_KNOWN)),
        }
    }
}

impl Versions {
    /// The version, if it was read before.
    pub(super) fn get(&self, of: &ExerciseRef) -> Option<Arc<Exercise>> {
        self.lock().get(&(of.id.clone(), of.version)).map(|version| Arc::clone(&version.exercise))
    }

    /// The newest version, if it is known and was read before.
    pub(super) fn newest(&self, id: &ExerciseId) -> Option<Arc<Exercise>> {
        let version = self.lock_newest().get(id)?.version?;
        self.get(&ExerciseRef { id: id.clone(), version })
    }

    /// Learns which version was the newest when it was read.
    pub(super) fn learn_newest(&self, read: &ExerciseRef) {
        let mut newest = self.lock_newest();
        let at_least = newest.get(&read.id).map_or(0, |known| known.at_least);
        if read.version >= at_least {
            newest.insert(read.id.clone(), Newest { at_least: read.version, version: Some(read.version) });
        }
    }

    /// Forgets which version is the newest, within the transaction that changes it.
    ///
    /// * `at_least` — the newest one afterwards is this or a later one, if there is one.
    pub(super) fn outdate(&self, id: &ExerciseId, at_least: u32) {
        self.lock_newest().insert(id.clone(), Newest { at_least, version: None });
    }

    /// Decodes a row and keeps it.
    pub(super) fn keep(&self, row: ExerciseRow) -> Result<Arc<Exercise>> {
        let bytes = row.bytes();
        let exercise = Arc::new(Exercise::try_from(row)?);
        let key = (exercise.id.clone(), exercise.version);
        self.lock().insert(key, Version { exercise: Arc::clone(&exercise), bytes });
        Ok(exercise)
    }

    fn lock(&self) -> MutexGuard<'_, Cache<(ExerciseId, u32), Version, Bytes>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_newest(&self) -> MutexGuard<'_, Cache<ExerciseId, Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{ExerciseRow, Versions};
    use crate::domain::exercise::{Checker, ExerciseSpec, Isolation, Kind, Stdio};
    use crate::domain::limits::LimitChoice;
    use crate::domain::queue::Priority;
    use crate::domain::submission::ExerciseRef;

    /// A version that is as long as an exercise may be.
    fn large(version: i64) -> ExerciseRow {
        row(version, "x".repeat(31 << 20))
    }

    fn small(version: i64) -> ExerciseRow {
        row(version, String::new())
    }

    fn row(version: i64, statement: String) -> ExerciseRow {
        let spec = ExerciseSpec {
            title: "Sum".to_owned(),
            statement,
            kind: Kind::Stdio(Stdio {
                checker: Checker::Tokens { case_sensitive: true, float_tolerance: None },
                tests: Vec::new(),
                groups: Vec::new(),
            }),
            runtimes: Vec::new(),
            starter_files: Vec::new(),
            priority: Priority::Normal,
            isolation: Isolation::Reset,
            limits: LimitChoice::default(),
            limits_by_runtime: std::iter::empty().collect(),
            compile_limits: LimitChoice::default(),
            stop_on_first_failure: false,
            solutions: Vec::new(),
        };
        let spec = serde_json::to_string(&spec).unwrap();
        ExerciseRow { exercise_id: "sum".to_owned(), version, created_at: 0, spec }
    }

    #[test]
    fn the_largest_exercise_is_kept_and_not_many_of_them() {
        let versions = Versions::default();
        let named = |version| ExerciseRef { id: "sum".parse().unwrap(), version };

        versions.keep(large(1)).unwrap();
        assert!(versions.get(&named(1)).is_some());
        for version in 2..=5 {
            versions.keep(large(version)).unwrap();
        }

        let kept = (1..=5).filter(|version| versions.get(&named(*version)).is_some());
        assert!(kept.count() <= 2);
    }

    #[test]
    fn a_reading_from_before_a_change_does_not_tell_the_newest_version() {
        let versions = Versions::default();
        let named = |version| ExerciseRef { id: "sum".parse().unwrap(), version };
        for version in 1..=2 {
            versions.keep(small(version)).unwrap();
        }
        versions.learn_newest(&named(1));
        assert_eq!(versions.newest(&named(1).id).map(|exercise| exercise.version), Some(1));

        versions.outdate(&named(1).id, 2);
        versions.learn_newest(&named(1));
        assert_eq!(versions.newest(&named(1).id), None);

        versions.learn_newest(&named(2));
        assert_eq!(versions.newest(&named(1).id).map(|exercise| exercise.version), Some(2));
    }
}

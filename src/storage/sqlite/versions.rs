//! Versions of exercises that were read before. A version never changes, so what is here is never stale.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::exercises::ExerciseRow;
use crate::domain::exercise::Exercise;
use crate::domain::ids::ExerciseId;
use crate::domain::submission::ExerciseRef;
use crate::storage::Result;

/// Bytes of stored documents that are kept decoded; the largest exercise has half of it.
const MAX_BYTES: u64 = 64 << 20;
/// How many exercises that may be, about.
const EXPECTED: usize = 256;

/// The versions used lately.
#[derive(Debug)]
pub(super) struct Versions {
    cache: Cache<(ExerciseId, u32), Version, Bytes>,
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

impl Default for Versions {
    fn default() -> Self {
        Self { cache: Cache::with_weighter(EXPECTED, MAX_BYTES, Bytes) }
    }
}

impl Versions {
    /// The version, if it was read before.
    pub(super) fn get(&self, of: &ExerciseRef) -> Option<Arc<Exercise>> {
        self.cache.get(&(of.id.clone(), of.version)).map(|version| version.exercise)
    }

    /// Decodes a row and keeps it.
    pub(super) fn keep(&self, row: ExerciseRow) -> Result<Arc<Exercise>> {
        let bytes = row.bytes();
        let exercise = Arc::new(Exercise::try_from(row)?);
        let key = (exercise.id.clone(), exercise.version);
        self.cache.insert(key, Version { exercise: Arc::clone(&exercise), bytes });
        Ok(exercise)
    }
}

//! Taking submissions in.

use std::sync::Arc;
use std::time::Duration;

use super::validate::{self, Faults};
use super::{App, Caller, Conflict, Error, FieldError, InvalidCode, Location};
use crate::domain::exercise::{Exercise, SourceFile};
use crate::domain::ids::{BackendName, ExerciseId, LegacyId, Owner, SubmissionId};
use crate::domain::metadata::Metadata;
use crate::domain::pace::Pace;
use crate::domain::queue::Priority;
use crate::domain::submission::{ExerciseRef, LegacyRef, NewSubmission, Purpose, RunInput};
use crate::domain::time::Timestamp;
use crate::storage::{IdempotencyKey, Inserted, Placed, QueueCaps, Storage as _};

/// Most submissions of a batch.
pub const MAX_BATCH: usize = 100;
/// Most bytes of the decoded files and inputs of a batch.
pub const MAX_BATCH_BYTES: usize = 32 << 20;
/// Most bytes of the caller's own JSON.
pub const MAX_METADATA_BYTES: usize = 4 << 10;
/// Most bytes of a run's standard input.
pub const MAX_RUN_STDIN_BYTES: usize = 1 << 20;

/// What a caller sends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Submit {
    /// The exercise to be graded by; may be missing for a run.
    pub exercise_id: Option<String>,
    /// The language.
    pub runtime: String,
    /// The program.
    pub files: Vec<SourceFile>,
    /// Input of a run; `None` asks for grading.
    pub run: Option<RunInput>,
    /// The caller's own JSON object.
    pub metadata: Metadata,
    /// Another class than the exercise's.
    pub priority: Option<Priority>,
    /// Another owner than the caller.
    pub owner: Option<String>,
    /// The original backend that knows it.
    pub backend: Option<String>,
    /// Its id there.
    pub legacy_id: Option<String>,
    /// Whether it enters the queue at once.
    pub enqueue: bool,
}

/// The wish that a request be done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// SHA-256 of the request.
    pub digest: [u8; 32],
}

impl App {
    /// Stores one submission.
    pub async fn submit(
        &self,
        caller: &Caller,
        request: Submit,
        key: Option<Idempotency>,
    ) -> Result<Placed, Error> {
        only(match self.prepare(caller, vec![request], key, Pointers::Single).await? {
            Prepared::Answered(placed) => placed,
            Prepared::New(insertion) => self.insert(insertion, Pointers::Single).await?,
        })
    }

    /// Stores one submission, and answers when it has ended or the time is over; a draft is answered at once.
    pub async fn submit_and_wait(
        &self,
        caller: &Caller,
        request: Submit,
        key: Option<Idempotency>,
        at_most: Duration,
    ) -> Result<Placed, Error> {
        let insertion = match self.prepare(caller, vec![request], key, Pointers::Single).await? {
            Prepared::Answered(placed) => return self.wait_ended(only(placed)?, at_most).await,
            Prepared::New(insertion) => insertion,
        };
        let waiters = insertion.new.iter().map(|new| self.inner.feed.waiter(new.id));
        let waiter = only(waiters.collect())?;
        let placed = only(self.insert(insertion, Pointers::Single).await?)?;
        if placed.submission.id == waiter.submission() {
            self.wait_for(waiter.ended_since(), placed, at_most).await
        } else {
            // Another request was faster with the same key.
            drop(waiter);
            self.wait_ended(placed, at_most).await
        }
    }

    /// Stores up to [`MAX_BATCH`] submissions, all or none; the answers stand in the same order.
    pub async fn submit_batch(
        &self,
        caller: &Caller,
        requests: Vec<Submit>,
        key: Option<Idempotency>,
    ) -> Result<Vec<Placed>, Error> {
        if requests.is_empty() || requests.len() > MAX_BATCH {
            return Err(Error::field("/submissions", format!("must have 1 to {MAX_BATCH} submissions")));
        }
        match self.prepare(caller, requests, key, Pointers::Batch).await? {
            Prepared::Answered(placed) => Ok(placed),
            Prepared::New(insertion) => self.insert(insertion, Pointers::Batch).await,
        }
    }

    /// Checks everything, unless the same was asked before.
    async fn prepare(
        &self,
        caller: &Caller,
        requests: Vec<Submit>,
        key: Option<Idempotency>,
        pointers: Pointers,
    ) -> Result<Prepared, Error> {
        if self.inner.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let now = self.inner.clock.now();
        let key = key.map(|key| IdempotencyKey {
            subject: caller.subject.clone(),
            key: key.key,
            digest: key.digest,
        });
        if let Some(key) = &key
            && let Some(replayed) = self.inner.storage.replay(key, now).await?
        {
            // Rules may have changed since; what was stored then is the answer all the same.
            return self.answer(replayed, pointers).map(Prepared::Answered);
        }
        if total_bytes(&requests) > MAX_BATCH_BYTES {
            return Err(Error::TooLarge(format!("a batch may have {MAX_BATCH_BYTES} bytes")));
        }
        let mut faults = Faults::default();
        let mut new = Vec::with_capacity(requests.len());
        for (index, request) in requests.into_iter().enumerate() {
            new.extend(self.check(caller, request, &pointers.of(index), &mut faults).await?);
        }
        faults.none()?;
        let mut caps = self.inner.caps;
        if caller.acts_for_others() {
            // Its drafts are what an original backend keeps until it asks to run them.
            caps.drafts_per_owner = u64::MAX;
        }
        Ok(Prepared::New(Insertion { new, key, caps, now }))
    }

    async fn insert(&self, insertion: Insertion, pointers: Pointers) -> Result<Vec<Placed>, Error> {
        let Insertion { new, key, caps, now } = insertion;
        let inserted = self.inner.storage.insert(new, key, caps, self.pace(), now).await?;
        self.answer(inserted, pointers)
    }

    fn answer(&self, inserted: Inserted, pointers: Pointers) -> Result<Vec<Placed>, Error> {
        let retry_after_s = retry_after_s(&self.pace());
        match inserted {
            Inserted::Stored(placed) | Inserted::Replayed(placed) => Ok(placed),
            Inserted::KeyReused => Err(Error::Invalid {
                code: InvalidCode::IdempotencyKeyReused,
                errors: vec![FieldError {
                    place: Location::Header,
                    pointer: "Idempotency-Key".to_owned(),
                    message: "was used for another request".to_owned(),
                }],
            }),
            Inserted::QueueFull => Err(Error::QueueFull { retry_after_s }),
            Inserted::TooManyQueued(_) => Err(Error::TooManyQueued { retry_after_s }),
            Inserted::TooManyDrafts(_) => Err(Error::TooManyDrafts),
            Inserted::LegacyIdTaken { index, submission } => {
                let pointer = format!("{}/legacy_id", pointers.of(index));
                Err(Error::Conflict(Conflict::LegacyIdTaken { pointer, submission }))
            }
        }
    }

    /// The submission that a request asks for, or `None` with what is wrong in `faults`.
    pub(super) async fn check(
        &self,
        caller: &Caller,
        request: Submit,
        at: &str,
        faults: &mut Faults,
    ) -> Result<Option<NewSubmission>, Error> {
        check_role(caller, &request)?;
        validate::files(faults, &format!("{at}/files"), &request.files)?;
        if request.metadata.len() > MAX_METADATA_BYTES {
            faults
                .add(format!("{at}/metadata"), format!("must not be longer than {MAX_METADATA_BYTES} bytes"));
        }
        if let Some(run) = &request.run {
            validate::args(faults, &format!("{at}/run/args"), &run.args);
            if run.stdin.len() > MAX_RUN_STDIN_BYTES {
                faults.add(
                    format!("{at}/run/stdin"),
                    format!("must not be longer than {MAX_RUN_STDIN_BYTES} bytes"),
                );
            }
        }
        let owner = match &request.owner {
            Some(owner) => faults.parse::<Owner>(format!("{at}/owner"), owner),
            None => Some(caller.subject.clone()),
        };
        let legacy = legacy_ref(&request, at, faults);
        let exercise = self.exercise_for(&request, at, faults).await?;
        let runtime = self.inner.runtimes.values().find(|runtime| runtime.id.as_str() == request.runtime);
        match runtime {
            None => faults.add(format!("{at}/runtime"), "there is no such runtime"),
            Some(runtime) => {
                if exercise.as_ref().is_some_and(|exercise| !exercise.spec.runtimes.contains(&runtime.id)) {
                    faults.add(format!("{at}/runtime"), "the exercise does not allow this runtime");
                }
                validate::entry(faults, &format!("{at}/files"), runtime, &request.files);
            }
        }
        let (Some(owner), Some(runtime)) = (owner, runtime) else { return Ok(None) };
        let reference = exercise
            .as_ref()
            .map(|exercise| ExerciseRef { id: exercise.id.clone(), version: exercise.version });
        let purpose = match (request.run, reference) {
            (Some(input), exercise) => Purpose::Run { input, exercise },
            (None, Some(exercise)) => Purpose::Graded(exercise),
            (None, None) => return Ok(None),
        };
        Ok(Some(NewSubmission {
            id: SubmissionId::generate(),
            owner,
            legacy,
            purpose,
            runtime: runtime.id.clone(),
            priority: request
                .priority
                .or(exercise.map(|exercise| exercise.spec.priority))
                .unwrap_or(Priority::Normal),
            metadata: request.metadata,
            files: request.files,
            enqueue: request.enqueue,
        }))
    }

    /// The exercise that a request names. A missing one is told at once: nothing else can be checked then.
    async fn exercise_for(
        &self,
        request: &Submit,
        at: &str,
        faults: &mut Faults,
    ) -> Result<Option<Arc<Exercise>>, Error> {
        let Some(named) = &request.exercise_id else {
            if request.run.is_none() {
                faults.add(format!("{at}/exercise_id"), "is required, unless `run` is given");
            }
            return Ok(None);
        };
        let stored = match named.parse::<ExerciseId>() {
            Ok(id) => self.inner.storage.exercise(&id).await?,
            Err(_malformed) => None,
        };
        match stored {
            Some(exercise) => Ok(Some(exercise)),
            None => Err(Error::Invalid {
                code: InvalidCode::ExerciseNotFound,
                errors: vec![FieldError::body(format!("{at}/exercise_id"), "there is no such exercise")],
            }),
        }
    }
}

/// What a request comes to before anything is stored.
enum Prepared {
    /// It was done before; this came of it.
    Answered(Vec<Placed>),
    New(Insertion),
}

/// What is to be stored; all of it was checked.
struct Insertion {
    new: Vec<NewSubmission>,
    key: Option<IdempotencyKey>,
    caps: QueueCaps,
    now: Timestamp,
}

/// What there is one of.
fn only<T>(mut all: Vec<T>) -> Result<T, Error> {
    all.pop().ok_or(Error::NotFound)
}

/// How pointers of a request begin.
#[derive(Clone, Copy, Debug)]
enum Pointers {
    Single,
    Batch,
}

impl Pointers {
    fn of(self, index: usize) -> String {
        match self {
            Self::Single => String::new(),
            Self::Batch => format!("/submissions/{index}"),
        }
    }
}

fn total_bytes(requests: &[Submit]) -> usize {
    let of = |request: &Submit| {
        let files: usize = request.files.iter().map(|file| file.content.len()).sum();
        files + request.run.as_ref().map_or(0, |run| run.stdin.len())
    };
    requests.iter().map(of).sum()
}

fn check_role(caller: &Caller, request: &Submit) -> Result<(), Error> {
    let for_others = request.owner.is_some() || request.backend.is_some() || request.legacy_id.is_some();
    if for_others && !caller.acts_for_others() {
        return Err(Error::Forbidden("only a backend or an admin may set owner, backend or legacy_id"));
    }
    if request.priority.is_some() && !caller.teaches() {
        return Err(Error::Forbidden("a student may not set the priority"));
    }
    Ok(())
}

fn legacy_ref(request: &Submit, at: &str, faults: &mut Faults) -> Option<LegacyRef> {
    match &request.legacy_id {
        Some(legacy_id) => {
            let legacy_id = faults.parse::<LegacyId>(format!("{at}/legacy_id"), legacy_id);
            let backend = match &request.backend {
                Some(backend) => faults.parse::<BackendName>(format!("{at}/backend"), backend)?,
                None => BackendName::default(),
            };
            Some(LegacyRef { backend, legacy_id: legacy_id? })
        }
        None => {
            if request.backend.is_some() {
                faults.add(format!("{at}/legacy_id"), "is required with `backend`");
            }
            None
        }
    }
}

/// Seconds until a full queue may take more: about when one submission has left it.
pub(super) fn retry_after_s(pace: &Pace) -> u64 {
    pace.eta_if_ready(1).map_or(5, |eta| eta.high_s).clamp(1, 60)
}

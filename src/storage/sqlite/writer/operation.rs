//! What is handed to the writer: work, with the caller that waits for its answer.

use tokio::sync::oneshot;

use super::closed;
use super::tx::Tx;
use crate::storage::{Error, Result};

/// When a caller is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// When the disk has it: it outlives the machine.
    OnDisk,
    /// When the database has it: it outlives this process, and a moment later the machine.
    Committed,
}

/// Work of whatever kind, with the caller that waits for its answer.
pub(super) trait Operation: Send {
    /// What it is called in failpoints.
    fn name(&self) -> &'static str;
    /// When its caller is answered.
    fn answered(&self) -> Answered;
    /// Whether its caller waits no longer.
    fn is_abandoned(&self) -> bool;
    /// Runs it, once; whether it succeeded.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// Why it failed.
    fn failure(&self) -> Option<String>;
    /// Answers after the transaction ended; `failure` says that nothing was committed.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

/// Work that answers a `T`.
pub(super) struct Work<T, F> {
    name: &'static str,
    answered: Answered,
    run: Option<F>,
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Work<T, F> {
    pub(super) const fn new(
        name: &'static str,
        answered: Answered,
        run: F,
        answer: oneshot::Sender<Result<T>>,
    ) -> Self {
        Self { name, answered, run: Some(run), outcome: None, answer }
    }
}

impl<T, F> Operation for Work<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn answered(&self) -> Answered {
        self.answered
    }

    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn run(&mut self, tx: &mut Tx) -> bool {
        if let Some(run) = self.run.take() {
            self.outcome = Some(run(tx));
        }
        matches!(self.outcome, Some(Ok(_)))
    }

    fn failure(&self) -> Option<String> {
        let failure = self.outcome.as_ref()?.as_ref().err()?;
        Some(crate::chain::Chain(failure).to_string())
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(Ok(done)), None) => Ok(done),
            (None, None) => Err(closed()),
        };
        if self.answer.send(outcome).is_err() {
            tracing::debug!(operation = self.name, "the caller did not wait for the answer of the database");
        }
    }
}

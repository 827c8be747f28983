//! What is handed to the writer: work, with whoever waits for its answer.

use tokio::sync::oneshot;

use super::closed;
use super::tx::Tx;
use crate::storage::{Error, Result};

/// Work with whoever waits for it.
pub(super) trait Operation: Send {
    /// What it is called in failpoints.
    fn name(&self) -> &'static str;
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// Runs it; whether it succeeded.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// Why it failed.
    fn failure(&self) -> Option<String>;
    /// Answers after the transaction ended; `failure` says that nothing was committed.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

/// Whoever waits, and what he is to hear.
struct Caller<T> {
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T> Caller<T> {
    fn failure(&self) -> Option<String> {
        let failure = self.outcome.as_ref()?.as_ref().err()?;
        Some(crate::chain::Chain(failure).to_string())
    }

    fn tell(self, operation: &'static str, failure: Option<Error>) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(Ok(done)), None) => Ok(done),
            (None, None) => Err(closed()),
        };
        if self.answer.send(outcome).is_err() {
            tracing::debug!(operation, "nobody waited for the answer of the database");
        }
    }
}

/// Work that runs once.
pub(super) struct Once<T, F> {
    name: &'static str,
    work: Option<F>,
    caller: Caller<T>,
}

impl<T, F> Once<T, F> {
    pub(super) const fn new(name: &'static str, work: F, answer: oneshot::Sender<Result<T>>) -> Self {
        Self { name, work: Some(work), caller: Caller { outcome: None, answer } }
    }
}

impl<T, F> Operation for Once<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_abandoned(&self) -> bool {
        self.caller.answer.is_closed()
    }

    fn run(&mut self, tx: &mut Tx) -> bool {
        if let Some(work) = self.work.take() {
            self.caller.outcome = Some(work(tx));
        }
        matches!(self.caller.outcome, Some(Ok(_)))
    }

    fn failure(&self) -> Option<String> {
        self.caller.failure()
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        self.caller.tell(self.name, failure);
    }
}

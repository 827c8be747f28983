//! The tasks in which requests of HTTP/2 are answered. Each can be cut off alone: its connection may carry others.

use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static CUT: CancellationToken;
}

/// Starts a task for each request of an HTTP/2 connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTasks;

impl<F> Executor<F> for RequestTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let cut = CancellationToken::new();
        let answered = CUT.scope(cut.clone(), request);
        TokioExecutor::new().execute(async move {
            // What is dropped here resets its stream.
            tokio::select! {
                () = answered => {}
                () = cut.cancelled() => {}
            }
        });
    }
}

/// When cancelled, what is still to be sent of the answer that this task makes is dropped, and its HTTP/2 stream reset.
/// `None` in a connection of HTTP/1, which ends when its peer takes nothing.
pub(super) fn cut() -> Option<CancellationToken> {
    CUT.try_with(CancellationToken::clone).ok()
}

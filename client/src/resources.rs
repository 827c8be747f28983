//! What the API offers, by name. Each may fail with an [`Error`]; what a resource or field means, its type tells.

use reqwest::Method;
use serde_json::Value;

use crate::client::{Client, Query};
use crate::error::Error;
use crate::story::Story;
use crate::types::{
    Check, CheckBegun, Container, Exercise, ExerciseRequest, ExerciseResults, Host, HostList, HostPatch,
    HostRequest, Link, LinkList, Me, Queue, Rejudge, RejudgeChange, RejudgeRequest, Runtime, RuntimeList,
    SignInLink, SignInLinkRequest, StreamTicket, StreamTicketRequest, Submission, SubmissionBatch,
    SubmissionBatchRequest, SubmissionRequest,
};

impl Client {
    /// Who the token names, with what role.
    pub async fn me(&self) -> Result<Me, Error> {
        self.get(&["v1", "me"]).await
    }

    /// The queue as a whole.
    pub async fn queue(&self) -> Result<Queue, Error> {
        self.get(&["v1", "queue"]).await
    }

    /// The languages.
    pub async fn runtimes(&self) -> Result<Vec<Runtime>, Error> {
        Ok(self.get::<RuntimeList>(&["v1", "runtimes"]).await?.items)
    }

    /// Submits a program; it is stored and queued when this answers.
    pub async fn submit(&self, submission: &SubmissionRequest) -> Result<Submission, Error> {
        self.send(Method::POST, &["v1", "submissions"], submission).await
    }

    /// Submits several, all or none.
    pub async fn submit_batch(&self, batch: &SubmissionBatchRequest) -> Result<Vec<Submission>, Error> {
        let stored: SubmissionBatch = self.send(Method::POST, &["v1", "submissions", "batch"], batch).await?;
        Ok(stored.items)
    }

    /// A submission with its result.
    pub async fn submission(&self, id: &str) -> Result<Submission, Error> {
        self.get(&["v1", "submissions", id]).await
    }

    /// The newest submissions, at most so many.
    pub async fn submissions(&self, filters: &Query<'_>, most: usize) -> Result<Vec<Submission>, Error> {
        self.list(&["v1", "submissions"], filters, most).await
    }

    /// The bytes of one of its files.
    pub async fn submission_file(&self, id: &str, path: &str) -> Result<Vec<u8>, Error> {
        let address: Vec<&str> =
            ["v1", "submissions", id, "files"].into_iter().chain(path.split('/')).collect();
        self.bytes(&address).await
    }

    /// Queues a draft, or one that has ended and whose files changed.
    pub async fn enqueue(&self, id: &str) -> Result<Submission, Error> {
        self.act(Method::POST, &["v1", "submissions", id, "enqueue"], &[]).await
    }

    /// Has what finished or failed judged again, with the newest version of its exercise.
    pub async fn rejudge(&self, id: &str) -> Result<Submission, Error> {
        self.act(Method::POST, &["v1", "submissions", id, "rejudge"], &[]).await
    }

    /// Has what was submitted for an exercise judged again, with its newest version.
    pub async fn rejudge_exercise(&self, id: &str, which: &RejudgeRequest) -> Result<Rejudge, Error> {
        self.send(Method::POST, &["v1", "exercises", id, "rejudge"], which).await
    }

    /// How it stands with what is judged again.
    pub async fn rejudge_standing(&self, id: &str) -> Result<Rejudge, Error> {
        self.get(&["v1", "rejudges", id]).await
    }

    /// All submissions that came to something else.
    pub async fn rejudge_changes(&self, id: &str) -> Result<Vec<RejudgeChange>, Error> {
        self.list(&["v1", "rejudges", id, "changes"], &[], usize::MAX).await
    }

    /// Has what differs in a preview count, all of it in one step.
    pub async fn apply_rejudge(&self, id: &str) -> Result<Rejudge, Error> {
        self.act(Method::POST, &["v1", "rejudges", id, "apply"], &[]).await
    }

    /// Drops a preview.
    pub async fn cancel_rejudge(&self, id: &str) -> Result<Rejudge, Error> {
        self.act(Method::POST, &["v1", "rejudges", id, "cancel"], &[]).await
    }

    /// Has an exercise's reference solutions judged; the check's id.
    pub async fn check_exercise(&self, id: &str) -> Result<String, Error> {
        let begun: CheckBegun = self.act(Method::POST, &["v1", "exercises", id, "check"], &[]).await?;
        Ok(begun.id)
    }

    /// A check as far as it is.
    pub async fn check(&self, id: &str) -> Result<Check, Error> {
        self.get(&["v1", "checks", id]).await
    }

    /// Cancels a submission.
    pub async fn cancel(&self, id: &str) -> Result<Submission, Error> {
        self.act(Method::POST, &["v1", "submissions", id, "cancel"], &[]).await
    }

    /// The events of a submission until it has ended.
    pub fn follow(&self, id: &str) -> Story<'_> {
        Story::new(self, id)
    }

    /// A ticket with which an `EventSource` opens a stream.
    pub async fn stream_ticket(&self, ticket: &StreamTicketRequest) -> Result<StreamTicket, Error> {
        self.send(Method::POST, &["v1", "stream-tickets"], ticket).await
    }

    /// A link by which a person signs in to the page, once.
    pub async fn sign_in_link(&self, link: &SignInLinkRequest) -> Result<SignInLink, Error> {
        self.send(Method::POST, &["v1", "sign-in-links"], link).await
    }

    /// All exercises, without their tests.
    pub async fn exercises(&self) -> Result<Vec<Exercise>, Error> {
        self.list(&["v1", "exercises"], &[], usize::MAX).await
    }

    /// An exercise.
    pub async fn exercise(&self, id: &str) -> Result<Exercise, Error> {
        self.get(&["v1", "exercises", id]).await
    }

    /// Stores an exercise, or a new version of it.
    pub async fn put_exercise(&self, id: &str, exercise: &ExerciseRequest) -> Result<Exercise, Error> {
        self.send(Method::PUT, &["v1", "exercises", id], exercise).await
    }

    /// Deletes an exercise; what was submitted for it stays.
    pub async fn delete_exercise(&self, id: &str) -> Result<(), Error> {
        self.act::<Value>(Method::DELETE, &["v1", "exercises", id], &[]).await.map(drop)
    }

    /// The first page of an exercise's results, with how often each test fails.
    pub async fn results(&self, id: &str) -> Result<ExerciseResults, Error> {
        self.get(&["v1", "exercises", id, "results"]).await
    }

    /// The Docker hosts.
    pub async fn hosts(&self) -> Result<Vec<Host>, Error> {
        Ok(self.get::<HostList>(&["v1", "hosts"]).await?.items)
    }

    /// A Docker host.
    pub async fn host(&self, name: &str) -> Result<Host, Error> {
        self.get(&["v1", "hosts", name]).await
    }

    /// Adds a Docker host, which is connected to in the background.
    pub async fn add_host(&self, host: &HostRequest) -> Result<Host, Error> {
        self.send(Method::POST, &["v1", "hosts"], host).await
    }

    /// Changes a host's mode or slots.
    pub async fn change_host(&self, name: &str, change: &HostPatch) -> Result<Host, Error> {
        self.send(Method::PATCH, &["v1", "hosts", name], change).await
    }

    /// Removes a host that was added.
    ///
    /// * `force` — even if something runs there: that is queued again at its old place.
    pub async fn remove_host(&self, name: &str, force: bool) -> Result<(), Error> {
        let options: &Query<'_> = if force { &[("force", "true")] } else { &[] };
        self.act::<Value>(Method::DELETE, &["v1", "hosts", name], options).await.map(drop)
    }

    /// The containers.
    pub async fn containers(&self, filters: &Query<'_>) -> Result<Vec<Container>, Error> {
        self.list(&["v1", "containers"], filters, usize::MAX).await
    }

    /// Ends a container, which is replaced; what ran in it is tried again.
    pub async fn end_container(&self, id: &str) -> Result<(), Error> {
        self.act::<Value>(Method::DELETE, &["v1", "containers", id], &[]).await.map(drop)
    }

    /// The links to original backends.
    pub async fn links(&self) -> Result<Vec<Link>, Error> {
        Ok(self.get::<LinkList>(&["v1", "links"]).await?.items)
    }
}

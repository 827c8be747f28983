//! The events of a submission until it has ended, over however many connections.

use std::time::Duration;

use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::error::Error;
use crate::types::StreamEvent;

/// Pause before a stream that broke is resumed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the service may be away.
const AWAY: Duration = Duration::from_mins(2);
/// Events with which a submission's stream ends.
const ENDS: [&str; 3] = ["submission.finished", "submission.failed", "submission.cancelled"];

type Events = BoxStream<'static, Result<Event, EventStreamError<reqwest::Error>>>;

/// An event as it came.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its name, as `queue.position`.
    pub name: String,
    /// What it says.
    pub data: Value,
}

impl Told {
    /// What it says, by its type; [`StreamEvent::Other`] if this client does not know it.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it is not what the document says.
    pub fn event(&self) -> Result<StreamEvent, Error> {
        serde_json::from_value(self.data.clone()).map_err(Error::Unknown)
    }
}

/// What becomes of one submission: each event once and in order, whatever happens to connections and service.
pub struct Story<'a> {
    client: &'a Client,
    submission: String,
    open: Option<Events>,
    last: Option<String>,
    /// When the service was heard last.
    heard_at: Instant,
    has_ended: bool,
}

impl<'a> Story<'a> {
    pub(crate) fn new(client: &'a Client, submission: &str) -> Self {
        let submission = submission.to_owned();
        Self { client, submission, open: None, last: None, heard_at: Instant::now(), has_ended: false }
    }

    /// The next event; `None` once the submission has ended and that was told.
    ///
    /// # Errors
    /// [`Error`]: the service refuses, or is away for longer than two minutes. Asking again resumes.
    pub async fn next(&mut self) -> Result<Option<Told>, Error> {
        while !self.has_ended {
            if let Some(events) = &mut self.open {
                match events.next().await {
                    Some(Ok(event)) => {
                        if let Some(told) = self.take(event) {
                            return Ok(Some(told));
                        }
                    }
                    Some(Err(_)) | None => {
                        self.open = None;
                        sleep(PAUSE).await;
                    }
                }
                continue;
            }
            let path = ["v1", "submissions", &self.submission, "events"];
            match self.client.events(&path, self.last.as_deref()).await {
                Ok(Some(answer)) => self.open = Some(answer.bytes_stream().eventsource().boxed()),
                Ok(None) => self.has_ended = true,
                Err(error) if error.may_pass() && self.heard_at.elapsed() < AWAY => sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn take(&mut self, event: Event) -> Option<Told> {
        self.heard_at = Instant::now();
        let data = serde_json::from_str(&event.data).ok()?;
        if !event.id.is_empty() {
            self.last = Some(event.id);
        }
        self.has_ended = ENDS.contains(&event.event.as_str());
        Some(Told { name: event.event, data })
    }
}

impl std::fmt::Debug for Story<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Story")
            .field("submission", &self.submission)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Told;
    use crate::types::{Host, HostState, PositionReason, StreamEvent};

    #[test]
    fn what_a_later_version_adds_does_no_harm() {
        let told = |data: serde_json::Value| Told { name: String::new(), data }.event().unwrap();
        let place = told(
            json!({ "type": "queue.position", "submission_id": "0199", "round": 1, "attempt": 1, "position": 3,
            "eta": null, "reason": "a_reason_of_tomorrow", "added": [1] }),
        );

        assert!(matches!(told(json!({ "type": "submission.applauded", "by": "all" })), StreamEvent::Other));
        let StreamEvent::QueuePosition(place) = place else { panic!("{place:?}") };
        assert_eq!(place.reason, PositionReason::Other("a_reason_of_tomorrow".to_owned()));
        assert_eq!(place.reason.as_str(), "a_reason_of_tomorrow");
    }

    #[test]
    fn a_field_that_must_be_there_is_missed() {
        assert!(serde_json::from_value::<Host>(json!({ "name": "h" })).is_err());
        assert_eq!(serde_json::from_value::<HostState>(json!("healthy")).unwrap(), HostState::Healthy);
    }
}

//! The events of a submission until it has ended, over however many connections.

use std::time::Duration;

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::cli::api::{Api, Error};

/// Pause before a stream that broke is resumed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the service may be away.
const AWAY: Duration = Duration::from_mins(2);
/// What says of a service that it will be back.
const PASSING: [&str; 4] = ["stopping", "unavailable", "overloaded", "rate_limited"];
/// Events with which a stream ends.
const ENDS: [&str; 3] = ["submission.finished", "submission.failed", "submission.cancelled"];

/// Hears each event once, by name and data, and answers the submission as it ended.
///
/// # Errors
/// The service refuses, or is away for longer than two minutes.
pub(super) async fn follow(
    api: &Api<'_>,
    id: &str,
    mut heard: impl FnMut(&str, &Value) -> std::io::Result<()>,
) -> Result<Value, Error> {
    let mut last = None;
    let mut answered_at = Instant::now();
    loop {
        match api.events(&["v1", "submissions", id, "events"], last.as_deref()).await {
            // All was told before.
            Ok(None) => return api.get(&["v1", "submissions", id]).await,
            Ok(Some(answer)) => {
                let mut events = answer.bytes_stream().eventsource();
                while let Some(Ok(event)) = events.next().await {
                    answered_at = Instant::now();
                    let Ok(data) = serde_json::from_str::<Value>(&event.data) else { continue };
                    if !event.id.is_empty() {
                        last = Some(event.id);
                    }
                    heard(&event.event, &data)?;
                    if ENDS.contains(&event.event.as_str()) {
                        return Ok(data.get("submission").cloned().unwrap_or_default());
                    }
                }
            }
            Err(error) if may_pass(&error) && answered_at.elapsed() < AWAY => {}
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

fn may_pass(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::Foreign { .. } => true,
        Error::Refused(problem) => PASSING.contains(&problem.code()),
        Error::NoToken(_) | Error::Unfit(_) | Error::Output(_) => false,
    }
}

//! Why an attempt cannot be finished, and telling a lost host from a lost container.

use std::time::Duration;

use tokio::time::sleep;

use super::hosts::HostConnection;
use crate::domain::submission::LostReason;

/// Questions, one after the other, by whose end an engine that took its containers along has fallen silent itself.
const LAST_QUESTIONS: u32 = 5;

/// Pause between two of those questions.
const QUESTION_PAUSE: Duration = Duration::from_millis(200);

/// An attempt that cannot be finished: the container, or its host, is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.name())]
pub struct Lost {
    /// Which of the two.
    pub reason: LostReason,
    /// For the log.
    pub detail: String,
    /// Whether an operator took it away: what ran has not failed.
    pub on_purpose: bool,
    /// The companion that was lost, by the id of its engine, if it was that.
    pub companion: Option<String>,
}

pub(super) fn given_back() -> Lost {
    failed(LostReason::ContainerLost, "the container was given back".to_owned())
}

/// What ran in a container whose command before did not end.
pub(super) fn not_ended() -> Lost {
    failed(LostReason::ContainerLost, "the command before did not end".to_owned())
}

pub(super) fn gone(host: &HostConnection) -> Lost {
    if host.was_removed() {
        let lost = failed(LostReason::HostLost, "the host was removed".to_owned());
        return Lost { on_purpose: true, ..lost };
    }
    lost(LostReason::HostLost, "the host went away".to_owned())
}

pub(super) fn was_killed() -> Lost {
    let lost = failed(LostReason::ContainerLost, "the container was killed, as an admin asked".to_owned());
    Lost { on_purpose: true, ..lost }
}

pub(super) fn lost(reason: LostReason, detail: String) -> Lost {
    metrics::counter!("guichet_attempts_lost_total", "reason" => reason.name()).increment(1);
    failed(reason, detail)
}

const fn failed(reason: LostReason, detail: String) -> Lost {
    Lost { reason, detail, on_purpose: false, companion: None }
}

/// Tells a lost host from a lost container: the end of a connection alone says neither.
///
/// * `ended` — whether the container may have died with its engine.
pub(super) async fn diagnose(host: &HostConnection, id: &str, error: &str, ended: bool) -> Lost {
    host.doubt();
    let runs = match host.engine.runs(id).await {
        Ok(runs) => runs,
        Err(silence) => return lost(LostReason::HostLost, format!("{error}; the engine: {silence}")),
    };
    // An engine that is stopping ends its containers first and its answers a little later.
    for _ in 0..if ended { LAST_QUESTIONS } else { 0 } {
        if let Err(silence) = host.engine.ping().await {
            return lost(LostReason::HostLost, format!("{error}; the engine: {silence}"));
        }
        tokio::select! {
            () = sleep(QUESTION_PAUSE) => {}
            () = host.gone.cancelled() => return gone(host),
        }
    }
    let state = if runs { "still runs" } else { "has ended" };
    lost(LostReason::ContainerLost, format!("{error}; the container {state}"))
}

//! What one submission gets: a container until it's released, and the reason if it is lost.

use std::sync::Arc;
use std::time::Duration;

use guichet_agent::{Exec, Report, Stream, UsageSource};
use tokio::sync::mpsc::{OwnedPermit, Sender};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::agent_client;
use super::hosts::HostConnection;
use super::owner::Message;
use super::state::{ContainerPlace, Fate};
use super::transport::TransportKind;
use super::work::Idle;
use crate::clock::Patience;
use crate::domain::exercise::{Isolation, SourceFile};
use crate::domain::submission::LostReason;

/// Questions, one after the other, by whose end an engine that took its containers along has fallen silent itself.
const LAST_QUESTIONS: u32 = 5;

/// Time in which an engine that answers has removed a container.
const REMOVAL: Duration = Duration::from_secs(5);

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
}

/// How much of a submission is in the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Nothing.
    Untouched,
    /// Its files, and what its commands left.
    Used,
    /// A command was begun and its report did not come.
    Unknown,
    /// The same, for reasons of infrastructure.
    Lost,
}

/// A container for one submission. Dropped without [`Container::release`], it is destroyed and replaced.
#[derive(Debug)]
pub struct Container {
    /// `None` once it is given back.
    held: Option<Held>,
    usage_source: UsageSource,
    transport: TransportKind,
    condition: Condition,
}

#[derive(Debug)]
struct Held {
    place: ContainerPlace,
    idle: Idle,
    owner: Sender<Message>,
    way_back: OwnedPermit<Message>,
}

impl Held {
    /// Tells the owner that no command of its submission runs any more, so that the next one can be leased meanwhile.
    fn announce_emptying(&self) {
        // A hint: without room for it, the next lease waits for the container.
        let _heard = self.owner.try_send(Message::Emptying { place: self.place.clone() });
    }

    /// * `served` — whether a submission ran in it to its end.
    fn give_back(self, fate: impl FnOnce(Idle) -> Fate<Idle>, served: bool) {
        self.way_back.send(Message::GiveBack { place: self.place, fate: fate(self.idle), served });
    }

    async fn exec(
        &mut self,
        exec: Exec,
        stdin: &[u8],
        abort: &CancellationToken,
        sink: &mut (impl FnMut(Stream, &[u8]) + Send),
    ) -> Result<Report, Lost> {
        let Idle { id, host, client, killed, stop, .. } = &mut self.idle;
        let ended = tokio::select! {
            biased;
            ended = client.exec(exec, stdin, abort, sink) => ended,
            () = host.gone.cancelled() => return Err(gone(host)),
            () = killed.cancelled() => return Err(was_killed()),
            () = stop.stopped() => {
                return Err(diagnose(host, id, "the container died or was paused", true).await);
            }
        };
        match ended {
            Ok(report) => Ok(report),
            Err(_end) if killed.is_cancelled() => Err(was_killed()),
            Err(_broken) if host.gone.is_cancelled() => Err(gone(host)),
            Err(error) => {
                let ended = matches!(error, agent_client::Error::Closed | agent_client::Error::Transport(_));
                Err(diagnose(host, id, &error.to_string(), ended).await)
            }
        }
    }
}

impl Container {
    pub(super) const fn new(
        place: ContainerPlace,
        idle: Idle,
        owner: Sender<Message>,
        way_back: OwnedPermit<Message>,
    ) -> Self {
        let (usage_source, transport) = (idle.hello.usage_source, idle.transport);
        let held = Some(Held { place, idle, owner, way_back });
        Self { held, usage_source, transport, condition: Condition::Untouched }
    }

    /// Its id at its engine; `None` once it was given back.
    pub fn id(&self) -> Option<&str> {
        self.held.as_ref().map(|held| held.idle.id.as_str())
    }

    /// The connection to its host; `None` once it was given back.
    pub(super) fn connection(&self) -> Option<Arc<HostConnection>> {
        self.held.as_ref().map(|held| Arc::clone(&held.idle.host))
    }

    /// What an operator took from under the submission, its host or the container itself: what ran has not failed.
    pub fn interrupted(&self) -> Option<LostReason> {
        let idle = self.held.as_ref().map(|held| &held.idle)?;
        if idle.host.was_removed() {
            return Some(LostReason::HostLost);
        }
        idle.killed.is_cancelled().then_some(LostReason::ContainerLost)
    }

    /// Asks its agent whether it is there, before the submission's first command.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(super) async fn look(&mut self) -> Result<(), agent_client::Error> {
        match &mut self.held {
            Some(held) => held.idle.client.look().await,
            None => Err(agent_client::Error::Closed),
        }
    }

    /// Gives it back to be replaced, with nothing of the submission in it.
    pub(super) fn retire(mut self) {
        if let Some(held) = self.held.take() {
            held.give_back(Fate::Retired, false);
        }
    }

    /// Kills the container, whatever goes on in it, and waits until it is gone or its engine falls silent.
    pub async fn destroy(self) {
        let Some((engine, id)) =
            self.held.as_ref().map(|held| (held.idle.host.engine.clone(), held.idle.id.clone()))
        else {
            return;
        };
        match Patience::new(REMOVAL).wait_for(engine.remove(&id)).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(container.id = id, %error, "a container could not be removed yet");
            }
            None => tracing::warn!(container.id = id, "a container was not removed in time"),
        }
    }

    /// Where its usage figures come from.
    pub const fn usage_source(&self) -> UsageSource {
        self.usage_source
    }

    /// How its agent is spoken to.
    pub const fn transport(&self) -> TransportKind {
        self.transport
    }

    /// Puts files into the empty work folder before the first command; sent together with it.
    pub fn prepare(&mut self, files: &[SourceFile]) {
        let Some(held) = &mut self.held else { return };
        self.condition = Condition::Used;
        if let Err(error) = held.idle.client.open(files) {
            // Only a path longer than a frame is refused; the command then finds that its file is missing.
            tracing::warn!(%error, "a file cannot be sent to the agent");
        }
    }

    /// Runs one command to its end.
    ///
    /// * `stdin` — what it reads from standard input.
    /// * `abort` — when cancelled, the command is stopped at once and the report says so.
    /// * `sink` — gets what the command writes, in order within each stream, never more than its limit in all.
    ///
    /// # Errors
    /// [`Lost`] if the container or its host is gone or broke the protocol; the container is then of no use.
    pub async fn exec(
        &mut self,
        exec: Exec,
        stdin: &[u8],
        abort: &CancellationToken,
        sink: &mut (impl FnMut(Stream, &[u8]) + Send),
    ) -> Result<Report, Lost> {
        let Some(held) = &mut self.held else {
            return Err(Lost {
                reason: LostReason::ContainerLost,
                detail: "the container was given back".to_owned(),
            });
        };
        if matches!(self.condition, Condition::Unknown | Condition::Lost) {
            return Err(Lost {
                reason: LostReason::ContainerLost,
                detail: "the command before did not end".to_owned(),
            });
        }
        self.condition = Condition::Unknown;
        let ended = held.exec(exec, stdin, abort, sink).await;
        self.condition = if ended.is_ok() { Condition::Used } else { Condition::Lost };
        ended
    }

    /// Ends the submission: the container is emptied and verified, or replaced in the background.
    ///
    /// Returns as soon as it's decided which; after [`Isolation::Fresh`] or any doubt it is replaced.
    pub async fn release(mut self, isolation: Isolation) {
        let emptied = match (&mut self.held, self.condition) {
            (None, _) | (_, Condition::Unknown | Condition::Lost) => return,
            (Some(_), Condition::Untouched) => true,
            (Some(held), Condition::Used) => {
                if isolation == Isolation::Reset {
                    held.announce_emptying();
                }
                empty(&mut held.idle).await
            }
        };
        let Some(held) = self.held.take() else { return };
        let served = self.condition == Condition::Used;
        match isolation {
            Isolation::Reset if emptied => held.give_back(Fate::Reusable, served),
            Isolation::Fresh if emptied => held.give_back(Fate::Retired, served),
            Isolation::Reset | Isolation::Fresh => held.give_back(Fate::Doubtful, served),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let lost = self.condition == Condition::Lost && self.interrupted().is_none();
        if let Some(held) = self.held.take() {
            held.give_back(if lost { Fate::Lost } else { Fate::Doubtful }, false);
        }
    }
}

/// Whether the agent emptied the container and found it so.
async fn empty(idle: &mut Idle) -> bool {
    match idle.client.close().await {
        Ok(clean) if clean.ok => true,
        Ok(clean) => {
            tracing::warn!(
                host = %idle.host.host,
                container.id = idle.id,
                problems = clean.problems.join("; "),
                "a container is not clean and will be replaced"
            );
            false
        }
        Err(error) => {
            tracing::warn!(
                host = %idle.host.host, container.id = idle.id, %error,
                "a container could not be emptied and will be replaced"
            );
            false
        }
    }
}

fn gone(host: &HostConnection) -> Lost {
    if host.was_removed() {
        return Lost { reason: LostReason::HostLost, detail: "the host was removed".to_owned() };
    }
    lost(LostReason::HostLost, "the host went away".to_owned())
}

fn was_killed() -> Lost {
    Lost {
        reason: LostReason::ContainerLost,
        detail: "the container was killed, as an admin asked".to_owned(),
    }
}

fn lost(reason: LostReason, detail: String) -> Lost {
    metrics::counter!("guichet_attempts_lost_total", "reason" => reason.name()).increment(1);
    Lost { reason, detail }
}

/// Tells a lost host from a lost container: the end of a connection alone says neither.
///
/// * `ended` — whether the container may have died with its engine.
async fn diagnose(host: &HostConnection, id: &str, error: &str, ended: bool) -> Lost {
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

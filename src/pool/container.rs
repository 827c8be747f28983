//! What one submission gets: a container until it's released, and the reason if it is lost.

use std::sync::Arc;
use std::time::Duration;

use guichet_agent::{Exec, Report, Stream, UsageSource};
use tokio::sync::mpsc::{OwnedPermit, Sender};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::agent_client;
use super::agent_client::LeftFile;
use super::hosts::HostConnection;
use super::loss::{Lost, diagnose, given_back, gone, lost, not_ended, was_killed};
use super::owner::Message;
use super::state::{ContainerPlace, Fate};
use super::transport::TransportKind;
use super::work::{ExerciseProgram, Idle};
use crate::clock::Patience;
use crate::domain::exercise::{Isolation, SourceFile};
use crate::domain::ids::{RuntimeId, SubmissionId};
use crate::domain::submission::LostReason;

/// Time in which an engine that answers has removed a container.
const REMOVAL: Duration = Duration::from_secs(5);

/// Time in which a companion has to come: another container starts, or some while their host is busy.
const COMPANION: Duration = Duration::from_secs(30);

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
            Err(error) => Err(self.why_lost(error).await),
        }
    }

    async fn read(&mut self, files: &[(&str, usize)]) -> Result<Vec<Option<LeftFile>>, Lost> {
        match self.idle.client.read(files).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.why_lost(error).await),
        }
    }

    async fn why_lost(&mut self, error: agent_client::Error) -> Lost {
        let Idle { id, host, killed, .. } = &self.idle;
        if killed.is_cancelled() {
            return was_killed();
        }
        if host.gone.is_cancelled() {
            return gone(host);
        }
        let ended = matches!(error, agent_client::Error::Closed | agent_client::Error::Transport(_));
        diagnose(host, id, &error.to_string(), ended).await
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

    /// Another container in its slot, for a program of the submission's exercise; one has to be had at the host it is on
    /// ([`super::Pool::reserve`]). `None` if it was aborted meanwhile.
    ///
    /// # Errors
    /// [`Lost`] if this container or its host is gone, or no companion came in time.
    pub async fn companion(
        &mut self,
        runtime: &RuntimeId,
        submission: SubmissionId,
        abort: &CancellationToken,
    ) -> Result<Option<Self>, Lost> {
        let Some(Held { place, idle, owner, .. }) = &self.held else { return Err(given_back()) };
        let (place, owner) = (place.clone(), owner.clone());
        let (host, killed) = (Arc::clone(&idle.host), idle.killed.clone());
        let mut patience = Patience::new(COMPANION);
        loop {
            let (reply, companion) = oneshot::channel();
            let message =
                Message::Accompany { of: place.clone(), runtime: runtime.clone(), submission, reply };
            let asked = async {
                owner.send(message).await.ok()?;
                companion.await.ok()
            };
            let companion = tokio::select! {
                biased;
                () = abort.cancelled() => return Ok(None),
                () = host.gone.cancelled() => return Err(gone(&host)),
                () = killed.cancelled() => return Err(was_killed()),
                companion = patience.wait_for(asked) => companion.flatten(),
            };
            let Some(mut companion) = companion else {
                return Err(lost(
                    LostReason::ContainerLost,
                    "no companion came for the container".to_owned(),
                ));
            };
            match companion.look().await {
                Ok(()) => return Ok(Some(companion)),
                Err(error) => {
                    tracing::warn!(
                        container.id = companion.id(), %error,
                        "a container that was to serve as companion does not answer and is replaced"
                    );
                    companion.retire();
                }
            }
        }
    }

    /// Makes a companion hold the program of an exercise; `true` if it does already, ready to be run. Else its files are there
    /// and nothing else, and [`Container::holds`] says when it is ready.
    ///
    /// # Errors
    /// [`Lost`] if what it held before could not be removed.
    pub async fn hold(&mut self, program: &ExerciseProgram, files: &[SourceFile]) -> Result<bool, Lost> {
        let Some(held) = &mut self.held else { return Err(given_back()) };
        match held.idle.holds.take() {
            Some(other) if *other == *program => {
                held.idle.holds = Some(other);
                self.condition = Condition::Used;
                return Ok(true);
            }
            Some(_other) => {
                self.condition = Condition::Unknown;
                if !empty(&mut held.idle).await {
                    let detail = "a companion could not be emptied of another exercise's program".to_owned();
                    return Err(lost(LostReason::ContainerLost, detail));
                }
            }
            None => {}
        }
        self.prepare(files);
        Ok(false)
    }

    /// Says that the program is ready to be run, for this submission and those that come after it.
    pub fn holds(&mut self, program: ExerciseProgram) {
        if let Some(held) = &mut self.held {
            held.idle.holds = Some(Box::new(program));
        }
    }

    /// Gives a companion back, with the program that it holds.
    pub async fn release_companion(mut self) {
        let is_ready = self.condition == Condition::Used
            && self.held.as_ref().is_some_and(|held| held.idle.holds.is_some());
        if is_ready && let Some(held) = self.held.take() {
            return held.give_back(Fate::Reusable, false);
        }
        self.release(Isolation::Reset).await;
    }

    /// Puts a file into the work folder for the next command alone.
    pub fn lend(&mut self, path: &str, content: &[u8]) {
        let Some(held) = &mut self.held else { return };
        if let Err(error) = held.idle.client.lend(path, content) {
            // Only a path longer than a frame is refused; the command then finds that its file is missing.
            tracing::warn!(%error, "a file cannot be sent to the agent");
        }
    }

    /// Files as the last command left them: how long each is, and its first bytes; `None` where no regular file is.
    ///
    /// * `files` — paths, and how many bytes are wanted of each.
    ///
    /// # Errors
    /// [`Lost`] if the container or its host is gone or broke the protocol; the container is then of no use.
    pub async fn read(&mut self, files: &[(&str, usize)]) -> Result<Vec<Option<LeftFile>>, Lost> {
        let Some(held) = &mut self.held else { return Err(given_back()) };
        self.condition = Condition::Unknown;
        let read = held.read(files).await;
        self.condition = if read.is_ok() { Condition::Used } else { Condition::Lost };
        read
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
        let Some(held) = &mut self.held else { return Err(given_back()) };
        if matches!(self.condition, Condition::Unknown | Condition::Lost) {
            return Err(not_ended());
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

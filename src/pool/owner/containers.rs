//! What the owner remembers of each container besides what the machine knows, how that is shown, and how one is killed.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Owner;
use crate::clock::Clock;
use crate::domain::host::HostName;
use crate::domain::ids::SubmissionId;
use crate::domain::time::Timestamp;
use crate::pool::container_view::{ContainerState, ContainerView};
use crate::pool::state::{Activity, ContainerPlace};
use crate::pool::transport::TransportKind;
use crate::pool::work::{Birth, remove_killed};

/// What an operator wants of containers.
#[derive(Debug)]
pub enum ContainerRequest {
    /// To see all of them.
    Show { reply: oneshot::Sender<Vec<ContainerView>> },
    /// To have one killed and replaced; `None` if there is none of that id.
    Kill { id: String, reply: oneshot::Sender<Option<ContainerView>> },
}

/// What is remembered of containers, by their serial numbers.
#[derive(Default)]
pub(super) struct Containers {
    records: BTreeMap<u64, ContainerRecord>,
}

/// What is remembered of one.
struct ContainerRecord {
    place: ContainerPlace,
    created_at: Timestamp,
    birth: Birth,
    transport: Option<TransportKind>,
    submission: Option<SubmissionId>,
    submissions: u32,
}

impl Containers {
    /// A launch begins.
    pub(super) fn begin(&mut self, place: &ContainerPlace) -> Birth {
        let in_cell = |other: &ContainerPlace| {
            (&other.host, other.slot, other.role, &other.runtime)
                == (&place.host, place.slot, place.role, &place.runtime)
        };
        self.records.retain(|_, record| !in_cell(&record.place));
        let birth = Birth::default();
        let record = ContainerRecord {
            place: place.clone(),
            created_at: Clock::System.now(),
            birth: birth.clone(),
            transport: None,
            submission: None,
            submissions: 0,
        };
        self.records.insert(place.serial, record);
        birth
    }

    /// Its agent has answered.
    pub(super) fn launched(&mut self, place: &ContainerPlace, transport: TransportKind) {
        if let Some(record) = self.records.get_mut(&place.serial) {
            record.transport = Some(transport);
        }
    }

    /// It serves a submission from now on.
    pub(super) fn serve(&mut self, place: &ContainerPlace, submission: SubmissionId) {
        if let Some(record) = self.records.get_mut(&place.serial) {
            record.submission = Some(submission);
            record.submissions += 1;
        }
    }

    /// It serves none any more.
    pub(super) fn given_back(&mut self, place: &ContainerPlace) {
        if let Some(record) = self.records.get_mut(&place.serial) {
            record.submission = None;
        }
    }

    /// Whether it is to be killed.
    pub(super) fn is_killed(&self, place: &ContainerPlace) -> bool {
        self.records.get(&place.serial).is_some_and(|record| record.birth.killed.is_cancelled())
    }

    /// It is gone, or was never made.
    pub(super) fn forget(&mut self, place: &ContainerPlace) {
        self.records.remove(&place.serial);
    }

    /// Those of a host are gone.
    pub(super) fn forget_host(&mut self, host: &HostName) {
        self.records.retain(|_, record| record.place.host != *host);
    }

    fn named(&self, id: &str) -> Option<&ContainerRecord> {
        self.records.values().find(|record| record.birth.id.borrow().as_deref() == Some(id))
    }
}

impl ContainerRecord {
    /// `None` before its engine has made it.
    fn view(&self, activity: Activity) -> Option<ContainerView> {
        let id = self.birth.id.borrow().clone()?;
        let state = match activity {
            _ if self.birth.killed.is_cancelled() => ContainerState::Removing,
            Activity::Starting => ContainerState::Starting,
            Activity::Warm => ContainerState::Warm,
            Activity::Busy => ContainerState::Busy,
            Activity::Emptying => ContainerState::Emptying,
            Activity::Removing => ContainerState::Removing,
        };
        Some(ContainerView {
            serial: self.place.serial,
            id,
            host: self.place.host.clone(),
            runtime: self.place.runtime.clone(),
            slot: self.place.slot.0,
            state,
            submission: self.submission,
            transport: self.transport,
            created_at: self.created_at,
            submissions: self.submissions,
        })
    }
}

impl Owner {
    /// Does what an operator wants; he may have stopped waiting for the answer.
    pub(super) fn hear_container_request(&mut self, request: ContainerRequest) {
        match request {
            ContainerRequest::Show { reply } => {
                let _gone = reply.send(self.container_views());
            }
            ContainerRequest::Kill { id, reply } => {
                let _gone = reply.send(self.kill(&id));
            }
        }
    }

    /// All containers that the engines have made.
    fn container_views(&self) -> Vec<ContainerView> {
        let records = self.containers.records.values();
        records.filter_map(|record| record.view(self.machine.activity(&record.place)?)).collect()
    }

    /// Has a container be killed and replaced; `None` if there is none of that id.
    fn kill(&mut self, id: &str) -> Option<ContainerView> {
        let record = self.containers.named(id)?;
        let (place, birth) = (record.place.clone(), record.birth.clone());
        match self.machine.activity(&place)? {
            Activity::Warm => {
                if let Some(action) = self.machine.retire(&place) {
                    self.begin(action);
                }
            }
            Activity::Starting | Activity::Busy | Activity::Emptying => {
                // First, so that an attempt that sees its container end knows why.
                birth.killed.cancel();
                if let Some(connection) = self.connection(&place.host) {
                    self.tasks.spawn(remove_killed(connection, id.to_owned(), self.closing.clone()));
                }
            }
            Activity::Removing => {}
        }
        self.containers.named(id)?.view(self.machine.activity(&place)?)
    }
}

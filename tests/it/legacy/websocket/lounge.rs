//! The API and the WebSocket beside it on one socket, in this process, without engine and scheduler: what is queued
//! stays queued until a test runs it by hand.

use std::net::SocketAddr;
use std::time::Duration;

use guichet::app::Role;
use guichet::domain::ids::SubmissionId;
use guichet::domain::lease::{AttemptCaps, Lease};
use guichet::domain::submission::{GivenUp, NewSubmission};
use guichet::domain::verdict::Verdict;
use guichet::http;
use guichet::legacy::websocket::{ErrorTarget, Patience, Sessions, Settings, router};
use guichet::storage::{CancelRequested, Storage as _};
use tokio::net::TcpListener;

use super::raw::Raw;
use crate::http::house::House;
use crate::storage::factory;

/// How many losses a submission survives here.
const CAPS: AttemptCaps = AttemptCaps { any: 3, container: 2 };

pub struct Lounge {
    pub house: House,
    pub address: SocketAddr,
}

/// What differs between lounges.
#[derive(Clone, Debug)]
pub struct Plan {
    pub patience: Patience,
    pub origins: Vec<String>,
    pub error_target: ErrorTarget,
    /// How long a peer may take nothing of what is written to it.
    pub stalled: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            patience: Patience::default(),
            origins: Vec::new(),
            error_target: ErrorTarget::Exercice,
            stalled: Duration::from_secs(30),
        }
    }
}

impl Lounge {
    pub async fn open() -> Self {
        Self::of(Plan::default()).await
    }

    pub async fn of(plan: Plan) -> Self {
        let house = House::build().await;
        let settings = Settings {
            paths: vec!["/ws".to_owned(), "/old/ws".to_owned()],
            listen: None,
            origins: plan.origins,
            error_target: plan.error_target,
        };
        let sessions = Sessions::new(
            house.app.clone(),
            house.verifier.clone(),
            house.tasks.clone(),
            &settings,
            plan.patience,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let patience = http::Patience { stalled: plan.stalled, ..http::Patience::default() };
        let router = house.router.clone().merge(router(&sessions, &settings.paths));
        house.tasks.start(http::serve_with(patience, listener, router, house.tasks.hard().clone()));
        Self { house, address }
    }

    pub fn token(&self, subject: &str) -> String {
        self.house.token(subject, Role::Student)
    }

    /// A connection on which nothing was sent.
    pub async fn connect(&self) -> Raw {
        Raw::connect(self.address, "/ws").await
    }

    /// A connection of a student that was told OK.
    pub async fn join(&self, subject: &str) -> Raw {
        self.join_with(&self.token(subject)).await
    }

    /// A connection of the user of this token, that was told OK.
    pub async fn join_with(&self, token: &str) -> Raw {
        let mut raw = self.connect().await;
        raw.auth(token).await;
        assert_eq!(raw.packet().await, r#"{"cmd":"OK"}"#);
        raw
    }

    /// Queues a submission that `subject` knows by this id, or by its own with an empty one.
    pub async fn queue(&self, subject: &str, legacy_id: &str) -> SubmissionId {
        self.queue_at("default", subject, legacy_id).await
    }

    pub async fn queue_at(&self, backend: &str, subject: &str, legacy_id: &str) -> SubmissionId {
        let legacy = (!legacy_id.is_empty()).then(|| factory::legacy(backend, legacy_id));
        let new = NewSubmission { legacy, ..factory::new(subject) };
        let stored = factory::insert_all(&self.house.storage, vec![new], self.house.clock.now()).await;
        stored[0].submission.id
    }

    /// Starts the next submission of the queue.
    pub async fn start(&self) -> Lease {
        factory::lease(&self.house.storage, self.house.clock.now()).await.work.lease
    }

    pub async fn finish(&self, lease: &Lease, verdict: Verdict) {
        let ending = factory::finished(lease.round, verdict);
        let now = self.house.clock.now();
        let _held = self.house.storage.finish(lease, Vec::new(), ending, now).await.unwrap();
    }

    pub async fn lose(&self, lease: &Lease, given_up: GivenUp) {
        let now = self.house.clock.now();
        let _held = self.house.storage.give_up(lease, given_up, CAPS, now).await.unwrap();
    }

    pub async fn cancel(&self, id: SubmissionId) {
        let cancelled = factory::cancel(&self.house.storage, id, self.house.clock.now()).await;
        assert!(matches!(cancelled, CancelRequested::Cancelled(_)));
    }
}

/// The packet that tells a place.
pub fn place(id: &str, place: u64) -> String {
    format!(r#"{{"cmd":"PLACE_IN_QUEUE","user_exercice_id":"{id}","place":"{place}"}}"#)
}

/// The packet that tells a result.
pub fn executed(id: &str) -> String {
    format!(r#"{{"cmd":"EXERCICE_EXECUTED","id":"{id}"}}"#)
}

/// The packet that tells an error.
pub fn error(code: u16, target: &str, id: &str) -> String {
    format!(r#"{{"cmd":"ERROR","error_code":"{code}","target":"{target}","target_id":"{id}"}}"#)
}

/// The packet of a user who asks for a place.
pub fn ask(id: &str) -> String {
    format!(r#"{{"cmd":"PLACE_IN_QUEUE","user_exercice_id":"{id}"}}"#)
}

pub const OK: &str = r#"{"cmd":"OK"}"#;

/// Nobody proved who he is.
pub fn refused() -> String {
    error(401, "OTHER", "N/A")
}

/// Nobody understands what was sent.
pub fn not_understood() -> String {
    error(404, "OTHER", "N/A")
}

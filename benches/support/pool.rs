//! A pool in the bench's own process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use guichet::domain::exercise::Isolation;
use guichet::domain::host::{HostMode, HostSettings, HostSource};
use guichet::domain::ids::{RuntimeId, SubmissionId};
use guichet::domain::time::Timestamp;
use guichet::pool::{Container, Pool, Settings};
use guichet::shutdown::Tasks;
use uuid::Uuid;

use super::engine;

/// A pool with one slot a host, for one runtime.
pub struct OwnPool {
    pool: Pool,
    tasks: Tasks,
    runtime: RuntimeId,
}

impl OwnPool {
    /// Starts one.
    ///
    /// * `urls` — of its engines; some may not be there.
    /// * `sockets` — where agents have their sockets; without it they are spoken to through the engine.
    pub fn start(urls: impl IntoIterator<Item = String>, runtime: &str, sockets: Option<PathBuf>) -> Self {
        let known = engine::runtime(runtime);
        let runtime = known.id.clone();
        let settings = Settings {
            oci_runtimes: BTreeMap::new(),
            hosts: (1..).zip(urls).map(|(number, url)| host(number, url)).collect(),
            certs_dir: PathBuf::new(),
            slots: Some(1),
            agent_path: engine::agent_path(),
            installation: Uuid::new_v4(),
            folder: Uuid::new_v4(),
            instance: Uuid::new_v4(),
            recipes: BTreeMap::new(),
            canaries: BTreeMap::new(),
            warm_per_runtime: 1,
            submissions_per_container: std::num::NonZeroU32::MAX,
            sockets,
        };
        let tasks = Tasks::default();
        let runtimes = Arc::new(BTreeMap::from([(runtime.clone(), known)]));
        let pool = Pool::start(settings, runtimes, tasks.tracker(), tasks.hard().clone());
        Self { pool, tasks, runtime }
    }

    /// Takes a container.
    pub async fn claim(&self) -> Container {
        let reserved =
            self.pool.reserve(SubmissionId::generate(), &self.runtime, None, Isolation::Reset).await;
        reserved.expect("the pool goes on").container().await.expect("the pool goes on")
    }

    /// Ends it with its containers.
    pub async fn stop(self) {
        self.pool.shutdown().await;
        self.tasks.stop_hard();
        self.tasks.ended().await;
    }
}

fn host(number: usize, url: String) -> HostSettings {
    HostSettings {
        name: format!("host-{number}").parse().expect("a name"),
        url,
        certs: None,
        slots: None,
        source: HostSource::Config,
        mode: HostMode::Active,
        created_at: Timestamp::from_millis(0),
    }
}

//! Begins what the machine asks for, each in a task of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{Message, Owner};
use crate::clock::Patience;
use crate::domain::host::HostSettings;
use crate::pool::endpoint::Endpoint;
use crate::pool::hosts::HostConnection;
use crate::pool::state::{Action, ContainerPlace};
use crate::pool::work::{Idle, Launch, Outcome, connect, launch, leave, remove, remove_old_images};

/// How long containers of a removed host are still removed while the pool ends.
const LEFT_AT_THE_END: Duration = Duration::from_secs(3);

impl Owner {
    pub(super) fn begin(&mut self, action: Action<Idle>) {
        self.touched = true;
        match action {
            Action::Connect { host, attempt } => {
                let Some(record) = self.hosts.get(&host) else { return };
                let (name, removed) = (host.clone(), record.removed.clone());
                let HostSettings { url, certs, .. } = &record.settings;
                let endpoint = Endpoint::new(url, certs.as_ref(), &self.settings.certs_dir);
                let living =
                    self.hosts.values().filter_map(|record| Some(record.connection.as_ref()?.id)).collect();
                let connecting = connect(name, endpoint, self.labels, living, self.transports.clone());
                self.spawn(async move {
                    tokio::select! {
                        result = connecting => Outcome::Connected { host, attempt, result },
                        () = removed.cancelled() => Outcome::Left,
                    }
                });
            }
            Action::PrepareImage { host, runtime } => self.begin_preparing(host, runtime),
            Action::CopyImage { host, copy } => self.begin_copying(host, copy),
            Action::Launch { place, canary } => self.begin_launch(place, canary),
            Action::Remove(place, idle) => {
                let host = place.host.to_string();
                metrics::counter!("guichet_containers_replaced_total", "host" => host).increment(1);
                let closing = self.closing.clone();
                self.spawn(async move {
                    remove(idle, closing).await;
                    Outcome::Removed { place }
                });
            }
        }
    }

    fn begin_launch(&mut self, place: ContainerPlace, canary: bool) {
        let (Some(connection), Some(known)) =
            (self.connection(&place.host), self.runtimes.get(&place.runtime))
        else {
            return;
        };
        let record = self.hosts.get(&place.host);
        let image = record.and_then(|record| record.agent_image(&place.runtime)).cloned();
        let image = image.unwrap_or_default();
        let (runtime, labels) = (Arc::clone(known), self.labels);
        let program = canary.then(|| self.settings.canaries.get(&place.runtime).cloned()).flatten();
        let oci_runtime = self.settings.oci_runtimes.get(&place.host).cloned();
        let launches = connection.launches.clone();
        let birth = self.containers.begin(&place);
        self.spawn(launches.track_future(async move {
            let oci_runtime = oci_runtime.as_deref();
            let launched =
                Launch { labels, runtime: &runtime, image: &image, oci_runtime, canary: program.as_ref() };
            let result = launch(connection, &place, launched, &birth).await;
            Outcome::Launched { place, canary, result }
        }));
    }

    /// What is left on a host that was removed goes.
    pub(super) fn begin_leaving(&mut self, connection: Arc<HostConnection>, image: Option<String>) {
        let (leaving, closing) = (leave(connection, image, self.labels), self.closing.clone());
        // The pool's end does not wait for a host that was removed because it hangs.
        self.tasks.spawn(async move {
            tokio::pin!(leaving);
            tokio::select! {
                () = &mut leaving => {}
                () = closing.cancelled() => {
                    let _in_time = Patience::new(LEFT_AT_THE_END).wait_for(leaving).await;
                }
            }
        });
    }

    /// No caller waits for it: what is in its way for long stays until more is superseded, or the host is connected anew.
    pub(super) fn begin_removing_old_images(&self, connection: Arc<HostConnection>) {
        let images: Vec<_> = self.runtimes.values().map(|runtime| runtime.image.clone()).collect();
        let (path, closing) = (self.settings.agent_path.clone(), self.closing.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = remove_old_images(&connection, &images, path) => {}
                () = connection.gone.cancelled() => {}
                () = closing.cancelled() => {}
            }
        });
    }

    pub(super) fn spawn(&mut self, work: impl Future<Output = Outcome> + Send + 'static) {
        self.under_way += 1;
        let messages = self.messages.clone();
        self.tasks.spawn(async move {
            let outcome = work.await;
            if messages.send(Message::Outcome(outcome)).await.is_err() {
                tracing::debug!("the pool has closed meanwhile");
            }
        });
    }
}

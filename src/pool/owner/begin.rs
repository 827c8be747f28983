//! Begins what the machine asks for, each in a task of its own.

use std::future::Future;
use std::sync::Arc;

use super::{Message, Owner};
use crate::pool::host::HostConnection;
use crate::pool::state::{Action, HostId};
use crate::pool::work::{Idle, Outcome, connect, launch, prepare_image, remove, remove_old_images};

impl Owner {
    pub(super) fn begin(&mut self, action: Action<Idle>) {
        match action {
            Action::Connect { host } => {
                let connecting = connect(host.address().to_owned(), self.labels, self.transports.clone());
                self.spawn(async move { Outcome::Connected { host, result: connecting.await } });
            }
            Action::PrepareImage { host, runtime } => {
                let (Some(connection), Some(known)) = (self.connection(&host), self.runtimes.get(&runtime))
                else {
                    return;
                };
                let (image, path) = (known.image.clone(), self.settings.agent_path.clone());
                self.spawn(async move {
                    let result = prepare_image(&connection.engine, &image, path).await;
                    Outcome::ImagePrepared { host, runtime, connection, result }
                });
            }
            Action::Launch(place) => {
                let (Some(connection), Some(known)) =
                    (self.connection(&place.host), self.runtimes.get(&place.runtime))
                else {
                    return;
                };
                let cell = (place.host.clone(), place.runtime.clone());
                let image = self.images.get(&cell).cloned().unwrap_or_default();
                let (runtime, labels) = (Arc::clone(known), self.labels);
                self.spawn(async move {
                    let result = launch(connection, &place, labels, &runtime, &image).await;
                    Outcome::Launched { place, result }
                });
            }
            Action::Remove(place, idle) => {
                metrics::counter!("guichet_containers_replaced_total").increment(1);
                let closing = self.closing.clone();
                self.spawn(async move {
                    remove(idle, closing).await;
                    Outcome::Removed { place }
                });
            }
        }
    }

    /// No caller waits for it: what is in its way stays until the next start.
    pub(super) fn begin_removing_old_images(&self, connection: Arc<HostConnection>) {
        let images: Vec<_> = self.runtimes.values().map(|runtime| runtime.image.clone()).collect();
        let (path, closing) = (self.settings.agent_path.clone(), self.closing.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = remove_old_images(&connection, &images, path) => {}
                () = closing.cancelled() => {}
            }
        });
    }

    fn connection(&self, host: &HostId) -> Option<Arc<HostConnection>> {
        self.connections.get(host).cloned()
    }

    fn spawn(&mut self, work: impl Future<Output = Outcome> + Send + 'static) {
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

//! What the owner does with images: they are seen to, come from other hosts, and are noticed when they were replaced.

use tokio::time::Instant;

use super::{Message, Owner};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;
use crate::pool::copying::copy_image;
use crate::pool::docker::{self, AgentImage, CopyError, Presence};
use crate::pool::hosts::{HostErrorCode, HostRecord, ImageState, MISSING_IMAGE_ADVICE};
use crate::pool::state::{Copy, ImageFailure, ImageUse};
use crate::pool::work::{Outcome, PrepareError, prepare_image};

impl Owner {
    pub(super) fn begin_preparing(&mut self, host: HostName, runtime: RuntimeId) {
        let (Some(connection), Some(known)) = (self.connection(&host), self.runtimes.get(&runtime)) else {
            return;
        };
        let (image, path) = (known.image.clone(), self.settings.agent_path.clone());
        let recipe = self.settings.recipes.get(&runtime).cloned();
        self.spawn(async move {
            let result = prepare_image(&connection.engine, &image, recipe.as_deref(), path).await;
            Outcome::ImagePrepared { host, runtime, connection, result }
        });
    }

    pub(super) fn image_prepared(
        &mut self,
        host: &HostName,
        runtime: RuntimeId,
        result: Result<AgentImage, PrepareError>,
    ) {
        let now = Instant::now().into_std();
        match result {
            Ok(AgentImage { name, presence, made_at }) => {
                self.machine.image_ready(host, &runtime, now);
                self.machine.image_found(host, &runtime, presence, made_at);
                let record = self.hosts.get(host);
                let before = record.and_then(|record| record.agent_image(&runtime));
                if before.is_some_and(|before| *before != name) {
                    tracing::info!(%host, %runtime, "the image was replaced: its containers are, too");
                    self.machine.image_replaced(host, &runtime, now);
                    if let Some(connection) = self.connection(host) {
                        connection.superseded.notify_one();
                    }
                }
                self.note(host, |record| record.image_ready(runtime, name));
            }
            Err(error) => {
                let (image, why, advice) = match &error {
                    PrepareError::Engine(docker::Error::MissingImage(_)) => {
                        self.machine.image_found(host, &runtime, Presence::Missing, None);
                        (ImageState::Missing, ImageFailure::Lacking, format!("; {MISSING_IMAGE_ADVICE}"))
                    }
                    PrepareError::Engine(_) => (ImageState::Failed, ImageFailure::Broken, String::new()),
                    PrepareError::Program { .. } => {
                        (ImageState::Failed, ImageFailure::Lacking, String::new())
                    }
                };
                // Containers are made of an image that was seen to before, with the agent in it.
                if self.machine.image_failed(host, &runtime, why, now) == ImageUse::None {
                    let code = match &error {
                        PrepareError::Engine(error) if error.is_disk_full() => HostErrorCode::DiskFull,
                        PrepareError::Engine(_) | PrepareError::Program { .. } => HostErrorCode::Image,
                    };
                    let text = format!("the runtime is not ready: {error}{advice}");
                    self.note(host, |record| {
                        record.complain(Some(&runtime), &text);
                        // What is looked for in vain again hides no later error.
                        if record.does_not_work(&runtime, text.clone()) {
                            record.fail(code, format!("{runtime}: {text}"));
                        }
                        record.image_failed(runtime, image);
                    });
                }
            }
        }
    }

    pub(super) fn begin_copying(&mut self, host: HostName, copy: Copy) {
        let Copy { runtime, from, serial } = copy;
        let (Some(target), Some(source), Some(known)) =
            (self.connection(&host), self.connection(&from), self.runtimes.get(&runtime))
        else {
            self.machine.image_did_not_come(&host, serial, Instant::now().into_std());
            return;
        };
        let image = known.image.clone();
        tracing::info!(%host, %from, %runtime, image, "an image is copied");
        self.note(&host, |record| record.copies(runtime, 0));
        let (messages, closing) = (self.messages.clone(), self.closing.clone());
        let to = host.clone();
        let report = move |thousandths| {
            let (messages, host) = (messages.clone(), to.clone());
            // An error means that the pool has ended.
            async move { drop(messages.send(Message::CopyProgress { host, serial, thousandths }).await) }
        };
        self.spawn(async move {
            tokio::select! {
                result = copy_image(image, &source, &target, report) => Outcome::ImageCopied { host, serial, result },
                () = closing.cancelled() => Outcome::Left,
            }
        });
    }

    /// So much of an image has come to a host.
    pub(super) fn hear_progress(&mut self, host: &HostName, serial: u64, thousandths: u16) {
        let copy = self.machine.copy_to(host).filter(|copy| copy.serial == serial).cloned();
        if let Some(Copy { runtime, .. }) = copy {
            self.note(host, |record| record.copies(runtime, thousandths));
        }
    }

    pub(super) fn hear_copied(&mut self, host: &HostName, serial: u64, result: Result<(), CopyError>) {
        let now = Instant::now().into_std();
        match result {
            Ok(()) => {
                let Some(Copy { runtime, from, .. }) = self.machine.image_came(host, serial, now) else {
                    return;
                };
                tracing::info!(%host, %from, %runtime, "an image has come");
                self.note(host, HostRecord::copies_nothing);
            }
            Err(error) => {
                let Some(Copy { runtime, from, .. }) = self.machine.image_did_not_come(host, serial, now)
                else {
                    return;
                };
                let text = format!("the image does not come from {from}: {error}");
                let code = if error.is_disk_full() { HostErrorCode::DiskFull } else { HostErrorCode::Image };
                self.note(host, |record| {
                    record.copies_nothing();
                    record.complain(Some(&runtime), &text);
                    record.fail(code, format!("{runtime}: {text}"));
                });
            }
        }
    }

    /// Lets copies know where something runs: they hold back there.
    pub(super) fn tell_copies(&mut self) {
        let hosts: Vec<_> = self.machine.copying().into_iter().cloned().collect();
        for host in hosts {
            if let Some(connection) = self.connection(&host) {
                connection.at_work.set(self.machine.occupancy(&host).running > 0);
            }
        }
    }
}

//! The images of runtimes on hosts: looked for, looked at again, replaced.

use std::time::{Duration, Instant};

use super::Machine;
use super::host::{Content, FIRST_PAUSE, Image, Pause};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;

/// Time after which an image that is in use is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What a runtime's image on a host is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageUse {
    /// No container can be made of it.
    None,
    /// Containers are made of it as before.
    AsBefore,
}

/// Why an image cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFailure {
    /// What it is made of is not there: the runtime's image, or the agent's program.
    Lacking,
    /// It may be there, and no container can be made of it.
    Broken,
}

impl<C> Machine<C> {
    /// A runtime's image is on a host. It is looked at again after a while: it may be replaced.
    pub fn image_ready(&mut self, host: &HostName, runtime: &RuntimeId, now: Instant) {
        self.last_serial += 1;
        let spread = self.spread(self.last_serial, LOOK_AGAIN / 4);
        let Some((image, pause)) = self.image(host, runtime) else { return };
        let is_new = matches!(image, Image::Preparing);
        *image = Image::Ready;
        *pause = Pause::until(now + LOOK_AGAIN + spread);
        if is_new && let Some(host) = self.hosts.get_mut(host) {
            host.canaries.hurry(runtime);
        }
    }

    /// A runtime's image is not on a host, or could not be looked at.
    pub fn image_failed(
        &mut self,
        host: &HostName,
        runtime: &RuntimeId,
        why: ImageFailure,
        now: Instant,
    ) -> ImageUse {
        self.last_serial += 1;
        let spread = self.spread(self.last_serial, FIRST_PAUSE);
        let Some((image, pause)) = self.image(host, runtime) else { return ImageUse::AsBefore };
        let (left, good_for) = match image {
            // The image with the agent in it is another one, and there.
            Image::Ready | Image::LookedAt => (Image::Ready, ImageUse::AsBefore),
            Image::Absent | Image::Preparing => (Image::Absent, ImageUse::None),
        };
        *image = left;
        pause.lengthen(now, spread);
        match (good_for, why) {
            (ImageUse::None, ImageFailure::Broken) => self.canary_failed(host, runtime, now),
            (ImageUse::None, ImageFailure::Lacking) | (ImageUse::AsBefore, _) => {}
        }
        good_for
    }

    /// A runtime's image on a host is another one by now: containers of the old one serve nothing new, and the canary has to
    /// pass in one of the new.
    pub fn image_replaced(&mut self, host: &HostName, runtime: &RuntimeId, now: Instant) {
        let Some(host) = self.hosts.get_mut(host) else { return };
        host.canaries.forget(runtime);
        for cell in host.slots.values_mut().flat_map(|slot| slot.of_mut(runtime)) {
            match &mut cell.content {
                Content::Starting { .. } => cell.outdated = true,
                Content::Warm { life, .. } | Content::Busy { life } | Content::Emptying { life } => {
                    life.until = now;
                }
                Content::Empty | Content::Removing => {}
            }
        }
    }

    fn image(&mut self, host: &HostName, runtime: &RuntimeId) -> Option<&mut (Image, Pause)> {
        let image = self.hosts.get_mut(host)?.images.get_mut(runtime)?;
        matches!(image.0, Image::Preparing | Image::LookedAt).then_some(image)
    }
}

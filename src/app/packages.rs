//! Packages of exercises, read within the memory that there is for requests.

use super::App;
use super::budget::Share;
use crate::packages::{self, Draft, archive};

/// What each byte of an unpacked package takes until its exercise is stored: as a file, as a document, as its text and as
/// what is stored.
const TAKEN_FOR_EACH: usize = 4;

impl App {
    /// The exercise that a zip archive describes; nothing is stored.
    ///
    /// * `memory` — holds the archive already, and grows with what comes out of it.
    ///
    /// # Errors
    /// [`packages::Error`]: `TooLarge` also if there is never memory enough.
    pub fn draft(&self, zip: Vec<u8>, memory: &mut Share) -> Result<Draft, packages::Error> {
        let held = zip.len();
        let mut too_small_for = None;
        let mut room = |unpacked: usize| {
            let sum = held + TAKEN_FOR_EACH * unpacked;
            too_small_for = memory.too_small_for(sum);
            too_small_for.is_none() && memory.grow_to(sum).is_ok()
        };
        let files = archive::read(&zip, &mut room);
        drop(zip);
        match (files, too_small_for) {
            (Err(packages::Error::NoRoom), Some(most)) => Err(packages::Error::TooLarge(format!(
                "the service has memory for {most} bytes of a package and its exercise"
            ))),
            (files, _) => packages::read(files?, &self.inner.runtimes),
        }
    }
}

//! Companions: a submission that has a slot may have a second container in it, for a program of its exercise (a checker).
//!
//! It is within what the submission has been given already, so that no submission waits for another one's slot while it
//! has its own. Companions have cells of their own, in which no submission's program ever runs; one starts when the first
//! is asked for, stays warm like others, and is not made anew before the next is asked for.

use std::time::Instant;

use super::host::{Cell, Content, Life};
use super::{Action, Activity, ContainerPlace, Machine, Role};
use crate::domain::ids::RuntimeId;

/// What there is for a submission that wants a companion.
#[derive(Debug, PartialEq, Eq)]
pub enum Company<C> {
    /// A container.
    Here(ContainerPlace, C),
    /// None yet; maybe something is to be begun so that there will be.
    Comes(Option<Action<C>>),
    /// None ever: its slot is not the submission's any more, or it has a companion.
    Never,
}

impl<C> Machine<C> {
    /// Gives a submission a companion in its slot.
    ///
    /// * `of` — the place of the container that the submission has.
    pub fn accompany(&mut self, of: &ContainerPlace, runtime: &RuntimeId, now: Instant) -> Company<C> {
        let runs = of.role == Role::Program && self.activity(of) == Some(Activity::Busy);
        if self.closed || !runs {
            return Company::Never;
        }
        let next_serial = self.last_serial + 1;
        let Some(host) = self.hosts.get_mut(&of.host) else { return Company::Never };
        // After a new image its canary runs first.
        let has_passed = host.canaries.has_passed(runtime);
        let Some(slot) = host.slots.get_mut(&of.slot) else { return Company::Never };
        if slot.companion.is_some() {
            return Company::Never;
        }
        if !has_passed {
            return Company::Comes(None);
        }
        let cell = slot.companions.entry(runtime.clone()).or_insert_with(Cell::empty);
        match std::mem::replace(&mut cell.content, Content::Empty) {
            Content::Warm { container, life } if life.until > now => {
                cell.content = Content::Busy { life: Life { submissions: life.submissions + 1, ..life } };
                slot.companion = Some(cell.serial);
                Company::Here(cell.place(&of.host, of.slot, Role::Companion, runtime), container)
            }
            Content::Empty if cell.pause.is_over(now) => {
                self.last_serial = next_serial;
                cell.serial = next_serial;
                cell.content = Content::Starting { canary: false };
                cell.outdated = false;
                let place = cell.place(&of.host, of.slot, Role::Companion, runtime);
                Company::Comes(Some(Action::Launch { place, canary: false }))
            }
            other => {
                cell.content = other;
                Company::Comes(None)
            }
        }
    }
}

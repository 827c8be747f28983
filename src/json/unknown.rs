//! Fields of a request that no type asks for: all are told at once.

use std::borrow::Cow;
use std::cell::RefCell;

use super::read::{Misfit, Path};

/// Most unknown fields that are listed.
pub(super) const MAX_UNKNOWN: usize = 100;

/// The fields found so far that no type asks for.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    listed: Vec<Misfit>,
    more: usize,
}

impl Unknown {
    fn add(&mut self, pointer: impl FnOnce() -> String) {
        if self.listed.len() < MAX_UNKNOWN {
            self.listed.push(Misfit { pointer: pointer(), message: "is not known here".to_owned() });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn misfits(self) -> Vec<Misfit> {
        let Self { mut listed, more } = self;
        if more > 0 {
            listed
                .push(Misfit { pointer: String::new(), message: format!("has {more} more unknown fields") });
        }
        listed
    }
}

/// The entries that a type asks for; the others are noted.
pub(super) fn known<'t>(
    mut entries: Vec<(Cow<'t, str>, &'t str)>,
    fields: &[&str],
    path: &Path<'_>,
    unknown: &RefCell<Unknown>,
) -> Vec<(Cow<'t, str>, &'t str)> {
    entries.retain(|(key, _)| {
        let is_known = fields.contains(&key.as_ref());
        if !is_known {
            unknown.borrow_mut().add(|| Path::Field(path, key).to_string());
        }
        is_known
    });
    entries
}

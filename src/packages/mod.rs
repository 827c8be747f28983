//! Packages of exercises: files become the document that `PUT /v1/exercises/{id}` takes, and such a document becomes files.
//!
//! ```text
//! zip ── archive::read ──► Files ──┬─ own:     exercise.json and the files that it names ─┬─► Draft
//!                                  └─ problem: problem.yaml, legacy or 2023-07 ───────────┘
//! document ── own::files ──► files ── archive::write ──► zip
//! ```
//!
//! Pure: no file is opened, nothing is stored and nothing of an archive is written anywhere. What a package asks for and
//! Guichet does not have becomes a [`Note`]; a package of which nothing sound can be made is an [`Error`] that names the
//! file. The document is checked by the same rules as that of a request; this room knows the languages and nothing else.

pub mod archive;
mod bytes;
mod files;
mod own;
mod problem;
mod yaml;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;

pub use files::{Files, MAX_FILES, MAX_UNPACKED_BYTES};
pub use own::files as files_of;

/// The document of an exercise in our own format.
const OWN: &str = "exercise.json";
/// What an ICPC or Kattis problem package says about itself.
const PROBLEM: &str = "problem.yaml";

/// Most notes that are listed.
const MAX_NOTES: usize = 200;

/// Something of a package that is not in the exercise, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file or folder.
    pub path: String,
    /// What became of it: a lower-case fragment.
    pub message: String,
}

/// The notes of one package, each once.
#[derive(Debug, Default)]
struct Notes(Vec<Note>);

impl Notes {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let note = Note { path: path.into(), message: message.into() };
        if self.0.contains(&note) || self.0.len() > MAX_NOTES {
            return;
        }
        if self.0.len() == MAX_NOTES {
            self.0.push(Note {
                path: String::new(),
                message: "there are more notes than are listed".to_owned(),
            });
        } else {
            self.0.push(note);
        }
    }
}

/// What a package comes to: not checked yet.
#[derive(Debug)]
pub struct Draft {
    /// The id that it names, or the name of its folder.
    pub id: Option<String>,
    /// What `PUT /v1/exercises/{id}` would take.
    pub document: Value,
    /// What is left out or changed.
    pub notes: Vec<Note>,
    /// From which file a part of the document comes, by JSON pointer.
    pub origins: BTreeMap<String, String>,
}

impl Draft {
    /// The file that the value at `pointer` comes from, if it is told.
    pub fn origin(&self, pointer: &str) -> Option<&str> {
        let mut place = pointer;
        loop {
            if let Some(path) = self.origins.get(place) {
                return Some(path);
            }
            (place, _) = place.rsplit_once('/')?;
        }
    }
}

/// Why no exercise can be made of a package; nothing was kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file is not as it must be, or cannot be graded here.
    #[error("{path}: {message}")]
    Unfit {
        /// The file or folder; empty for the archive itself.
        path: String,
        /// What is wrong: a lower-case fragment.
        message: String,
    },
    /// More bytes than are taken.
    #[error("{0}")]
    TooLarge(String),
    /// There is no memory for it now.
    #[error("there is no memory for it now")]
    NoRoom,
}

impl Error {
    fn unfit(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unfit { path: path.into(), message: message.into() }
    }
}

/// The id that a package names, or the name of its folder.
pub fn id_of(files: &Files) -> Option<String> {
    let own = files.get(OWN).and_then(|text| own::document(text).ok());
    let named = own.as_ref().and_then(|own| own.get("id")).and_then(Value::as_str).map(str::to_owned);
    named.or_else(|| files.top().map(str::to_owned))
}

/// The exercise that the files of a package describe, where these languages are.
///
/// # Errors
/// [`Error::Unfit`], or [`Error::TooLarge`] if files that are named several times come to too much.
pub fn read(files: Files, runtimes: &BTreeMap<RuntimeId, Runtime>) -> Result<Draft, Error> {
    let files = files.below_their_top();
    if files.has(OWN) {
        own::read(files)
    } else if files.has(PROBLEM) {
        problem::read(files, runtimes)
    } else {
        Err(Error::unfit("", format!("holds neither {OWN} nor {PROBLEM}, at its top or in its only folder")))
    }
}

//! What Guichet is about, as pure values: submissions, exercises, verdicts, the order of the queue.
//!
//! Domain knows nobody: no async, no SQL, no HTTP. Serde derives stand only where a value is stored as JSON;
//! what the API shows has its own types in `http`.

pub mod blob;
pub mod check;
pub mod checker;
pub mod event;
pub mod exercise;
pub mod failure;
pub mod groups;
pub mod history;
pub mod host;
pub mod ids;
pub mod lease;
pub mod limits;
pub mod metadata;
pub mod pace;
pub mod pattern;
pub mod queue;
pub mod quote;
pub mod rejudge;
pub mod runtime;
pub mod sign_in;
pub mod standing;
pub mod submission;
pub mod time;
pub mod verdict;

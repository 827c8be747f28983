//! What the API writes and reads: JSON shapes apart from the domain, made for the caller who asks.
//!
//! Redaction happens here and nowhere else: code that builds an answer names the [`crate::app::Caller`] it is for.
//! Answers leave no field out; what doesn't apply is null (the base64 twins of byte fields excepted).

pub mod bytes;
pub mod check;
mod checker_request;
pub mod container;
pub mod event;
pub mod exercise;
pub mod exercise_request;
pub mod failure;
pub mod group_request;
pub mod host;
pub mod host_event;
pub mod host_request;
pub mod imported;
pub mod link;
pub mod names;
pub mod queue;
pub mod queue_history;
pub mod rejudge;
pub mod report;
pub mod results;
pub mod set_by_service;
pub mod sign_in;
pub mod solution_request;
pub mod submission;
pub mod submission_request;

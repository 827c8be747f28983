//! What the command line does besides serving.

mod api;
pub mod container;
pub mod doctor;
pub mod document;
pub mod exercise;
pub mod host;
mod image;
mod package;
pub mod rejudge;
pub mod runtime;
pub mod submission;
mod table;
pub mod token;

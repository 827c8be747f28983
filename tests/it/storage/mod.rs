//! The database: every rule of `Storage` once, on each implementation.

mod conformance;
pub mod factory;
mod shell;
mod sqlite;

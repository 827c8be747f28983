//! The database: every rule of `Storage` once, on each implementation.

mod conformance;
pub mod factory;
mod restored;
mod rights;
pub mod shell;
mod sqlite;

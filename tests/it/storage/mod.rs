//! The database: every rule of `Storage` once, on each implementation.

mod conformance;
pub mod factory;
mod restored;
mod rights;
mod shell;
mod sqlite;

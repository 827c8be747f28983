//! The database: every rule of `Storage` once, on each implementation.

mod conformance;
mod factory;
mod sqlite;

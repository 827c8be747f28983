//! The true program as process 1 of its own namespaces, spoken to over its standard streams.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

mod attacks;
mod commands;
mod files;
mod lent;
mod life;
mod limits;
mod listening;
mod memory;
mod support;

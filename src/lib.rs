//! Guichet: the counter where programming exercises queue and get graded.
//!
//! The rooms and the arrows between them are drawn in `ARCHITECTURE.md`; `tests/it/tidy.rs` holds them.

pub mod cli;
pub mod domain;
pub mod pool;
pub mod storage;

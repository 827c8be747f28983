//! Guichet from outside, in one binary: the true program, a true engine, true containers, spoken to as clients do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod attacks;
mod bad_input;
mod bodies;
mod cancelling;
mod compiling;
mod cores;
#[cfg(feature = "failpoints")]
mod crash;
mod documents;
mod environment;
mod faults;
mod feed;
mod grading;
mod hosts;
mod http;
mod images;
mod languages;
mod leavings;
mod legacy;
mod life_cycle;
mod limited;
mod memory;
mod newcomer;
mod once;
mod output;
mod overload;
mod pauses;
mod pool;
mod privacy;
mod queue;
mod restored;
mod storage;
mod story;
mod support;
mod tidy;
mod tour;
mod verdicts;

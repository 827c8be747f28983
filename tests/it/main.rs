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
mod checkers;
mod checks;
mod companions;
mod compiling;
mod containers;
mod cores;
mod corpus;
#[cfg(feature = "failpoints")]
mod crash;
mod documents;
mod durable;
mod environment;
mod exercise_commands;
mod faults;
mod feed;
mod fleet;
mod grading;
mod groups;
mod host_commands;
mod hosts;
mod http;
mod images;
mod images_between_hosts;
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
mod packages;
mod packaging;
mod pauses;
mod pool;
mod privacy;
mod quarantine;
mod queue;
mod rejudging;
mod rejudging_exercises;
mod restored;
mod rust_client;
mod sign_in;
mod storage;
mod story;
mod submit_commands;
mod support;
mod test_files;
mod tidy;
mod tls;
mod tour;
mod upgrade;
mod verdicts;

//! What the tests stand on: the true service, clients that share no code with it, programs and exercises.

pub mod authority;
pub mod browser;
pub mod client;
pub mod counter;
pub mod engine;
pub mod exercises;
pub mod guichet;
pub mod model;
pub mod options;
pub mod peers;
pub mod programs;
pub mod shared;
pub mod stream;
pub mod wait;
pub mod watch;
pub mod zips;

pub use client::{Client, Role};
pub use counter::Counter;
pub use guichet::TestGuichet;
pub use options::Options;
pub use programs::Program;
pub use shared::Bench;
pub use stream::{Event, EventStream};
pub use wait::wait_for;
pub use watch::Watch;

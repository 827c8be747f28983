//! Guichet: the counter where programming exercises queue and get graded.
//!
//! The rooms and the arrows between them are drawn in `ARCHITECTURE.md`; `tests/it/tidy.rs` holds them.

pub mod app;
pub mod auth;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod feed;
pub mod http;
pub mod json;
pub mod judge;
pub mod legacy;
pub mod memory;
pub mod packages;
pub mod pool;
pub mod runtimes;
pub mod scheduler;
pub mod serve;
pub mod shutdown;
pub mod storage;
pub mod telemetry;
pub mod units;

/// A named point at which a test lets the process die (`FAILPOINTS=name=return`); nothing in other builds.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name, |_| crate::die_at_once());
    };
}
pub(crate) use failpoint;

/// SIGKILL, from the inside: no destructor runs, nothing is flushed.
#[cfg(feature = "failpoints")]
fn die_at_once() -> ! {
    // Nobody is left to be told if it fails.
    let _killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}

//! The pool on a real engine with real containers and the true agent.

mod attacks;
mod bench;
mod come_and_go;
mod host_wide;
pub mod hosts;
mod instances;
mod lifecycle;
mod profile;
mod pruned;
mod running;
mod silence;
mod transports;
mod turns;
pub mod valve;

//! The pool on a real engine with real containers and the true agent.

mod bench;
mod running;

//! Links to original backends.

mod board;
mod frames;
mod hostile;
mod intake;
mod java;
mod machine;
mod original;
mod peer;
mod process;

//! What the command line does besides serving.

mod image;
pub mod runtime;

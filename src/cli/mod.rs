//! What the command line does besides serving.

mod image;
pub mod runtime;
pub mod openapi;
pub mod token;

//! What the command line does besides serving.

mod image;
pub mod openapi;
pub mod runtime;
pub mod token;

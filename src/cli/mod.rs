//! What the command line does besides serving.

pub mod doctor;
mod image;
pub mod openapi;
pub mod runtime;
pub mod token;

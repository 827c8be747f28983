//! Sessions of old front ends: WebSockets that carry the packets of the original system.

mod settings;

pub use self::settings::{ErrorTarget, Settings};

//! Links to original backends, which speak KryoNet: Guichet is the client and connects again by itself.

mod settings;

pub use self::settings::{Charset, JsonSettings, KryoSettings, Serialization, Settings};

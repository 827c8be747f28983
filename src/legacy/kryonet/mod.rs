//! Links to original backends, which speak KryoNet: Guichet is the client and connects again by itself.
//!
//! ```text
//!            ┌────────────────────────── fault: pause ──────────────────────────┐
//!            ▼                                                                   │
//!        connecting ──TCP──▶ registering ──RegisterTCP, [RegisterUDP]──▶ connected: HANDSHAKE sent
//!            │                     │                                             │
//!            └─────────────────────┴──────── fault ──▶ waiting ◀── fault ────────┘
//! ```
//!
//! Bytes become frames (`frame`), frames messages (`codec`, `kryo`, `jsonbeans`, `message`), and a machine says what
//! they mean (`link`); all that is pure. Invariant: the HANDSHAKE is the first packet of every connection and the only one
//! ever sent. Source of the wire format: frames captured between original endpoints (`tests/data/README.md`).

mod charset;
pub mod codec;
pub mod frame;
pub mod jsonbeans;
pub mod kryo;
pub mod link;
pub mod message;
mod settings;

pub use self::settings::{Charset, JsonSettings, KryoSettings, Serialization, Settings};

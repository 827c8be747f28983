//! Sessions of old front ends: WebSockets that carry the packets of the original system.
//!
//! ```text
//! front end ──► upgrade (sessions) ──► connection: frame ──► message ──► app
//!     ▲                                │ session: who, and what he did wrong
//!     └────────── message ◄── told ◄───┴── feed: his log, and his places
//! ```
//!
//! What it is not: a way to catch up. What happened while nobody was connected is told by REST and SSE. Invariant: a
//! connection tells of nothing but what its user owns, in the order of his log.

mod connection;
mod failures;
mod frame;
mod message;
mod notifications;
mod recent;
mod session;
mod settings;
mod upgrade;

pub use self::settings::{ErrorTarget, Settings};
pub use self::upgrade::{Patience, Sessions, router, router_of_any_path};

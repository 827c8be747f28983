//! The two protocols of the original system, spoken onto the same application services as REST.
//!
//! ```text
//! original backend ◄── KryoNet over TCP ──► kryonet/    (we are the client: one link a backend)
//! old front end    ◄── WebSocket ─────────► websocket/  (we are the server: one session a connection)
//!
//!                 decode ──► app ──► encode
//! ```
//!
//! What it is not: it stores nothing and decides nothing. The state of a link or session is its connection.

pub mod kryonet;
mod settings;
pub mod websocket;

pub use self::settings::{InvalidSetting, Settings};

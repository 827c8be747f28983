//! Who asks: tokens, stream tickets, and extractors that prove a caller in a handler's signature.
//!
//! A handler that takes no [`Caller`] can't reach anybody's data: every use case of `app` wants one, and this room is
//! the only place of `http` that makes them. Invariant: a key's algorithm is set in the settings, never by a token.

pub mod extract;
pub mod jwks;
pub mod keys;
pub mod mint;
pub mod settings;
pub mod ticket;
pub mod verifier;

#[cfg(test)]
mod tests;

pub use extract::Caller;
pub use keys::{KeyError, Keys};
pub use mint::{MintError, generate_key_if_missing, mint};
pub use settings::{Algorithm, AuthSettings, KeySettings};
pub use verifier::{InvalidToken, Verified, Verifier};

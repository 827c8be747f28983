//! Who a caller is: tokens, the keys that prove them, and the key that is made when none is configured.
//!
//! It knows no transport: REST and the original protocol's WebSocket ask the same [`Verifier`]. Invariant: a key's
//! algorithm is set in the settings, never by a token.

mod jwks;
mod keys;
mod mint;
mod settings;
mod verifier;

#[cfg(test)]
mod tests;

pub use keys::{KeyError, Keys};
pub use mint::{MintError, generate_key_if_missing, mint};
pub use settings::{Algorithm, AuthSettings, KeySettings};
pub use verifier::{InvalidToken, Verified, Verifier};

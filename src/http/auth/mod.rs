//! A request's caller: sessions, stream tickets, and extractors that prove a caller in a handler's signature.
//!
//! A handler that takes no [`Caller`] can't reach anybody's data: every use case of `app` wants one, and this room is
//! the only place of `http` that makes them, by the tokens that [`crate::auth`] checks, by sessions and by tickets.

pub mod extract;
pub mod session;
pub mod ticket;

pub use extract::Caller;

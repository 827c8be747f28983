//! JSON taken strictly: no key twice, no list in an object's place, and a pointer to what doesn't fit.
//!
//! [`parse()`] answers whether the bytes are JSON; [`read()`] whether the value is what a type asks for. `serde_json` alone
//! would take `["a", "b"]` for a struct of two fields and the last of two equal keys, stop at the first unknown field, and
//! round numbers ([`parse_request`]).

mod exact;
mod parse;
mod query;
mod read;
mod unknown;

pub use parse::{ParseError, canonical, parse, parse_request};
pub use query::read_query;
pub use read::{Misfit, read};

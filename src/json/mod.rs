//! JSON taken strictly: no key twice, no list in an object's place, and a pointer to what doesn't fit.
//!
//! [`Measure`] bounds a text while its bytes come, [`Text::of_request`] answers whether they are JSON, and [`read()`]
//! whether that is what a type asks for. None of them builds a tree, so that a text costs its own length and what the
//! type keeps of it. `serde_json` alone would take `["a", "b"]` for a struct of two fields and the last of two equal keys,
//! stop at the first unknown field, and round numbers.

mod exact;
mod lists;
mod measure;
mod parse;
mod query;
mod read;
#[cfg(test)]
mod tests;
mod unknown;

pub use lists::at_most;
pub use measure::{Bounds, Excess, Measure};
pub use parse::{ParseError, Text, parse};
pub use query::read_query;
pub use read::{Misfit, read};

//! Links to original backends.

mod frames;
mod machine;
mod peer;

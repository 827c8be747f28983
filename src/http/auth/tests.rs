//! Attacks on tokens, and tokens that are what they should be.

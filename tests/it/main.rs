//! Guichet from outside, in one binary.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pool;

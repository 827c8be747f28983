//! Containers over the Docker hosts, and what they need to exist there.

pub mod image;

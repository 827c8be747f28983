//! The API from outside, request by request, over a real database.

mod access;
mod bad_input;
pub mod house;
mod ownership;
mod repeated;
mod shapes;
mod streams;
mod wire;

//! The API from outside, request by request, over a real database.

mod access;
mod as_sent;
mod bad_input;
mod document;
mod files;
mod hosts;
pub mod house;
mod ownership;
mod repeated;
mod shapes;
mod streams;
mod wire;

//! The API from outside, request by request, over a real database.

mod access;
mod as_sent;
mod bad_input;
mod containers;
mod document;
mod files;
mod host_events;
mod hosts;
pub mod house;
mod ownership;
mod packages;
mod packages_hostile;
mod page;
mod repeated;
mod results;
mod sessions;
mod shapes;
mod sign_in;
mod streams;
mod wire;

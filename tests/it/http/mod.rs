//! The API from outside, request by request.

mod house;
mod shapes;

//! The protocols of the original system, spoken by the libraries that their peers use.

mod drafts;
pub mod inbox;
mod kryonet;
mod manual;
mod settings;
mod story;
mod websocket;

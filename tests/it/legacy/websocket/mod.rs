//! The WebSocket of the original front ends: packets, frames, the way in, and real peers.

mod framing;
mod lounge;
mod packets;
mod peers;
mod pushes;
mod raw;
mod running;
mod upgrade;

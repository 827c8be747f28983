//! The protocol between Guichet and the agent inside its containers.
//!
//! One connection, one conversation at a time. Guichet sends [`Request`]s, the agent answers with [`Reply`]s,
//! each in one [`frame`]. Neither side trusts a length it was given, and no byte of a student's program
//! ever becomes part of a frame's structure: output travels inside [`Reply::Output`] only.
//!
//! ```text
//! Guichet                               agent
//!   Setup ───────────────────────────►
//!         ◄─────────────────────────── Hello
//!   Begin, Write*, Exec, Stdin*  ────►           (a submission: files, then commands)
//!         ◄───────── Output*, Report             (one Report for each Exec, in order)
//!   Abort ───────────────────────────►           (any time; the Report says `aborted`)
//!   End   ───────────────────────────►
//!         ◄─────────────────────────── Clean     (nothing of the submission is left, or what is)
//! ```
//!
//! It begins on the container's standard streams. If `Hello` says that the agent listens, Guichet may connect to
//! [`SOCKET`] and go on there, once; the agent opens no connection. The first request on the streams ends that offer.
//!
//! Requests may be sent ahead without waiting for replies; the agent handles them in order, except that
//! [`Request::Abort`] also ends the command that is running. While one runs, the agent reads ahead of it up to
//! 8 MiB of requests and of input that the command has not taken; what lies behind waits, an abort too. The end
//! of the connection is seen in any case: it ends the agent, and with it everything in the container.

pub mod frame;
pub mod message;

pub use frame::{Decoder, FrameError, MAX_FRAME_BYTES, encode};
pub use message::{
    Clean, Ended, Exec, Hello, Limits, MEMORY_ROOM_BYTES, OUTPUT_FOLDER, READ_BYTES, REMOVE_CONTROL_GROUPS,
    Reply, Report, Request, SOCKET, STDIN_WINDOW_BYTES, Setup, StoppedBy, Stream, USER, UsageSource, VERSION,
};

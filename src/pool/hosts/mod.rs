//! What belongs to one Docker host: its record, the connection while there is one, and the watch of that. What runs
//! in its slots is the machine's (`state`).

mod connection;
mod record;
mod stops;
mod view;
mod watch;

pub use connection::HostConnection;
pub use record::{HostRecord, MISSING_IMAGE_ADVICE};
pub use stops::Stop;
pub use view::{
    HostError, HostErrorCode, HostRuntime, HostState, HostView, ImageState, SlotCounts, SubmissionCounts,
    Warning,
};
pub use watch::{News, watch_host};

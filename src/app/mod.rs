//! What the product can do: one method per use case, the same for REST and the original protocols.
//!
//! No HTTP and no SQL here. A caller is proved by whoever drives this room; what he may see and do is decided
//! here. Everything that is wrong with a request is an [`Error`] without a transport.

pub mod caller;
pub mod error;
pub mod exercises;
pub mod queue;
pub mod read;
pub mod submit;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use caller::{Caller, Role};
pub use error::{Conflict, Error, FieldError, InvalidCode, Place};

use crate::clock::Clock;
use crate::domain::ids::{Owner, RuntimeId};
use crate::domain::runtime::Runtime;
use crate::feed::Feed;
use crate::pool::Pool;
use crate::scheduler::running::Running;
use crate::storage::{QueueCaps, Store};

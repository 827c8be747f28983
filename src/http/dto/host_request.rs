//! What is asked of Docker hosts.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::names::HostMode;
use crate::app::FieldError;
use crate::app::budget::Purpose;
use crate::app::hosts::NewHost;
use crate::domain::host::{self, CertsName, HostUpdate, HostWishes};
use crate::http::body::RequestBody;
use crate::json::Bounds;

const BOUNDS: Bounds = Bounds { bytes: 8 << 10, string_bytes: 4 << 10, values: 100 };

/// A Docker host that is to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostRequest {
    /// Its name, which no other has.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*$")]
    pub name: String,
    /// Where its engine is: `unix:///path` or `tcp://host:port`. No other host has it.
    #[schema(min_length = 8, max_length = 1024)]
    pub url: String,
    /// The folder of its certificates, below `docker.certs_dir`; plain if left out.
    pub certs: Option<String>,
    /// Its slots, of which it has no more than cores; as `execution.slots` says if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65536)]
    pub slots: Option<NonZeroU32>,
    /// What it is for; `active` if left out.
    pub mode: Option<HostMode>,
}

/// Longest URL of an engine.
const MAX_URL: usize = 1024;
/// More slots than any host has cores.
const MAX_SLOTS: u32 = 65_536;

fn check_slots(slots: Option<NonZeroU32>, errors: &mut Vec<FieldError>) {
    if slots.is_some_and(|slots| slots.get() > MAX_SLOTS) {
        errors.push(FieldError::body("/slots", format!("must be at most {MAX_SLOTS}")));
    }
}

impl RequestBody for HostRequest {
    const BOUNDS: Bounds = BOUNDS;
    const PURPOSE: Purpose = Purpose::Small;
    /// `None` only beside an error.
    type Asked = Option<NewHost>;

    fn asked(self, errors: &mut Vec<FieldError>) -> Option<NewHost> {
        let Self { name, url, certs, slots, mode } = self;
        if url.len() > MAX_URL {
            errors.push(FieldError::body("/url", format!("must have at most {MAX_URL} bytes")));
        }
        check_slots(slots, errors);
        let mode = mode.map_or(host::HostMode::Active, Into::into);
        let certs = certs.and_then(|certs| match certs.parse::<CertsName>() {
            Ok(certs) => Some(certs),
            Err(error) => {
                errors.push(FieldError::body("/certs", error.to_string()));
                None
            }
        });
        match name.parse() {
            Ok(name) => Some(NewHost { name, url, certs, wishes: HostWishes { mode, slots } }),
            Err(error) => {
                errors.push(FieldError::body("/name", error.to_string()));
                None
            }
        }
    }
}

/// What is to be changed of a host; what is left out stays as it is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostPatch {
    /// What it is to be for.
    pub mode: Option<HostMode>,
    /// Its slots, of which it has no more than cores; null: what the settings say of it, or `execution.slots`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65536)]
    pub slots: Option<Option<NonZeroU32>>,
}

/// A field that is there, maybe null.
fn present<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(field).map(Some)
}

impl RequestBody for HostPatch {
    const BOUNDS: Bounds = BOUNDS;
    const PURPOSE: Purpose = Purpose::Small;
    type Asked = HostUpdate;

    fn asked(self, errors: &mut Vec<FieldError>) -> HostUpdate {
        check_slots(self.slots.flatten(), errors);
        HostUpdate { mode: self.mode.map(Into::into), slots: self.slots }
    }
}

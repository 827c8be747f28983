//! What operators read in `/metrics` about each host and its containers; `docs/metrics.md` lists all.

use std::collections::HashMap;

use super::hosts::HostState;
use super::state::{Occupancy, Population};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;

/// The figures shown last: a gauge is touched only when it changes.
#[derive(Debug, Default)]
pub(super) struct Figures {
    shown: HashMap<HostName, HashMap<RuntimeId, Population>>,
    hosts: HashMap<HostName, (HostState, Occupancy)>,
}

impl Figures {
    /// Shows how many containers of each runtime a host has, by what they do.
    pub(super) fn show<'a>(
        &mut self,
        host: &HostName,
        populations: impl Iterator<Item = (&'a RuntimeId, Population)>,
    ) {
        for (runtime, population) in populations {
            let shown = self.shown.get(host).and_then(|of_host| of_host.get(runtime));
            if shown != Some(&population) {
                show(host, runtime, population);
                self.shown.entry(host.clone()).or_default().insert(runtime.clone(), population);
            }
        }
    }

    /// Shows how a host does, and how many slots it has.
    pub(super) fn show_host(&mut self, host: &HostName, state: HostState, occupancy: Occupancy) {
        if self.hosts.get(host) != Some(&(state, occupancy)) {
            show_state(host, Some(state));
            show_slots(host, occupancy);
            self.hosts.insert(host.clone(), (state, occupancy));
        }
    }

    /// A host is none of ours any more.
    pub(super) fn forget(&mut self, host: &HostName) {
        if self.hosts.remove(host).is_some() {
            show_state(host, None);
            show_slots(host, Occupancy::default());
        }
        for runtime in self.shown.remove(host).unwrap_or_default().into_keys() {
            show(host, &runtime, NONE);
        }
    }
}

/// Of all states the present one is 1.
fn show_state(host: &HostName, present: Option<HostState>) {
    for state in HostState::ALL {
        let is_present = u32::from(present == Some(state));
        metrics::gauge!("guichet_host_state", "host" => host.to_string(), "state" => state.name())
            .set(is_present);
    }
}

fn show_slots(host: &HostName, occupancy: Occupancy) {
    let Occupancy { total, busy, .. } = occupancy;
    for (state, count) in [("total", total), ("busy", busy), ("free", total.saturating_sub(busy))] {
        metrics::gauge!("guichet_host_slots", "host" => host.to_string(), "state" => state).set(count);
    }
}

const NONE: Population = Population { starting: 0, warm: 0, busy: 0, removing: 0 };

fn show(host: &HostName, runtime: &RuntimeId, population: Population) {
    let Population { starting, warm, busy, removing } = population;
    for (state, count) in [("starting", starting), ("warm", warm), ("busy", busy), ("removing", removing)] {
        let (host, runtime) = (host.to_string(), runtime.to_string());
        metrics::gauge!("guichet_containers", "host" => host, "runtime" => runtime, "state" => state)
            .set(count);
    }
}

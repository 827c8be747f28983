//! What operators read in `/metrics` about the containers of each host; `docs/metrics.md` lists all.

use std::collections::HashMap;

use super::state::{HostId, Population};
use crate::domain::ids::RuntimeId;

/// The figures shown last: a gauge is touched only when it changes.
#[derive(Debug, Default)]
pub(super) struct Figures {
    shown: HashMap<HostId, HashMap<RuntimeId, Population>>,
}

impl Figures {
    /// Shows how many containers of each runtime each host has, by what they do.
    pub(super) fn show<'a>(
        &mut self,
        populations: impl Iterator<Item = (&'a HostId, &'a RuntimeId, Population)>,
    ) {
        for (host, runtime, population) in populations {
            let shown = self.shown.get(host).and_then(|of_host| of_host.get(runtime));
            if shown != Some(&population) {
                show(host, runtime, population);
                self.shown.entry(host.clone()).or_default().insert(runtime.clone(), population);
            }
        }
    }
}

fn show(host: &HostId, runtime: &RuntimeId, population: Population) {
    let Population { starting, warm, busy, removing } = population;
    for (state, count) in [("starting", starting), ("warm", warm), ("busy", busy), ("removing", removing)] {
        let (host, runtime) = (host.address().to_owned(), runtime.to_string());
        metrics::gauge!("guichet_containers", "host" => host, "runtime" => runtime, "state" => state)
            .set(count);
    }
}

//! What operators read in `/metrics` about the containers of each host; `docs/metrics.md` lists all.

use std::sync::Arc;

use super::state::Population;
use crate::domain::runtime::Runtime;

/// The figures shown last: a gauge is touched only when it changes.
#[derive(Debug, Default)]
pub(super) struct Figures {
    shown: Vec<Vec<Population>>,
}

impl Figures {
    /// Shows how many containers each host has, by runtime and by what they do.
    pub(super) fn show(
        &mut self,
        hosts: &[String],
        runtimes: &[Arc<Runtime>],
        populations: impl Iterator<Item = Vec<Population>>,
    ) {
        for (index, (host, of_runtimes)) in hosts.iter().zip(populations).enumerate() {
            let shown = self.shown.get(index);
            for (of_runtime, (runtime, population)) in runtimes.iter().zip(&of_runtimes).enumerate() {
                if shown.and_then(|shown| shown.get(of_runtime)) != Some(population) {
                    show(host, runtime, *population);
                }
            }
            match self.shown.get_mut(index) {
                Some(shown) => *shown = of_runtimes,
                None => self.shown.push(of_runtimes),
            }
        }
    }
}

fn show(host: &str, runtime: &Runtime, population: Population) {
    let Population { starting, warm, busy, removing } = population;
    for (state, count) in [("starting", starting), ("warm", warm), ("busy", busy), ("removing", removing)] {
        let (host, runtime) = (host.to_owned(), runtime.id.to_string());
        metrics::gauge!("guichet_containers", "host" => host, "runtime" => runtime, "state" => state)
            .set(count);
    }
}

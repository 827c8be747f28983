//! The queue as the specification words it, to compare the service with.

use std::collections::HashMap;

/// Classes in the order in which they are served.
pub const CLASSES: [&str; 3] = ["exam", "normal", "rejudge"];

/// Fair queueing by owner in each class; knows nothing of runtimes.
#[derive(Debug, Default)]
pub struct Model {
    classes: [Class; 3],
    waiting: Vec<Waiting>,
    tickets: usize,
}

#[derive(Debug, Default)]
struct Class {
    /// Highest rank started so far.
    started: u64,
    /// Last rank of each owner.
    last: HashMap<String, u64>,
}

#[derive(Clone, Debug)]
struct Waiting {
    class: usize,
    rank: u64,
    ticket: usize,
    id: String,
    owner: String,
}

impl Model {
    /// A submission enters.
    pub fn enter(&mut self, priority: &str, owner: &str, id: &str) {
        let class = CLASSES.iter().position(|name| *name == priority).expect("a class");
        let known = &mut self.classes[class];
        let last = known.last.entry(owner.to_owned()).or_default();
        let rank = known.started.max(*last + 1);
        *last = rank;
        self.tickets += 1;
        self.waiting.push(Waiting {
            class,
            rank,
            ticket: self.tickets,
            id: id.to_owned(),
            owner: owner.to_owned(),
        });
        self.waiting.sort_by_key(|waiting| (waiting.class, waiting.rank, waiting.ticket));
    }

    /// The next one starts; answers its owner and id.
    pub fn start_next(&mut self) -> Option<(String, String)> {
        if self.waiting.is_empty() {
            return None;
        }
        let next = self.waiting.remove(0);
        let started = &mut self.classes[next.class].started;
        *started = next.rank.max(*started);
        Some((next.owner, next.id))
    }

    /// One leaves the queue without starting.
    pub fn leave(&mut self, id: &str) {
        self.waiting.retain(|waiting| waiting.id != id);
    }

    /// Ids in order: the first has place 1.
    pub fn order(&self) -> Vec<String> {
        self.waiting.iter().map(|waiting| waiting.id.clone()).collect()
    }
}

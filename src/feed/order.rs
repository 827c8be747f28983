//! The queue's order in memory: what stands ahead of a place, in logarithmic time.
//!
//! One treap a class (Seidel, Aragon, *Randomized Search Trees*, 1996): a search tree by place and a heap by random
//! weights, in which each node knows the sum of what is below it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::domain::queue::{Priority, QueueKey};

/// What stands ahead of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// How many.
    pub(super) count: u64,
    /// Highest ticket of those of better classes, 0 if there is none.
    pub(super) better_ticket: i64,
    /// Highest ticket of those of the same class, 0 if there is none.
    pub(super) own_ticket: i64,
    /// When the last of those came back that had run; `None` if there is none.
    pub(super) returned: Option<u64>,
}

/// Places, each at most once.
#[derive(Debug, Default)]
pub(super) struct Order {
    classes: BTreeMap<Priority, Link>,
    dice: Dice,
}

impl Order {
    /// Puts a place in that is not there yet.
    ///
    /// * `returned` — when its submission came back, if it had run.
    pub(super) fn insert(&mut self, key: QueueKey, returned: Option<u64>) {
        let class = self.classes.entry(key.priority).or_default();
        let (before, behind) = split(class.take(), key);
        let mut node = Box::new(Node {
            key,
            returned,
            weight: self.dice.roll(),
            sum: Sum::default(),
            left: None,
            right: None,
        });
        node.sum_up();
        *class = join(join(before, Some(node)), behind);
    }

    /// Takes a place out if it is there.
    pub(super) fn remove(&mut self, key: QueueKey) {
        if let Some(class) = self.classes.get_mut(&key.priority) {
            *class = without(class.take(), key);
        }
    }

    /// What stands ahead of a place, be it in or not.
    pub(super) fn ahead(&self, key: QueueKey) -> Ahead {
        let better = self.classes.range(..key.priority).map(|(_, class)| sum(class));
        let better = better.fold(Sum::default(), Sum::and);
        let own = self.classes.get(&key.priority).map_or_else(Sum::default, |class| before(class, key));
        let all = better.and(own);
        Ahead {
            count: all.count,
            better_ticket: better.ticket,
            own_ticket: own.ticket,
            returned: all.returned,
        }
    }
}

type Link = Option<Box<Node>>;

#[derive(Debug)]
struct Node {
    key: QueueKey,
    returned: Option<u64>,
    /// No less than those below it.
    weight: u64,
    /// Of the node and all below it.
    sum: Sum,
    left: Link,
    right: Link,
}

/// What is known of many places together.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    ticket: i64,
    returned: Option<u64>,
}

impl Sum {
    fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            ticket: self.ticket.max(other.ticket),
            returned: self.returned.max(other.returned),
        }
    }
}

impl Node {
    const fn own(&self) -> Sum {
        Sum { count: 1, ticket: self.key.ticket, returned: self.returned }
    }

    fn sum_up(&mut self) {
        self.sum = self.own().and(sum(&self.left)).and(sum(&self.right));
    }
}

fn sum(link: &Link) -> Sum {
    link.as_ref().map_or_else(Sum::default, |node| node.sum)
}

/// The sum of all that stand before `key`.
fn before(mut link: &Link, key: QueueKey) -> Sum {
    let mut passed = Sum::default();
    while let Some(node) = link {
        if node.key < key {
            passed = passed.and(node.own()).and(sum(&node.left));
            link = &node.right;
        } else {
            link = &node.left;
        }
    }
    passed
}

/// Those before `key`, and the others.
fn split(link: Link, key: QueueKey) -> (Link, Link) {
    let Some(mut node) = link else { return (None, None) };
    if node.key < key {
        let (middle, behind) = split(node.right.take(), key);
        node.right = middle;
        node.sum_up();
        (Some(node), behind)
    } else {
        let (before, middle) = split(node.left.take(), key);
        node.left = middle;
        node.sum_up();
        (before, Some(node))
    }
}

/// One tree of two; all of `before` stand before all of `behind`.
fn join(before: Link, behind: Link) -> Link {
    let (mut before, mut behind) = match (before, behind) {
        (Some(before), Some(behind)) => (before, behind),
        (only, None) | (None, only) => return only,
    };
    if before.weight >= behind.weight {
        before.right = join(before.right.take(), Some(behind));
        before.sum_up();
        Some(before)
    } else {
        behind.left = join(Some(before), behind.left.take());
        behind.sum_up();
        Some(behind)
    }
}

fn without(link: Link, key: QueueKey) -> Link {
    let mut node = link?;
    match key.cmp(&node.key) {
        Ordering::Less => node.left = without(node.left.take(), key),
        Ordering::Greater => node.right = without(node.right.take(), key),
        Ordering::Equal => return join(node.left, node.right),
    }
    node.sum_up();
    Some(node)
}

/// Weights that depend on nothing that a submission says (Vigna's splitmix64).
#[derive(Debug, Default)]
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Ahead, Link, Order};
    use crate::domain::queue::{Priority, QueueKey};

    fn key(class: i64, rank: i64, ticket: i64) -> QueueKey {
        QueueKey { priority: Priority::from_class(class).unwrap(), rank, ticket }
    }

    fn counted(places: &BTreeMap<QueueKey, Option<u64>>, of: QueueKey) -> Ahead {
        let ahead = || places.range(..of);
        let ticket = |of_class: fn(Priority, Priority) -> bool| {
            let tickets = ahead().filter(|(key, _)| of_class(key.priority, of.priority));
            tickets.map(|(key, _)| key.ticket).max().unwrap_or(0)
        };
        Ahead {
            count: u64::try_from(ahead().count()).unwrap(),
            better_ticket: ticket(|class, mine| class < mine),
            own_ticket: ticket(|class, mine| class == mine),
            returned: ahead().filter_map(|(_, returned)| *returned).max(),
        }
    }

    fn depth(link: &Link) -> u32 {
        link.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
    }

    proptest! {
        #[test]
        fn what_stands_ahead_is_what_counting_finds(
            steps in prop::collection::vec((0..3_i64, 1..12_i64, 1..40_i64, prop::option::of(0..99_u64)), 1..120),
        ) {
            let (mut order, mut places) = (Order::default(), BTreeMap::new());
            for (class, rank, ticket, returned) in steps {
                let at = key(class, rank, ticket);
                if places.remove(&at).is_some() {
                    order.remove(at);
                } else {
                    places.insert(at, returned);
                    order.insert(at, returned);
                }
                for of in places.keys().copied().chain([at, key(0, 0, 0), key(2, 99, 99)]) {
                    prop_assert_eq!(order.ahead(of), counted(&places, of));
                }
            }
        }
    }

    #[test]
    fn a_long_queue_that_came_in_order_makes_no_deep_tree() {
        let mut order = Order::default();
        for ticket in 1..=100_000 {
            order.insert(key(1, ticket / 7, ticket), None);
        }

        assert_eq!(order.ahead(key(1, i64::MAX, 0)).count, 100_000);
        assert!(order.classes.values().all(|class| depth(class) < 100));
    }
}

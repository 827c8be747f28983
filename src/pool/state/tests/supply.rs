//! What is promised while containers are being emptied, and before their core is idle.

use std::collections::BTreeMap;

use super::super::host::MOST_SUBMISSIONS;
use super::super::{Action, Fate};
use super::{World, warm_world};
use crate::domain::exercise::Isolation;

#[test]
fn a_container_that_is_being_emptied_is_promised_and_given_only_when_it_is_empty() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(0, Isolation::Reset).expect("a container");
    assert_eq!(world.machine.supply(world.now).free, 0);

    world.machine.emptying(place, world.now);

    let supply = world.machine.supply(world.now);
    assert_eq!((supply.free, supply.claimable.contains_key(&0)), (1, true));
    assert_eq!(world.machine.claim(0, Isolation::Reset), None);
    world.machine.give_back(place, Fate::Reusable(container), world.now);
    assert_eq!(world.machine.claim(0, Isolation::Reset).map(|(_, given)| given), Some(container));
    assert_eq!(world.machine.supply(world.now).free, 0);
}

#[test]
fn a_container_that_is_being_emptied_is_promised_once() {
    let mut world = warm_world(2, 2);
    let taken = [0, 0].map(|runtime| world.machine.claim(runtime, Isolation::Reset));
    let (place, _) = taken[0].expect("a container");
    world.machine.emptying(place, world.now);

    let left = world.machine.supply(world.now).without([0]);

    assert_eq!((left.free, left.claimable), (0, BTreeMap::new()));
}

#[test]
fn who_waits_for_one_runtime_leaves_the_others_to_be_claimed() {
    let world = warm_world(2, 1);
    assert_eq!(world.machine.supply(world.now).claimable, BTreeMap::from([(0, 1), (1, 1), (2, 1)]));

    let left = world.machine.supply(world.now).without([0]);

    assert_eq!((left.free, left.claimable), (1, BTreeMap::from([(1, 1), (2, 1)])));
}

#[test]
fn a_spent_container_that_is_being_emptied_is_not_promised() {
    let mut world = warm_world(1, 1);
    for _ in 1..MOST_SUBMISSIONS {
        let (place, container) = world.machine.claim(0, Isolation::Reset).expect("a container");
        assert_eq!(world.machine.give_back(place, Fate::Reusable(container), world.now), None);
    }
    let (place, _) = world.machine.claim(0, Isolation::Reset).expect("a container");

    world.machine.emptying(place, world.now);

    assert_eq!(world.machine.supply(world.now).free, 0);
}

/// A host with a core less than it has slots.
fn crowded_world(slots: usize) -> World {
    let mut world = World::with_cores(1, slots, slots - 1, slots);
    world.settle_all();
    world
}

#[test]
fn a_slot_without_an_idle_core_is_promised_once_a_last_command_runs_and_given_when_it_has_ended() {
    let mut world = crowded_world(2);
    let (place, _) = world.machine.claim(0, Isolation::Reset).expect("a container");
    let working = world.machine.supply(world.now);
    assert_eq!((working.total, working.at_once, working.free, working.room), (2, 1, 1, 0));
    assert_eq!(working.claimable, BTreeMap::new());

    world.machine.last_command(place);

    assert!(world.machine.supply(world.now).claimable.contains_key(&0));
    assert_eq!(world.machine.supply(world.now).without([0]).claimable, BTreeMap::new());
    assert!(world.machine.holds(0, Isolation::Reset, world.now));
    assert_eq!(world.machine.claim(0, Isolation::Reset), None);
    world.machine.emptying(place, world.now);
    let (next, _) = world.machine.claim(0, Isolation::Reset).expect("a container whose core is idle");
    assert_ne!(next.slot, place.slot);
}

#[test]
fn a_last_command_is_no_promise_where_each_slot_has_a_core() {
    let mut world = warm_world(1, 1);
    let (place, _) = world.machine.claim(0, Isolation::Reset).expect("a container");

    world.machine.last_command(place);

    assert_eq!(world.machine.supply(world.now).claimable, BTreeMap::new());
}

#[test]
fn whoever_comes_gets_an_idle_core_before_a_slot_with_a_lower_number() {
    let mut world = crowded_world(3);
    let taken = [0, 0].map(|runtime| world.machine.claim(runtime, Isolation::Reset).expect("a container"));
    world.machine.emptying(taken[1].0, world.now);
    let (place, container) = taken[1];
    world.machine.give_back(place, Fate::Reusable(container), world.now);

    let (next, _) = world.machine.claim(0, Isolation::Reset).expect("a container");

    assert_eq!((taken[0].0.slot % 2, next.slot % 2), (0, 1));
}

#[test]
fn a_container_in_doubt_keeps_its_core_until_it_is_gone() {
    let mut world = crowded_world(2);
    let (place, container) = world.machine.claim(0, Isolation::Reset).expect("a container");
    world.machine.give_back(place, Fate::Doubtful(container), world.now);
    assert_eq!(world.machine.claim(0, Isolation::Reset), None);

    world.machine.removed(place);

    assert!(world.machine.claim(0, Isolation::Reset).is_some());
}

#[test]
fn a_runtime_that_is_warm_once_is_so_on_an_idle_core() {
    let mut world = World::with_cores(1, 3, 2, 1);
    world.settle_all();

    let (first, _) = world.machine.claim(0, Isolation::Reset).expect("a container");
    world.settle_all();

    for runtime in [0, 1, 2] {
        assert!(world.machine.supply(world.now).claimable.contains_key(&runtime));
    }
    let (second, _) = world.machine.claim(0, Isolation::Reset).expect("another container");
    assert_ne!(first.slot % 2, second.slot % 2);
}

#[test]
fn nobody_is_promised_a_core_for_what_is_warm_on_another() {
    let mut world = crowded_world(3);
    let taken = world.machine.claim(0, Isolation::Reset).expect("a container");
    assert_eq!(taken.0.slot, 0);
    let idle = world.machine.claim(0, Isolation::Reset).expect("a container on the other core");
    let spare = world.machine.give_back(idle.0, Fate::Retired(idle.1), world.now);

    assert!(matches!(spare, Some(Action::Remove(..))));
    assert!(!world.machine.supply(world.now).claimable.contains_key(&0));
    assert_eq!(world.machine.claim(0, Isolation::Reset), None);
}

#[test]
fn a_container_that_serves_a_last_command_is_promised_to_the_next_where_there_is_a_slot_to_spare() {
    let mut world = crowded_world(3);
    let taken = [0, 0].map(|runtime| world.machine.claim(runtime, Isolation::Reset).expect("a container"));
    let (alone, _) = taken[1];

    world.machine.last_command(alone);

    assert_eq!(alone.slot, 1);
    assert_eq!(world.machine.supply(world.now).claimable.get(&0), Some(&1));
}

#[test]
fn whoever_waits_for_a_core_in_doubt_waits_for_nothing() {
    let mut world = crowded_world(2);
    let (place, container) = world.machine.claim(0, Isolation::Reset).expect("a container");
    world.machine.last_command(place);
    assert!(world.machine.holds(0, Isolation::Reset, world.now));

    world.machine.give_back(place, Fate::Doubtful(container), world.now);

    assert!(!world.machine.holds(0, Isolation::Reset, world.now));
}

//! How containers begin, serve, are replaced and go.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::{Action, Fate};
use super::{RUNTIMES, SUBMISSIONS, World, a_host, a_runtime, warm_world};
use crate::domain::exercise::Isolation;
use crate::domain::ids::RuntimeId;

#[test]
fn each_runtime_is_warm_once_before_any_is_warm_twice() {
    let mut world = World::new(1, 4, 4);
    world.plan();
    world.settle(0, true);
    world.plan();
    while world.under_way.iter().any(|action| matches!(action, Action::PrepareImage { .. })) {
        world.settle(0, true);
    }
    world.plan();

    let first: BTreeSet<RuntimeId> = world
        .under_way
        .iter()
        .take(RUNTIMES)
        .filter_map(|action| match action {
            Action::Launch { place, .. } => Some(place.runtime.clone()),
            Action::Connect { .. }
            | Action::PrepareImage { .. }
            | Action::CopyImage { .. }
            | Action::Remove(..) => None,
        })
        .collect();

    assert_eq!(first, (0..RUNTIMES).map(a_runtime).collect());
}

#[test]
fn a_taken_slot_makes_another_warm_for_its_runtime() {
    let mut world = warm_world(2, 1);
    let taken = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    world.settle_all();

    let (other, _) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("another container");
    assert_ne!(taken.0.slot, other.slot);
}

#[test]
fn a_doubtful_container_keeps_its_slot_until_it_is_gone() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    let action = world.machine.give_back(place.clone(), Fate::Doubtful(container), world.now);

    assert_eq!(action, Some(Action::Remove(place.clone(), container)));
    assert_eq!(world.machine.supply().free, 0);
    world.machine.removed(&place);
    assert_eq!(world.machine.supply().free, 1);
}

#[test]
fn a_retired_container_leaves_its_slot_at_once() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    let action = world.machine.give_back(place.clone(), Fate::Retired(container), world.now);

    assert_eq!(action, Some(Action::Remove(place.clone(), container)));
    assert_eq!(world.machine.supply().free, 1);
    assert!(
        world.machine.claim(&a_runtime(1), None, Isolation::Reset).is_some(),
        "another runtime's container in the same slot"
    );
}

#[test]
fn a_container_is_replaced_after_as_many_submissions_as_are_set() {
    let mut world = warm_world(1, 1);
    let mut removed = None;
    for _ in 0..SUBMISSIONS {
        assert_eq!(removed, None);
        let (place, container) =
            world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
        removed = world.machine.give_back(place, Fate::Reusable(container), world.now);
    }
    assert!(matches!(removed, Some(Action::Remove(..))), "{removed:?}");
}

#[test]
fn an_idle_container_is_replaced_after_an_hour_or_a_little_more() {
    let mut world = warm_world(1, 1);
    let mut removed_after = |minutes: u64| {
        world.now += Duration::from_mins(minutes);
        let actions = world.machine.plan(world.now).into_iter();
        actions.filter(|action| matches!(action, Action::Remove(..))).count()
    };

    assert_eq!(removed_after(59), 0);
    assert_eq!(removed_after(17), RUNTIMES);
}

#[test]
fn an_idle_container_that_stopped_is_replaced_and_one_that_serves_is_not() {
    let mut world = warm_world(1, 1);
    let (busy, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    let actions = world.machine.stopped(&a_host(0), |_any| true, world.now);

    assert_eq!(actions.len(), RUNTIMES - 1, "{actions:?}");
    assert!(!actions.contains(&Action::Remove(busy.clone(), container)), "{actions:?}");
    world.under_way.extend(actions);
    world.settle_all();
    world.machine.give_back(busy, Fate::Reusable(container), world.now);
    world.now += Duration::from_secs(1);
    world.settle_all();
    assert_eq!(world.machine.supply().claimable.len(), RUNTIMES);
}

#[test]
fn a_container_of_a_host_lost_meanwhile_comes_back_without_effect() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.machine.lost(&a_host(0), world.now);
    world.now += Duration::from_secs(20);
    world.settle_all();

    assert_eq!(world.machine.give_back(place, Fate::Reusable(container), world.now), None);

    assert_eq!(world.machine.supply().free, 1);
    assert_ne!(
        world.machine.claim(&a_runtime(0), None, Isolation::Reset).map(|(_, container)| container),
        Some(container)
    );
}

#[test]
fn a_host_that_stays_away_is_tried_less_and_less_often() {
    let mut world = World::new(1, 1, 1);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        world.plan();
        world.settle(0, false);
        let wake = world.machine.next_wake(world.now).expect("a next attempt");
        pauses.push(wake - world.now);
        world.now = wake;
    }
    assert!(pauses[0] < Duration::from_secs(1), "{pauses:?}");
    assert!(pauses[11] >= Duration::from_secs(15), "{pauses:?}");
    assert!(pauses[11] < Duration::from_secs(16), "{pauses:?}");
}

#[test]
fn a_closed_machine_begins_and_lends_nothing() {
    let mut world = warm_world(2, 2);

    world.machine.close();

    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
    world.now += Duration::from_hours(2);
    assert_eq!(world.machine.plan(world.now), []);
}

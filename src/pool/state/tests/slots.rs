//! Slots that come and go while submissions run.

use std::collections::BTreeSet;

use super::super::{Action, Fate, SlotId};
use super::{World, a_host, a_runtime, warm_world};
use crate::domain::exercise::Isolation;

fn claimed_slot(world: &mut World) -> Option<SlotId> {
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset)?;
    let slot = place.slot;
    world.lent.push((place, container));
    Some(slot)
}

fn give_back(world: &mut World) {
    let (place, container) = world.lent.remove(0);
    let action = world.machine.give_back(place, Fate::Reusable(container), world.now);
    world.under_way.extend(action);
    world.check();
    world.settle_all();
}

fn slots(world: &World) -> Vec<SlotId> {
    world.machine.hosts[&a_host(0)].slots.keys().copied().collect()
}

#[test]
fn more_slots_come_at_once() {
    let mut world = warm_world(1, 3);

    world.machine.set_slots(&a_host(0), 3);

    assert_eq!((world.machine.supply().total, world.machine.supply().free), (3, 3));
    world.settle_all();
    let claimed: BTreeSet<_> = (0..3).map(|_| claimed_slot(&mut world)).collect();
    assert_eq!(claimed, [0, 1, 2].map(|slot| Some(SlotId(slot))).into());
}

#[test]
fn free_slots_go_first_and_their_containers_with_them() {
    let mut world = warm_world(3, 3);
    let kept = claimed_slot(&mut world).expect("a container");

    world.machine.set_slots(&a_host(0), 1);
    world.plan();

    assert_eq!((world.machine.supply().total, world.machine.supply().free), (1, 0));
    let removals = world.under_way.iter().filter(|action| matches!(action, Action::Remove(..)));
    assert_eq!(removals.count(), 2 * super::RUNTIMES);
    world.settle_all();
    assert_eq!(slots(&world), [kept]);
}

#[test]
fn what_runs_in_slots_that_are_to_go_ends_and_nothing_begins_while_too_many_run() {
    let mut world = warm_world(3, 3);
    for _ in 0..3 {
        claimed_slot(&mut world).expect("a container");
    }

    world.machine.set_slots(&a_host(0), 1);

    assert_eq!(world.machine.occupancy(&a_host(0)).busy, 3);
    let (emptying, _) = world.lent[0].clone();
    world.machine.emptying(&emptying, world.now);
    assert_eq!(world.machine.supply().free, 0, "a slot that is too many is promised");
    for left in [2, 1] {
        give_back(&mut world);
        assert_eq!(world.machine.occupancy(&a_host(0)).total, left);
        assert_eq!(claimed_slot(&mut world), None);
    }
    give_back(&mut world);
    assert_eq!(slots(&world).len(), 1);
    assert!(claimed_slot(&mut world).is_some());
}

#[test]
fn a_slot_that_was_to_go_is_kept_when_more_are_wanted_again() {
    let mut world = warm_world(2, 2);
    world.machine.set_slots(&a_host(0), 1);

    world.machine.set_slots(&a_host(0), 2);

    assert_eq!(world.machine.plan(world.now), []);
    assert_eq!((world.machine.supply().free, slots(&world)), (2, vec![SlotId(0), SlotId(1)]));
}

#[test]
fn a_slot_takes_the_first_core_that_none_has() {
    let mut world = warm_world(2, 2);
    let (first, second) = (claimed_slot(&mut world), claimed_slot(&mut world));
    world.machine.set_slots(&a_host(0), 1);
    give_back(&mut world);
    assert_eq!(slots(&world), [second.expect("a slot")]);

    world.machine.set_slots(&a_host(0), 2);

    assert_eq!((slots(&world), first), (vec![SlotId(0), SlotId(1)], Some(SlotId(0))));
}

#[test]
fn a_runtime_that_is_not_ready_tells_what_keeps_it_and_the_nearest_host_decides() {
    use super::super::Hindrance;
    use crate::domain::host::HostMode;

    let mut world = World::new(0, 1, 1);
    let told = |world: &mut World| world.machine.hindrances().get(&a_runtime(0)).copied();
    assert_eq!(told(&mut world), Some(Hindrance::NoHost));

    world.machine.add_host(a_host(0), HostMode::Cordoned, world.now);
    assert_eq!(told(&mut world), Some(Hindrance::NoActiveHost));
    world.machine.add_host(a_host(1), HostMode::Active, world.now);
    assert_eq!(told(&mut world), Some(Hindrance::NoHealthyHost));
    world.plan();
    while !world.under_way.is_empty() {
        world.settle(0, true);
    }
    assert_eq!(told(&mut world), Some(Hindrance::Starting));
    let all =
        (0..2).flat_map(|host| (0..super::RUNTIMES).map(move |runtime| (a_host(host), a_runtime(runtime))));
    world.missing = all.collect();
    world.settle_all();
    assert_eq!(told(&mut world), Some(Hindrance::NoImage));
    world.missing.clear();
    world.now += std::time::Duration::from_secs(30);
    world.settle_all();
    assert_eq!(told(&mut world), None);
}

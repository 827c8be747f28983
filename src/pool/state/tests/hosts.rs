//! What hosts give and get that take no submissions, are new, or are none of ours any more.

use super::super::{Action, Fate};
use super::{World, a_host, a_runtime, warm_world};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostMode;

#[test]
fn a_cordoned_host_gives_nothing_until_it_is_active_again() {
    let mut world = warm_world(2, 2);
    let promised = world.machine.supply();

    world.machine.set_mode(&a_host(0), HostMode::Cordoned, world.now);

    assert!(!world.machine.takes_work());
    assert_eq!(world.machine.supply(), super::super::supply::Supply::default());
    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
    assert_eq!(world.machine.renew(&a_runtime(0), 1), None);
    world.machine.set_mode(&a_host(0), HostMode::Active, world.now);
    assert_eq!(world.machine.supply(), promised);
}

#[test]
fn what_runs_on_a_draining_host_goes_on_and_is_replaced_by_nothing() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    world.machine.set_mode(&a_host(0), HostMode::Draining, world.now);
    let before = world.machine.occupancy(&a_host(0));
    let removal = world.machine.give_back(place, Fate::Retired(container), world.now);
    world.under_way.extend(removal);
    world.settle_all();

    assert_eq!((before.total, before.taken, before.busy, before.running), (1, 1, 1, 1));
    assert_eq!(world.machine.occupancy(&a_host(0)).taken, 0);
    assert_eq!(world.machine.population(&a_host(0), &a_runtime(0)).starting, 0);
    assert_eq!(world.machine.population(&a_host(0), &a_runtime(0)).warm, 0);
}

#[test]
fn a_host_that_is_cordoned_from_the_start_is_connected_and_gets_no_containers() {
    let mut world = World::new(1, 2, 1);
    world.machine.set_mode(&a_host(0), HostMode::Cordoned, world.now);

    world.plan();
    assert!(matches!(world.under_way.as_slice(), [Action::Connect { .. }]), "{:?}", world.under_way);
    world.settle_all();

    assert_eq!(world.machine.occupancy(&a_host(0)).total, 2);
    assert_eq!(world.machine.population(&a_host(0), &a_runtime(0)), super::super::Population::default());
}

#[test]
fn of_two_hosts_the_active_one_takes_all() {
    let mut world = World::new(2, 1, 1);
    world.settle_all();

    world.machine.set_mode(&a_host(1), HostMode::Draining, world.now);

    assert_eq!(world.machine.supply().total, 1);
    let given = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    assert_eq!(given.0.host, a_host(0));
    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
}

#[test]
fn a_host_that_is_added_is_connected_to_and_serves() {
    let mut world = World::new(0, 1, 1);
    world.settle_all();
    assert!(!world.machine.takes_work());

    world.machine.add_host(a_host(0), HostMode::Active, world.now);

    assert!(world.machine.takes_work());
    world.settle_all();
    let given = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    assert_eq!(given.0.host, a_host(0));
}

#[test]
fn a_host_that_is_removed_gives_nothing_and_what_it_lent_comes_back_without_effect() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    world.machine.remove_host(&a_host(0));

    assert_eq!(world.machine.condition(&a_host(0)), None);
    assert_eq!(world.machine.supply(), super::super::supply::Supply::default());
    assert_eq!(world.machine.give_back(place, Fate::Reusable(container), world.now), None);
    assert_eq!(world.machine.next_wake(world.now), None);
}

#[test]
fn what_was_begun_for_a_removed_host_means_nothing_to_the_next_one_of_its_name() {
    let mut world = World::new(1, 1, 1);
    world.plan();
    let Some(Action::Connect { attempt, .. }) = world.under_way.pop() else {
        panic!("no attempt to connect");
    };
    world.machine.remove_host(&a_host(0));
    world.machine.add_host(a_host(0), HostMode::Active, world.now);
    world.plan();

    assert!(!world.machine.connected(&a_host(0), attempt, 1));
    assert!(!world.machine.connect_failed(&a_host(0), attempt, world.now));

    world.settle_all();
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.machine.remove_host(&a_host(0));
    world.machine.add_host(a_host(0), HostMode::Active, world.now);
    world.settle_all();
    let untouched = world.machine.supply();
    assert_eq!(world.machine.give_back(place, Fate::Doubtful(container), world.now), None);
    assert_eq!(world.machine.supply(), untouched);
}

#[test]
fn a_host_out_of_reach_is_tried_at_once_when_it_shall_take_work() {
    let mut world = warm_world(1, 1);
    for _ in 0..5 {
        world.machine.lost(&a_host(0), world.now);
    }
    assert!(world.machine.plan(world.now).is_empty(), "it is tried later");

    world.machine.set_mode(&a_host(0), HostMode::Active, world.now);

    assert!(matches!(world.machine.plan(world.now).as_slice(), [Action::Connect { .. }]));
}

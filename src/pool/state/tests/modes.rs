//! What hosts that take no submissions give and get.

use super::super::{Action, Fate};
use super::{World, a_host, a_runtime, warm_world};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostMode;

#[test]
fn a_cordoned_host_gives_nothing_until_it_is_active_again() {
    let mut world = warm_world(2, 2);
    let promised = world.machine.supply();

    world.machine.set_mode(&a_host(0), HostMode::Cordoned);

    assert!(!world.machine.takes_work());
    assert_eq!(world.machine.supply(), super::super::supply::Supply::default());
    assert_eq!(world.machine.claim(&a_runtime(0), Isolation::Reset), None);
    assert_eq!(world.machine.renew(&a_runtime(0), 1), None);
    world.machine.set_mode(&a_host(0), HostMode::Active);
    assert_eq!(world.machine.supply(), promised);
}

#[test]
fn what_runs_on_a_draining_host_goes_on_and_is_replaced_by_nothing() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");

    world.machine.set_mode(&a_host(0), HostMode::Draining);
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
    world.machine.set_mode(&a_host(0), HostMode::Cordoned);

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

    world.machine.set_mode(&a_host(1), HostMode::Draining);

    assert_eq!(world.machine.supply().total, 1);
    let given = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");
    assert_eq!(given.0.host, a_host(0));
    assert_eq!(world.machine.claim(&a_runtime(0), Isolation::Reset), None);
}

//! Which host gives a container when several could.

use std::time::Duration;

use super::super::Fate;
use super::{World, a_host, a_runtime};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostName;

const NEAR: Duration = Duration::from_micros(300);
const FAR: Duration = Duration::from_millis(20);

/// Warm hosts with so many slots, whose engines answer within this time.
fn world_of<const N: usize>(hosts: [(u32, Duration); N]) -> World {
    let mut world = World::new(N, 1, usize::MAX);
    world.settle_all();
    for (number, (slots, round_trip)) in hosts.into_iter().enumerate() {
        world.machine.set_slots(&a_host(number), slots);
        world.machine.answered(&a_host(number), round_trip);
    }
    world.settle_all();
    world
}

fn given(world: &mut World) -> Option<HostName> {
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset)?;
    let host = place.host.clone();
    world.lent.push((place, container));
    Some(host)
}

#[test]
fn an_idle_near_host_comes_before_a_far_one_however_large() {
    let mut world = world_of([(8, FAR), (2, NEAR)]);

    assert_eq!(given(&mut world), Some(a_host(1)));
}

#[test]
fn a_quick_host_comes_before_one_on_which_containers_start_slowly() {
    let mut world = world_of([(1, NEAR), (1, NEAR)]);
    world.machine.launch_took(&a_host(0), Duration::from_secs(2));
    world.machine.launch_took(&a_host(1), Duration::from_millis(150));

    assert_eq!(given(&mut world), Some(a_host(1)));
}

#[test]
fn the_least_loaded_host_gives_wherever_it_is() {
    let mut world = world_of([(4, FAR), (2, NEAR)]);

    let order: Vec<_> = (0..6).map_while(|_| given(&mut world)).collect();

    let hosts = [1, 0, 0, 1, 0, 0].map(a_host);
    assert_eq!(order, hosts);
}

#[test]
fn a_host_with_a_silent_container_gives_none_until_its_engine_has_answered() {
    let mut world = world_of([(2, NEAR), (2, FAR)]);

    world.machine.doubt(&a_host(0));

    assert_eq!(world.machine.supply().total, 4);
    assert_eq!(world.machine.supply().claimable[&a_runtime(0)], 2);
    assert_eq!([0; 3].map(|_| given(&mut world)), [Some(a_host(1)), Some(a_host(1)), None]);
    world.machine.answered(&a_host(0), NEAR);
    assert_eq!(given(&mut world), Some(a_host(0)));
}

#[test]
fn one_slow_answer_does_not_make_a_near_host_a_far_one_for_long() {
    let mut world = world_of([(1, Duration::from_millis(2)), (1, NEAR)]);
    world.machine.answered(&a_host(1), FAR);

    assert_eq!(given(&mut world), Some(a_host(0)));
    let (place, container) = world.lent.remove(0);
    world.give_back(place, Fate::Reusable(container));
    for _ in 0..20 {
        world.machine.answered(&a_host(1), NEAR);
    }

    assert_eq!(given(&mut world), Some(a_host(1)));
}

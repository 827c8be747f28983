//! Images that come from host to host.

use std::time::Duration;

use super::super::{Action, Copy};
use super::{RUNTIMES, World, a_host, a_runtime, host_of};
use crate::domain::exercise::Isolation;
use crate::domain::host::{HostMode, HostName};
use crate::domain::time::Timestamp;
use crate::pool::docker::Presence;

/// Hosts of which the first has all images, the others none.
fn world_with_one_source(hosts: usize) -> World {
    let mut world = World::new(hosts, 1, 1);
    for host in 1..hosts {
        world.missing.extend((0..RUNTIMES).map(|runtime| (a_host(host), a_runtime(runtime))));
    }
    world
}

/// Hosts that lack the image of one runtime, which `sources` have.
fn world_without_image(hosts: usize, sources: &[usize]) -> World {
    let mut world = World::new(hosts, 1, 1);
    let lacking = (0..hosts).filter(|host| !sources.contains(host));
    world.missing = lacking.map(|host| (a_host(host), a_runtime(0))).collect();
    world
}

/// Lets all that is under way end well but copies, and answers with those.
fn copies_begun(world: &mut World) -> Vec<(HostName, Copy)> {
    let is_copy = |action: &Action<u64>| matches!(action, Action::CopyImage { .. });
    world.plan();
    while let Some(other) = world.under_way.iter().position(|action| !is_copy(action)) {
        world.settle(other, true);
        world.plan();
    }
    let copy = |action: &Action<u64>| match action {
        Action::CopyImage { copy, .. } => Some((host_of(action).clone(), copy.clone())),
        _other => None,
    };
    world.under_way.iter().filter_map(copy).collect()
}

fn end_copies(world: &mut World, well: bool) {
    while !world.under_way.is_empty() {
        world.settle(0, well);
    }
}

#[test]
fn a_fleet_fills_like_a_tree_and_each_host_takes_part_in_one_copy_at_a_time() {
    let mut world = world_without_image(8, &[0]);

    let mut waves = Vec::new();
    while !world.missing.is_empty() {
        waves.push(copies_begun(&mut world).len());
        world.check();
        end_copies(&mut world, true);
    }

    assert_eq!(waves, [1, 2, 4]);
    world.settle_all();
    assert_eq!(world.machine.supply().total, 8);
}

#[test]
fn a_host_gets_all_that_it_lacks_one_after_the_other() {
    let mut world = world_with_one_source(2);

    for _ in 0..RUNTIMES {
        assert_eq!(copies_begun(&mut world).len(), 1);
        end_copies(&mut world, true);
    }

    assert_eq!(copies_begun(&mut world), []);
    assert!(world.missing.is_empty());
}

#[test]
fn an_image_that_has_come_is_looked_at_before_it_is_asked_for_again() {
    let mut world = world_without_image(2, &[0]);
    let (host, copy) = copies_begun(&mut world).remove(0);
    world.under_way.clear();
    world.machine.image_came(&host, copy.serial, world.now);

    world.now += Duration::from_mins(10);
    world.plan();
    assert_eq!(world.machine.copy_to(&host), None);

    // It is still not there: the world was not told that it came.
    assert_eq!(copies_begun(&mut world).len(), 1);
}

#[test]
fn an_image_that_no_host_has_comes_from_nowhere() {
    let mut world = world_without_image(2, &[]);

    assert_eq!(copies_begun(&mut world), []);
}

#[test]
fn a_copy_that_failed_is_tried_from_another_host_and_less_and_less_often() {
    let mut world = world_without_image(3, &[0, 1]);
    let (mut sources, mut pauses) = (Vec::new(), Vec::new());
    let mut last = world.now;
    while sources.len() < 14 {
        let begun = copies_begun(&mut world);
        if let [(_host, copy)] = begun.as_slice() {
            sources.push(copy.from.clone());
            pauses.push(world.now - last);
            last = world.now;
        }
        end_copies(&mut world, false);
        world.now = world.machine.next_wake(world.now).expect("another attempt");
    }

    assert_eq!(sources[..3], [a_host(0), a_host(1), a_host(0)]);
    assert!(pauses[1] < Duration::from_secs(3), "{pauses:?}");
    assert!((Duration::from_mins(5)..Duration::from_mins(6)).contains(&pauses[13]), "{pauses:?}");
}

#[test]
fn a_host_that_is_to_be_emptied_gets_no_image_and_one_that_rests_does() {
    let mut world = world_without_image(2, &[0]);
    world.machine.set_mode(&a_host(1), HostMode::Draining, world.now);
    assert_eq!(copies_begun(&mut world), []);

    world.machine.set_mode(&a_host(1), HostMode::Cordoned, world.now);

    assert_eq!(copies_begun(&mut world).len(), 1);
}

#[test]
fn what_comes_to_a_host_that_was_lost_meanwhile_changes_nothing() {
    let mut world = world_without_image(2, &[0]);
    let (host, copy) = copies_begun(&mut world).remove(0);

    world.machine.lost(&host, world.now);

    assert_eq!(world.machine.image_came(&host, copy.serial, world.now), None);
    world.now += Duration::from_secs(20);
    assert_eq!(world.machine.copying().len(), 0);
}

#[test]
fn an_image_of_another_recipe_that_is_newer_stays() {
    let mut world = World::new(2, 1, 1);
    world.settle_all();
    let newer = Some(Timestamp::from_millis(3));

    world.machine.image_found(&a_host(1), &a_runtime(0), Presence::Outdated, newer);

    assert_eq!(copies_begun(&mut world), []);
}

#[test]
fn an_outdated_image_serves_until_the_other_has_come_and_then_its_containers_serve_nothing_new() {
    let mut world = World::new(2, 1, 1);
    world.settle_all();
    let (outdated, runtime) = (a_host(1), a_runtime(0));
    world.machine.set_mode(&a_host(0), HostMode::Cordoned, world.now);
    world.machine.image_found(&outdated, &runtime, Presence::Outdated, Some(Timestamp::from_millis(1)));

    let begun = copies_begun(&mut world);
    assert_eq!(begun.len(), 1);
    let (busy, container) = world.machine.claim(&runtime, None, Isolation::Reset).expect("a container");
    end_copies(&mut world, true);
    world.machine.image_replaced(&outdated, &runtime, world.now);
    let replaced = world.machine.give_back(busy, super::Fate::Reusable(container), world.now);

    assert!(matches!(replaced, Some(Action::Remove(_, old)) if old == container), "{replaced:?}");
    world.under_way.extend(replaced);
    world.settle_all();
    let (_, other) = world.machine.claim(&runtime, None, Isolation::Reset).expect("a container");
    assert_ne!(other, container);
}

//! Hosts prove themselves before they take work, and are in quarantine while they cannot.

use std::time::Duration;

use super::super::{Action, Fate, Hindrance, LaunchFailure};
use super::{RUNTIMES, World, a_host, a_runtime, warm_world};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostMode;
use crate::pool::hosts::HostState;

/// A connected host with all images, on which nothing has started yet.
fn world_with_images(slots: u32, warm_per_runtime: usize) -> World {
    let mut world = World::new(1, slots, warm_per_runtime);
    for _ in 0..2 {
        world.plan();
        let begun = world.under_way.len();
        (0..begun).for_each(|_| world.settle(0, true));
    }
    world
}

/// Ends what is under way, launches as `works` says of their runtimes, until nothing is.
fn settle_with(world: &mut World, works: impl Fn(usize) -> bool) {
    world.plan();
    while let Some(action) = world.under_way.first() {
        let well = match action {
            Action::Launch { place, .. } => {
                (0..RUNTIMES).any(|runtime| a_runtime(runtime) == place.runtime && works(runtime))
            }
            _other => true,
        };
        world.settle(0, well);
        world.check();
        world.plan();
    }
}

fn state(world: &World) -> HostState {
    world.machine.condition(&a_host(0)).expect("a host").0
}

fn canaries_begun(world: &World) -> usize {
    world.under_way.iter().filter(|action| matches!(action, Action::Launch { canary: true, .. })).count()
}

#[test]
fn the_first_container_of_each_runtime_carries_its_canary_and_the_others_follow() {
    let mut world = world_with_images(4, 4);

    world.plan();

    assert_eq!((canaries_begun(&world), world.under_way.len()), (RUNTIMES, RUNTIMES));
    world.settle(0, true);
    world.plan();
    assert_eq!(canaries_begun(&world), RUNTIMES - 1);
    assert!(world.under_way.len() > RUNTIMES - 1, "{:?}", world.under_way);
    world.settle_all();
    assert_eq!(world.machine.supply().claimable[&a_runtime(0)], 4);
}

#[test]
fn a_runtime_of_no_use_leaves_the_others_to_serve_and_is_tried_less_and_less_often() {
    let mut world = world_with_images(2, 1);
    let mut pauses = Vec::new();

    for _ in 0..10 {
        settle_with(&mut world, |runtime| runtime > 0);
        assert_eq!(state(&world), HostState::Healthy);
        let supply = world.machine.supply();
        assert!(!supply.claimable.contains_key(&a_runtime(0)), "{supply:?}");
        assert_eq!((supply.claimable.len(), supply.free), (RUNTIMES - 1, 2));
        let next = world.machine.hosts[&a_host(0)].canaries.pauses().min().expect("a next canary");
        pauses.push(next - world.now);
        world.now = next;
    }

    assert_eq!(world.machine.hindrances().get(&a_runtime(0)), Some(&Hindrance::NoImage));
    assert!(pauses[0] < Duration::from_secs(1), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause < Duration::from_mins(1)), "{pauses:?}");
    assert!(pauses[9] >= Duration::from_secs(45), "{pauses:?}");
    settle_with(&mut world, |_any| true);
    assert_eq!(world.machine.supply().claimable.len(), RUNTIMES);
}

#[test]
fn a_host_on_which_no_canary_passes_is_in_quarantine_until_one_does() {
    let mut world = world_with_images(2, 1);
    assert_eq!(state(&world), HostState::Healthy);

    settle_with(&mut world, |_any| false);

    let (state_then, next) = world.machine.condition(&a_host(0)).expect("a host");
    assert_eq!(state_then, HostState::Quarantined);
    assert_eq!((world.machine.supply().total, world.machine.supply().free), (0, 0));
    assert_eq!(world.machine.hindrances().get(&a_runtime(0)), Some(&Hindrance::NoHealthyHost));
    let next = next.expect("a next canary");
    assert_eq!(world.machine.next_wake(world.now), Some(next));
    world.now = next;
    settle_with(&mut world, |runtime| runtime == 0);
    world.now += Duration::from_secs(1);
    settle_with(&mut world, |runtime| runtime == 0);
    assert_eq!(state(&world), HostState::Healthy);
    assert!(world.machine.claim(&a_runtime(0), None, Isolation::Reset).is_some());
}

#[test]
fn a_host_in_quarantine_is_tried_at_once_when_it_shall_take_work() {
    let mut world = world_with_images(1, 1);
    for _ in 0..8 {
        settle_with(&mut world, |_any| false);
        world.now += Duration::from_mins(1);
    }
    settle_with(&mut world, |_any| false);
    assert!(world.machine.plan(world.now).is_empty(), "it is tried later");

    world.machine.set_mode(&a_host(0), HostMode::Active, world.now);

    settle_with(&mut world, |_any| true);
    assert_eq!(state(&world), HostState::Healthy);
    assert_eq!(world.machine.supply().claimable.len(), RUNTIMES);
}

/// Loses `count` runs of the first runtime, one after the other.
fn lose_runs(world: &mut World, count: usize) {
    for _ in 0..count {
        let (place, container) =
            world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
        world.give_back(place, Fate::Lost(container));
        world.check();
        world.settle_all();
    }
}

#[test]
fn after_three_runs_lost_in_a_row_nothing_is_given_before_a_canary_has_passed() {
    let mut world = warm_world(2, 2);
    lose_runs(&mut world, 2);
    assert_eq!(world.machine.supply().claimable.len(), RUNTIMES);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    world.give_back(place, Fate::Lost(container));

    assert_eq!(world.machine.supply().claimable.len(), 0);
    assert_eq!(world.machine.claim(&a_runtime(1), None, Isolation::Reset), None);
    // Containers wait in all slots: of each runtime one makes room.
    world.plan();
    let removals = world.under_way.iter().filter(|action| matches!(action, Action::Remove(..))).count();
    assert_eq!(removals, RUNTIMES + 1);
    settle_with(&mut world, |_any| false);
    assert_eq!(state(&world), HostState::Quarantined);
    assert_eq!(world.machine.population(&a_host(0), &a_runtime(1)).warm, 0, "what waits there is of no use");
}

#[test]
fn a_run_that_ends_between_losses_says_that_the_host_works() {
    let mut world = warm_world(1, 1);
    lose_runs(&mut world, 2);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.give_back(place, Fate::Reusable(container));

    lose_runs(&mut world, 2);

    assert_eq!(world.machine.supply().claimable.len(), RUNTIMES);
}

#[test]
fn a_launch_that_fails_takes_nothing_from_containers_of_the_runtime_that_serve() {
    let mut world = warm_world(2, 1);
    let (busy, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    settle_with(&mut world, |_any| false);
    assert!(world.machine.hosts[&a_host(0)].canaries.has_passed(&a_runtime(0)));

    world.give_back(busy, Fate::Retired(container));
    world.now += Duration::from_secs(1);
    settle_with(&mut world, |_any| false);

    assert!(world.machine.hosts[&a_host(0)].canaries.has_failed(&a_runtime(0)));
    assert_eq!(state(&world), HostState::Healthy, "the other runtimes serve");
}

#[test]
fn a_replaced_image_serves_when_its_canary_has_passed() {
    let mut world = warm_world(1, 1);

    world.machine.image_replaced(&a_host(0), &a_runtime(0), world.now);

    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
    assert!(world.machine.claim(&a_runtime(1), None, Isolation::Reset).is_some());
    settle_with(&mut world, |_any| true);
    world.plan();
    assert_eq!(state(&world), HostState::Healthy);
}

#[test]
fn a_container_that_is_given_up_while_its_canary_runs_says_nothing_of_the_host() {
    let mut world = world_with_images(1, 1);
    world.plan();
    for action in std::mem::take(&mut world.under_way) {
        let Action::Launch { place, canary: true } = action else { panic!("{action:?}") };
        world.machine.launch_failed(&place, LaunchFailure::GivenUp, world.now);
    }

    assert_eq!(state(&world), HostState::Healthy);
    world.now += Duration::from_secs(1);
    settle_with(&mut world, |_any| true);
    assert_eq!(world.machine.supply().claimable.len(), RUNTIMES);
}

#[test]
fn a_host_whose_images_are_all_broken_is_in_quarantine_and_one_that_lacks_them_is_not() {
    let mut broken = World::new(1, 1, 1);
    broken.plan();
    broken.settle(0, true);
    broken.plan();
    (0..RUNTIMES).for_each(|_| broken.settle(0, false));
    let mut lacking = World::new(1, 1, 1);
    lacking.missing = (0..RUNTIMES).map(|runtime| (a_host(0), a_runtime(runtime))).collect();
    lacking.settle_all();

    assert_eq!((state(&broken), state(&lacking)), (HostState::Quarantined, HostState::Healthy));
}

//! What is promised while containers are being emptied, and while submissions run.

use std::collections::BTreeMap;

use super::super::Fate;
use super::{SUBMISSIONS, a_runtime, warm_world};
use crate::domain::exercise::Isolation;
use crate::domain::ids::RuntimeId;

/// One container of each of these.
fn promised<const N: usize>(runtimes: [usize; N]) -> BTreeMap<RuntimeId, usize> {
    runtimes.map(|runtime| (a_runtime(runtime), 1)).into()
}

#[test]
fn a_container_that_is_being_emptied_is_promised_and_given_only_when_it_is_empty() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    assert_eq!(world.machine.supply().free, 0);

    world.machine.emptying(&place, world.now);

    let supply = world.machine.supply();
    assert_eq!((supply.free, supply.claimable.contains_key(&a_runtime(0))), (1, true));
    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
    world.machine.give_back(place, Fate::Reusable(container), world.now);
    assert_eq!(
        world.machine.claim(&a_runtime(0), None, Isolation::Reset).map(|(_, given)| given),
        Some(container)
    );
    assert_eq!(world.machine.supply().free, 0);
}

#[test]
fn a_container_that_is_being_emptied_is_promised_once() {
    let mut world = warm_world(2, 2);
    let taken = [0, 0].map(|runtime| world.machine.claim(&a_runtime(runtime), None, Isolation::Reset));
    let (place, _) = taken[0].clone().expect("a container");
    world.machine.emptying(&place, world.now);

    let left = world.machine.supply().without([&a_runtime(0)]);

    assert_eq!((left.free, left.claimable), (0, BTreeMap::new()));
}

#[test]
fn who_waits_for_one_runtime_leaves_the_others_to_be_claimed() {
    let mut world = warm_world(2, 1);
    assert_eq!(world.machine.supply().claimable, promised([0, 1, 2]));

    let left = world.machine.supply().without([&a_runtime(0)]);

    assert_eq!((left.free, left.claimable), (1, promised([1, 2])));
}

#[test]
fn a_spent_container_that_is_being_emptied_is_not_promised() {
    let mut world = warm_world(1, 1);
    for _ in 1..SUBMISSIONS {
        let (place, container) =
            world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
        assert_eq!(world.machine.give_back(place, Fate::Reusable(container), world.now), None);
    }
    let (place, _) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    world.machine.emptying(&place, world.now);

    assert_eq!(world.machine.supply().free, 0);
}

#[test]
fn nothing_is_promised_while_a_submission_runs_in_each_slot() {
    let mut world = warm_world(2, 2);
    let taken = [0, 1].map(|runtime| {
        world.machine.claim(&a_runtime(runtime), None, Isolation::Reset).expect("a container")
    });

    assert_eq!((world.machine.supply().free, world.machine.supply().claimable), (0, BTreeMap::new()));

    let (place, container) = taken[1].clone();
    world.machine.give_back(place, Fate::Reusable(container), world.now);
    assert_eq!((world.machine.supply().free, world.machine.supply().claimable[&a_runtime(1)]), (1, 1));
}

#[test]
fn a_container_in_doubt_keeps_its_core_until_it_is_gone() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.machine.emptying(&place, world.now);

    world.machine.give_back(place.clone(), Fate::Doubtful(container), world.now);

    assert_eq!(world.machine.supply().claimable, BTreeMap::new());
    assert_eq!(world.machine.claim(&a_runtime(1), None, Isolation::Reset), None);
    world.machine.removed(&place);
    assert!(world.machine.claim(&a_runtime(1), None, Isolation::Reset).is_some());
}

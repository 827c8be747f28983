//! A second container for the submission that has the slot.

use std::time::Duration;

use super::super::{Activity, Company, Fate, Role};
use super::{ContainerPlace, World, a_host, a_runtime, warm_world};
use crate::domain::exercise::Isolation;

impl World {
    /// Asks for a companion; answers whether it is there.
    pub(super) fn accompany(&mut self, of: &ContainerPlace, runtime: usize) -> bool {
        match self.machine.accompany(of, &a_runtime(runtime), self.now) {
            Company::Here(place, container) => {
                assert_eq!((&place.host, place.slot), (&of.host, of.slot), "a companion in another slot");
                self.lent.push((place, container));
                true
            }
            Company::Comes(action) => {
                self.under_way.extend(action);
                false
            }
            Company::Never => false,
        }
    }
}

#[test]
fn a_submission_gets_a_companion_of_the_same_or_another_runtime_in_its_own_slot() {
    for runtime in [0, 1] {
        let mut world = warm_world(1, 1);
        let (place, _) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

        assert!(!world.accompany(&place, runtime), "one starts first");
        world.settle_all();
        assert!(world.accompany(&place, runtime));

        let (companion, _) = &world.lent[0];
        assert_eq!((companion.slot, companion.role), (place.slot, Role::Companion));
        world.check();
    }
}

#[test]
fn a_slot_is_free_when_neither_the_container_nor_its_companion_is_used_or_being_removed() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.accompany(&place, 1);
    world.settle_all();
    assert!(world.accompany(&place, 1));

    world.give_back(place, Fate::Reusable(container));
    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
    let (companion, container) = world.lent.remove(0);
    world.give_back(companion, Fate::Doubtful(container));
    assert_eq!(world.machine.claim(&a_runtime(0), None, Isolation::Reset), None);
    world.settle_all();

    assert!(world.machine.claim(&a_runtime(0), None, Isolation::Reset).is_some());
}

#[test]
fn a_companion_stays_warm_for_the_next_submission_and_serves_no_program() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.accompany(&place, 0);
    world.settle_all();
    assert!(world.accompany(&place, 0));
    let (companion, lent) = world.lent.remove(0);
    world.give_back(companion.clone(), Fate::Reusable(lent));
    world.give_back(place.clone(), Fate::Reusable(container));

    let (next, _) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");

    assert_eq!(next, place);
    assert_eq!(world.machine.activity(&companion), Some(Activity::Warm));
    assert!(world.accompany(&next, 0));
    assert_eq!(world.lent[0].0, companion);
}

#[test]
fn only_the_submission_that_has_the_slot_gets_one_companion() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.accompany(&place, 1);
    world.settle_all();
    assert!(world.accompany(&place, 1));

    assert_eq!(world.machine.accompany(&place, &a_runtime(2), world.now), Company::Never);
    let (companion, lent) = world.lent.remove(0);
    assert_eq!(world.machine.accompany(&companion, &a_runtime(2), world.now), Company::Never);
    world.give_back(companion, Fate::Reusable(lent));
    world.give_back(place.clone(), Fate::Reusable(container));
    assert_eq!(world.machine.accompany(&place, &a_runtime(1), world.now), Company::Never);
}

#[test]
fn a_host_that_lacks_the_companions_runtime_gives_no_container() {
    let mut world = warm_world(2, 1);
    let pairs = |world: &mut World| {
        let supply = world.machine.supply();
        supply.pairs.companions_of(&a_runtime(0)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(pairs(&mut world), [0, 1, 2].map(a_runtime));

    world.replace_image(a_host(0), a_runtime(1));

    assert_eq!(pairs(&mut world), [0, 2].map(a_runtime));
    let companion = Some(a_runtime(1));
    assert_eq!(world.machine.claim(&a_runtime(0), companion.as_ref(), Isolation::Reset), None);
    assert!(world.machine.claim(&a_runtime(0), Some(&a_runtime(2)), Isolation::Reset).is_some());
}

#[test]
fn a_companion_that_grows_old_goes_and_is_not_made_anew_before_it_is_wanted() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), None, Isolation::Reset).expect("a container");
    world.accompany(&place, 1);
    world.settle_all();
    let before = world.machine.population(&a_host(0), &a_runtime(1)).warm;
    world.give_back(place, Fate::Reusable(container));

    world.now += Duration::from_hours(2);
    world.settle_all();

    assert_eq!((before, world.machine.population(&a_host(0), &a_runtime(1)).warm), (2, 1));
}

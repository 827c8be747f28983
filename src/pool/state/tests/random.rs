//! Random stories.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::host::Slot;
use super::super::{Connection, Fate};
use super::{Event, RUNTIMES, World, a_host, a_runtime};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostMode;

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(choice, well)| Event::Settle { choice, well }),
        6 => (0..RUNTIMES).prop_map(|runtime| Event::Claim { runtime }),
        4 => (any::<usize>(), 0..RUNTIMES).prop_map(|(choice, runtime)| Event::Accompany { choice, runtime }),
        3 => any::<usize>().prop_map(|choice| Event::Emptying { choice }),
        6 => (any::<usize>(), 0u8..4).prop_map(|(choice, fate)| Event::GiveBack { choice, fate }),
        1 => (0usize..2).prop_map(|host| Event::Suspect { host }),
        1 => (0usize..2).prop_map(|host| Event::Doubt { host }),
        2 => (0usize..2).prop_map(|host| Event::Trust { host }),
        1 => (0usize..2).prop_map(|host| Event::Lose { host }),
        1 => (0usize..2, 1u64..40).prop_map(|(host, serial)| Event::Stop { host, serial }),
        1 => any::<usize>().prop_map(|choice| Event::Retire { choice }),
        1 => (0usize..2, prop::sample::select(HostMode::ALL.as_slice()))
            .prop_map(|(host, mode)| Event::SetMode { host, mode }),
        1 => (0usize..3, prop::sample::select(HostMode::ALL.as_slice()))
            .prop_map(|(host, mode)| Event::Add { host, mode }),
        1 => (0usize..3).prop_map(|host| Event::Remove { host }),
        1 => (0usize..2, 0..RUNTIMES).prop_map(|(host, runtime)| Event::LoseImage { host, runtime }),
        1 => (0usize..2, 0..RUNTIMES).prop_map(|(host, runtime)| Event::ReplaceImage { host, runtime }),
        1 => (0usize..2, 1u32..5).prop_map(|(host, slots)| Event::SetSlots { host, slots }),
        2 => (1u64..5_000_000).prop_map(|millis| Event::Wait { millis }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_no_slot_runs_two_submissions_and_all_is_warm_again_at_the_end(
        slots in 1u32..4,
        warm_per_runtime in 1usize..4,
        events in vec(event(), 0..200),
    ) {
        let mut world = World::new(2, slots, warm_per_runtime);
        for event in &events {
            world.plan_twice();
            world.happen(event);
            world.check();
        }

        while let Some((place, container)) = world.lent.pop() {
            let action = world.machine.give_back(place, Fate::Retired(container), world.now);
            world.under_way.extend(action);
        }
        world.machine.remove_host(&a_host(2));
        world.missing.retain(|(host, _runtime)| *host != a_host(0));
        for host in 0..2 {
            world.machine.add_host(a_host(host), HostMode::Active, world.now);
            world.machine.trust(&a_host(host));
            world.machine.set_mode(&a_host(host), HostMode::Active, world.now);
            world.machine.set_slots(&a_host(host), slots);
        }
        for _ in 0..20 {
            world.settle_all();
            world.now += Duration::from_secs(30);
        }

        prop_assert!(world.missing.is_empty(), "not brought: {:?}", world.missing);
        let supply = world.machine.supply();
        prop_assert_eq!((supply.total, supply.free), (2 * usize::try_from(slots).unwrap(), 2 * usize::try_from(slots).unwrap()));
        prop_assert_eq!(supply.claimable.into_keys().collect::<Vec<_>>(), (0..RUNTIMES).map(a_runtime).collect::<Vec<_>>());
        world.check();
    }

    #[test]
    fn a_claim_gets_what_the_supply_promised_and_nothing_else(
        slots in 1u32..5,
        warm_per_runtime in 1usize..4,
        runtime in 0..RUNTIMES,
        events in vec(event(), 0..120),
    ) {
        let mut world = World::new(2, slots, warm_per_runtime);
        for event in &events {
            world.plan();
            world.happen(event);
        }
        // What will be there only after a while is given back now; the rest works on.
        for (place, container) in std::mem::take(&mut world.lent) {
            let host = world.machine.hosts.get(&place.host);
            let slot = host.and_then(|host| host.slots.get(&place.slot));
            if slot.and_then(Slot::emptying).is_some() {
                world.under_way.extend(world.machine.give_back(place, Fate::Reusable(container), world.now));
            }
        }

        let runtime = a_runtime(runtime);
        let promised = world.machine.supply().claimable.contains_key(&runtime);

        prop_assert_eq!(world.machine.claim(&runtime, None, Isolation::Reset).is_some(), promised);
    }

    #[test]
    fn the_machine_wakes_whenever_it_waits_for_time(events in vec(event(), 0..120)) {
        let mut world = World::new(2, 2, 2);
        for event in &events {
            world.plan();
            world.happen(event);
        }
        world.plan();

        let away = world.machine.hosts.values().any(|host| matches!(host.connection, Connection::Away { .. }));
        let waits = (0..2).filter_map(|host| world.machine.condition(&a_host(host))?.1);

        prop_assert!(!away || world.machine.next_wake(world.now).is_some());
        for until in waits.filter(|until| *until > world.now) {
            prop_assert!(world.machine.next_wake(world.now).is_some_and(|wake| wake <= until));
        }
    }
}

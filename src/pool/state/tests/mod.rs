//! The machine against what must always hold, in random and in told stories: the world that it acts upon.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::host::Content;
use super::{Action, ContainerPlace, Fate, HostId, Machine, Supplies};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostMode;
use crate::domain::ids::RuntimeId;

mod modes;
mod random;
mod supply;

const RUNTIMES: usize = 3;

/// That a container serves.
const SUBMISSIONS: u32 = 20;

fn a_host(number: usize) -> HostId {
    HostId::new(&format!("host {number}"))
}

fn a_runtime(number: usize) -> RuntimeId {
    format!("runtime-{number}").parse().unwrap()
}

/// Something that happens outside the machine; numbers choose among what is under way.
#[derive(Clone, Debug)]
enum Event {
    Settle { choice: usize, well: bool },
    Claim { runtime: usize },
    Emptying { choice: usize },
    GiveBack { choice: usize, fate: u8 },
    Suspect { host: usize },
    Trust { host: usize },
    Lose { host: usize },
    Stop { host: usize, serial: u64 },
    SetMode { host: usize, mode: HostMode },
    Wait { millis: u64 },
}

/// A machine whose containers are their own serial numbers, and the world it acts upon.
struct World {
    machine: Machine<u64>,
    now: Instant,
    under_way: Vec<Action<u64>>,
    lent: Vec<(ContainerPlace, u64)>,
    slots: u32,
}

impl World {
    fn new(hosts: usize, slots: u32, warm_per_runtime: usize) -> Self {
        let now = Instant::now();
        let supplies = Supplies { warm_per_runtime, submissions_per_container: SUBMISSIONS };
        let hosts = (0..hosts).map(a_host);
        let machine = Machine::new(hosts, (0..RUNTIMES).map(a_runtime), supplies, 7, now);
        Self { machine, now, under_way: Vec::new(), lent: Vec::new(), slots }
    }

    fn plan(&mut self) {
        self.under_way.extend(self.machine.plan(self.now));
    }

    fn settle(&mut self, choice: usize, well: bool) {
        if self.under_way.is_empty() {
            return;
        }
        match self.under_way.swap_remove(choice % self.under_way.len()) {
            Action::Connect { host } if well => self.machine.connected(&host, self.slots),
            Action::Connect { host } => self.machine.connect_failed(&host, self.now),
            Action::PrepareImage { host, runtime } if well => self.machine.image_ready(&host, &runtime),
            Action::PrepareImage { host, runtime } => self.machine.image_failed(&host, &runtime, self.now),
            Action::Launch(place) if well => drop(self.machine.launched(&place, place.serial, self.now)),
            Action::Launch(place) => self.machine.launch_failed(&place, false, self.now),
            Action::Remove(place, _) => self.machine.removed(&place),
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Settle { choice, well } => self.settle(choice, well),
            Event::Claim { runtime } => {
                let claimed = self.machine.claim(&a_runtime(runtime), Isolation::Reset);
                let takes_work = |place: &ContainerPlace| self.machine.hosts[&place.host].takes_work();
                assert!(
                    claimed.iter().all(|(place, _)| takes_work(place)),
                    "given by a host that gives nothing"
                );
                self.lent.extend(claimed);
            }
            Event::Emptying { choice } => {
                if let Some(index) = choice.checked_rem(self.lent.len()) {
                    self.machine.emptying(&self.lent[index].0, self.now);
                }
            }
            Event::GiveBack { choice, fate } if !self.lent.is_empty() => {
                let (place, container) = self.lent.swap_remove(choice % self.lent.len());
                let fate = match fate {
                    0 => Fate::Reusable(container),
                    1 => Fate::Retired(container),
                    _ => Fate::Doubtful(container),
                };
                self.under_way.extend(self.machine.give_back(place, fate, self.now));
            }
            Event::GiveBack { .. } => {}
            Event::Suspect { host } => self.machine.suspect(&a_host(host)),
            Event::Trust { host } => self.machine.trust(&a_host(host)),
            Event::Lose { host } => {
                let host = a_host(host);
                self.machine.lost(&host, self.now);
                // Its watch, and with it all that was under way there, ends with the host.
                self.under_way.retain(|action| *host_of(action) != host);
            }
            Event::Stop { host, serial } => {
                let actions = self.machine.stopped(&a_host(host), |container| *container == serial, self.now);
                self.under_way.extend(actions);
            }
            Event::SetMode { host, mode } => self.machine.set_mode(&a_host(host), mode),
            Event::Wait { millis } => self.now += Duration::from_millis(millis),
        }
    }

    /// Lets everything under way end well until nothing is.
    fn settle_all(&mut self) {
        self.plan();
        while !self.under_way.is_empty() {
            self.settle(0, true);
            self.plan();
        }
    }

    /// Panics if something that must always hold doesn't.
    fn check(&self) {
        for host in self.machine.hosts.values() {
            for slot in host.slots.values() {
                let busy: Vec<u64> = slot
                    .cells
                    .values()
                    .filter(|cell| matches!(cell.content, Content::Busy { .. } | Content::Emptying { .. }))
                    .map(|cell| cell.serial)
                    .collect();
                assert!(busy.len() <= 1, "two submissions in one slot");
                assert!(busy.iter().all(|serial| slot.taken_by == Some(*serial)), "a run without its slot");
            }
        }
        let serials: Vec<u64> =
            self.machine.hosts.values().flat_map(super::host::Host::cells).map(|cell| cell.serial).collect();
        let used: Vec<u64> = serials.into_iter().filter(|serial| *serial > 0).collect();
        assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), used.len(), "a serial number used twice");
        let lent: BTreeSet<u64> = self.lent.iter().map(|(_, container)| *container).collect();
        assert_eq!(lent.len(), self.lent.len(), "a container lent twice");
        let supply = self.machine.supply();
        assert!(supply.free <= supply.total, "{supply:?}");
        assert!(supply.free > 0 || supply.claimable.is_empty(), "{supply:?}");
    }
}

const fn host_of(action: &Action<u64>) -> &HostId {
    match action {
        Action::Connect { host } | Action::PrepareImage { host, .. } => host,
        Action::Launch(place) | Action::Remove(place, _) => &place.host,
    }
}

fn warm_world(slots: u32, warm_per_runtime: usize) -> World {
    let mut world = World::new(1, slots, warm_per_runtime);
    world.settle_all();
    world
}

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
            Action::Launch(place) => Some(place.runtime.clone()),
            Action::Connect { .. } | Action::PrepareImage { .. } | Action::Remove(..) => None,
        })
        .collect();

    assert_eq!(first, (0..RUNTIMES).map(a_runtime).collect());
}

#[test]
fn a_taken_slot_makes_another_warm_for_its_runtime() {
    let mut world = warm_world(2, 1);
    let taken = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");

    world.settle_all();

    let (other, _) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("another container");
    assert_ne!(taken.0.slot, other.slot);
}

#[test]
fn a_doubtful_container_keeps_its_slot_until_it_is_gone() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");

    let action = world.machine.give_back(place.clone(), Fate::Doubtful(container), world.now);

    assert_eq!(action, Some(Action::Remove(place.clone(), container)));
    assert_eq!(world.machine.supply().free, 0);
    world.machine.removed(&place);
    assert_eq!(world.machine.supply().free, 1);
}

#[test]
fn a_retired_container_leaves_its_slot_at_once() {
    let mut world = warm_world(1, 1);
    let (place, container) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");

    let action = world.machine.give_back(place.clone(), Fate::Retired(container), world.now);

    assert_eq!(action, Some(Action::Remove(place.clone(), container)));
    assert_eq!(world.machine.supply().free, 1);
    assert!(
        world.machine.claim(&a_runtime(1), Isolation::Reset).is_some(),
        "another runtime's container in the same slot"
    );
}

#[test]
fn a_container_is_replaced_after_as_many_submissions_as_are_set() {
    let mut world = warm_world(1, 1);
    let mut removed = None;
    for _ in 0..SUBMISSIONS {
        assert_eq!(removed, None);
        let (place, container) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");
        removed = world.machine.give_back(place, Fate::Reusable(container), world.now);
    }
    assert!(matches!(removed, Some(Action::Remove(..))), "{removed:?}");
}

#[test]
fn an_idle_container_is_replaced_after_an_hour_or_a_little_more() {
    let mut world = warm_world(1, 1);
    world.now += Duration::from_mins(59);
    assert_eq!(world.machine.plan(world.now), []);

    world.now += Duration::from_mins(17);

    let actions = world.machine.plan(world.now);
    assert_eq!(actions.len(), RUNTIMES, "{actions:?}");
    assert!(actions.iter().all(|action| matches!(action, Action::Remove(..))), "{actions:?}");
}

#[test]
fn an_idle_container_that_stopped_is_replaced_and_one_that_serves_is_not() {
    let mut world = warm_world(1, 1);
    let (busy, container) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");

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
    let (place, container) = world.machine.claim(&a_runtime(0), Isolation::Reset).expect("a container");
    world.machine.lost(&a_host(0), world.now);
    world.now += Duration::from_secs(20);
    world.settle_all();

    assert_eq!(world.machine.give_back(place, Fate::Reusable(container), world.now), None);

    assert_eq!(world.machine.supply().free, 1);
    assert_ne!(
        world.machine.claim(&a_runtime(0), Isolation::Reset).map(|(_, container)| container),
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

    assert_eq!(world.machine.claim(&a_runtime(0), Isolation::Reset), None);
    world.now += Duration::from_hours(2);
    assert_eq!(world.machine.plan(world.now), []);
}

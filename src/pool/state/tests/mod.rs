//! The machine against what must always hold, in random and in told stories: the world that it acts upon.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::host::Content;
use super::standing::{Standing, Totals};
use super::{Action, Activity, ContainerPlace, Fate, ImageFailure, LaunchFailure, Machine, Role, Supplies};
use crate::domain::exercise::Isolation;
use crate::domain::host::{HostMode, HostName};
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;
use crate::pool::docker::Presence;
use crate::pool::hosts::HostState;

mod canaries;
mod choice;
mod companions;
mod containers;
mod copies;
mod hosts;
mod random;
mod slots;
mod supply;

const RUNTIMES: usize = 3;

/// That a container serves.
const SUBMISSIONS: u32 = 20;

fn a_host(number: usize) -> HostName {
    format!("host-{number}").parse().unwrap()
}

fn a_runtime(number: usize) -> RuntimeId {
    format!("runtime-{number}").parse().unwrap()
}

/// Something that happens outside the machine; numbers choose among what is under way.
#[derive(Clone, Debug)]
enum Event {
    Settle { choice: usize, well: bool },
    Claim { runtime: usize },
    Accompany { choice: usize, runtime: usize },
    Emptying { choice: usize },
    GiveBack { choice: usize, fate: u8 },
    Suspect { host: usize },
    Doubt { host: usize },
    Trust { host: usize },
    Lose { host: usize },
    Stop { host: usize, serial: u64 },
    Retire { choice: usize },
    SetMode { host: usize, mode: HostMode },
    Add { host: usize, mode: HostMode },
    Remove { host: usize },
    LoseImage { host: usize, runtime: usize },
    ReplaceImage { host: usize, runtime: usize },
    SetSlots { host: usize, slots: u32 },
    Wait { millis: u64 },
}

/// A machine whose containers are their own serial numbers, and the world it acts upon.
struct World {
    machine: Machine<u64>,
    now: Instant,
    under_way: Vec<Action<u64>>,
    lent: Vec<(ContainerPlace, u64)>,
    slots: u32,
    /// Images that are not on their hosts.
    missing: BTreeSet<(HostName, RuntimeId)>,
    /// Runtimes whose canary has passed on a host.
    proven: BTreeSet<(HostName, RuntimeId)>,
    /// Containers that start of an image that was replaced meanwhile.
    outdated: BTreeSet<u64>,
    /// Runs that hosts lost since one ended there.
    losses: BTreeMap<HostName, u32>,
}

impl World {
    fn new(hosts: usize, slots: u32, warm_per_runtime: usize) -> Self {
        let now = Instant::now();
        let supplies = Supplies { warm_per_runtime, submissions_per_container: SUBMISSIONS };
        let mut machine = Machine::new((0..RUNTIMES).map(a_runtime), supplies, 7);
        for host in 0..hosts {
            machine.add_host(a_host(host), HostMode::Active, now);
        }
        Self {
            machine,
            now,
            under_way: Vec::new(),
            lent: Vec::new(),
            slots,
            missing: BTreeSet::new(),
            proven: BTreeSet::new(),
            outdated: BTreeSet::new(),
            losses: BTreeMap::new(),
        }
    }

    fn plan(&mut self) {
        self.under_way.extend(self.machine.plan(self.now));
    }

    fn settle(&mut self, choice: usize, well: bool) {
        if self.under_way.is_empty() {
            return;
        }
        match self.under_way.swap_remove(choice % self.under_way.len()) {
            Action::Connect { host, attempt } if well => {
                self.machine.connected(&host, attempt, self.slots);
            }
            Action::Connect { host, attempt } => {
                self.machine.connect_failed(&host, attempt, self.now);
            }
            Action::PrepareImage { host, runtime } => self.look_at_image(&host, &runtime, well),
            Action::CopyImage { host, copy } if well => {
                self.missing.remove(&(host.clone(), copy.runtime));
                self.machine.image_came(&host, copy.serial, self.now);
            }
            Action::CopyImage { host, copy } => {
                self.machine.image_did_not_come(&host, copy.serial, self.now);
            }
            Action::Launch { place, canary } => self.end_launch(&place, canary, well),
            Action::Remove(place, _) => self.machine.removed(&place),
        }
    }

    fn end_launch(&mut self, place: &ContainerPlace, canary: bool, well: bool) {
        let is_awaited = self.machine.activity(place) == Some(Activity::Starting);
        let proof = (place.host.clone(), place.runtime.clone());
        if !well {
            self.machine.launch_failed(place, LaunchFailure::Broken, self.now);
            if is_awaited && canary {
                self.proven.remove(&proof);
            }
        } else if self.machine.launched(place, place.serial, self.now).is_none()
            && canary
            && !self.outdated.contains(&place.serial)
        {
            self.proven.insert(proof);
        }
    }

    fn give_back(&mut self, place: ContainerPlace, fate: Fate<u64>) {
        if self.machine.serves(&place) {
            let losses = self.losses.entry(place.host.clone()).or_default();
            match fate {
                Fate::Lost(_) => *losses += 1,
                Fate::Reusable(_) | Fate::Retired(_) => {
                    *losses = 0;
                    self.machine.run_ended(&place.host);
                }
                Fate::Doubtful(_) => {}
            }
            if *losses == 3 {
                self.forget_canaries(&place.host);
            }
        }
        self.under_way.extend(self.machine.give_back(place, fate, self.now));
    }

    /// No canary has passed on the host by now.
    fn forget_canaries(&mut self, host: &HostName) {
        self.proven.retain(|(other, _runtime)| other != host);
        self.losses.remove(host);
    }

    fn look_at_image(&mut self, host: &HostName, runtime: &RuntimeId, well: bool) {
        if !well {
            self.machine.image_failed(host, runtime, ImageFailure::Broken, self.now);
        } else if self.missing.contains(&(host.clone(), runtime.clone())) {
            self.machine.image_found(host, runtime, Presence::Missing, None);
            self.machine.image_failed(host, runtime, ImageFailure::Lacking, self.now);
        } else {
            self.machine.image_found(host, runtime, Presence::Current, Some(Timestamp::from_millis(2)));
            self.machine.image_ready(host, runtime, self.now);
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Settle { choice, well } => self.settle(choice, well),
            Event::Claim { runtime } => self.claim(&a_runtime(runtime)),
            Event::Accompany { choice, runtime } => {
                if let Some(index) = choice.checked_rem(self.lent.len()) {
                    let of = self.lent[index].0.clone();
                    self.accompany(&of, runtime);
                }
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
                    2 => Fate::Doubtful(container),
                    _ => Fate::Lost(container),
                };
                self.give_back(place, fate);
            }
            Event::GiveBack { .. } => {}
            Event::Suspect { host } => self.machine.suspect(&a_host(host)),
            Event::Trust { host } => self.machine.answered(&a_host(host), Duration::from_millis(1)),
            Event::Doubt { host } => self.machine.doubt(&a_host(host)),
            Event::Lose { host } => {
                let host = a_host(host);
                self.machine.lost(&host, self.now);
                self.forget_canaries(&host);
                // Its watch, and with it all that was under way there, ends with the host.
                self.under_way.retain(|action| *host_of(action) != host);
            }
            Event::Stop { host, serial } => {
                let actions = self.machine.stopped(&a_host(host), |container| *container == serial, self.now);
                self.under_way.extend(actions);
            }
            Event::Retire { choice } => self.retire(choice),
            Event::SetMode { host, mode } => self.machine.set_mode(&a_host(host), mode, self.now),
            Event::Add { host, mode } => self.machine.add_host(a_host(host), mode, self.now),
            Event::SetSlots { host, slots } => self.machine.set_slots(&a_host(host), slots),
            Event::Remove { host } => {
                let host = a_host(host);
                self.machine.remove_host(&host);
                self.forget_canaries(&host);
                // Preparing images ends with the connection; what else is under way there ends later.
                let prepares = |action: &Action<u64>| matches!(action, Action::PrepareImage { .. });
                self.under_way.retain(|action| *host_of(action) != host || !prepares(action));
            }
            Event::LoseImage { host, runtime } => {
                self.missing.insert((a_host(host), a_runtime(runtime)));
            }
            Event::ReplaceImage { host, runtime } => {
                self.replace_image(a_host(host), a_runtime(runtime));
            }
            Event::Wait { millis } => self.now += Duration::from_millis(millis),
        }
    }

    fn claim(&mut self, runtime: &RuntimeId) {
        let claimed = self.machine.claim(runtime, None, Isolation::Reset);
        if let Some((ContainerPlace { host, .. }, _)) = &claimed {
            assert!(self.machine.hosts[host].gives(runtime), "given by a host that gives nothing");
            assert!(self.proven.contains(&(host.clone(), runtime.clone())), "given without a canary");
        }
        self.lent.extend(claimed);
    }

    fn replace_image(&mut self, host: HostName, runtime: RuntimeId) {
        self.machine.image_replaced(&host, &runtime, self.now);
        let starts = |place: &ContainerPlace| place.host == host && place.runtime == runtime;
        self.outdated.extend(self.under_way.iter().filter_map(|action| match action {
            Action::Launch { place, .. } if starts(place) => Some(place.serial),
            _other => None,
        }));
        self.proven.remove(&(host, runtime));
    }

    fn retire(&mut self, choice: usize) {
        let places = self.places();
        if let Some(index) = choice.checked_rem(places.len()) {
            let was = self.machine.activity(&places[index]);
            let action = self.machine.retire(&places[index]);
            assert_eq!(action.is_some(), was == Some(Activity::Warm), "only warm ones are retired");
            self.under_way.extend(action);
        }
    }

    /// Where containers are.
    fn places(&self) -> Vec<ContainerPlace> {
        let slots =
            self.machine.hosts.iter().flat_map(|(host, known)| {
                known.slots.iter().map(move |(number, slot)| (host, *number, slot))
            });
        let cells = slots.flat_map(|(host, number, slot)| {
            let place = move |role, (runtime, cell): (&RuntimeId, &super::host::Cell<u64>)| {
                cell.place(host, number, role, runtime)
            };
            let programs = slot.cells.iter().map(move |cell| place(Role::Program, cell));
            programs.chain(slot.companions.iter().map(move |cell| place(Role::Companion, cell)))
        });
        cells.filter(|place| self.machine.activity(place).is_some()).collect()
    }

    /// Lets everything under way end well until nothing is.
    fn settle_all(&mut self) {
        self.plan();
        while !self.under_way.is_empty() {
            self.settle(0, true);
            self.plan();
        }
    }

    /// Asks what to begin, and again as if all hosts had changed: there is nothing more.
    fn plan_twice(&mut self) {
        self.plan();
        let promised = self.machine.supply();
        let wake = self.machine.next_wake(self.now);
        self.machine.hosts.touch_all();
        assert_eq!(self.machine.plan(self.now), [], "begun only when all hosts are looked at");
        assert_eq!(self.machine.supply(), promised);
        assert_eq!(self.machine.next_wake(self.now), wake);
    }

    /// Panics if what is known of all hosts is not what each of them has.
    fn check_totals(&mut self) {
        let runtimes = self.machine.runtimes.clone();
        let mut counted = Totals::new(runtimes.len());
        let hosts: Vec<Standing> = self.machine.hosts.values().map(|host| host.stand(&runtimes)).collect();
        for standing in &hosts {
            counted.replace(&Standing::default(), standing);
        }
        counted.name_hindrances(hosts.iter());
        assert_eq!(*self.machine.hosts.totals(&runtimes), counted);
    }

    /// Panics if something that must always hold doesn't.
    fn check(&mut self) {
        self.check_totals();
        for host in self.machine.hosts.values() {
            let open: Vec<_> = host.slots.values().filter(|slot| !slot.is_closed).collect();
            let all_taken = open.iter().all(|slot| slot.is_taken());
            assert!(open.len() <= host.wanted_slots || all_taken, "a free slot too many");
            assert!(
                host.slots.values().all(|slot| !slot.is_closed || !slot.is_taken()),
                "a submission in a closed slot"
            );
            for slot in host.slots.values() {
                let busy: Vec<u64> = slot
                    .cells
                    .values()
                    .filter(|cell| matches!(cell.content, Content::Busy { .. } | Content::Emptying { .. }))
                    .map(|cell| cell.serial)
                    .collect();
                let companions: Vec<u64> = slot
                    .companions
                    .values()
                    .filter(|cell| matches!(cell.content, Content::Busy { .. } | Content::Emptying { .. }))
                    .map(|cell| cell.serial)
                    .collect();
                assert!(companions.len() <= 1, "two companions in one slot");
                assert!(
                    companions.iter().all(|serial| slot.companion == Some(*serial)),
                    "a companion without its slot"
                );
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
        let copies =
            self.machine.hosts.keys().filter_map(|host| Some([host, &self.machine.copy_to(host)?.from]));
        assert_eq!(copies.flatten().count(), self.machine.copying().len(), "a host takes part in two copies");
        for (name, host) in self.machine.hosts.iter() {
            let quarantined = matches!(self.machine.condition(name), Some((HostState::Quarantined, _)));
            let has_passed = |runtime| host.canaries.has_passed(runtime);
            assert!(
                !quarantined || !self.machine.runtimes.iter().any(has_passed),
                "a canary passed in quarantine"
            );
            let carrying = |runtime: &RuntimeId| {
                let cells = host.slots.values().filter_map(|slot| slot.cells.get(runtime));
                cells.filter(|cell| matches!(cell.content, Content::Starting { canary: true })).count()
            };
            assert!(
                self.machine.runtimes.iter().all(|runtime| carrying(runtime) <= 1),
                "two canaries at once"
            );
        }
        let supply = self.machine.supply();
        assert!(supply.free <= supply.total, "{supply:?}");
        assert!(supply.free > 0 || supply.claimable.is_empty(), "{supply:?}");
    }
}

const fn host_of(action: &Action<u64>) -> &HostName {
    match action {
        Action::Connect { host, .. } | Action::PrepareImage { host, .. } | Action::CopyImage { host, .. } => {
            host
        }
        Action::Launch { place, .. } | Action::Remove(place, _) => &place.host,
    }
}

fn warm_world(slots: u32, warm_per_runtime: usize) -> World {
    let mut world = World::new(1, slots, warm_per_runtime);
    world.settle_all();
    world
}

//! The range by hand, and against queues that are played through.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Entrances, Eta, LEAST_KNOWN, Observed, Pace};
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;

fn python() -> RuntimeId {
    "python".parse().unwrap()
}

fn observed(slots: u64, ended_ms: &[u64]) -> Observed {
    Observed { slots, ready: [python()].into(), ended_ms: ended_ms.to_vec(), ..Observed::default() }
}

const fn range(low_s: u64, high_s: u64) -> Eta {
    Eta { low_s, high_s }
}

#[test]
fn equal_runs_give_the_time_that_those_ahead_take() {
    let pace = Pace::of(observed(2, &[9000; 10]));

    assert_eq!(pace.eta(1, &python()), Some(range(0, 9)));
    assert_eq!(pace.eta(2, &python()), Some(range(0, 14)));
    assert_eq!(pace.eta(41, &python()), Some(range(175, 189)));
}

#[test]
fn runs_that_differ_make_the_range_wider_the_more_are_ahead() {
    let pace = Pace::of(observed(1, &[1000, 1000, 1000, 1000, 6000]));

    let (near, far) = (pace.eta(5, &python()).unwrap(), pace.eta(50, &python()).unwrap());

    assert_eq!((near, far), (range(0, 23), range(66, 136)));
}

#[test]
fn one_that_is_at_work_may_be_one_of_the_few_long_ones() {
    let mut durations = vec![50; 98];
    durations.extend([8000, 8000]);

    assert_eq!(Pace::of(observed(2, &durations)).eta(1, &python()), Some(range(0, 8)));
}

#[test]
fn one_that_has_run_for_long_counts_before_it_has_ended() {
    let running_ms = vec![6000, 6000];

    let pace = Pace::of(Observed { running_ms, ..observed(2, &[50; 10]) });

    assert_eq!(pace.eta(1, &python()), Some(range(0, 12)));
}

#[test]
fn the_more_come_the_longer_those_may_wait_that_are_overtaken() {
    let pace = |entered_per_s| Pace::of(Observed { entered_per_s, ..observed(1, &[1000; 10]) });

    assert_eq!(pace(0.0).eta(11, &python()), Some(range(10, 11)));
    assert_eq!(pace(0.5).eta(11, &python()), Some(range(10, 21)));
    assert_eq!(pace(100.0).eta(11, &python()), Some(range(10, 41)));
}

#[test]
fn who_comes_to_a_free_slot_starts_now() {
    let pace = Pace::of(observed(2, &[9000; 10])).with_free(1);

    assert_eq!((pace.eta(1, &python()), pace.eta(2, &python())), (Some(range(0, 1)), Some(range(0, 14))));
}

#[test]
fn nothing_is_said_while_too_little_is_known() {
    assert_eq!(Pace::of(observed(2, &[50; 4])).eta(1, &python()), None);
    assert_eq!(Pace::default().eta_if_ready(1), None);
}

#[test]
fn nothing_is_said_while_no_slot_works_or_the_runtime_is_not_ready() {
    let (known, c) = ([50; 10], "c".parse().unwrap());

    assert_eq!(Pace::of(observed(0, &known)).eta(1, &python()), None);
    assert_eq!(Pace::of(observed(2, &known)).with_free(2).eta(1, &c), None);
    let none_ready = Observed { ready: [].into(), ..observed(2, &known) };
    assert_eq!(Pace::of(none_ready).with_free(2).eta_if_ready(1), None);
}

#[test]
fn entrances_are_counted_for_a_minute_and_spread_over_ten_seconds_at_least() {
    let mut entrances = Entrances::default();
    let at = |seconds: i64| Timestamp::from_millis(1_790_000_000_000 + 1000 * seconds);

    let told = [(0, 100), (2, 120), (40, 140), (82, 160), (300, 160)]
        .map(|(seconds, entered)| format!("{:.3}", entrances.per_s(at(seconds), entered)));

    assert_eq!(told, ["0.000", "2.000", "1.000", "0.500", "0.000"]);
}

/// A queue as the service has it: slots, fair ranks, submissions of several owners that come as they like.
struct Played {
    slots: usize,
    now: u64,
    /// When those that run end and began, in milliseconds.
    running: Vec<(u64, u64)>,
    /// By rank and number: when it came, and what it was told.
    waiting: BTreeMap<(u64, usize), (u64, Option<Eta>)>,
    last_ranks: BTreeMap<u8, u64>,
    started_rank: u64,
    ended_ms: Vec<u64>,
    entrances: Entrances,
    entered: u64,
    /// When it was made, whether enough was known then, and the pace.
    pace: (u64, bool, Pace),
    inside: usize,
    told: usize,
    /// Told something while too little was known, or nothing once enough was.
    mistold: usize,
}

/// A submission: pause before it, owner, whether it is a long one, how far it differs.
type Arrival = (u64, u8, bool, u64);

impl Played {
    fn new(slots: usize) -> Self {
        Self {
            slots,
            now: 0,
            running: Vec::new(),
            waiting: BTreeMap::new(),
            last_ranks: BTreeMap::new(),
            started_rank: 0,
            ended_ms: Vec::new(),
            entrances: Entrances::default(),
            entered: 0,
            pace: (0, false, Pace::default()),
            inside: 0,
            told: 0,
            mistold: 0,
        }
    }

    fn start(&mut self, durations: &[u64]) {
        while self.running.len() < self.slots
            && let Some(((rank, number), (came, told))) = self.waiting.pop_first()
        {
            self.started_rank = self.started_rank.max(rank);
            self.running.push((self.now + durations[number], self.now));
            if let Some(Eta { low_s, high_s }) = told {
                self.told += 1;
                let waited = self.now - came;
                self.inside += usize::from(waited >= low_s * 1000 && waited <= high_s * 1000);
            }
        }
    }

    fn until(&mut self, latest: u64, durations: &[u64]) {
        while let Some(end) = self.running.iter().map(|(end, _)| *end).min().filter(|end| *end <= latest) {
            self.now = end;
            for (end, began) in self.running.extract_if(.., |(ends, _)| *ends == end).collect::<Vec<_>>() {
                self.ended_ms.push(end - began);
            }
            self.start(durations);
        }
        self.now = latest;
    }

    /// As the scheduler does it: every two seconds, over the 200 latest runs.
    fn look(&mut self) {
        if self.now < self.pace.0 + 2000 && self.pace.0 > 0 {
            return;
        }
        let now = Timestamp::from_millis(i64::try_from(self.now).unwrap());
        let observed = Observed {
            running_ms: self.running.iter().map(|(_, began)| self.now - began).collect(),
            ended_ms: self.ended_ms.iter().rev().take(200).copied().collect(),
            entered_per_s: self.entrances.per_s(now, self.entered),
            ..observed(u64::try_from(self.slots).unwrap(), &[])
        };
        self.pace = (self.now, self.ended_ms.len() >= LEAST_KNOWN, Pace::of(observed));
    }

    fn enter(&mut self, owner: u8, durations: &[u64]) {
        self.look();
        let number = usize::try_from(self.entered).unwrap();
        self.entered += 1;
        let last = self.last_ranks.entry(owner).or_default();
        let rank = self.started_rank.max(*last + 1);
        *last = rank;
        let position = 1 + self.waiting.range(..(rank, number)).count();
        let free = u64::try_from(self.slots - self.running.len()).unwrap();
        let (_, is_known, pace) = self.pace.clone();
        let told = pace.with_free(free).eta(u64::try_from(position).unwrap(), &python());
        self.mistold +=
            usize::from(told.is_some() != (is_known || position <= self.slots - self.running.len()));
        self.waiting.insert((rank, number), (self.now, told));
        self.start(durations);
    }

    fn play(slots: usize, arrivals: &[Arrival]) -> Self {
        let durations: Vec<u64> = arrivals
            .iter()
            .map(|(_, _, long, more)| if *long { 2000 + more } else { 50 + more / 50 })
            .collect();
        let mut played = Self::new(slots);
        for (pause, owner, _, _) in arrivals {
            played.until(played.now + pause, &durations);
            played.enter(*owner, &durations);
        }
        played.until(u64::MAX / 2, &durations);
        played
    }
}

/// Mostly quick and some long ones of six owners; `busy` tenths of what the slots can take, a third of it in bursts.
fn arrivals(slots: u64, busy: u64) -> impl Strategy<Value = Vec<Arrival>> {
    let mean_ms = (9 * 80 + 3500) / 10;
    let most = 2 * mean_ms * 10 / (busy * slots) * 3 / 2;
    let pause = prop_oneof![2 => 0..most, 1 => Just(5)];
    proptest::collection::vec((pause, 0_u8..6, prop::bool::weighted(0.1), 0_u64..3000), 800)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nine_of_ten_start_within_what_they_were_told_first(
        (slots, arrivals) in (1_u64..5, 3_u64..10).prop_flat_map(|(slots, busy)| (Just(slots), arrivals(slots, busy)))
    ) {
        let Played { inside, told, mistold, .. } = Played::play(usize::try_from(slots).unwrap(), &arrivals);

        prop_assert_eq!(mistold, 0, "told something exactly once enough is known, or where a slot is free");
        prop_assert!(told >= 400, "{} of 800 were told anything", told);
        prop_assert!(inside * 10 >= told * 9, "{inside} of {told}");
    }
}

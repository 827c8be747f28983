//! The last hour of the queue, minute by minute: how long it was, how long submissions waited, what ended, what was lost. Pure.
//!
//! It knows of what was noted since it began, and of no more than [`MINUTES`] minutes. A minute in which nothing was noted
//! is left out: nothing is known of it.

use std::collections::{BTreeMap, VecDeque};

use super::time::Timestamp;

/// Minutes that are kept, the one that goes on now included.
pub const MINUTES: i64 = 60;

const MINUTE_MS: i64 = 60_000;
/// Leading bits of a wait that are kept: it is told at most a 32nd too short.
const KEPT_BITS: u32 = 6;

/// What was noted.
#[derive(Clone, Debug)]
pub struct History {
    began: Timestamp,
    /// Oldest first.
    minutes: VecDeque<Minute>,
}

#[derive(Clone, Debug)]
struct Minute {
    at: Timestamp,
    /// The most that were seen queued.
    queued: Option<u64>,
    waits: Waits,
    finished: u64,
    faults: u64,
}

/// How many waited how long: counts by wait, in milliseconds, cut to [`KEPT_BITS`].
#[derive(Clone, Debug, Default)]
struct Waits {
    counts: BTreeMap<u64, u64>,
}

/// The history as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryView {
    /// What came before is not in it.
    pub since: Timestamp,
    /// All minutes together.
    pub hour: Figures,
    /// The minutes of which something is known, oldest first, each by its begin.
    pub minutes: Vec<MinuteView>,
}

/// A minute as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinuteView {
    /// When it began.
    pub at: Timestamp,
    /// The most that were seen queued; `None` if the queue could not be looked at.
    pub queued: Option<u64>,
    /// What happened in it.
    pub figures: Figures,
}

/// What happened in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How long those that started had waited; `None` if none started.
    pub wait: Option<WaitQuantiles>,
    /// Submissions that got a verdict.
    pub finished: u64,
    /// Attempts that were lost, with their container, host or instance.
    pub faults: u64,
}

/// How long submissions waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitQuantiles {
    /// Half of them no longer than this, in milliseconds.
    pub p50_ms: u64,
    /// 95 of 100 no longer than this, in milliseconds.
    pub p95_ms: u64,
}

impl History {
    /// A history that begins now.
    pub const fn begin(now: Timestamp) -> Self {
        Self { began: now, minutes: VecDeque::new() }
    }

    /// So many are queued.
    pub fn saw_queue(&mut self, now: Timestamp, queued: u64) {
        self.note(now, |minute| minute.queued = minute.queued.max(Some(queued)));
    }

    /// A submission started that had waited so long.
    pub fn started(&mut self, now: Timestamp, waited_ms: u64) {
        self.note(now, |minute| minute.waits.add(waited_ms));
    }

    /// A submission got its verdict.
    pub fn finished(&mut self, now: Timestamp) {
        self.note(now, |minute| minute.finished += 1);
    }

    /// An attempt was lost.
    pub fn lost(&mut self, now: Timestamp) {
        self.note(now, |minute| minute.faults += 1);
    }

    /// The last hour.
    pub fn view(&self, now: Timestamp) -> HistoryView {
        let oldest = oldest(now);
        let minutes = || self.minutes.iter().filter(move |minute| minute.at >= oldest);
        let mut waits = Waits::default();
        minutes().for_each(|minute| waits.add_all(&minute.waits));
        HistoryView {
            since: self.began.max(oldest),
            hour: Figures {
                wait: waits.quantiles(),
                finished: minutes().map(|minute| minute.finished).sum(),
                faults: minutes().map(|minute| minute.faults).sum(),
            },
            minutes: minutes().map(Minute::view).collect(),
        }
    }

    fn note(&mut self, now: Timestamp, change: impl FnOnce(&mut Minute)) {
        let at = minute_of(now);
        // Minutes to come are there only after the clock was set back.
        self.minutes.retain(|minute| minute.at <= at);
        self.began = self.began.min(now);
        match self.minutes.back_mut().filter(|minute| minute.at == at) {
            Some(minute) => change(minute),
            None => {
                let mut minute = Minute::begin(at);
                change(&mut minute);
                self.minutes.push_back(minute);
            }
        }
        let oldest = oldest(now);
        self.minutes.retain(|minute| minute.at >= oldest);
    }
}

impl Minute {
    fn begin(at: Timestamp) -> Self {
        Self { at, queued: None, waits: Waits::default(), finished: 0, faults: 0 }
    }

    fn view(&self) -> MinuteView {
        let &Self { at, queued, ref waits, finished, faults } = self;
        MinuteView { at, queued, figures: Figures { wait: waits.quantiles(), finished, faults } }
    }
}

impl Waits {
    fn add(&mut self, ms: u64) {
        *self.counts.entry(cut(ms)).or_default() += 1;
    }

    fn add_all(&mut self, others: &Self) {
        for (ms, count) in &others.counts {
            *self.counts.entry(*ms).or_default() += count;
        }
    }

    fn quantiles(&self) -> Option<WaitQuantiles> {
        Some(WaitQuantiles { p50_ms: self.quantile(50)?, p95_ms: self.quantile(95)? })
    }

    /// The wait that `percent` of 100 did not exceed (the nearest rank); `None` if none is known.
    fn quantile(&self, percent: u64) -> Option<u64> {
        let count: u64 = self.counts.values().sum();
        let rank = count.saturating_mul(percent).div_ceil(100);
        let mut passed = 0;
        let reached = self.counts.iter().find(|(_, count)| {
            passed += **count;
            passed >= rank
        });
        reached.map(|(ms, _)| *ms)
    }
}

/// The wait with its leading bits only.
const fn cut(ms: u64) -> u64 {
    let dropped = (u64::BITS - ms.leading_zeros()).saturating_sub(KEPT_BITS);
    ms >> dropped << dropped
}

const fn minute_of(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis() - now.millis().rem_euclid(MINUTE_MS))
}

/// The oldest minute that is kept.
const fn oldest(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(minute_of(now).millis() - (MINUTES - 1) * MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Figures, History, KEPT_BITS, MINUTE_MS, MinuteView, WaitQuantiles, cut};
    use crate::domain::time::Timestamp;

    const fn at(minute: i64, second: i64) -> Timestamp {
        Timestamp::from_millis(minute * MINUTE_MS + second * 1000)
    }

    fn waits(waited: impl IntoIterator<Item = u64>) -> Option<WaitQuantiles> {
        let mut history = History::begin(at(0, 0));
        waited.into_iter().for_each(|ms| history.started(at(0, 1), ms));
        history.view(at(0, 2)).hour.wait
    }

    #[test]
    fn a_minute_tells_what_was_noted_in_it() {
        let mut history = History::begin(at(100, 10));
        history.saw_queue(at(100, 20), 2);
        history.saw_queue(at(100, 22), 7);
        history.saw_queue(at(100, 24), 3);
        history.started(at(100, 30), 40);
        history.finished(at(100, 40));
        history.lost(at(101, 0));

        let view = history.view(at(101, 30));

        let first = Figures { wait: Some(WaitQuantiles { p50_ms: 40, p95_ms: 40 }), finished: 1, faults: 0 };
        let second = Figures { wait: None, finished: 0, faults: 1 };
        assert_eq!(
            view.minutes,
            [
                MinuteView { at: at(100, 0), queued: Some(7), figures: first },
                MinuteView { at: at(101, 0), queued: None, figures: second },
            ]
        );
        assert_eq!((view.since, view.hour), (at(100, 10), Figures { faults: 1, ..first }));
    }

    #[test]
    fn minutes_in_which_nothing_was_noted_are_left_out() {
        let mut history = History::begin(at(0, 0));
        history.saw_queue(at(0, 0), 1);
        history.saw_queue(at(5, 0), 2);

        let minutes: Vec<_> = history.view(at(6, 0)).minutes.iter().map(|minute| minute.at).collect();

        assert_eq!(minutes, [at(0, 0), at(5, 0)]);
    }

    #[test]
    fn what_is_an_hour_old_is_told_no_more() {
        let mut history = History::begin(at(0, 0));
        history.finished(at(0, 30));
        history.finished(at(1, 30));

        let view = history.view(at(60, 59));

        assert_eq!((view.since, view.hour.finished), (at(1, 0), 1));
        assert_eq!(history.view(at(61, 0)).hour.finished, 0);
    }

    #[test]
    fn a_history_keeps_no_more_than_its_minutes() {
        let mut history = History::begin(at(0, 0));
        (0..200).for_each(|minute| history.finished(at(minute, 0)));

        assert_eq!((history.minutes.len(), history.view(at(199, 0)).hour.finished), (60, 60));
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_no_minutes_to_come() {
        let mut history = History::begin(at(100, 0));
        history.finished(at(100, 0));
        history.finished(at(40, 0));

        let view = history.view(at(40, 30));

        assert_eq!((view.since, view.hour.finished), (at(40, 0), 1));
        assert_eq!(view.minutes.iter().map(|minute| minute.at).collect::<Vec<_>>(), [at(40, 0)]);
    }

    #[test]
    fn quantiles_are_waits_of_the_nearest_rank() {
        assert_eq!(waits([]), None);
        assert_eq!(waits([5]), Some(WaitQuantiles { p50_ms: 5, p95_ms: 5 }));
        assert_eq!(waits(1..=20), Some(WaitQuantiles { p50_ms: 10, p95_ms: 19 }));
        assert_eq!(waits(1..=21), Some(WaitQuantiles { p50_ms: 11, p95_ms: 20 }));
    }

    proptest! {
        #[test]
        fn a_wait_is_told_at_most_a_32nd_too_short(ms: u64) {
            let told = cut(ms);

            prop_assert!(told <= ms && ms - told <= ms >> (KEPT_BITS - 1));
        }
    }
}

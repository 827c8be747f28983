//! Random histories against a small model.

use std::collections::BTreeMap;

use guichet::domain::event::LogPlace;
use guichet::domain::ids::{Owner, SubmissionId};
use guichet::domain::lease::{Guarded, Lease};
use guichet::domain::queue::Priority;
use guichet::domain::submission::{LostReason, NewSubmission, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{CancelRequested, Enqueued, LogPage, Storage};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::Fixture;
use crate::storage::factory::{
    CAPS, NO_CAPS, at, file, finished, get, insert_all, lease_as, new, order, owner, pace, runtime, worker,
};

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Insert { owner: u8, class: u8, c: bool, queued: bool },
    Lease { python: bool, c: bool },
    Finish(usize),
    GiveUp(usize, LostReason),
    HandBack(usize),
    Cancel(usize),
    Enqueue { which: usize, other_files: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let reason = prop_oneof![Just(LostReason::HostLost), Just(LostReason::ContainerLost)];
    let class = prop_oneof![1 => Just(0_u8), 4 => Just(1), 1 => Just(2)];
    let queued = prop_oneof![5 => Just(true), 1 => Just(false)];
    let accepts = prop_oneof![4 => Just(true), 1 => Just(false)];
    prop_oneof![
        6 => (0..3_u8, class, any::<bool>(), queued)
            .prop_map(|(owner, class, c, queued)| Step::Insert { owner, class, c, queued }),
        5 => (accepts, any::<bool>()).prop_map(|(python, c)| Step::Lease { python, c }),
        2 => any::<usize>().prop_map(Step::Finish),
        2 => (any::<usize>(), reason).prop_map(|(which, reason)| Step::GiveUp(which, reason)),
        1 => any::<usize>().prop_map(Step::HandBack),
        1 => any::<usize>().prop_map(Step::Cancel),
        2 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, other_files)| Step::Enqueue { which, other_files }),
    ]
}

/// What the model knows of a submission.
#[derive(Clone, Debug)]
struct Entry {
    id: SubmissionId,
    owner: Owner,
    class: usize,
    c: bool,
    state: StateName,
    /// Rank and ticket while it is queued or running.
    place: (i64, i64),
    round: u32,
    attempt: u32,
    /// Losses of the round: all, and those of its container.
    lost: (u32, u32),
    /// Losses of the round with instances.
    instances_lost: u32,
    cancel_requested: bool,
    /// Files now, and those that entered the queue last.
    files: u32,
    queued_files: Option<u32>,
    events: i64,
}

#[derive(Debug, Default)]
struct Model {
    entries: Vec<Entry>,
    started: [i64; 3],
    last_ranks: BTreeMap<(usize, Owner), i64>,
    last_ticket: i64,
    edits: u32,
}

impl Model {
    fn enter(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        let last = self.last_ranks.entry((entry.class, entry.owner.clone())).or_default();
        *last = self.started[entry.class].max(*last + 1);
        self.last_ticket += 1;
        entry.place = (*last, self.last_ticket);
        entry.state = StateName::Queued;
        entry.queued_files = Some(entry.files);
        entry.attempt = 0;
        entry.lost = (0, 0);
        entry.instances_lost = 0;
        entry.events += 1;
    }

    fn end(&mut self, index: usize, state: StateName) {
        let entry = &mut self.entries[index];
        entry.state = state;
        entry.cancel_requested = false;
        entry.queued_files = entry.queued_files.or(Some(entry.files));
        entry.events += 1;
    }

    fn requeue(&mut self, index: usize) {
        self.entries[index].state = StateName::Queued;
        self.entries[index].events += 1;
    }

    fn order(&self) -> Vec<SubmissionId> {
        let mut queued: Vec<&Entry> =
            self.entries.iter().filter(|entry| entry.state == StateName::Queued).collect();
        queued.sort_by_key(|entry| (entry.class, entry.place));
        queued.into_iter().map(|entry| entry.id).collect()
    }

    fn index_of(&self, id: SubmissionId) -> usize {
        self.entries.iter().position(|entry| entry.id == id).unwrap()
    }

    /// One of those in a state, if there is one.
    fn pick(&self, which: usize, state: Option<StateName>) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.entries.len())
            .filter(|index| state.is_none_or(|state| self.entries[*index].state == state))
            .collect();
        fitting.get(which.checked_rem(fitting.len())?).copied()
    }

    fn lease_of(&self, index: usize) -> Lease {
        let entry = &self.entries[index];
        Lease { submission: entry.id, round: entry.round, attempt: entry.attempt, worker: worker("w1") }
    }
}

/// Does a step to the database and to the model; both must answer the same.
async fn take(db: &impl Storage, model: &mut Model, step: &Step) {
    match step {
        Step::Insert { owner, class, c, queued } => {
            let name = format!("owner-{owner}");
            let new = NewSubmission {
                priority: Priority::from_class(i64::from(*class)).unwrap(),
                runtime: runtime(if *c { "c" } else { "python" }),
                enqueue: *queued,
                ..new(&name)
            };
            insert(db, model, new, usize::from(*class)).await;
        }
        Step::Lease { python, c } => lease(db, model, *python, *c).await,
        Step::Finish(which) => {
            let Some(index) = model.pick(*which, Some(StateName::Running)) else { return };
            let lease = model.lease_of(index);
            let ending = finished(lease.round, Verdict::Accepted);
            assert_eq!(db.finish(&lease, vec![], ending, at(1)).await.unwrap(), Guarded::LeaseHeld);
            let cancelled = model.entries[index].cancel_requested;
            model.end(index, if cancelled { StateName::Cancelled } else { StateName::Finished });
        }
        Step::GiveUp(which, reason) => {
            let Some(index) = model.pick(*which, Some(StateName::Running)) else { return };
            let lease = model.lease_of(index);
            assert_eq!(db.give_up(&lease, (*reason).into(), CAPS, at(1)).await.unwrap(), Guarded::LeaseHeld);
            let entry = &mut model.entries[index];
            entry.lost.0 += 1;
            entry.lost.1 += u32::from(*reason == LostReason::ContainerLost);
            entry.instances_lost += u32::from(*reason == LostReason::InstanceLost);
            let failed = entry.lost.0 >= CAPS.any || entry.lost.1 >= CAPS.container;
            match entry.cancel_requested {
                true => model.end(index, StateName::Cancelled),
                false if failed => model.end(index, StateName::Failed),
                false => model.requeue(index),
            }
        }
        Step::HandBack(which) => {
            let Some(index) = model.pick(*which, Some(StateName::Running)) else { return };
            assert_eq!(
                db.hand_back(&model.lease_of(index), LostReason::InstanceLost.into(), at(1)).await.unwrap(),
                Guarded::LeaseHeld
            );
            if model.entries[index].cancel_requested {
                model.end(index, StateName::Cancelled);
            } else {
                model.requeue(index);
            }
        }
        Step::Cancel(which) => {
            let Some(index) = model.pick(*which, None) else { return };
            cancel(db, model, index).await;
        }
        Step::Enqueue { which, other_files } => {
            let Some(index) = model.pick(*which, None) else { return };
            enqueue(db, model, index, *other_files).await;
        }
    }
}

async fn insert(db: &impl Storage, model: &mut Model, new: NewSubmission, class: usize) {
    let queued = new.enqueue;
    model.entries.push(Entry {
        id: new.id,
        owner: new.owner.clone(),
        class,
        c: new.runtime == runtime("c"),
        state: StateName::Draft,
        place: (0, 0),
        round: 1,
        attempt: 0,
        lost: (0, 0),
        instances_lost: 0,
        cancel_requested: false,
        files: 0,
        queued_files: None,
        events: 0,
    });
    insert_all(db, vec![new], at(0)).await;
    if queued {
        model.enter(model.entries.len() - 1);
    }
}

async fn lease(db: &impl Storage, model: &mut Model, python: bool, c: bool) {
    let mut runtimes = vec![];
    runtimes.extend(python.then(|| runtime("python")));
    runtimes.extend(c.then(|| runtime("c")));
    let leased = lease_as(db, "w1", &runtimes, at(0)).await;
    let suspect = |entry: &Entry| entry.instances_lost > 1;
    let suspect_runs = model.entries.iter().any(|entry| entry.state == StateName::Running && suspect(entry));
    let may_run = |entry: &Entry| !(suspect_runs && suspect(entry));
    let first = model
        .order()
        .into_iter()
        .map(|id| model.index_of(id))
        .filter(|index| may_run(&model.entries[*index]))
        .find(|index| if model.entries[*index].c { c } else { python });
    assert_eq!(
        leased.as_ref().map(|leased| leased.work.submission.id),
        first.map(|index| model.entries[index].id)
    );
    if let Some(index) = first {
        let entry = &mut model.entries[index];
        entry.state = StateName::Running;
        entry.attempt += 1;
        entry.events += 1;
        let started = &mut model.started[entry.class];
        *started = (*started).max(entry.place.0);
        assert_eq!(leased.unwrap().work.lease, model.lease_of(index));
    }
}

async fn cancel(db: &impl Storage, model: &mut Model, index: usize) {
    let answer = db.cancel(model.entries[index].id, at(2)).await.unwrap();
    match model.entries[index].state {
        StateName::Draft | StateName::Queued => {
            assert!(matches!(answer, CancelRequested::Cancelled(_)), "{answer:?}");
            model.end(index, StateName::Cancelled);
        }
        StateName::Running => {
            assert_eq!(answer, CancelRequested::Running(model.lease_of(index)));
            model.entries[index].cancel_requested = true;
        }
        StateName::Cancelled => assert!(matches!(answer, CancelRequested::Cancelled(_)), "{answer:?}"),
        StateName::Finished | StateName::Failed => assert_eq!(answer, CancelRequested::Ended),
    }
}

async fn enqueue(db: &impl Storage, model: &mut Model, index: usize, other_files: bool) {
    let id = model.entries[index].id;
    let active = matches!(model.entries[index].state, StateName::Queued | StateName::Running);
    if other_files && !active {
        model.edits += 1;
        model.entries[index].files = model.edits;
        let files = vec![file("main.py", &model.edits.to_string())];
        db.replace_files(id, files, at(2)).await.unwrap();
    }
    let answer = db.enqueue(id, NO_CAPS, pace(), at(3)).await.unwrap();
    let changed = model.entries[index].queued_files != Some(model.entries[index].files);
    if active || !changed {
        assert!(matches!(answer, Enqueued::Unchanged(_)), "{answer:?}");
        return;
    }
    assert!(matches!(answer, Enqueued::Queued(_)), "{answer:?}");
    if model.entries[index].state != StateName::Draft {
        model.entries[index].round += 1;
    }
    model.enter(index);
}

/// The database shows what the model says.
async fn compare(db: &impl Storage, model: &Model) {
    for (position, id) in (1..).zip(&model.order()) {
        assert_eq!(get(db, *id).await.position, Some(position));
    }
    for entry in &model.entries {
        let stored = get(db, entry.id).await.submission;
        let (state, round, attempt) = (stored.state.name(), stored.round, stored.state.attempt());
        assert_eq!((state, round, attempt), (entry.state, entry.round, entry.attempt));
        let seqs = match db.events_since(entry.id, LogPlace::Start, 1000).await.unwrap() {
            LogPage::Events(events) => events.iter().map(|event| event.seq).collect::<Vec<_>>(),
            LogPage::Unknown => panic!("the log has no start"),
        };
        assert_eq!(seqs, (1..=entry.events).collect::<Vec<_>>());
    }
    for number in 0..3 {
        let owner = owner(&format!("owner-{number}"));
        let of_owner = |entry: &&Entry| entry.owner == owner;
        let written: i64 = model.entries.iter().filter(of_owner).map(|entry| entry.events).sum();
        let seqs = match db.owner_events_since(&owner, LogPlace::Start, 1000).await.unwrap() {
            LogPage::Events(events) => events.iter().map(|event| event.owner_seq).collect::<Vec<_>>(),
            LogPage::Unknown => panic!("the log has no start"),
        };
        assert_eq!(seqs, (1..=written).collect::<Vec<_>>());
        let queued =
            model.entries.iter().filter(of_owner).filter(|entry| entry.state == StateName::Queued).count();
        assert_eq!(db.queued_of(&owner).await.unwrap(), u64::try_from(queued).unwrap());
    }
}

pub fn any_history_gives_the_order_and_the_logs_of_the_model<F: Fixture>() {
    let histories = proptest::collection::vec(step(), 1..120);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&histories, |history| {
            runtime.block_on(async {
                let fixture = F::open().await;
                let mut model = Model::default();
                for step in &history {
                    take(fixture.store(), &mut model, step).await;
                    assert_eq!(order(fixture.store()).await, model.order());
                }
                compare(fixture.store(), &model).await;
            });
            Ok(())
        })
        .unwrap();
}

//! Instances that die again and again: of themselves, or of what they run.

use std::time::Duration;

use guichet::domain::ids::SubmissionId;
use guichet::domain::lease::Lease;
use guichet::domain::submission::StateName;
use guichet::domain::verdict::Verdict;
use guichet::storage::{Rescue, Rescued, Storage};

use crate::storage::factory::{
    CAPS, at, finished, insert, lease_as, new, runtime, state, submission, worker,
};

/// Instances, one after the other, in the seconds of the tests.
struct Lives<'a, S> {
    db: &'a S,
    now: i64,
    born: i64,
    count: u32,
}

impl<'a, S: Storage> Lives<'a, S> {
    const fn of(db: &'a S) -> Self {
        Self { db, now: 0, born: 0, count: 0 }
    }

    fn name(&self) -> String {
        format!("life-{}", self.count)
    }

    /// The next instance starts, a second after the one before died, and takes back what that had.
    async fn begin(&mut self) -> Vec<Rescued> {
        self.now += 1;
        (self.born, self.count) = (self.now, self.count + 1);
        self.db.rescue(Rescue::Others(worker(&self.name())), CAPS, at(self.now)).await.unwrap()
    }

    /// What it leases now, if anything.
    async fn lease(&self) -> Option<Lease> {
        let leased = lease_as(self.db, &self.name(), &[runtime("python")], at(self.now)).await;
        leased.map(|leased| leased.work.lease)
    }

    /// Lets it live so many seconds more, in which it keeps its lease.
    async fn live(&mut self, seconds: i64, held: Option<&Lease>) {
        let until = self.now + seconds;
        while self.now < until {
            self.now = until.min(self.now + 5);
            if let Some(lease) = held {
                let lease_until = at(self.now).plus(Duration::from_secs(15));
                let _held = self.db.renew(vec![lease.clone()], lease_until).await.unwrap();
            }
        }
    }

    /// Lets it live until it leases something; for how long it had been up then.
    async fn until_it_leases(&mut self, step: i64) -> (Lease, i64) {
        loop {
            if let Some(lease) = self.lease().await {
                return (lease, self.now - self.born);
            }
            self.now += step;
        }
    }
}

pub async fn a_loop_of_deaths_uses_up_no_attempt_of_what_it_runs(db: &impl Storage) {
    let mut lives = Lives::of(db);
    for period in [3, 9, 11, 14, 30, 100, 600] {
        let id = insert(db, new("alice")).await;
        for life in 0..9 {
            lives.begin().await;
            // No two lives are of the same length.
            let end = lives.born + period + period * (life * 7 % 5) / 10;
            let mut held = None;
            while lives.now < end {
                held = match held {
                    Some(lease) => Some(lease),
                    None => lives.lease().await,
                };
                lives.live((period / 9 + 1).min(end - lives.now), held.as_ref()).await;
            }
        }

        lives.begin().await;
        assert_eq!(state(db, id).await, StateName::Queued, "lives of {period} s");
        let (lease, up) = lives.until_it_leases(10).await;
        assert!(up <= 3 * period + 10, "it rests for {up} s after lives of {period} s");
        let _held = db.finish(&lease, vec![], finished(1, Verdict::Accepted), at(lives.now)).await.unwrap();
        assert_eq!((lease.submission, state(db, id).await), (id, StateName::Finished));
    }
}

/// The attempts of a submission that kills each instance after so many seconds, until it has failed, and how long each
/// instance had been up when it began.
async fn kill_until_failed<S: Storage>(lives: &mut Lives<'_, S>, id: SubmissionId, ran: i64) -> Vec<i64> {
    let mut ups = Vec::new();
    while state(lives.db, id).await != StateName::Failed {
        let (lease, up) = lives.until_it_leases(1 + ran / 10).await;
        assert_eq!(lease.submission, id);
        lives.live(ran, Some(&lease)).await;
        ups.push(up);
        lives.begin().await;
    }
    ups
}

pub async fn what_kills_its_instance_each_time_has_failed_after_a_few(db: &impl Storage) {
    let mut lives = Lives::of(db);
    for ran in [0, 1, 5, 30, 200, 1000] {
        lives.begin().await;
        lives.live(3600, None).await;
        let id = insert(db, new("alice")).await;

        let ups = kill_until_failed(&mut lives, id, ran).await;

        assert!(ups.len() <= 5, "{ran} s: {ups:?}");
        let failure = submission(db, id).await.failure.unwrap();
        assert_eq!(failure.attempts.len(), ups.len(), "{ran} s: its history is whole");
    }
}

pub async fn what_kills_its_instance_at_once_has_failed_within_a_minute(db: &impl Storage) {
    let mut lives = Lives::of(db);
    lives.begin().await;
    lives.live(3600, None).await;
    let id = insert(db, new("alice")).await;

    let ups = kill_until_failed(&mut lives, id, 1).await;

    // At once again after the first, and then with longer and longer proof that it is to blame.
    assert_eq!(ups, [3600, 0, 10, 24]);
}

pub async fn what_was_lost_twice_rests_from_the_start_of_the_newest_instance(db: &impl Storage) {
    let mut lives = Lives::of(db);
    let id = insert(db, new("alice")).await;
    for _ in 0..2 {
        lives.begin().await;
        let lost = lives.lease().await.map(|lease| lease.submission);
        assert_eq!(lost, Some(id));
        lives.live(4, None).await;
    }
    for _ in 0..3 {
        lives.begin().await;
        lives.live(8, None).await;
        assert_eq!(lives.lease().await, None);
    }

    lives.begin().await;
    let (_lease, up) = lives.until_it_leases(1).await;

    assert_eq!(up, 10);
}

pub async fn what_ran_beside_one_that_kills_its_instances_is_not_lost_with_it_for_good(db: &impl Storage) {
    let mut lives = Lives::of(db);
    lives.begin().await;
    lives.live(60, None).await;
    let [poison, bystander] = [insert(db, new("alice")).await, insert(db, new("bob")).await];

    while state(db, poison).await != StateName::Failed {
        let (leased, _up) = lives.until_it_leases(1).await;
        if leased.submission == bystander {
            // The other one rests for longer.
            let ending = finished(1, Verdict::Accepted);
            let _held = db.finish(&leased, vec![], ending, at(lives.now)).await.unwrap();
        } else {
            let _beside = lives.lease().await;
            lives.live(1, None).await;
            lives.begin().await;
        }
    }

    assert_eq!(state(db, bystander).await, StateName::Finished);
}

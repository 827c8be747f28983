//! A service whose slots are all taken, so that its queue stands still, beside a model of that queue.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use super::client::{Client, Role, text};
use super::guichet::TestGuichet;
use super::model::Model;
use super::options::Options;
use super::programs::{Program, sitter};
use super::watch::Watch;
use super::{exercises, wait_for};

/// How long streams may take to tell what the model knows.
const QUIET: Duration = Duration::from_secs(20);

/// A service with so many slots, all taken by sitters, and a backend that submits for anybody.
#[derive(Debug)]
pub struct Counter {
    _guichet: TestGuichet,
    pub backend: Client,
    pub model: Model,
    /// What runs, oldest first.
    pub running: Vec<String>,
}

impl Counter {
    /// Starts the service and fills its slots.
    pub async fn open(slots: usize) -> Self {
        let guichet = Options::default().slots(slots).start().await;
        guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
        let backend = guichet.client(Role::Backend, "platform");
        let mut counter = Self { _guichet: guichet, backend, model: Model::default(), running: Vec::new() };
        for _ in 0..slots {
            counter.enter("early", "normal", 1, &sitter()).await;
            let next = counter.start_next();
            counter.backend.wait_for_state(&next, &["running"]).await;
        }
        counter
    }

    /// Submits for an owner and tells the model.
    pub async fn enter(
        &mut self,
        owner: &str,
        priority: &str,
        count: usize,
        program: &Program,
    ) -> Vec<String> {
        let mut body = program.body();
        for (field, value) in [("exercise_id", "patient"), ("owner", owner), ("priority", priority)] {
            body[field] = json!(value);
        }
        let batch = json!({ "submissions": vec![body; count] });
        let stored = self.backend.post("/v1/submissions/batch", &batch).await.expect(202);
        let ids: Vec<_> =
            stored["items"].as_array().into_iter().flatten().map(|item| text(&item["id"])).collect();
        for id in &ids {
            self.model.enter(priority, owner, id);
        }
        ids
    }

    /// Moves the model's next one to the running ones.
    pub fn start_next(&mut self) -> String {
        let (_owner, id) = self.model.start_next().expect("one waits");
        self.running.push(id.clone());
        id
    }

    /// Cancels what has run longest, so that the next one starts; answers which that is by the model.
    pub async fn advance(&mut self) -> String {
        let oldest = self.running.remove(0);
        self.backend.cancel(&oldest).await.expect(200);
        let next = self.start_next();
        self.backend.wait_for_state(&next, &["running"]).await;
        next
    }

    /// The model's places.
    pub fn places(&self) -> HashMap<String, u64> {
        (1..).zip(self.model.order()).map(|(place, id)| (id, place)).collect()
    }

    /// The places that the list of queued submissions shows.
    pub async fn listed_places(&self) -> HashMap<String, u64> {
        let mut places = HashMap::new();
        let mut cursor = String::new();
        loop {
            let list = self
                .backend
                .get(&format!("/v1/submissions?state=queued&limit=100{cursor}"))
                .await
                .expect(200);
            for item in list["items"].as_array().into_iter().flatten() {
                places.insert(text(&item["id"]), item["position"].as_u64().unwrap_or_default());
            }
            match list["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return places,
            }
        }
    }

    /// Waits until every stream told the places that the model has.
    pub async fn quiet(&self, watch: &Watch) {
        let mut expected = self.places();
        expected.retain(|id, _place| watch.is_open(id));
        let told = || async {
            let told = watch.places();
            let wrong = |(id, place): (&String, &u64)| {
                (told.get(id) != Some(place)).then(|| (id.clone(), *place, told.get(id).copied()))
            };
            expected.iter().filter_map(wrong).collect::<Vec<_>>()
        };
        wait_for("streams to tell the places of the model: (id, place, told)", QUIET, told, Vec::is_empty)
            .await;
    }

    /// Cancels everything, the waiting first.
    pub async fn close(mut self) {
        for id in self.model.order().into_iter().rev().chain(std::mem::take(&mut self.running)) {
            let answer = self.backend.cancel(&id).await;
            assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
        }
    }
}

//! Many streams read at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::client::Client;
use super::stream::Event;

type Histories = Arc<Mutex<HashMap<String, Vec<Event>>>>;

/// Readers of the streams of many submissions; they end with it.
#[derive(Debug, Default)]
pub struct Watch {
    histories: Histories,
    readers: JoinSet<()>,
}

impl Watch {
    /// Opens a stream of that submission and reads it to its end.
    pub async fn open(&mut self, client: &Client, id: &str) {
        let mut stream = client.events(id).await;
        assert_eq!(stream.status, 200, "{id}");
        lock(&self.histories).insert(id.to_owned(), Vec::new());
        let (histories, id) = (self.histories.clone(), id.to_owned());
        self.readers.spawn(async move {
            while let Some(event) = stream.next_whenever().await {
                lock(&histories).entry(id.clone()).or_default().push(event);
            }
        });
    }

    /// Whether that submission is watched.
    pub fn is_open(&self, id: &str) -> bool {
        lock(&self.histories).contains_key(id)
    }

    /// The place each stream told last.
    pub fn places(&self) -> HashMap<String, u64> {
        let place =
            |events: &Vec<Event>| events.iter().rev().find_map(|event| event.json()["position"].as_u64());
        lock(&self.histories).iter().filter_map(|(id, events)| Some((id.clone(), place(events)?))).collect()
    }

    /// What one stream told so far.
    pub fn history(&self, id: &str) -> Vec<Event> {
        lock(&self.histories).get(id).cloned().unwrap_or_default()
    }

    /// Waits until every stream is over.
    pub async fn wait_for_ends(&mut self) {
        while self.readers.join_next().await.is_some() {}
    }
}

fn lock(histories: &Histories) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Event>>> {
    histories.lock().unwrap_or_else(PoisonError::into_inner)
}

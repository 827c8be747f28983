//! A client of event streams that keeps all it has read.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventsource_stream::Eventsource as _;
use futures_util::{Stream, StreamExt as _};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

/// How long the next event may take.
const NEXT: Duration = Duration::from_mins(1);

/// One event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its type.
    pub name: String,
    /// Its resume point, if it has one.
    pub id: Option<String>,
    /// Its data, byte by byte.
    pub data: String,
}

impl Event {
    /// Its data.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Whether it ends a round.
    pub fn ends(&self) -> bool {
        ["submission.finished", "submission.failed", "submission.cancelled"].contains(&self.name.as_str())
    }
}

type Events = Pin<Box<dyn Stream<Item = Option<eventsource_stream::Event>> + Send>>;

/// An open stream and what came over it.
pub struct EventStream {
    /// Status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Events read so far.
    pub history: Vec<Event>,
    raw: Arc<Mutex<Vec<u8>>>,
    events: Events,
    last_id: String,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("status", &self.status)
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

impl EventStream {
    /// Sends the request; whatever the status is.
    pub async fn open(request: RequestBuilder) -> Self {
        Self::try_open(request).await.expect("an answer")
    }

    /// Sends the request; an error if nobody answers.
    pub async fn try_open(request: RequestBuilder) -> reqwest::Result<Self> {
        let answer = request.header("Accept", "text/event-stream").send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let raw: Arc<Mutex<Vec<u8>>> = Arc::default();
        let copy = raw.clone();
        let bytes = answer.bytes_stream().inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                copy.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(chunk);
            }
        });
        // A connection that breaks is the end of what came.
        let events = Box::pin(bytes.eventsource().map(Result::ok));
        Ok(Self { status, headers, history: Vec::new(), raw, events, last_id: String::new() })
    }

    /// The next event; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Event> {
        match tokio::time::timeout(NEXT, self.next_whenever()).await {
            Ok(event) => event,
            Err(elapsed) => panic!("{elapsed}: no event in {NEXT:?} after {:?}", self.history),
        }
    }

    /// The next event, however long it takes; `None` when the stream is over.
    pub async fn next_whenever(&mut self) -> Option<Event> {
        let event = self.events.next().await??;
        // A parser keeps the last id until there is another: ids only grow, so the same again is none.
        let id = (event.id != self.last_id).then(|| event.id.clone());
        self.last_id = event.id;
        let event = Event { name: event.event, id, data: event.data };
        self.history.push(event.clone());
        Some(event)
    }

    /// Reads on until an event is as wanted, and answers it.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let Some(event) = self.next().await else { panic!("the stream ended after {:?}", self.history) };
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Reads on until an event of that type.
    pub async fn until_named(&mut self, name: &str) -> Event {
        self.until(|event| event.name == name).await
    }

    /// Reads to the end of the stream and answers all it carried.
    pub async fn into_end(mut self) -> Vec<Event> {
        while self.next().await.is_some() {}
        self.history
    }

    /// What is there without waiting longer than `patience` for more.
    pub async fn drain(&mut self, patience: Duration) {
        while let Ok(Some(_event)) = tokio::time::timeout(patience, self.next()).await {}
    }

    /// The last id it read.
    pub fn last_id(&self) -> Option<&str> {
        (!self.last_id.is_empty()).then_some(self.last_id.as_str())
    }

    /// Types of the events read so far.
    pub fn names(&self) -> Vec<&str> {
        self.history.iter().map(|event| event.name.as_str()).collect()
    }

    /// All bytes read so far.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Those events that have an id: facts out of the log, not views.
pub fn facts(events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| event.id.is_some()).cloned().collect()
}

/// The numbers in the ids of events, without their epochs.
pub fn numbers(events: &[Event]) -> Vec<u64> {
    let number = |id: &str| id.trim_start_matches('o').split('.').next()?.parse().ok();
    events.iter().filter_map(|event| event.id.as_deref()).map(|id| number(id).expect("a number")).collect()
}

/// The last place that was told before `submission.started`.
pub fn last_place_before_start(events: &[Event]) -> Value {
    let started = events.iter().position(|event| event.name == "submission.started").expect("it started");
    let mut places = events[..started].iter().filter(|event| event.json()["position"].is_u64());
    places.next_back().expect("a place").json()["position"].clone()
}

//! Many students who follow their events and read them, each on a connection of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use guichet::app::{Caller, Role};
use guichet::auth::{AuthSettings, mint};
use guichet::clock::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::service::Service;

const HOUR: Duration = Duration::from_hours(1);
/// How long a crowd may take to hear of a change.
const PATIENCE: Duration = Duration::from_mins(1);
/// Connections that are opened at the same time.
const AT_ONCE: usize = 8;
const SNAPSHOT: &[u8] = b"event: stream.snapshot";
const PLACE: &[u8] = b"event: queue.position";

/// `student-0` and on, each with an open stream.
#[derive(Debug)]
pub struct Crowd {
    threads: Runtime,
    readers: JoinSet<()>,
    heard: Arc<Heard>,
    number: usize,
}

/// What all of them heard together.
#[derive(Debug, Default)]
struct Heard {
    snapshots: AtomicUsize,
    places: AtomicUsize,
}

impl Crowd {
    /// Opens so many streams, a few at a time, and waits until each has begun; answers how long that took as well.
    pub fn open(service: &Service, number: usize) -> (Self, Duration) {
        let key = service.data().join("key");
        let now = Clock::System.now();
        let tokens: Vec<String> = (0..number)
            .map(|index| {
                let subject = format!("student-{index}").parse().unwrap();
                mint(&key, &AuthSettings::default(), &Caller { subject, role: Role::Student }, HOUR, now)
                    .unwrap()
            })
            .collect();
        let threads =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (heard, address) = (Arc::new(Heard::default()), service.address());
        let mut readers = JoinSet::new();
        let begun = Instant::now();
        threads.block_on(async {
            for tokens in tokens.chunks(AT_ONCE) {
                let mut opening = JoinSet::new();
                for token in tokens {
                    let request = format!(
                        "GET /v1/events HTTP/1.1\r\nhost: guichet\r\nauthorization: Bearer {token}\r\n\r\n"
                    );
                    opening.spawn(async move {
                        let mut stream = TcpStream::connect(address).await.unwrap();
                        stream.set_nodelay(true).unwrap();
                        stream.write_all(request.as_bytes()).await.unwrap();
                        let mut reader = Reader::new(stream);
                        while reader.read(SNAPSHOT).await == Some(0) {}
                        reader
                    });
                }
                while let Some(opened) = opening.join_next().await {
                    readers.spawn(listen(opened.unwrap(), Arc::clone(&heard)));
                }
            }
        });
        let took = begun.elapsed();
        (Self { threads, readers, heard, number }, took)
    }

    /// Does what moves all of them; how long it takes until the last has heard.
    pub fn time_until_all_heard(&self, act: impl FnOnce()) -> Duration {
        let all = self.heard.places.load(Ordering::Relaxed) + self.number;
        let begun = Instant::now();
        act();
        self.threads.block_on(async {
            while self.heard.places.load(Ordering::Relaxed) < all {
                assert!(begun.elapsed() < PATIENCE, "not all have heard within {PATIENCE:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        begun.elapsed()
    }

    /// Places that were heard so far.
    pub fn places(&self) -> usize {
        self.heard.places.load(Ordering::Relaxed)
    }

    /// Closes all streams.
    pub fn close(mut self) {
        self.readers.abort_all();
        self.threads.block_on(async { while self.readers.join_next().await.is_some() {} });
    }
}

async fn listen(mut reader: Reader, heard: Arc<Heard>) {
    heard.snapshots.fetch_add(1, Ordering::Relaxed);
    while let Some(places) = reader.read(PLACE).await {
        heard.places.fetch_add(places, Ordering::Relaxed);
    }
}

/// Reads a stream and counts what is in it.
struct Reader {
    stream: TcpStream,
    /// The end of what was read before: what is counted may be cut.
    rest: Vec<u8>,
}

impl Reader {
    const fn new(stream: TcpStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Reads some; how often `wanted` came with it, `None` at the end.
    async fn read(&mut self, wanted: &[u8]) -> Option<usize> {
        let mut some = [0; 2048];
        let length = self.stream.read(&mut some).await.unwrap_or(0);
        if length == 0 {
            return None;
        }
        self.rest.extend_from_slice(&some[..length]);
        let count = self.rest.windows(wanted.len()).filter(|window| *window == wanted).count();
        let kept = self.rest.len().saturating_sub(wanted.len() - 1);
        self.rest.drain(..kept);
        Some(count)
    }
}

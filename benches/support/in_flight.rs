//! Many submissions over several connections at the same time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::client::Client;
use super::service::{Service, submission};

/// Adds two numbers.
pub const PYTHON: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// Sends `count` Python programs over so many connections at once; the time of each, and how many a second ended.
pub fn in_flight(service: &Service, connections: usize, count: usize) -> (Vec<Duration>, f64) {
    let body = submission("python", "main.py", PYTHON).to_string();
    let clients: Vec<Client> = (0..connections).map(|_| service.client()).collect();
    let each = count / connections;
    let times = Mutex::new(Vec::with_capacity(count));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for mut client in clients {
            let (body, times) = (&body, &times);
            scope.spawn(move || {
                let mut own = Vec::with_capacity(each);
                for _ in 0..each {
                    own.push(send(&mut client, body));
                }
                times.lock().unwrap().append(&mut own);
            });
        }
    });
    let per_s = count as f64 / begun.elapsed().as_secs_f64();
    (times.into_inner().unwrap(), per_s)
}

/// Sends one and waits until it has been graded; the time that this took.
pub fn send(client: &mut Client, body: &str) -> Duration {
    let begun = Instant::now();
    let answer = client.post_and_wait("/v1/submissions", body);
    let took = begun.elapsed();
    let ended = answer.expect(&[200]).json();
    assert_eq!(ended["result"]["verdict"], "accepted", "{ended}");
    took
}

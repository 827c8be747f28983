//! Many users who are connected and say nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use guichet::app::{Caller, Role};
use guichet::auth::{AuthSettings, mint};
use guichet::clock::Clock;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::service::Service;

const HOUR: Duration = Duration::from_hours(1);
const MASK: [u8; 4] = [0; 4];

/// How they are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    WebSocket,
    Stream,
}

/// Their connections.
#[derive(Debug)]
pub struct Listeners {
    _connections: Vec<TcpStream>,
}

/// Lets this process and its children have as many files open as the system allows.
pub fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

impl Listeners {
    /// Connects so many, `student-0` and on, and waits until each was told that he is.
    pub fn open(service: &Service, kind: Kind, number: usize) -> Self {
        let key = service.data().join("key");
        let now = Clock::System.now();
        let connect = |index: usize| {
            let caller = Caller { subject: format!("student-{index}").parse().unwrap(), role: Role::Student };
            let token = mint(&key, &AuthSettings::default(), &caller, HOUR, now).unwrap();
            let stream = TcpStream::connect(service.address()).unwrap();
            stream.set_nodelay(true).unwrap();
            match kind {
                Kind::WebSocket => join(stream, &token),
                Kind::Stream => follow(stream, &token),
            }
        };
        Self { _connections: (0..number).map(connect).collect() }
    }
}

fn join(mut stream: TcpStream, token: &str) -> TcpStream {
    let upgrade = "GET /ws HTTP/1.1\r\nhost: guichet\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).unwrap();
    read_until(&mut stream, b"\r\n\r\n");
    let packet = format!(r#"{{"cmd":"AUTH","TOKEN":"{token}"}}"#);
    let length = u16::try_from(packet.len()).unwrap();
    let frame = [&[0x81, 0xfe][..], &length.to_be_bytes(), &MASK, packet.as_bytes()].concat();
    stream.write_all(&frame).unwrap();
    read_until(&mut stream, br#"{"cmd":"OK"}"#);
    stream
}

fn follow(mut stream: TcpStream, token: &str) -> TcpStream {
    let request =
        format!("GET /v1/events HTTP/1.1\r\nhost: guichet\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, b"stream.snapshot");
    stream
}

fn read_until(stream: &mut TcpStream, wanted: &[u8]) {
    let mut read = Vec::new();
    let mut some = [0; 256];
    while !read.windows(wanted.len()).any(|window| window == wanted) {
        let length = stream.read(&mut some).unwrap();
        assert_ne!(length, 0, "the service hung up after {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&some[..length]);
    }
}

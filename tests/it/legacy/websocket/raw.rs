//! A client that writes its frames byte by byte, well or badly.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a test waits for what must come.
const SOON: Duration = Duration::from_mins(1);
/// How long a test waits for what must not come.
pub const QUIET: Duration = Duration::from_millis(500);
const MASK: [u8; 4] = [1, 2, 3, 4];

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// The connection ended.
    End,
}

pub struct Raw {
    pub stream: TcpStream,
}

/// The head of an answer, in lower case but for its first line.
pub struct Head {
    pub status: String,
    pub headers: String,
}

/// A request for an upgrade, with these lines besides.
pub fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: guichet\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// Sends a request and reads the answer's head.
pub async fn request(address: SocketAddr, request: &str) -> (Head, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("an answer");
    let head = String::from_utf8(head).unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    (Head { status: status.to_owned(), headers: headers.to_lowercase() }, stream)
}

/// A client's frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0xff);
            frame.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl Raw {
    pub async fn connect(address: SocketAddr, path: &str) -> Self {
        let (head, stream) = request(address, &upgrade(path, "")).await;
        assert!(head.status.starts_with("HTTP/1.1 101 "), "{}", head.status);
        Self { stream }
    }

    pub async fn send(&mut self, text: &str) {
        self.write(&frame(0x81, text.as_bytes())).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub async fn close(&mut self, code: u16, reason: &str) {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.write(&frame(0x88, &payload)).await;
    }

    pub async fn auth(&mut self, token: &str) {
        self.send(&format!(r#"{{"cmd":"AUTH","TOKEN":"{token}"}}"#)).await;
    }

    /// What comes next.
    pub async fn came(&mut self) -> Came {
        tokio::time::timeout(SOON, self.next()).await.expect("something comes")
    }

    /// The next text.
    pub async fn packet(&mut self) -> String {
        match self.came().await {
            Came::Text(text) => text,
            other => panic!("{other:?} came instead of a packet"),
        }
    }

    /// The next texts.
    pub async fn packets(&mut self, number: usize) -> Vec<String> {
        let mut packets = Vec::new();
        for _ in 0..number {
            packets.push(self.packet().await);
        }
        packets
    }

    /// The texts up to and with this one.
    pub async fn until(&mut self, last: &str) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.last().is_none_or(|packet| packet != last) {
            packets.push(self.packet().await);
        }
        packets
    }

    /// Sends a text and reads the next.
    pub async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.packet().await
    }

    /// Reads on to the close, and answers its code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.came().await {
                Came::Close(Some((code, _reason))) => return code,
                Came::Close(None) | Came::End => panic!("it ended without a code"),
                Came::Text(_) | Came::Ping | Came::Pong(_) => {}
            }
        }
    }

    /// Whether nothing comes for a while.
    pub async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(QUIET, self.stream.peek(&mut [0])).await.is_err()
    }

    async fn next(&mut self) -> Came {
        let Ok(first) = self.stream.read_u8().await else { return Came::End };
        let Ok(second) = self.stream.read_u8().await else { return Came::End };
        assert_eq!(first & 0xf0, 0x80, "in one frame, and not compressed");
        assert_eq!(second & 0x80, 0, "not masked");
        let length = match second {
            126 => usize::from(self.stream.read_u16().await.unwrap()),
            127 => usize::try_from(self.stream.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.unwrap();
        match first & 0x0f {
            0x1 => Came::Text(String::from_utf8(payload).unwrap()),
            0x8 => Came::Close(payload.split_first_chunk().map(|(code, reason)| {
                (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
            })),
            0x9 => Came::Ping,
            0xa => Came::Pong(payload),
            opcode => panic!("opcode {opcode}"),
        }
    }
}

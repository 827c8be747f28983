//! One keep-alive connection to the service, with as little work as possible on this side.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// A connection that asks one thing after the other.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    token: String,
}

/// An answer: its status and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The same answer, if its status is one of these.
    pub fn expect(self, statuses: &[u16]) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert!(statuses.contains(&self.status), "{} {text}", self.status);
        self
    }
}

impl Client {
    pub fn connect(address: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        Self { stream, answers, token: token.to_owned() }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    pub fn put(&mut self, path: &str, body: &str) -> Answer {
        self.ask("PUT", path, "", body)
    }

    pub fn post(&mut self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "", body)
    }

    /// Posts and waits until what was asked for has ended.
    pub fn post_and_wait(&mut self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "prefer: wait=60\r\n", body)
    }

    fn ask(&mut self, method: &str, path: &str, more: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: guichet\r\nauthorization: Bearer {}\r\n{more}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).unwrap();
        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            assert!(!name.eq_ignore_ascii_case("transfer-encoding"), "an answer of unknown length");
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body).unwrap();
        Answer { status, body }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the service hung up");
        line.trim_end().to_owned()
    }
}

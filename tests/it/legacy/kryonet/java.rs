//! Original backends: Java programs on KryoNet, steered line by line (`tests/peers/kryonet/README.md`).

use rustix::process::Signal;

use crate::support::peers::{Peer, maven};

/// Which Kryo the backend has: it decides how classes are numbered.
#[derive(Clone, Copy, Debug)]
pub enum Kryo {
    /// From 11: Kryo 5.
    Base11,
    /// From 12: Kryo 2.24, which KryoNet brings.
    Base12,
}

/// A backend in a Java machine of its own. It dies with this value.
#[derive(Debug)]
pub struct Backend {
    peer: Peer,
    history: Vec<String>,
    pub tcp: u16,
    pub udp: Option<u16>,
}

impl Backend {
    /// A backend that listens, with a UDP port too if asked for; `encoding` is `kryo`, `kryo-references` or `json`.
    pub async fn start(kryo: Kryo, encoding: &str, udp: bool) -> Self {
        let module = match kryo {
            Kryo::Base11 => "base11",
            Kryo::Base12 => "base12",
        };
        let jar = maven("kryonet").join(module).join("target/backend.jar");
        let options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-jar"];
        let jar = jar.to_string_lossy().into_owned();
        let peer = Peer::start("java", &[&options[..], &[&jar, encoding]].concat());
        let mut backend = Self { peer, history: Vec::new(), tcp: 0, udp: None };
        backend.listen(0, if udp { 0 } else { -1 }).await;
        backend
    }

    async fn listen(&mut self, tcp: u16, udp: i32) {
        self.command(&format!("start {tcp} {udp}")).await;
        let started = self.event("started").await;
        let mut ports = started.split(' ').skip(1);
        self.tcp = ports.next().and_then(|port| port.parse().ok()).expect("a port");
        self.udp = ports.next().and_then(|port| port.parse().ok());
    }

    /// Settings of the link to it: its ports.
    pub fn udp_setting(&self) -> String {
        self.udp.map(|port| format!("udp_port = {port}")).unwrap_or_default()
    }

    /// Closes all connections and both ports.
    pub async fn stop(&mut self) {
        self.command("stop").await;
        self.event("stopped").await;
    }

    /// Listens again at the ports it had.
    pub async fn start_again(&mut self) {
        self.listen(self.tcp, self.udp.map_or(-1, i32::from)).await;
    }

    /// Sends EXERCISE so many times; `#` in the id stands for the number, from 0.
    pub async fn send_exercises(&mut self, count: usize, id: &str) {
        self.command(&format!(r#"send {count} {{"cmd":"EXERCISE","id":"{id}"}}"#)).await;
        self.event("sent").await;
    }

    /// Gives it a command.
    pub async fn command(&mut self, command: &str) {
        self.peer.obey(command).await;
    }

    /// The next event that begins so; those before are skipped.
    pub async fn event(&mut self, beginning: &str) -> String {
        loop {
            let event = self.peer.event().await;
            self.history.push(event.clone());
            if event.starts_with(beginning) {
                return event;
            }
        }
    }

    /// What it told so far.
    pub fn history(&self) -> &[String] {
        &self.history
    }

    /// Waits for a connection and its HANDSHAKE, which must be the first thing on it.
    pub async fn expect_handshake(&mut self) {
        let connected = self.event("connected").await;
        let connection = connected.trim_start_matches("connected ").to_owned();
        let received = self.event("received").await;
        let handshake = r#"{"cmd":"HANDSHAKE","TOKEN":"SERVER_TOKEN"}"#;
        assert_eq!(received, format!("received {connection} java.lang.String {handshake}"));
    }

    /// Lets it hang: its machine still takes bytes, and nothing ever comes back.
    pub fn hang(&self) {
        self.peer.signal(Signal::STOP);
    }

    /// Wakes it up.
    pub fn wake(&self) {
        self.peer.signal(Signal::CONT);
    }
}

//! Backends that tests play, byte by byte, and settings that point to them.

use std::time::Duration;

use guichet::legacy::kryonet::Settings;
use guichet::legacy::kryonet::frame::framed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a peer waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// `RegisterTCP` of the first connection, with class ids from 12.
pub const REGISTER_TCP: [u8; 2] = [0x0c, 0x02];
/// `KeepAlive`.
pub const KEEP_ALIVE: [u8; 1] = [0x0e];

/// Settings of the backend `default` at that port, with short pauses.
pub fn settings(port: u16, more: &str) -> Settings {
    named_settings("default", port, more)
}

/// Settings of that backend.
pub fn named_settings(name: &str, port: u16, more: &str) -> Settings {
    toml::from_str(&table(name, port, more)).unwrap_or_else(|error| panic!("{error}"))
}

/// The same as text. Later lines stand over earlier ones nowhere in TOML, so pauses are set here only.
pub fn table(name: &str, port: u16, more: &str) -> String {
    format!(
        "name = '{name}'\nhost = '127.0.0.1'\ntcp_port = {port}\ntoken = 'SERVER_TOKEN'\nreconnect_min_ms = 20\n\
         reconnect_max_ms = 100\n{more}\n"
    )
}

/// A string as Kryo writes it.
pub fn string(text: &str) -> Vec<u8> {
    use guichet::legacy::kryonet::kryo::Kryo;
    use guichet::legacy::kryonet::message::{Message, Packet};
    Kryo { base: 12, string_id: 3, references: false }.encode(&Message::Packet(Packet::Text(text.to_owned())))
}

/// The payload that asks to run what is stored under that id.
pub fn exercise(id: &str) -> Vec<u8> {
    string(&format!(r#"{{"cmd":"EXERCISE","id":"{id}"}}"#))
}

/// A listening backend.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
}

impl Listening {
    /// A backend at a free port.
    pub async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port") }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("an address").port()
    }

    /// The next connection, nothing said yet.
    pub async fn accept(&self) -> Peer {
        let accepted = tokio::time::timeout(PATIENCE, self.listener.accept()).await.expect("a connection");
        let (stream, _) = accepted.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Peer { stream }
    }

    /// The next connection, registered, its HANDSHAKE read.
    pub async fn accept_linked(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.send(&REGISTER_TCP).await;
        peer.expect_handshake().await;
        peer
    }
}

/// One connection of a link, seen by the backend.
#[derive(Debug)]
pub struct Peer {
    pub stream: TcpStream,
}

impl Peer {
    /// Sends a payload as a frame.
    pub async fn send(&mut self, payload: &[u8]) {
        self.send_raw(&framed(payload).expect("a payload")).await;
    }

    /// Sends bytes as they are. The other side may hang up meanwhile.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let written = tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await;
        drop(written.expect("the test reads"));
    }

    /// The next frame's payload; `None` if the other side hung up.
    pub async fn frame(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let length = self.stream.read_i32().await.ok()?;
            let mut payload = vec![0; usize::try_from(length).expect("a length")];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(payload)
        };
        tokio::time::timeout(PATIENCE, read).await.expect("a frame or the end")
    }

    /// Reads the HANDSHAKE, which is the first frame.
    pub async fn expect_handshake(&mut self) {
        let frame = self.frame().await.expect("the HANDSHAKE");
        assert_eq!(frame, string(r#"{"cmd":"HANDSHAKE","TOKEN":"SERVER_TOKEN"}"#), "{frame:02x?}");
    }

    /// Reads on until the other side hangs up.
    pub async fn expect_end(&mut self) {
        while self.frame().await.is_some() {}
    }

    /// Asks for an answer and reads on until it comes: what was sent before has been read then.
    pub async fn expect_answer(&mut self, id: u8) {
        self.send(&[0x10, id << 1, 0]).await;
        while let Some(frame) = self.frame().await {
            if frame == [0x10, id << 1, 1] {
                return;
            }
        }
        panic!("the link hung up");
    }
}

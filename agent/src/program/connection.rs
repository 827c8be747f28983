//! The connection to Guichet: requests in, replies out, never more than a bounded number of bytes of either.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    os::fd::AsRawFd,
};

use guichet_agent::{Decoder, Reply, Request, encode};

use super::{
    fault::{Context, Fault},
    listener::Listener,
    signals::{self, WaitMask},
    sys,
};

/// Bytes read or sent at one time.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Replies that may wait to be sent before a command's output is left in its pipes.
const WAITING_REPLY_BYTES: usize = 2 * CHUNK_BYTES;

/// Both directions, and what waits in each.
pub struct Connection {
    input: File,
    output: File,
    decoder: Decoder,
    chunk: Box<[u8]>,
    held: VecDeque<Request>,
    held_bytes: usize,
    replies: Vec<u8>,
    sent: usize,
}

impl Connection {
    /// A connection over two descriptors, which become non-blocking.
    pub fn new(input: File, output: File) -> io::Result<Self> {
        sys::set_nonblocking(&input)?;
        sys::set_nonblocking(&output)?;
        Ok(Self {
            input,
            output,
            decoder: Decoder::new(),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            held: VecDeque::new(),
            held_bytes: 0,
            replies: Vec::new(),
            sent: 0,
        })
    }

    /// Waits for the next request in order; what was answered so far is sent first.
    pub fn next(&mut self, mask: &WaitMask) -> Result<Request, Fault> {
        loop {
            if let Some(request) = self.take()? {
                return Ok(request);
            }
            self.flush()?;
            let mut fds = [self.poll_input(true), self.poll_output()];
            sys::poll(&mut fds, None, mask.get()).context("wait for a request")?;
            if signals::terminated() {
                return Err(Fault::Terminated);
            }
            let [input, _] = fds;
            if input.revents != 0 {
                self.receive()?;
            }
        }
    }

    /// Lets Guichet choose: a connection to `listener` becomes this one in place of the streams, a request here ends
    /// the offer. A connection that is there comes before the end of the streams, which follows it.
    pub fn choose(&mut self, listener: &Listener, mask: &WaitMask) -> Result<(), Fault> {
        while self.decoder.pending_bytes() == 0 {
            self.flush()?;
            let is_told = self.waiting_bytes() == 0;
            let mut fds = [self.poll_input(true), self.poll_output(), listener.poll(is_told)];
            sys::poll(&mut fds, None, mask.get()).context("wait for the choice")?;
            if signals::terminated() {
                return Err(Fault::Terminated);
            }
            let [input, _, offer] = fds.map(|fd| fd.revents);
            if offer != 0
                && let Some((input, output)) = listener.accept().context("take the connection")?
            {
                *self = Self::new(input, output).context("take the connection")?;
                return Ok(());
            }
            if input != 0 {
                self.receive()?;
            }
        }
        Ok(())
    }

    /// The next request that has already arrived.
    pub fn take(&mut self) -> Result<Option<Request>, Fault> {
        match self.held.pop_front() {
            Some(request) => {
                self.held_bytes -= weight(&request);
                Ok(Some(request))
            }
            None => Ok(self.decoder.pull()?),
        }
    }

    /// The next request that arrived behind the held ones.
    pub fn take_new(&mut self) -> Result<Option<Request>, Fault> {
        Ok(self.decoder.pull()?)
    }

    /// Keeps a request for after the running command.
    pub fn hold(&mut self, request: Request) {
        self.held_bytes += weight(&request);
        self.held.push_back(request);
    }

    /// Takes the first held request if it is input, for the command that starts now.
    pub fn take_held_input(&mut self) -> Option<(Vec<u8>, bool)> {
        match self.held.pop_front()? {
            Request::Stdin { bytes, last } => {
                self.held_bytes -= bytes.len() + size_of::<Request>();
                Some((bytes, last))
            }
            other => {
                self.held.push_front(other);
                None
            }
        }
    }

    /// Bytes of the requests that are held.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether no request is held.
    pub fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// Reads once what has arrived.
    pub fn receive(&mut self) -> Result<(), Fault> {
        match self.input.read(&mut self.chunk) {
            Ok(0) => Err(Fault::Gone),
            Ok(count) => {
                self.decoder.push(self.chunk.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(error) if is_not_now(&error) => Ok(()),
            Err(error) if is_closed(&error) => Err(Fault::Gone),
            Err(source) => Err(Fault::System { what: "read a request", source }),
        }
    }

    /// Puts a reply behind those that wait; [`Self::flush`] sends.
    pub fn reply(&mut self, reply: &Reply) -> Result<(), Fault> {
        if self.sent >= CHUNK_BYTES {
            self.replies.drain(..self.sent);
            self.sent = 0;
        }
        Ok(encode(reply, &mut self.replies)?)
    }

    /// Sends what can be sent now.
    pub fn flush(&mut self) -> Result<(), Fault> {
        while let Some(rest) = self.replies.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.output.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) if is_closed(&error) => return Err(Fault::Gone),
                Err(source) => return Err(Fault::System { what: "send a reply", source }),
            }
        }
        self.replies.clear();
        self.sent = 0;
        Ok(())
    }

    /// Sends until only a bounded rest waits, or nothing with `limit` 0.
    pub fn flush_to(&mut self, limit: usize, mask: &WaitMask) -> Result<(), Fault> {
        loop {
            self.flush()?;
            if self.waiting_bytes() <= limit {
                return Ok(());
            }
            let mut fds = [self.poll_output()];
            sys::poll(&mut fds, None, mask.get()).context("wait for the connection")?;
            if signals::terminated() {
                return Err(Fault::Terminated);
            }
        }
    }

    /// Sends until there is room for more output.
    pub fn make_room(&mut self, mask: &WaitMask) -> Result<(), Fault> {
        self.flush_to(WAITING_REPLY_BYTES, mask)
    }

    /// Whether more output may be taken from a command.
    pub fn has_room(&self) -> bool {
        self.waiting_bytes() < WAITING_REPLY_BYTES
    }

    fn waiting_bytes(&self) -> usize {
        self.replies.len() - self.sent
    }

    /// What to wait for on the way in: requests if `wanted`, and in any case the end of the connection.
    pub fn poll_input(&self, wanted: bool) -> libc::pollfd {
        let events = if wanted { libc::POLLIN | libc::POLLRDHUP } else { libc::POLLRDHUP };
        libc::pollfd { fd: self.input.as_raw_fd(), events, revents: 0 }
    }

    /// What to wait for on the way out.
    pub fn poll_output(&self) -> libc::pollfd {
        let waiting = self.waiting_bytes() > 0;
        let events = if waiting { libc::POLLOUT } else { 0 };
        libc::pollfd { fd: if waiting { self.output.as_raw_fd() } else { -1 }, events, revents: 0 }
    }
}

/// Bytes that a held request takes.
fn weight(request: &Request) -> usize {
    let content = match request {
        Request::Write { path, bytes, .. } | Request::Lend { path, bytes, .. } => path.len() + bytes.len(),
        Request::Read { path, .. } => path.len(),
        Request::Stdin { bytes, .. } => bytes.len(),
        Request::Exec(exec) => exec.argv.iter().chain(&exec.env).map(|text| text.len() + 24).sum(),
        Request::Setup(_) | Request::Begin | Request::Abort | Request::End | Request::Ping => 0,
    };
    content + size_of::<Request>()
}

/// Whether a call would have had to wait.
pub fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

//! A command's standard streams: input fed as it reads, output forwarded as it writes, up to its limit.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
};

use guichet_agent::{Reply, STDIN_WINDOW_BYTES, Stream};

use super::{
    connection::{CHUNK_BYTES, Connection, is_not_now},
    fault::Fault,
    signals::WaitMask,
};

/// Standard input of a command.
pub struct Input {
    /// `None` once it is closed, by either side.
    pipe: Option<File>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// Bytes of the first waiting piece that are written.
    written: usize,
    last: bool,
    /// Bytes that the command took since Guichet was told so.
    taken: usize,
}

impl Input {
    /// Feeds the write end of a pipe, which is non-blocking.
    pub fn new(pipe: OwnedFd) -> Self {
        Self {
            pipe: Some(pipe.into()),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            written: 0,
            last: false,
            taken: 0,
        }
    }

    /// Takes more input; nothing comes behind the `last`.
    pub fn push(&mut self, bytes: Vec<u8>, last: bool) {
        if self.last {
            return;
        }
        self.last = last;
        self.waiting_bytes += bytes.len();
        self.waiting.push_back(bytes);
        self.write();
    }

    /// Writes as much as the command takes now, and closes the pipe behind the last.
    pub fn write(&mut self) {
        while let (Some(pipe), Some(piece)) = (&mut self.pipe, self.waiting.front()) {
            let rest = piece.get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                self.waiting.pop_front();
                self.written = 0;
                continue;
            }
            match pipe.write(rest) {
                Ok(count) => {
                    self.written += count;
                    self.waiting_bytes -= count;
                    self.taken += count;
                }
                Err(error) if is_not_now(&error) => return,
                // The command closed its input: that is its right.
                Err(_) => self.pipe = None,
            }
        }
        if self.last || self.pipe.is_none() {
            self.pipe = None;
            self.waiting.clear();
            self.taken += self.waiting_bytes;
            self.waiting_bytes = 0;
        }
    }

    /// The reply that lets more input come, when it is time for it.
    pub fn room(&mut self) -> Option<Reply> {
        if self.last || self.taken < STDIN_WINDOW_BYTES / 2 {
            return None;
        }
        let bytes = std::mem::take(&mut self.taken) as u64;
        Some(Reply::StdinTaken { bytes })
    }

    /// Bytes that the command has not taken yet.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether the command has taken all that Guichet sent, and more is to come.
    pub fn is_short(&self) -> bool {
        self.pipe.is_some() && self.waiting_bytes == 0 && !self.last
    }

    /// What to wait for.
    pub fn poll(&self) -> libc::pollfd {
        let fd = self.pipe.as_ref().filter(|_| self.waiting_bytes > 0).map_or(-1, File::as_raw_fd);
        libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }
    }
}

/// Standard output and error of a command.
pub struct Output {
    pipes: [Option<File>; 2],
    buffer: Vec<u8>,
    limit: u64,
    forwarded: u64,
    /// Bytes of each stream that were read beyond the limit.
    dropped: [u64; 2],
}

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

impl Output {
    /// Reads the ends of two pipes, which are non-blocking; forwards at most `limit` bytes of both together.
    pub fn new(pipes: [OwnedFd; 2], limit: u64) -> Self {
        Self {
            pipes: pipes.map(|pipe| Some(pipe.into())),
            buffer: Vec::new(),
            limit,
            forwarded: 0,
            dropped: [0; 2],
        }
    }

    /// Bytes that the command wrote and that were read, those beyond the limit included.
    pub fn written(&self) -> u64 {
        self.forwarded + self.dropped.iter().sum::<u64>()
    }

    /// Bytes of standard output and of standard error that were not forwarded.
    pub fn dropped(&self) -> [u64; 2] {
        self.dropped
    }

    /// Whether the command wrote more than its limit.
    pub fn is_over(&self) -> bool {
        self.dropped != [0; 2]
    }

    /// What to wait for on one stream, if more is `wanted`.
    pub fn poll(&self, stream: usize, wanted: bool) -> libc::pollfd {
        let pipe = self.pipes.get(stream).and_then(Option::as_ref).filter(|_| wanted);
        libc::pollfd { fd: pipe.map_or(-1, File::as_raw_fd), events: libc::POLLIN, revents: 0 }
    }

    /// Reads once from one stream and passes it on; says whether more may follow at once.
    pub fn forward(&mut self, stream: usize, connection: &mut Connection) -> Result<bool, Fault> {
        let (Some(slot), Some(name), Some(dropped)) =
            (self.pipes.get_mut(stream), STREAMS.get(stream), self.dropped.get_mut(stream))
        else {
            return Ok(false);
        };
        let Some(pipe) = slot else {
            return Ok(false);
        };
        self.buffer.resize(CHUNK_BYTES, 0);
        let count = match pipe.read(&mut self.buffer) {
            Ok(0) => {
                *slot = None;
                return Ok(false);
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) if is_not_now(&error) => return Ok(false),
            Err(source) => return Err(Fault::System { what: "read output", source }),
        };
        let room = usize::try_from(self.limit.saturating_sub(self.forwarded)).unwrap_or(usize::MAX);
        let kept = count.min(room);
        self.forwarded += kept as u64;
        *dropped += (count - kept) as u64;
        self.buffer.truncate(kept);
        if !self.buffer.is_empty() {
            let reply = Reply::Output { stream: *name, bytes: std::mem::take(&mut self.buffer) };
            connection.reply(&reply)?;
            if let Reply::Output { bytes, .. } = reply {
                self.buffer = bytes;
            }
        }
        Ok(true)
    }

    /// Forwards what still lies in the pipes, now that nobody writes any more.
    pub fn drain(&mut self, connection: &mut Connection, mask: &WaitMask) -> Result<(), Fault> {
        for stream in 0..self.pipes.len() {
            while self.forward(stream, connection)? {
                connection.make_room(mask)?;
            }
        }
        Ok(())
    }
}

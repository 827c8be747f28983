//! The conversation with one agent, over whatever transport leads to it.
//!
//! What the agent says is not trusted further than it must be: frames have a greatest length, output its limit,
//! and every wait a deadline. After an error the conversation is over and the container of no use.

mod input;

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use guichet_agent::{
    Clean, Decoder, Exec, FrameError, Hello, READ_BYTES, Reply, Report, Request, Setup, Stream, VERSION,
};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::input::Input;
use super::transport::Transport;
use crate::clock::Patience;
use crate::domain::exercise::SourceFile;

/// Time an agent has to say hello once its container has started.
const HELLO_DEADLINE: Duration = Duration::from_secs(15);

/// Silence beyond what a command may take, after which its agent is lost.
const COMMAND_SILENCE: Duration = Duration::from_secs(5);

/// Silence of an agent without a running command, after which it is lost.
const SILENCE: Duration = Duration::from_secs(2);

/// An agent that answered so short a time ago is not asked whether it is there.
const MOMENT: Duration = Duration::from_millis(50);

/// Bytes of a file in one message.
const FILE_PIECE_BYTES: usize = 256 << 10;

/// Bytes in a message by which a command may have been held up: an agent sends and takes that much or more then.
const HOLDING_UP_BYTES: usize = 32 << 10;

/// Why a conversation cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The transport ended.
    #[error("the connection to the agent ended")]
    Closed,
    /// The transport broke.
    #[error("the connection to the agent broke: {0}")]
    Transport(#[from] std::io::Error),
    /// What came is no message.
    #[error("the agent sent a {0}")]
    Frame(#[from] FrameError),
    /// What came is a message, but not one that may come here.
    #[error("the agent said {0}")]
    Unexpected(&'static str),
    /// The agent gave up.
    #[error("the agent gave up: {0}")]
    Fault(String),
    /// Nothing came in time.
    #[error("no {0} from the agent in time")]
    Late(&'static str),
    /// It speaks another version of the protocol.
    #[error("the agent speaks version {0} of the protocol, not {VERSION}")]
    Version(u32),
}

impl Error {
    /// Whether nothing was said that an agent should not say.
    pub const fn is_silence(&self) -> bool {
        match self {
            Self::Closed | Self::Transport(_) | Self::Late(_) => true,
            Self::Frame(_) | Self::Unexpected(_) | Self::Fault(_) | Self::Version(_) => false,
        }
    }
}

/// A file that a command left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftFile {
    /// Its first bytes, as many as were asked for.
    pub bytes: Vec<u8>,
    /// How long it is.
    pub length: u64,
}

/// A conversation with an agent.
#[derive(Debug)]
pub struct AgentClient {
    transport: Transport,
    decoder: Decoder,
    /// Requests that go out with the next one that has an answer.
    queued: Vec<u8>,
    /// Not before this it has answered.
    answered_at: Instant,
}

impl AgentClient {
    /// Begins a conversation: who may run in the container, and what the agent found there.
    ///
    /// # Errors
    /// That no agent of our version answered.
    pub async fn greet(transport: Transport, setup: Setup) -> Result<(Self, Hello), Error> {
        let mut client = Self::over(transport);
        client.queue(&Request::Setup(setup))?;
        match client.ask("hello", HELLO_DEADLINE).await? {
            Reply::Hello(hello) if hello.version == VERSION => Ok((client, hello)),
            Reply::Hello(hello) => Err(Error::Version(hello.version)),
            other => Err(unexpected(other)),
        }
    }

    /// Goes on over another transport, on which the agent has to answer first; the one before is then dropped.
    ///
    /// # Errors
    /// That it did not answer; both transports are dropped then.
    pub async fn go_on_over(self, transport: Transport) -> Result<Self, Error> {
        let mut client = Self::over(transport);
        client.ping(HELLO_DEADLINE).await?;
        Ok(client)
    }

    fn over(transport: Transport) -> Self {
        Self { transport, decoder: Decoder::new(), queued: Vec::new(), answered_at: Instant::now() }
    }

    /// Asks whether the agent is there, between two submissions, unless it has just answered.
    ///
    /// # Errors
    /// That it did not answer in time, or said something else.
    pub async fn look(&mut self) -> Result<(), Error> {
        self.expect_silence()?;
        if self.answered_at.elapsed() < MOMENT { Ok(()) } else { self.ping(SILENCE).await }
    }

    async fn ping(&mut self, deadline: Duration) -> Result<(), Error> {
        self.queue(&Request::Ping)?;
        match self.ask("answer", deadline).await? {
            Reply::Pong => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Opens a submission with these files; goes out together with its first command.
    ///
    /// # Errors
    /// [`Error::Frame`] if a path is longer than a frame; cannot be for paths that were checked.
    pub fn open(&mut self, files: &[SourceFile]) -> Result<(), Error> {
        self.queue(&Request::Begin)?;
        for file in files {
            let mut append = false;
            for piece in pieces(file.content.as_bytes()) {
                let path = file.path.clone();
                self.queue(&Request::Write { path, append, bytes: piece.to_vec() })?;
                append = true;
            }
        }
        Ok(())
    }

    /// Puts a file into the work folder for the next command alone; goes out together with it.
    ///
    /// # Errors
    /// [`Error::Frame`] if the path is longer than a frame.
    pub fn lend(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        let mut append = false;
        for piece in pieces(content) {
            self.queue(&Request::Lend { path: path.to_owned(), append, bytes: piece.to_vec() })?;
            append = true;
        }
        Ok(())
    }

    /// Files as the last command left them: how long each is, and its first bytes; `None` where no regular file is.
    ///
    /// * `files` — paths, and how many bytes are wanted of each.
    ///
    /// # Errors
    /// That not all came in time.
    pub async fn read(&mut self, files: &[(&str, usize)]) -> Result<Vec<Option<LeftFile>>, Error> {
        self.expect_silence()?;
        let mut found = Vec::with_capacity(files.len());
        for (path, most) in files {
            found.push(self.read_file(path, *most).await?);
        }
        Ok(found)
    }

    async fn read_file(&mut self, path: &str, most: usize) -> Result<Option<LeftFile>, Error> {
        let mut file = LeftFile { bytes: Vec::new(), length: 0 };
        loop {
            let offset = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
            let wanted = (most - file.bytes.len()).min(READ_BYTES);
            let most_bytes = u64::try_from(wanted).unwrap_or(u64::MAX);
            self.queue(&Request::Read { path: path.to_owned(), offset, most_bytes })?;
            let Reply::File { length, bytes } = self.ask("file", SILENCE).await? else {
                return Err(Error::Unexpected("something else than a file"));
            };
            let Some(length) = length else { return Ok(None) };
            if bytes.len() > wanted {
                return Err(Error::Unexpected("more of a file than was asked for"));
            }
            let is_last = bytes.len() < READ_BYTES;
            file.length = length;
            file.bytes.extend_from_slice(&bytes);
            if is_last || file.bytes.len() >= most {
                return Ok(Some(file));
            }
        }
    }

    /// Runs a command to its end; see [`super::Container::exec`].
    ///
    /// # Errors
    /// That its report did not come, or something else did.
    pub async fn exec(
        &mut self,
        exec: Exec,
        stdin: &[u8],
        abort: &CancellationToken,
        sink: &mut (impl FnMut(Stream, &[u8]) + Send),
    ) -> Result<Report, Error> {
        self.expect_silence()?;
        let mut room = exec.limits.output_bytes;
        let mut patience = CommandPatience::for_wall_time(exec.limits.wall_time_ms);
        self.queue(&Request::Exec(exec))?;
        let mut input = Input::new(std::mem::take(&mut self.queued), stdin);
        input.refill()?;
        let Transport { input: writer, output: reader } = &mut self.transport;
        let decoder = &mut self.decoder;
        let report = loop {
            tokio::select! {
                biased;
                reply = next_reply(reader, decoder) => match reply? {
                    // They cost nothing, so that an agent could send them without end and nothing else were looked at.
                    Reply::Output { bytes, .. } if bytes.is_empty() => {
                        return Err(Error::Unexpected("output without a byte"));
                    }
                    Reply::StdinTaken { bytes: 0 } => {
                        return Err(Error::Unexpected("no input taken"));
                    }
                    Reply::Output { stream, bytes } => {
                        room = room
                            .checked_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
                            .ok_or(Error::Unexpected("more than the command may write"))?;
                        patience.moved(bytes.len());
                        sink(stream, &bytes);
                    }
                    Reply::Report(report) => break report,
                    Reply::StdinTaken { bytes } => {
                        patience.moved(input.taken(bytes)?);
                    }
                    other => return Err(unexpected(other)),
                },
                written = writer.write(input.bytes()), if !input.bytes().is_empty() => {
                    input.advance(written?)?;
                }
                () = abort.cancelled(), if !patience.is_last => {
                    patience.end();
                    input.cut_off(&Request::Abort)?;
                }
                () = patience.left.spent() => return Err(Error::Late("report")),
            }
        };
        // Half a message would garble the next one; what was not begun needs not be sent.
        let rest = async {
            writer.write_all(input.bytes()).await?;
            writer.flush().await
        };
        Patience::new(SILENCE).wait_for(rest).await.ok_or(Error::Late("reading of what was sent"))??;
        Ok(report)
    }

    /// Closes the submission: everything of it is killed and wiped.
    ///
    /// # Errors
    /// That the agent did not say in time what it found.
    pub async fn close(&mut self) -> Result<Clean, Error> {
        self.queue(&Request::End)?;
        match self.ask("word that it is clean", SILENCE).await? {
            Reply::Clean(clean) => Ok(clean),
            other => Err(unexpected(other)),
        }
    }

    /// Nothing may have come since the last answer: it would be taken for the next one.
    fn expect_silence(&mut self) -> Result<(), Error> {
        while let Some(piece) = self.transport.output.next().now_or_never() {
            match piece {
                Some(piece) => self.decoder.push(&piece?),
                None => return Err(Error::Closed),
            }
        }
        if self.decoder.pending_bytes() == 0 { Ok(()) } else { Err(Error::Unexpected("something unasked")) }
    }

    fn queue(&mut self, request: &Request) -> Result<(), Error> {
        Ok(guichet_agent::encode(request, &mut self.queued)?)
    }

    async fn ask(&mut self, what: &'static str, deadline: Duration) -> Result<Reply, Error> {
        let queued = std::mem::take(&mut self.queued);
        let asked_at = Instant::now();
        let Transport { input: writer, output: reader } = &mut self.transport;
        let decoder = &mut self.decoder;
        let asked = async {
            writer.write_all(&queued).await?;
            writer.flush().await?;
            next_reply(reader, decoder).await
        };
        let reply = Patience::new(deadline).wait_for(asked).await.ok_or(Error::Late(what))??;
        // Read late, an answer may be old.
        self.answered_at = asked_at;
        Ok(reply)
    }
}

/// How long a command's report is waited for.
struct CommandPatience {
    whole: Duration,
    left: Patience,
    /// Nothing prolongs it any more.
    is_last: bool,
}

impl CommandPatience {
    const fn for_wall_time(wall_time_ms: u64) -> Self {
        let whole = Duration::from_millis(wall_time_ms).saturating_add(COMMAND_SILENCE);
        Self { whole, left: Patience::new(whole), is_last: false }
    }

    /// So many bytes of input or output got through. The command may have been held up until now, which its wall time
    /// leaves out; small pieces hold no command up, and could be sent without end.
    const fn moved(&mut self, bytes: usize) {
        if bytes >= HOLDING_UP_BYTES && !self.is_last {
            self.left = Patience::new(self.whole);
        }
    }

    /// The command is to end at once.
    fn end(&mut self) {
        self.is_last = true;
        self.left.shorten_to(COMMAND_SILENCE);
    }
}

type Reader = std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send>>;

/// The next message; may be dropped and called again without losing one.
async fn next_reply(reader: &mut Reader, decoder: &mut Decoder) -> Result<Reply, Error> {
    loop {
        if let Some(reply) = decoder.pull()? {
            return Ok(reply);
        }
        match reader.next().await {
            Some(piece) => decoder.push(&piece?),
            None => return Err(Error::Closed),
        }
    }
}

fn unexpected(reply: Reply) -> Error {
    match reply {
        Reply::Fault { message } => Error::Fault(message.chars().take(500).collect()),
        Reply::Hello(_) => Error::Unexpected("hello again"),
        Reply::Output { .. } => Error::Unexpected("output without a command"),
        Reply::Report(_) => Error::Unexpected("a report without a command"),
        Reply::File { .. } => Error::Unexpected("a file that was not asked for"),
        Reply::Clean(_) => Error::Unexpected("clean out of turn"),
        Reply::Pong => Error::Unexpected("pong without a ping"),
        Reply::StdinTaken { .. } => Error::Unexpected("input taken without a command"),
    }
}

/// The bytes in pieces that fit a frame; one empty piece if there are none.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty: &[u8] = &[];
    bytes.is_empty().then_some(empty).into_iter().chain(bytes.chunks(FILE_PIECE_BYTES))
}

#[cfg(test)]
mod tests;

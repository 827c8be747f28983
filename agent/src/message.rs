//! What Guichet and the agent say to each other: typed messages, stored nowhere.

use serde::{Deserialize, Serialize};

/// Version of this protocol; both sides refuse another one.
pub const VERSION: u32 = 4;

/// Where the agent listens inside its container, if the folder is there and can be written to.
pub const SOCKET: &str = "/.guichet/socket/agent";

/// Where a command with [`Exec::keep`] may leave what is no file of the work folder; fixed once that has ended.
pub const OUTPUT_FOLDER: &str = "/w/output";

/// What the uid of a submission is called, and its group.
pub const USER: &str = "student";

/// Most bytes of standard input that Guichet sends ahead of what the command has taken.
///
/// The agent keeps them and goes on reading, so that a [`Request::Abort`] behind them is seen.
pub const STDIN_WINDOW_BYTES: usize = 128 << 10;

/// Most bytes of a file in one [`Reply::File`].
pub const READ_BYTES: usize = 256 << 10;

/// First argument of an agent that takes no requests: it removes the empty control groups below the folder that the second
/// one names, in each hierarchy that it finds in its own folder `cgroup`.
pub const REMOVE_CONTROL_GROUPS: &str = "remove-control-groups";

/// How far above its limit the kernel lets a command's memory go: what doesn't count has its place there. The container's
/// own limit leaves room for it.
pub const MEMORY_ROOM_BYTES: u64 = 64 << 20;

/// What Guichet asks of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Says who may run here and where usage is measured; the first message, answered by [`Reply::Hello`].
    Setup(Setup),
    /// Opens a submission: empties the work folder and takes the next uid of the slot's range.
    Begin,
    /// Puts one file into the work folder, where every command finds it, with the folders on its way.
    ///
    /// A file longer than a frame comes in several messages, one behind the other, with `append` set in all but the
    /// first.
    Write {
        /// Path below the work folder; `/`-separated, already checked by Guichet, checked again by the agent.
        path: String,
        /// Whether the bytes go behind what an earlier message wrote.
        append: bool,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Puts one file into the work folder for the next command alone, in pieces as with [`Request::Write`]. It takes the place
    /// of what is there by its path, which later commands find again.
    Lend {
        /// As in [`Request::Write`].
        path: String,
        /// Whether the bytes go behind what an earlier message lent.
        append: bool,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Runs one command; answered by [`Reply::Output`]s and one [`Reply::Report`].
    Exec(Exec),
    /// Asks for a part of a file as the last command left it in the work folder; answered by [`Reply::File`].
    Read {
        /// Path below the work folder; no part of it is followed if it is a link.
        path: String,
        /// Where the part begins.
        offset: u64,
        /// Most bytes of it; more than [`READ_BYTES`] counts as that.
        most_bytes: u64,
    },
    /// Bytes for the standard input of the command started last; `last` closes it.
    ///
    /// Pieces of at most 64 KiB keep the agent small, whose memory counts in the slot.
    /// At most [`STDIN_WINDOW_BYTES`] may be on their way; [`Reply::StdinTaken`] makes room.
    Stdin {
        /// The bytes; may be empty.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Whether the input ends here.
        last: bool,
    },
    /// Ends the running command at once; without one, nothing happens.
    Abort,
    /// Closes the submission: kills, wipes, verifies; answered by [`Reply::Clean`].
    End,
    /// Answered by [`Reply::Pong`].
    Ping,
}

/// Settings of a container for its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// [`VERSION`] of the sender.
    pub version: u32,
    /// First uid (and gid) of the slot's range; each submission takes the next, round and round.
    pub first_uid: u32,
    /// Number of uids in the range, at least 1.
    pub uid_count: u32,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// Program and arguments; the program is an absolute path or a path below the work folder.
    pub argv: Vec<Vec<u8>>,
    /// Complete environment as `NAME=value`; nothing is inherited.
    pub env: Vec<Vec<u8>>,
    /// What the command may use.
    pub limits: Limits,
    /// Whether what the command leaves stays for the commands after it (compilation).
    ///
    /// The work folder and all in it belong to the command, which may do with it what it wants. Every command finds
    /// it as Guichet wrote it and the last command with `keep` left it, with all contents, names and modes; of what
    /// that left regular files and folders stay, not links and special files. Only such a command may write into
    /// [`OUTPUT_FOLDER`]; what it leaves there belongs to root from then on, and no command can change it. What a
    /// command writes elsewhere is removed when it has ended.
    pub keep: bool,
}

/// What one command may use. All are hard limits, none is "infinite".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// CPU time of all processes together, in milliseconds.
    pub cpu_time_ms: u64,
    /// Wall clock time, in milliseconds, but for that in which the command waits for Guichet.
    pub wall_time_ms: u64,
    /// Memory that all processes together add, in bytes: anonymous, shared, and files in temporary folders. Pages of
    /// the image's files and what the kernel keeps itself don't count; [`MEMORY_ROOM_BYTES`] bounds them.
    pub memory_bytes: u64,
    /// Memory that the command holds before its work begins (an interpreter's own), in bytes: it doesn't count.
    pub start_memory_bytes: u64,
    /// Standard output and error together, in bytes; the command is killed when it writes more.
    pub output_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u32,
}

/// What the agent answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Answers [`Request::Setup`].
    Hello(Hello),
    /// Bytes that the running command wrote, in order within each stream; never more than its limit in all.
    Output {
        /// Which of the command's streams.
        stream: Stream,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A command ended; no process of it exists any more.
    Report(Report),
    /// Answers [`Request::Read`].
    File {
        /// How long the whole file is; `None` if there is no regular file of that path.
        length: Option<u64>,
        /// The part asked for, as far as the file has it.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Answers [`Request::End`].
    Clean(Clean),
    /// Answers [`Request::Ping`].
    Pong,
    /// The running command took standard input (or closed it), and more of it is to come: so much more may be sent.
    StdinTaken {
        /// Bytes taken since the last such reply, at least half of [`STDIN_WINDOW_BYTES`].
        bytes: u64,
    },
    /// The agent cannot go on (a request out of order, a system call that must not fail); it exits after this.
    Fault {
        /// What failed, for the log.
        message: String,
    },
}

/// One of a command's output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What the agent found in its container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`] of the agent.
    pub version: u32,
    /// Where usage figures come from.
    pub usage_source: UsageSource,
    /// Names of protections that could not be set up (empty when all hold), for the log and `doctor`.
    pub weaknesses: Vec<String>,
    /// Whether it listens at [`SOCKET`]: the next request may come over a connection to there.
    pub listens: bool,
}

/// Where the figures of a [`Report`] were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsageSource {
    /// Counters of cgroup v1 controllers, peak reset before each command.
    CgroupV1,
    /// cgroup v2 with a `memory.peak` that can be reset (Linux 6.12 and later).
    CgroupV2,
    /// cgroup v2 without it: the peak is sampled.
    CgroupV2Sampled,
    /// `wait4`: misses children that nobody waited for.
    Rusage,
}

/// Facts about one command that ended. No verdict: that is for who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How its first process ended.
    pub ended: Ended,
    /// Which limit (or whose wish) ended it, if not itself.
    pub stopped_by: Option<StoppedBy>,
    /// CPU time of all processes, in microseconds.
    pub cpu_time_us: u64,
    /// From the start of its first process to its end, in microseconds.
    pub wall_time_us: u64,
    /// Most memory that all processes together added, in bytes, as [`Limits::memory_bytes`] counts it.
    pub memory_bytes: u64,
    /// Times the kernel killed a process of it for lack of memory.
    pub oom_kills: u64,
    /// Times the kernel refused it a new process or thread.
    pub process_refusals: u64,
    /// Bytes written to both streams before it was stopped, those not sent included.
    pub output_bytes: u64,
    /// Bytes of standard output that were not sent, for they were beyond the limit.
    pub stdout_dropped_bytes: u64,
    /// The same of standard error.
    pub stderr_dropped_bytes: u64,
    /// Processes that it left behind and that were killed; children of one that ignores SIGCHLD may be missed.
    pub orphans: u64,
}

/// How the first process of a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Signaled(i32),
    /// It was never started: this `errno` came from starting it.
    NotStarted(i32),
}

/// What made the agent stop a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoppedBy {
    /// [`Limits::cpu_time_ms`].
    CpuTime,
    /// [`Limits::wall_time_ms`].
    WallTime,
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::output_bytes`].
    Output,
    /// [`Request::Abort`].
    Abort,
}

/// The state after [`Request::End`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clean {
    /// Whether the container may be used again.
    pub ok: bool,
    /// What was found that should not be there (for the log), empty when `ok`.
    pub problems: Vec<String>,
}

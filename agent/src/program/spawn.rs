//! Starting a command's first process, without its rights and with its limits.
//!
//! The child is made by `clone(CLONE_VM | CLONE_VFORK)`: it borrows the agent's memory until it runs the program,
//! and the agent stands still meanwhile. So nothing is copied, and an error comes back by plain memory. Nobody can
//! disturb the child in between: no other process of its uid exists, and the agent's memory is not dumpable.

use std::{
    ffi::{CStr, CString, c_void},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::fs::fchown,
    },
};

use libc::{c_char, c_int, c_long};

use super::{signals, sys};

const STACK_BYTES: usize = 64 << 10;

/// Priority of commands: the lowest, so that the agent can always stop them.
const NICE: c_int = 19;

/// The agent's side of a command's standard streams.
pub struct Pipes {
    /// Where the command reads.
    pub stdin: OwnedFd,
    /// Where the command writes.
    pub stdout: OwnedFd,
    /// Where the command complains.
    pub stderr: OwnedFd,
}

/// Where commands may write to files.
const WRITABLE: [&CStr; 3] = [c"/w", c"/tmp", c"/dev"];

/// A resource limit: soft and hard value.
pub type ResourceLimit = (libc::__rlimit_resource_t, u64, u64);

/// What the child needs; everything is prepared before it exists.
pub struct Plan<'a> {
    /// Program and arguments.
    pub argv: &'a [CString],
    /// Environment.
    pub env: &'a [CString],
    /// Uid and gid.
    pub uid: u32,
    /// Limits of each process.
    pub resources: &'a [ResourceLimit],
    /// Where to write `0` to enter the cgroup of commands.
    pub entry: Option<BorrowedFd<'a>>,
    /// Signals to block: none.
    pub mask: &'a libc::sigset_t,
}

/// How starting went.
pub enum Started {
    /// The program runs.
    Running {
        /// Its process id.
        pid: libc::pid_t,
        /// The agent's ends of its streams.
        pipes: Pipes,
    },
    /// The program could not be run; this is the `errno`.
    Refused(c_int),
}

/// What the kernel let a child do, as bits of [`Spawner::probe`].
pub mod protection {
    /// Change to the uid of a command, for good.
    pub const UID: u32 = 1;
    /// Be the first to die when memory ends.
    pub const OOM_SCORE: u32 = 1 << 1;
    /// Take the lowest priority.
    pub const NICE: u32 = 1 << 2;
    /// Refuse new privileges.
    pub const NO_NEW_PRIVILEGES: u32 = 1 << 3;
    /// Empty the bounding set of capabilities.
    pub const BOUNDING_SET: u32 = 1 << 4;
    /// Close all other descriptors in one call.
    pub const CLOSE_RANGE: u32 = 1 << 5;
    /// Write to no file but those of commands: not to `/proc`, where a process says how much it is worth.
    pub const WRITING: u32 = 1 << 6;
}

/// What the child uses of the agent's memory.
struct Child<'a> {
    plan: &'a Plan<'a>,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    streams: [RawFd; 3],
    capabilities: &'a [c_int],
    /// Rules about where to write.
    rules: Option<RawFd>,
    /// Whether to run the program, or only to try the protections.
    runs: bool,
    held: u32,
    /// What failed before the program could be tried.
    failed: Option<(&'static str, c_int)>,
    refused: c_int,
}

/// Starts commands; keeps the stack that their first steps run on.
pub struct Spawner {
    stack: Box<[u8]>,
    /// Capabilities in the bounding set, which commands lose.
    capabilities: Vec<c_int>,
    /// Rules about where commands may write; `None` with a kernel that has none.
    rules: Option<OwnedFd>,
}

impl Spawner {
    /// A spawner.
    pub fn new() -> Self {
        let capabilities = (0..64)
            .filter(|capability| {
                matches!(sys::prctl(libc::PR_CAPBSET_READ, *capability as libc::c_ulong), Ok(1))
            })
            .collect();
        let rules = sys::rules_for_writing_below(&WRITABLE).ok();
        Self { stack: vec![0; STACK_BYTES].into_boxed_slice(), capabilities, rules }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// The step that failed and its error: nothing runs then.
    pub fn start(&mut self, plan: &Plan<'_>) -> Result<Started, (&'static str, io::Error)> {
        let pipe = || std::io::pipe().map_err(|error| ("make a pipe", error));
        let (stdin_end, stdin) = pipe()?;
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let pipes = Pipes { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        for end in [&pipes.stdin, &pipes.stdout, &pipes.stderr] {
            sys::set_nonblocking(end).map_err(|error| ("prepare a pipe", error))?;
        }
        for end in [&stdin_end.as_fd(), &stdout_end.as_fd(), &stderr_end.as_fd()] {
            // So that the command may open its streams by name, as `/dev/stdin`: a name asks for the pipe's owner.
            fchown(end, Some(plan.uid), Some(plan.uid)).map_err(|error| ("hand over a pipe", error))?;
        }
        let streams = [stdin_end.as_raw_fd(), stdout_end.as_raw_fd(), stderr_end.as_raw_fd()];
        let mut stack = std::mem::take(&mut self.stack);
        let mut child = self.child(plan, streams, true);
        let pid = clone_child(&mut stack, &mut child);
        let (failed, refused) = (child.failed, child.refused);
        self.stack = stack;
        let pid = pid.map_err(|error| ("start a process", error))?;
        match (failed, refused) {
            (Some((step, errno)), _) => Err((step, io::Error::from_raw_os_error(errno))),
            (None, 0) => Ok(Started::Running { pid, pipes }),
            (None, errno) => Ok(Started::Refused(errno)),
        }
    }

    /// Tries the protections in a child that ends at once; gives the bits of those that hold.
    ///
    /// The child is left for [`super::reap`].
    pub fn probe(
        &mut self,
        uid: u32,
        entry: Option<BorrowedFd<'_>>,
        mask: &libc::sigset_t,
    ) -> io::Result<u32> {
        let plan = Plan { argv: &[], env: &[], uid, resources: &[], entry, mask };
        let mut stack = std::mem::take(&mut self.stack);
        let mut child = self.child(&plan, [0; 3], false);
        let pid = clone_child(&mut stack, &mut child);
        let held = child.held;
        self.stack = stack;
        pid.map(|_| held)
    }

    fn child<'a>(&'a self, plan: &'a Plan<'a>, streams: [RawFd; 3], runs: bool) -> Child<'a> {
        let pointers = |texts: &[CString]| {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        Child {
            plan,
            argv: pointers(plan.argv),
            env: pointers(plan.env),
            streams,
            capabilities: &self.capabilities,
            rules: self.rules.as_ref().map(AsRawFd::as_raw_fd),
            runs,
            held: 0,
            failed: None,
            refused: 0,
        }
    }
}

fn clone_child(stack: &mut [u8], child: &mut Child<'_>) -> io::Result<libc::pid_t> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end;
    // The stack has to end on a multiple of 16.
    let top = top.wrapping_sub(top.addr() % 16);
    // SAFETY: the child runs on `stack` alone, which nobody else uses while this call lasts, and it lasts until
    // the child runs another program or ends (CLONE_VFORK). `first_steps` gets the `Child` it expects, allocates
    // nothing, takes no lock and never returns.
    let pid = unsafe {
        libc::clone(first_steps, top.cast::<c_void>(), flags, std::ptr::from_mut(child).cast::<c_void>())
    };
    // The child's change of uid also changed who may look into the memory it shared.
    sys::hide_memory()?;
    sys::checked(pid.into()).map(|pid| pid as libc::pid_t)
}

extern "C" fn first_steps(child: *mut c_void) -> c_int {
    // SAFETY: `clone_child` passes its `Child`, and stands still while this runs.
    let child = unsafe { &mut *child.cast::<Child<'_>>() };
    match child.prepare() {
        Err(failed) => child.failed = Some(failed),
        Ok(()) if child.runs => {
            if let Some(program) = child.argv.first() {
                // SAFETY: both arrays end with a null pointer, and their texts with NUL.
                unsafe { libc::execve(*program, child.argv.as_ptr(), child.env.as_ptr()) };
                child.refused = last_errno();
            }
        }
        Ok(()) => {}
    }
    // SAFETY: ends this process and runs nothing of the agent.
    unsafe { libc::_exit(127) }
}

impl Child<'_> {
    fn prepare(&mut self) -> Result<(), (&'static str, c_int)> {
        let uid = self.plan.uid;
        if let Some(entry) = self.plan.entry {
            // SAFETY: the kernel reads one byte of the text.
            let entered = unsafe { libc::write(entry.as_raw_fd(), c"0".as_ptr().cast(), 1) };
            must("enter the cgroup of commands", entered as c_long)?;
        }
        if self.runs {
            self.join_streams()?;
            // SAFETY: no memory is involved.
            must("start a session", unsafe { libc::setsid() }.into())?;
        }
        self.note(protection::OOM_SCORE, raise_oom_score());
        // SAFETY: no memory is involved.
        self.note(protection::NICE, unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } == 0);
        for (resource, soft, hard) in self.plan.resources {
            let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
            // SAFETY: `limit` lives until the call returns.
            must("limit a resource", unsafe { libc::setrlimit(*resource, &raw const limit) }.into())?;
        }
        let dropped = self
            .capabilities
            .iter()
            .all(|capability| sys::prctl(libc::PR_CAPBSET_DROP, *capability as libc::c_ulong).is_ok());
        self.note(protection::BOUNDING_SET, dropped);
        // The system calls themselves: libc's wrappers would tell all threads of the memory that is shared here.
        // SAFETY: `setgroups` reads no list of length 0; the others involve no memory.
        unsafe {
            must("leave all groups", libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<u32>()))?;
            must("change the gid", libc::syscall(libc::SYS_setresgid, uid, uid, uid))?;
            must("change the uid", libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        }
        self.note(protection::UID, true);
        let locked = sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).is_ok();
        self.note(protection::NO_NEW_PRIVILEGES, locked);
        must("refuse new privileges", if locked { 0 } else { -1 })?;
        if let Some(rules) = self.rules {
            // SAFETY: no memory is involved.
            must("keep to the rules about writing", unsafe {
                libc::syscall(libc::SYS_landlock_restrict_self, rules, 0)
            })?;
            self.note(protection::WRITING, true);
        }
        // SAFETY: no memory is involved. Where the call is missing, close-on-exec does the same.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) } == 0;
        self.note(protection::CLOSE_RANGE, closed);
        self.reset_signals();
        Ok(())
    }

    fn note(&mut self, protection: u32, holds: bool) {
        if holds {
            self.held |= protection;
        }
    }

    fn join_streams(&self) -> Result<(), (&'static str, c_int)> {
        for (number, fd) in (0..).zip(self.streams) {
            // SAFETY: no memory is involved; 0 to 2 are /dev/null in the agent, never one of its pipes.
            must("join a stream", unsafe { libc::dup2(fd, number) }.into())?;
        }
        // SAFETY: the path ends with NUL.
        must("enter the work folder", unsafe { libc::chdir(super::WORK_FOLDER.as_ptr()) }.into())
    }

    fn reset_signals(&self) {
        for signal in signals::RESET {
            // SAFETY: the child has its own table of handlers.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        // SAFETY: the mask outlives the call.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, self.plan.mask, std::ptr::null_mut()) };
    }
}

fn raise_oom_score() -> bool {
    const SCORE: &[u8] = b"1000";
    // SAFETY: the path ends with NUL; the kernel reads `SCORE.len()` bytes of `SCORE`.
    unsafe {
        let fd = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        let written = fd >= 0 && libc::write(fd, SCORE.as_ptr().cast(), SCORE.len()) == SCORE.len() as isize;
        if fd >= 0 {
            libc::close(fd);
        }
        written
    }
}

fn must(step: &'static str, result: c_long) -> Result<(), (&'static str, c_int)> {
    if result < 0 { Err((step, last_errno())) } else { Ok(()) }
}

fn last_errno() -> c_int {
    // SAFETY: the pointer is valid for the thread that asks.
    unsafe { *libc::__errno_location() }
}

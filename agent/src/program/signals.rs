//! Signals of the agent: they are blocked except while it waits, and only ever interrupt that wait.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use libc::c_int;

use super::sys;

static TERMINATED: AtomicBool = AtomicBool::new(false);

/// Signals that end the agent.
const ENDING: [c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// What a command gets back to the default: what is ignored would stay ignored in its programs.
pub const RESET: [c_int; 5] = [libc::SIGCHLD, libc::SIGPIPE, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// The mask to wait with: everything comes through.
pub struct WaitMask(libc::sigset_t);

impl WaitMask {
    /// Blocks the agent's signals and installs their handlers.
    pub fn install() -> io::Result<Self> {
        reset_all()?;
        handle(libc::SIGCHLD, wake)?;
        for signal in ENDING {
            handle(signal, terminate)?;
        }
        let mut blocked = empty_set();
        for signal in ENDING.into_iter().chain([libc::SIGCHLD]) {
            // SAFETY: `blocked` is a valid set.
            unsafe { libc::sigaddset(&raw mut blocked, signal) };
        }
        // SAFETY: `blocked` lives until the call returns.
        let result =
            unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const blocked, std::ptr::null_mut()) };
        sys::checked(result.into())?;
        Ok(Self(empty_set()))
    }

    /// The set for `ppoll` and for a new command: no signal is blocked.
    pub fn get(&self) -> &libc::sigset_t {
        &self.0
    }
}

/// Whether a signal asked the agent to end.
pub fn terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// Forgets what the parent of the agent ignored: commands would ignore it too. SIGPIPE stays ignored here.
fn reset_all() -> io::Result<()> {
    /// The kernel's `struct sigaction`, whose zeros mean the default.
    const DEFAULT: [u64; 4] = [0; 4];
    const MASK_BYTES: usize = 8;
    for signal in (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP, libc::SIGPIPE].contains(signal)) {
        let none = std::ptr::null_mut::<u64>();
        // SAFETY: the kernel reads one `struct sigaction`, which is as long as `DEFAULT`.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT.as_ptr(), none, MASK_BYTES) };
        sys::checked(result)?;
    }
    Ok(())
}

extern "C" fn wake(_signal: c_int) {}

extern "C" fn terminate(_signal: c_int) {
    TERMINATED.store(true, Ordering::Relaxed);
}

fn handle(signal: c_int, handler: extern "C" fn(c_int)) -> io::Result<()> {
    // SAFETY: all-zero is a valid `sigaction`; the handler only touches an atomic.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    sys::checked(result.into()).map(drop)
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: all-zero is storage for a set, which `sigemptyset` then makes valid.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

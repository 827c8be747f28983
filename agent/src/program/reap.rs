//! Ending every process of a command, however it hid, and collecting what is left of it.
//!
//! As process 1 of a pid namespace `kill(-1)` reaches all of it at once, forks in flight included, and orphans
//! become the agent's children: when no child is left, no process that started here is left. Elsewhere (a test
//! without a namespace) the agent adopts orphans as a subreaper and kills its children until none is left.

use std::{fs, io, time::Duration};

use super::sys::{self, Wait, Waited};

/// Who can be killed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything in the pid namespace.
    Namespace,
    /// Children, and orphans once they are children.
    Children,
}

/// What was collected.
#[derive(Debug, Default)]
pub struct Reaped {
    /// Processes that had to be killed.
    pub killed: u64,
    /// CPU time of all that ended, by `wait4`.
    pub cpu_time: Duration,
    /// Largest resident set of a single process, in bytes, by `wait4`.
    pub peak_bytes: u64,
}

impl Reaped {
    /// Counts one process that ended.
    pub fn add(&mut self, waited: &Waited) {
        self.cpu_time += waited.cpu_time;
        self.peak_bytes = self.peak_bytes.max(waited.peak_bytes);
    }
}

impl Reach {
    /// Finds out what this process can reach, and adopts orphans where it is not process 1.
    pub fn find() -> io::Result<Self> {
        if std::process::id() == 1 {
            return Ok(Self::Namespace);
        }
        sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
        Ok(Self::Children)
    }

    /// Sends SIGKILL to all at once; they may still be ending when this returns.
    pub fn kill_all(self) -> io::Result<()> {
        match self {
            Self::Namespace => gone_is_fine(sys::kill(-1, libc::SIGKILL)),
            Self::Children => {
                let own = std::process::id();
                let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
                children
                    .split_ascii_whitespace()
                    .filter_map(|pid| pid.parse().ok())
                    .try_for_each(|pid| gone_is_fine(sys::kill(pid, libc::SIGKILL)))
            }
        }
    }

    /// Waits until no child is left, after [`Self::kill_all`]; each process that ended is given to `each`.
    pub fn collect_all(self, reaped: &mut Reaped, mut each: impl FnMut(&Waited)) -> io::Result<()> {
        loop {
            match sys::wait_any(0)? {
                Wait::NoChild => return Ok(()),
                Wait::Running => {}
                Wait::Ended(waited) => {
                    let killed =
                        libc::WIFSIGNALED(waited.status) && libc::WTERMSIG(waited.status) == libc::SIGKILL;
                    reaped.killed += u64::from(killed);
                    reaped.add(&waited);
                    each(&waited);
                    if self == Self::Children {
                        self.kill_all()?;
                    }
                }
            }
        }
    }

    /// Whether any other process is left.
    pub fn is_alone(self) -> io::Result<bool> {
        match self {
            Self::Namespace => match sys::kill(-1, 0) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(true),
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(false),
                other => other.map(|()| false),
            },
            Self::Children => Ok(matches!(sys::wait_any(libc::WNOHANG)?, Wait::NoChild)),
        }
    }
}

fn gone_is_fine(killed: io::Result<()>) -> io::Result<()> {
    match killed {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

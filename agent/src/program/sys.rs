//! System calls that the standard library has no safe form of. Each function is one call, and decides nothing.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    time::Duration,
};

use libc::{c_int, c_long};

/// `result`, or the error that `errno` holds if it is negative.
pub fn checked(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Opens `name` below `dir`; always close-on-exec, never through a link at the end of `name`.
pub fn open_at(dir: BorrowedFd<'_>, name: &CStr, flags: c_int, mode: u32) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: `name` ends with NUL; no other code has the new descriptor.
    unsafe {
        let fd = checked(libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, mode).into())?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}

/// Opens the folder `name` below `dir`.
pub fn open_folder_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    open_at(dir, name, libc::O_RDONLY | libc::O_DIRECTORY, 0)
}

/// Makes the folder `name` below `dir`, which its owner alone may write to.
pub fn make_folder_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    checked(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), 0o755) }.into()).map(drop)
}

/// Gives `name` below `dir`, which is no link, to `uid` and the gid of the same number.
pub fn give_at(dir: BorrowedFd<'_>, name: &CStr, uid: u32) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    let given =
        unsafe { libc::fchownat(dir.as_raw_fd(), name.as_ptr(), uid, uid, libc::AT_SYMLINK_NOFOLLOW) };
    checked(given.into()).map(drop)
}

/// A file in memory that has no name; `label` is seen in `/proc` alone.
pub fn make_nameless_file(label: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: `label` ends with NUL; no other code has the new descriptor.
    unsafe {
        let fd = checked(libc::memfd_create(label.as_ptr(), libc::MFD_CLOEXEC).into())?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}

/// Where data begins at `at` or behind, and where it ends; `None` if only a hole follows.
pub fn next_data(file: BorrowedFd<'_>, at: u64) -> io::Result<Option<(u64, u64)>> {
    let seek = |at: u64, whence| {
        // SAFETY: no memory is involved.
        checked(unsafe { libc::lseek(file.as_raw_fd(), at as libc::off_t, whence) }).map(|at| at as u64)
    };
    match seek(at, libc::SEEK_DATA) {
        Ok(data) => seek(data, libc::SEEK_HOLE).map(|hole| Some((data, hole))),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies `length` bytes at `from_start` of one file to `to_start` of another.
pub fn copy(
    from: BorrowedFd<'_>,
    from_start: u64,
    to: BorrowedFd<'_>,
    to_start: u64,
    length: u64,
) -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::lseek(to.as_raw_fd(), to_start as libc::off_t, libc::SEEK_SET) })?;
    let mut offset = from_start as libc::off_t;
    let end = (from_start + length) as libc::off_t;
    while offset < end {
        // SAFETY: `offset` lives until the call returns.
        let sent = unsafe {
            libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), &raw mut offset, (end - offset) as usize)
        };
        if checked(sent as c_long)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Removes the name of something that is no folder.
pub fn unlink_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    checked(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), 0) }.into()).map(drop)
}

/// Removes an empty folder.
pub fn remove_folder_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    checked(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), libc::AT_REMOVEDIR) }.into()).map(drop)
}

/// Moves `name` of `from` to `new_name` of `to`, which must not exist.
pub fn move_at(from: BorrowedFd<'_>, name: &CStr, to: BorrowedFd<'_>, new_name: &CStr) -> io::Result<()> {
    // SAFETY: both names end with NUL.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            from.as_raw_fd(),
            name.as_ptr(),
            to.as_raw_fd(),
            new_name.as_ptr(),
            libc::RENAME_NOREPLACE,
        )
    };
    checked(moved).map(drop)
}

/// Reads raw folder entries into `buffer`; 0 bytes at the end.
pub fn read_entries(dir: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
    let read =
        unsafe { libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
    checked(read).map(|bytes| bytes as usize)
}

/// Starts reading a folder's entries from the first again.
pub fn rewind(dir: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::lseek(dir.as_raw_fd(), 0, libc::SEEK_SET) }).map(drop)
}

/// Makes reads and writes return `WouldBlock` instead of waiting.
pub fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: no memory is involved.
    unsafe {
        let flags = checked(libc::fcntl(fd, libc::F_GETFL).into())?;
        checked(libc::fcntl(fd, libc::F_SETFL, flags as c_int | libc::O_NONBLOCK).into()).map(drop)
    }
}

/// The kernel's `landlock_ruleset_attr`, as far as it is used.
#[repr(C)]
struct RulesetAttributes {
    handled_access_fs: u64,
}

/// The kernel's `landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: c_int,
}

/// Rules (Landlock) that let a process open files for writing below these folders, and nowhere else.
///
/// Any rules forbid to move files between folders, unless they allow it, which they can from version 2 on.
pub fn rules_for_writing_below(folders: &[&CStr]) -> io::Result<OwnedFd> {
    /// `LANDLOCK_ACCESS_FS_WRITE_FILE` and `LANDLOCK_ACCESS_FS_REFER`
    const WRITING: u64 = 1 << 1 | 1 << 13;
    /// `LANDLOCK_CREATE_RULESET_VERSION`
    const ASK_VERSION: c_int = 1;
    /// `LANDLOCK_RULE_PATH_BENEATH`
    const PATH_BENEATH: c_int = 1;
    // SAFETY: the kernel reads nothing of an absent ruleset.
    let version = unsafe {
        let none = std::ptr::null::<RulesetAttributes>();
        checked(libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, ASK_VERSION))?
    };
    if version < 2 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let attributes = RulesetAttributes { handled_access_fs: WRITING };
    // SAFETY: the kernel reads as many bytes of `attributes` as it has; no other code has the new descriptor.
    let rules = unsafe {
        let size = size_of::<RulesetAttributes>();
        let fd = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attributes, size, 0);
        OwnedFd::from_raw_fd(checked(fd)? as c_int)
    };
    for folder in folders {
        // SAFETY: `folder` ends with NUL; no other code has the new descriptor.
        let parent = unsafe {
            let fd = libc::open(folder.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
            OwnedFd::from_raw_fd(checked(fd.into())? as c_int)
        };
        let rule = PathBeneath { allowed_access: WRITING, parent_fd: parent.as_raw_fd() };
        // SAFETY: `rule` is what a rule of this kind consists of, and lives until the call returns.
        let added = unsafe {
            let rules = rules.as_raw_fd();
            libc::syscall(libc::SYS_landlock_add_rule, rules, PATH_BENEATH, &raw const rule, 0)
        };
        checked(added)?;
    }
    Ok(rules)
}

/// Waits until a descriptor is ready, a signal that `mask` lets through comes, or `timeout` passes.
pub fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>, mask: &libc::sigset_t) -> io::Result<()> {
    let timeout = timeout.map(|time| libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `fds`, `timeout` and `mask` live until the call returns.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, mask) };
    match checked(ready.into()) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// A child that ended.
pub struct Waited {
    /// Its process id.
    pub pid: libc::pid_t,
    /// Its status as `wait` gives it.
    pub status: c_int,
    /// CPU time of it and of the children it waited for.
    pub cpu_time: Duration,
    /// Largest resident set of it or one of the children it waited for, in bytes.
    pub peak_bytes: u64,
}

/// What waiting for a child gave.
pub enum Wait {
    /// A child ended and is gone now.
    Ended(Waited),
    /// Children exist, none has ended.
    Running,
    /// There is no child.
    NoChild,
}

/// Collects any child; `flags` is 0 (waits for one to end) or `WNOHANG`.
pub fn wait_any(flags: c_int) -> io::Result<Wait> {
    let mut status = 0;
    // SAFETY: all-zero is a valid `rusage`; both pointers live until the call returns.
    let (pid, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(-1, &raw mut status, flags, &raw mut usage), usage)
    };
    match checked(pid.into()) {
        Ok(0) => Ok(Wait::Running),
        Ok(_) => {
            let cpu_time = duration_of(usage.ru_utime) + duration_of(usage.ru_stime);
            let peak_bytes = usage.ru_maxrss as u64 * 1024;
            Ok(Wait::Ended(Waited { pid, status, cpu_time, peak_bytes }))
        }
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(Wait::NoChild),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Wait::Running),
        Err(error) => Err(error),
    }
}

fn duration_of(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000)
}

/// CPU time of the agent itself.
pub fn own_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives until the call returns.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Number of CPUs this process may use.
pub fn usable_cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// Sends `signal` to `pid` as `kill` does.
pub fn kill(pid: libc::pid_t, signal: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Calls `prctl` with one number.
pub fn prctl(option: c_int, value: libc::c_ulong) -> io::Result<c_long> {
    let zero: libc::c_ulong = 0;
    // SAFETY: only options without pointers are used here.
    checked(unsafe { libc::prctl(option, value, zero, zero, zero) }.into())
}

/// Forbids other processes to look into this one.
pub fn hide_memory() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0).map(drop)
}

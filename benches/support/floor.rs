//! The least that running a program can cost: fork, exec, pipes, wait. Nothing is watched, limited or stored.
//!
//! It is done by a small process that has made an image's files its root, so that it's the same program that a
//! container runs. [`Floor::start`] starts the bench's own executable for that; [`serve_if_asked`] is its main.

use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::FromRawFd as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

const ENVIRONMENT: [&str; 4] =
    ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8"];

/// What is run, one command after the other, in one measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Program and arguments of each command.
    pub commands: Vec<Vec<String>>,
    /// What the last one reads.
    pub stdin: String,
    /// What the last one must write.
    pub stdout: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    task: Task,
    runs: usize,
}

/// A process that runs tasks as cheaply as possible.
#[derive(Debug)]
pub struct Floor {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Floor {
    /// Starts it with `root` as its root and `/w` there as its working folder.
    pub fn start(root: &Path) -> Self {
        Self::start_in(root, "/w")
    }

    /// Starts it on the host's own files.
    pub fn start_on_host() -> Self {
        Self::start_in(Path::new("/"), "/")
    }

    fn start_in(root: &Path, folder: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg("floor")
            .arg(root)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, orders, answers }
    }

    /// Begins `runs` runs of `task`, one after the other.
    pub fn begin(&mut self, task: &Task, runs: usize) {
        let order = serde_json::to_string(&Order { task: task.clone(), runs }).unwrap();
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Waits for the runs that were begun; the time of each.
    pub fn end(&mut self) -> Vec<Duration> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let nanos: Vec<u64> = serde_json::from_str(&answer).expect("the floor fell through");
        nanos.into_iter().map(Duration::from_nanos).collect()
    }

    pub fn run(&mut self, task: &Task, runs: usize) -> Vec<Duration> {
        self.begin(task, runs);
        self.end()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Whether this process was started as a floor; then it has done its work.
pub fn serve_if_asked() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, word, root, folder] = arguments.as_slice() else { return false };
    if word != "floor" {
        return false;
    }
    rustix::process::chroot(root).unwrap();
    std::env::set_current_dir(folder).unwrap();
    for line in std::io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line.unwrap()).unwrap();
        let mut nanos = Vec::with_capacity(order.runs);
        for _ in 0..order.runs {
            let begun = Instant::now();
            let mut written = Vec::new();
            for command in &order.task.commands {
                written = spawn(command, &order.task.stdin);
            }
            nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap());
            assert_eq!(String::from_utf8(written).unwrap(), order.task.stdout);
        }
        println!("{}", serde_json::to_string(&nanos).unwrap());
    }
    true
}

/// Runs a command to its end; what it wrote.
#[expect(unsafe_code, reason = "the standard library's way does more than a bare fork and exec")]
fn spawn(command: &[String], stdin: &str) -> Vec<u8> {
    let text = |word: &str| CString::new(word).unwrap();
    let argv: Vec<CString> = command.iter().map(|word| text(word)).collect();
    let env: Vec<CString> = ENVIRONMENT.into_iter().map(text).collect();
    let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
        words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv_pointers, env_pointers) = (pointers(&argv), pointers(&env));
    let ((input, mut feed), (mut output, result)) = (pipe(), pipe());
    // A pipe holds more than any input here.
    feed.write_all(stdin.as_bytes()).unwrap();
    drop(feed);
    // SAFETY: the child only makes system calls and runs another program; all pointers live until then.
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::dup2(input.as_raw_fd(), 0);
            libc::dup2(result.as_raw_fd(), 1);
            libc::execve(argv_pointers[0], argv_pointers.as_ptr(), env_pointers.as_ptr());
            libc::_exit(127);
        }
        pid
    };
    drop((input, result));
    let mut written = Vec::new();
    output.read_to_end(&mut written).unwrap();
    let mut status = 0;
    // SAFETY: `status` lives until the call returns.
    let ended = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((ended, status), (pid, 0), "{command:?} failed");
    written
}

/// The reading and the writing end of a new pipe.
#[expect(unsafe_code, reason = "close-on-exec pipes of the system itself")]
fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors, which nobody else knows.
    let [read, write] = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        ends.map(|end| OwnedFd::from_raw_fd(end))
    };
    (File::from(read), File::from(write))
}

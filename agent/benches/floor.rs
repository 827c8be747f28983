//! How much the agent adds to the least that running a program can cost.
//!
//! In turns, within one run: the floor (fork, exec, pipe, wait for a static program that says hello), and the same
//! program run by the agent in its container, as one more command and as a submission of its own.
//!
//! ```sh
//! RUSTFLAGS='-C target-feature=+crt-static' cargo bench -p guichet-agent --target x86_64-unknown-linux-gnu
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a tool"
)]
#![expect(dead_code, reason = "shares the container of the tests, and does not need all of it")]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd, FromRawFd},
    time::{Duration, Instant},
};

use guichet_agent::{Reply, Request};

use self::support::{TestAgent, container::victim_program, victim};

const ROUNDS: usize = 10;
const RUNS: usize = 300;

fn main() {
    let mut agent = TestAgent::start();
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        measure(&mut times[0], floor);
        agent.begin();
        measure(&mut times[1], || command(&mut agent));
        assert!(agent.end().ok);
        measure(&mut times[2], || submission(&mut agent));
    }
    let floor = median(&mut times[0]);
    for (name, times) in ["floor", "command", "submission"].iter().zip(&mut times) {
        let (middle, high) = (median(times), times[times.len() * 95 / 100]);
        let ratio = middle.as_secs_f64() / floor.as_secs_f64();
        println!("{name:12} median {middle:>9.1?}  p95 {high:>9.1?}  {ratio:.2} x the floor");
    }
}

fn measure(times: &mut Vec<Duration>, mut run: impl FnMut()) {
    for _ in 0..RUNS {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn floor() {
    let program = std::ffi::CString::new(victim_program().to_str().unwrap()).unwrap();
    let argv = [program.as_ptr(), std::ptr::null()];
    let env = [std::ptr::null()];
    let mut ends = [0; 2];
    // SAFETY: the child only makes system calls and runs another program; all pointers live until then.
    let pid = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        let pid = libc::fork();
        if pid == 0 {
            libc::dup2(ends[1], 1);
            libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr());
            libc::_exit(127);
        }
        pid
    };
    // SAFETY: both descriptors are this function's own.
    let [mut output, input] = ends.map(|fd| unsafe { File::from_raw_fd(fd) });
    assert!(input.as_raw_fd() >= 0);
    drop(input);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    let mut status = 0;
    // SAFETY: `status` lives until the call returns.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!((text.as_str(), status), ("hello\n", 0));
}

fn command(agent: &mut TestAgent) {
    assert_eq!(agent.run(victim("hello")).stdout, b"hello\n");
}

fn submission(agent: &mut TestAgent) {
    agent.send(&[
        Request::Begin,
        Request::Write { path: "main".into(), append: false, bytes: b"a program".to_vec() },
        Request::Exec(victim("hello")),
        Request::Stdin { bytes: b"some input".to_vec(), last: true },
        Request::End,
    ]);
    assert_eq!(agent.outcome().stdout, b"hello\n");
    assert!(matches!(agent.receive(), Reply::Clean(clean) if clean.ok));
}

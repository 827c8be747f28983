//! Running one command: from its start to the report about it.
//!
//! ```text
//!            ┌─────────────── watch ────────────────┐
//!  start ──► │ forward output · feed input · count  │ ──► kill all, reap all ──► drain pipes ──► report
//!            └─ ends: first process, limit, abort ──┘
//! ```

use std::{
    ffi::CString,
    time::{Duration, Instant},
};

use guichet_agent::{Ended, Exec, Limits, Report, Request, StoppedBy};

use super::{
    connection::Connection,
    fault::{Context, Fault},
    reap::{Reach, Reaped},
    signals::{self, WaitMask},
    spawn::{Pipes, Plan, Spawner, Started},
    streams::{Input, Output},
    sys::{self, Wait},
    usage::Meter,
};

/// Requests and input that may wait for a command; beyond it the connection is left alone, but for its end.
const WAITING_REQUEST_BYTES: usize = 8 << 20;

/// How late the agent may wake; beyond it, the container was paused meanwhile.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// Shortest time between two looks at the CPU time.
const SHORTEST_LOOK: Duration = Duration::from_millis(1);

/// What a command needs of the agent.
pub struct Runner<'a> {
    /// Requests in, output out.
    pub connection: &'a mut Connection,
    /// How to wait.
    pub mask: &'a WaitMask,
    /// How to start.
    pub spawner: &'a mut Spawner,
    /// How to measure.
    pub meter: &'a mut Meter,
    /// How to end.
    pub reach: Reach,
    /// Number of CPUs that can be used at once.
    pub cpus: u32,
}

struct Watched {
    first: libc::pid_t,
    limits: Limits,
    started: Instant,
    /// Time since then that is not the command's own: it could not go on for want of Guichet, for it had written more than
    /// was taken or read all that was sent, or the container stood still with all that is in it.
    held_up: Duration,
    next_look: Instant,
    next_memory_look: Instant,
    input: Input,
    output: Output,
    reaped: Reaped,
    ended: Option<Ended>,
    /// No process of the command is left.
    nothing_left: bool,
    stopped_by: Option<StoppedBy>,
}

impl Runner<'_> {
    /// Runs `exec` as `uid` to its end; no process of it exists when this returns, whatever it returns.
    pub fn run(&mut self, exec: &Exec, uid: u32) -> Result<Report, Fault> {
        let (argv, env) = (texts(&exec.argv)?, texts(&exec.env)?);
        if argv.is_empty() {
            return Err(Fault::Request("a command without a program"));
        }
        self.meter.start(&exec.limits).context("set the limits")?;
        let resources = self.meter.resources(&exec.limits);
        let plan = Plan {
            argv: &argv,
            env: &env,
            uid,
            resources: &resources,
            entry: self.meter.entry(),
            mask: self.mask.get(),
        };
        let started = Instant::now();
        match self.spawner.start(&plan) {
            Ok(Started::Running { pid, pipes }) => {
                let mut watched = Watched::new(pid, pipes, exec.limits, started, self.cpus, self.meter);
                let result = self.watch(&mut watched);
                self.finish(watched, result)
            }
            Ok(Started::Refused(errno)) => self.report_refused(errno, started),
            Err((what, source)) => Err(Fault::System { what, source }),
        }
    }

    /// Watches until the first process ended or is to be stopped.
    fn watch(&mut self, watched: &mut Watched) -> Result<(), Fault> {
        while let Some((bytes, last)) = self.connection.take_held_input() {
            watched.input.push(bytes, last);
        }
        self.take_requests(watched)?;
        loop {
            if signals::terminated() {
                return Err(Fault::Terminated);
            }
            watched.collect()?;
            watched.check_limits(self.meter, self.cpus)?;
            if watched.ended.is_some() || watched.stopped_by.is_some() {
                return Ok(());
            }
            self.connection.flush()?;
            self.wait(watched)?;
        }
    }

    fn wait(&mut self, watched: &mut Watched) -> Result<(), Fault> {
        let wants_requests = self.wants_requests(watched);
        let wants_output = self.connection.has_room();
        let mut fds = [
            self.connection.poll_input(wants_requests),
            self.connection.poll_output(),
            watched.input.poll(),
            watched.output.poll(0, wants_output),
            watched.output.poll(1, wants_output),
        ];
        let held_up = !wants_output || watched.input.is_short();
        let (timeout, since) = (watched.timeout(held_up), Instant::now());
        sys::poll(&mut fds, Some(timeout), self.mask.get()).context("watch a command")?;
        let late = since.elapsed().saturating_sub(timeout);
        if held_up {
            watched.held_up += since.elapsed();
        } else if late > STOOD_STILL {
            watched.held_up += late;
        }
        let [requests, _, input, stdout, stderr] = fds.map(|fd| fd.revents);
        if requests != 0 && wants_requests {
            self.connection.receive()?;
        } else if requests != 0 {
            return Err(Fault::Gone);
        }
        if input != 0 {
            watched.input.write();
        }
        for (stream, ready) in [stdout, stderr].into_iter().enumerate() {
            if ready != 0 {
                watched.output.forward(stream, self.connection)?;
            }
        }
        if watched.output.is_over() {
            watched.stopped_by = Some(StoppedBy::Output);
        }
        self.take_requests(watched)?;
        match watched.input.room() {
            Some(reply) => self.connection.reply(&reply),
            None => Ok(()),
        }
    }

    fn wants_requests(&self, watched: &Watched) -> bool {
        self.connection.held_bytes() + watched.input.waiting_bytes() < WAITING_REQUEST_BYTES
    }

    fn take_requests(&mut self, watched: &mut Watched) -> Result<(), Fault> {
        while self.wants_requests(watched) {
            match self.connection.take_new()? {
                Some(request) => self.handle(watched, request),
                None => break,
            }
        }
        Ok(())
    }

    fn handle(&mut self, watched: &mut Watched, request: Request) {
        match request {
            Request::Abort => watched.stopped_by = watched.stopped_by.or(Some(StoppedBy::Abort)),
            Request::Stdin { bytes, last } if self.connection.holds_nothing() => {
                watched.input.push(bytes, last);
            }
            request => self.connection.hold(request),
        }
    }

    /// Ends what is left, and puts the facts together.
    fn finish(&mut self, mut watched: Watched, result: Result<(), Fault>) -> Result<Report, Fault> {
        let wall_time = watched.started.elapsed().saturating_sub(watched.held_up);
        watched.end(self.reach, self.meter)?;
        result?;
        let usage = self.meter.finish(&watched.reaped).context("read the usage")?;
        watched.output.drain(self.connection, self.mask)?;
        let ended = watched.ended.ok_or(Fault::Request("a command whose first process is lost"))?;
        let [stdout_dropped_bytes, stderr_dropped_bytes] = watched.output.dropped();
        let over_output = watched.output.is_over().then_some(StoppedBy::Output);
        let over_memory = (usage.memory_bytes > watched.limits.memory_bytes).then_some(StoppedBy::Memory);
        let by_kernel = || kernel_stop(ended, usage.oom_kills, usage.cpu_time, &watched.limits);
        Ok(Report {
            ended,
            stopped_by: watched.stopped_by.or(over_memory).or(over_output).or_else(by_kernel),
            cpu_time_us: micros(usage.cpu_time),
            wall_time_us: micros(wall_time),
            memory_bytes: usage.memory_bytes,
            oom_kills: usage.oom_kills,
            process_refusals: usage.process_refusals,
            output_bytes: watched.output.written(),
            stdout_dropped_bytes,
            stderr_dropped_bytes,
            orphans: watched.reaped.killed,
        })
    }

    fn report_refused(&mut self, errno: i32, started: Instant) -> Result<Report, Fault> {
        let mut reaped = Reaped::default();
        self.meter.release().context("lift the limits")?;
        self.reach.collect_all(&mut reaped, |_| {}).context("collect a command")?;
        let usage = self.meter.finish(&reaped).context("read the usage")?;
        Ok(Report {
            ended: Ended::NotStarted(errno),
            stopped_by: None,
            cpu_time_us: micros(usage.cpu_time),
            wall_time_us: micros(started.elapsed()),
            memory_bytes: usage.memory_bytes,
            oom_kills: usage.oom_kills,
            process_refusals: usage.process_refusals,
            output_bytes: 0,
            stdout_dropped_bytes: 0,
            stderr_dropped_bytes: 0,
            orphans: 0,
        })
    }
}

impl Watched {
    fn new(
        first: libc::pid_t,
        pipes: Pipes,
        limits: Limits,
        started: Instant,
        cpus: u32,
        meter: &Meter,
    ) -> Self {
        Self {
            first,
            limits,
            started,
            held_up: Duration::ZERO,
            next_look: started + soonest(Duration::from_millis(limits.cpu_time_ms), cpus),
            next_memory_look: started + meter.memory_interval(limits.memory_bytes, cpus),
            input: Input::new(pipes.stdin),
            output: Output::new([pipes.stdout, pipes.stderr], limits.output_bytes),
            reaped: Reaped::default(),
            ended: None,
            nothing_left: false,
            stopped_by: None,
        }
    }

    /// Collects the processes that ended: the first one, and orphans.
    fn collect(&mut self) -> Result<(), Fault> {
        loop {
            match sys::wait_any(libc::WNOHANG).context("collect a process")? {
                Wait::Ended(waited) => {
                    self.reaped.add(&waited);
                    if waited.pid == self.first {
                        self.ended = Some(ended_by(waited.status));
                    }
                }
                Wait::Running => return Ok(()),
                Wait::NoChild => {
                    self.nothing_left = true;
                    return Ok(());
                }
            }
        }
    }

    /// Ends and collects what is left. Where no child is left, nothing is: orphans become children.
    fn end(&mut self, reach: Reach, meter: &Meter) -> Result<(), Fault> {
        if !self.nothing_left {
            reach.kill_all().context("end a command")?;
        }
        meter.release().context("lift the limits")?;
        if self.nothing_left {
            return Ok(());
        }
        let (first, ended, mut first_was_killed) = (self.first, &mut self.ended, false);
        reach
            .collect_all(&mut self.reaped, |waited| {
                if waited.pid == first {
                    *ended = Some(ended_by(waited.status));
                    first_was_killed = *ended == Some(Ended::Signaled(libc::SIGKILL));
                }
            })
            .context("collect a command")?;
        self.reaped.killed -= u64::from(first_was_killed);
        Ok(())
    }

    fn check_limits(&mut self, meter: &mut Meter, cpus: u32) -> Result<(), Fault> {
        let now = Instant::now();
        if now >= self.next_memory_look {
            let limit = self.limits.memory_bytes;
            let added = meter.memory_added(limit, &self.reaped).context("read the memory")?;
            if added > limit {
                self.stop(StoppedBy::Memory);
            }
            self.next_memory_look = now + meter.memory_interval(limit.saturating_sub(added), cpus);
        }
        if now >= self.next_look {
            let limit = Duration::from_millis(self.limits.cpu_time_ms);
            let used = meter.cpu_time().context("read the CPU time")?;
            if used >= limit {
                self.stop(StoppedBy::CpuTime);
            }
            self.next_look = now + soonest(limit.saturating_sub(used), cpus);
        }
        if now >= self.wall_end() {
            self.stop(StoppedBy::WallTime);
        }
        Ok(())
    }

    /// Names the first reason to stop a command that has not ended.
    fn stop(&mut self, reason: StoppedBy) {
        if self.ended.is_none() && self.stopped_by.is_none() {
            self.stopped_by = Some(reason);
        }
    }

    fn wall_end(&self) -> Instant {
        self.started + Duration::from_millis(self.limits.wall_time_ms) + self.held_up
    }

    /// How long to wait for something to happen; while the command is held up, its wall time does not run out.
    fn timeout(&self, held_up: bool) -> Duration {
        let look = self.next_look.min(self.next_memory_look);
        let look = if held_up { look } else { look.min(self.wall_end()) };
        look.saturating_duration_since(Instant::now())
    }
}

/// The soonest that `rest` of CPU time can be used up.
fn soonest(rest: Duration, cpus: u32) -> Duration {
    (rest / cpus.max(1)).max(SHORTEST_LOOK)
}

fn ended_by(status: i32) -> Ended {
    if libc::WIFSIGNALED(status) {
        Ended::Signaled(libc::WTERMSIG(status))
    } else {
        Ended::Exited(libc::WEXITSTATUS(status))
    }
}

/// The limit by which the kernel itself ended the first process.
fn kernel_stop(ended: Ended, oom_kills: u64, cpu_time: Duration, limits: &Limits) -> Option<StoppedBy> {
    match ended {
        Ended::Signaled(libc::SIGKILL) if oom_kills > 0 => Some(StoppedBy::Memory),
        Ended::Signaled(libc::SIGKILL | libc::SIGXCPU)
            if cpu_time >= Duration::from_millis(limits.cpu_time_ms) =>
        {
            Some(StoppedBy::CpuTime)
        }
        Ended::Signaled(_) | Ended::Exited(_) | Ended::NotStarted(_) => None,
    }
}

fn texts(texts: &[Vec<u8>]) -> Result<Vec<CString>, Fault> {
    texts
        .iter()
        .map(|text| CString::new(text.as_slice()).or(Err(Fault::Request("a text with NUL in a command"))))
        .collect()
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

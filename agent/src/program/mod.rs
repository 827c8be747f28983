//! The agent's life: take over the container, then do what is asked, one request after the other, until it ends.
//!
//! What the container has to be, beside read-only and without a network:
//!
//! ```text
//! /.guichet         0700, root's; the agent is in it, and where there are cgroups:
//! /.guichet/cgroup/ the slot's cgroup folders, writable: memory, cpuacct and pids (version 1) or unified (version 2)
//! /.guichet/socket/   may be there, writable: a folder that Guichet sees too, for a socket until Guichet has connected
//! /w  /tmp          tmpfs, each of its own, with limits of size and inodes; /w may be executed from
//! /etc/passwd, group  links to files of the same names in /w
//! capabilities      SETUID SETGID KILL CHOWN DAC_OVERRIDE, to act on commands and on what they leave;
//!                   SETPCAP, to empty the bounding set
//! ```
//!
//! One thread. A submission is open between `Begin` and the end of [`Agent::end`]; only in it files are written and
//! commands run. After the hello Guichet either goes on over the standard streams or connects to the socket, and so
//! says which is the connection from then on; the other way is closed before anything else is done. When the
//! connection ends the agent does too, and as process 1 takes everything with it.

mod command;
mod connection;
mod fault;
mod folder;
mod leftovers;
mod listener;
mod names;
mod output_folder;
mod path;
mod reap;
mod scratch;
mod signals;
mod spawn;
mod start;
mod store;
mod streams;
mod sys;
mod usage;
mod weakness;
mod work_folder;

use std::{ffi::CStr, os::fd::AsFd, path::Path, process::ExitCode};

use guichet_agent::{Clean, Exec, Hello, Reply, Request, Setup, VERSION};

use self::{
    command::Runner,
    connection::Connection,
    fault::{Context, Fault},
    folder::Sweeper,
    listener::Listener,
    names::Names,
    reap::{Reach, Reaped},
    scratch::Scratch,
    signals::WaitMask,
    spawn::Spawner,
    usage::Meter,
    work_folder::WorkFolder,
};

/// Where everything of a submission is; root's.
const BASE_FOLDER: &str = "/w";

/// In it: where files are and commands run.
const WORK: &CStr = c"work";

/// The same from anywhere.
const WORK_FOLDER: &CStr = c"/w/work";

/// In it: what a compilation leaves apart, [`guichet_agent::OUTPUT_FOLDER`].
const OUTPUT: &CStr = c"output";

/// In it: who a uid is.
const USERS: &CStr = c"passwd";

/// In it: who a gid is.
const GROUPS: &CStr = c"group";

/// The agent's own folder, which only root can enter.
const OWN_FOLDER: &str = "/.guichet";

/// Runs the agent until the connection ends.
pub fn run() -> ExitCode {
    let Ok((mut connection, mask)) = start::take_over() else {
        return ExitCode::FAILURE;
    };
    let fault = match Agent::set_up(&mut connection, &mask) {
        Ok(mut agent) => agent.serve(&mut connection),
        Err(fault) => fault,
    };
    match fault {
        Fault::Gone | Fault::Terminated => ExitCode::SUCCESS,
        fault => {
            let told = connection
                .reply(&Reply::Fault { message: fault.to_string() })
                .and_then(|()| connection.flush_to(0, &mask));
            // There is nobody else to tell.
            drop(told);
            ExitCode::FAILURE
        }
    }
}

/// Removes control groups below `folder`, in each hierarchy bound into the agent's own folder.
pub fn remove_control_groups(folder: &str) -> ExitCode {
    match leftovers::remove(&Path::new(OWN_FOLDER).join("cgroup"), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_error) => ExitCode::FAILURE,
    }
}

/// An open submission.
struct Submission {
    uid: u32,
    /// Tasks in the slot when it began.
    tasks: Option<u64>,
}

struct Agent<'a> {
    mask: &'a WaitMask,
    setup: Setup,
    reach: Reach,
    spawner: Spawner,
    meter: Meter,
    sweeper: Sweeper,
    work_folder: WorkFolder,
    names: Names,
    scratch: Scratch,
    cpus: u32,
    submissions: u32,
    open: Option<Submission>,
}

impl<'a> Agent<'a> {
    fn set_up(connection: &mut Connection, mask: &'a WaitMask) -> Result<Self, Fault> {
        let Request::Setup(setup) = connection.next(mask)? else {
            return Err(Fault::Request("a request before the setup"));
        };
        if setup.version != VERSION {
            return Err(Fault::Request("another version of the protocol"));
        }
        let uids = setup.first_uid.checked_add(setup.uid_count);
        if setup.first_uid == 0 || setup.uid_count == 0 || uids.is_none() {
            return Err(Fault::Request("a range without a uid, or with root's"));
        }
        start::check_container()?;
        let mut weaknesses = Vec::new();
        let mut spawner = Spawner::new();
        let reach = Reach::find().context("adopt orphans")?;
        let meter = Meter::find(&Path::new(OWN_FOLDER).join("cgroup"), &mut weaknesses);
        weakness::find(&mut spawner, &meter, setup.first_uid, mask, reach, &mut weaknesses)?;
        let base = start::open_base_folder().context("open the folder of submissions")?;
        let names = Names::make(base.as_fd()).context("make the tables of users and groups")?;
        let work_folder = WorkFolder::new(base).context("prepare the work folder")?;
        let listener = Listener::open();
        connection.reply(&Reply::Hello(Hello {
            version: VERSION,
            usage_source: meter.source(),
            weaknesses,
            listens: listener.is_some(),
        }))?;
        if let Some(listener) = listener {
            connection.choose(&listener, mask)?;
        }
        Ok(Self {
            mask,
            setup,
            reach,
            spawner,
            meter,
            sweeper: Sweeper::new(),
            work_folder,
            names,
            scratch: Scratch::open(),
            cpus: sys::usable_cpus(),
            submissions: 0,
            open: None,
        })
    }

    fn serve(&mut self, connection: &mut Connection) -> Fault {
        loop {
            let done = connection.next(self.mask).and_then(|request| self.handle(connection, request));
            if let Err(fault) = done {
                return fault;
            }
        }
    }

    fn handle(&mut self, connection: &mut Connection, request: Request) -> Result<(), Fault> {
        match request {
            Request::Setup(_) => Err(Fault::Request("a second setup")),
            Request::Begin => self.begin(),
            Request::Write { path, append, bytes } => {
                self.submission()?;
                self.work_folder.write(&path, append, &bytes)
            }
            Request::Lend { path, append, bytes } => {
                self.submission()?;
                self.work_folder.lend(&path, append, &bytes)
            }
            Request::Read { path, offset, most_bytes } => {
                self.submission()?;
                let (length, bytes) = self.work_folder.read(&path, offset, most_bytes)?;
                connection.reply(&Reply::File { length, bytes })
            }
            Request::Exec(exec) => self.exec(connection, &exec),
            // Input and wishes for a command that has ended meanwhile.
            Request::Stdin { .. } | Request::Abort => Ok(()),
            Request::End => self.end(connection),
            Request::Ping => connection.reply(&Reply::Pong),
        }
    }

    fn submission(&self) -> Result<&Submission, Fault> {
        self.open.as_ref().ok_or(Fault::Request("a request that needs an open submission"))
    }

    fn begin(&mut self) -> Result<(), Fault> {
        if self.open.is_some() {
            return Err(Fault::Request("a submission inside another"));
        }
        self.work_folder.clear(&mut self.sweeper).context("empty the work folder")?;
        let uid = self.setup.first_uid + self.submissions % self.setup.uid_count;
        self.names.call(uid).context("name the uid")?;
        self.submissions = self.submissions.wrapping_add(1);
        self.open = Some(Submission { uid, tasks: self.meter.tasks() });
        Ok(())
    }

    fn exec(&mut self, connection: &mut Connection, exec: &Exec) -> Result<(), Fault> {
        let uid = self.submission()?.uid;
        self.work_folder.restore(&mut self.sweeper, uid).context("make the work folder")?;
        if exec.keep {
            self.work_folder.open_output(uid).context("open the output folder")?;
        }
        let mut runner = Runner {
            connection,
            mask: self.mask,
            spawner: &mut self.spawner,
            meter: &mut self.meter,
            reach: self.reach,
            cpus: self.cpus,
        };
        let report = runner.run(exec, uid)?;
        connection.reply(&Reply::Report(report))?;
        connection.flush()?;
        // First, so that there is memory for what is kept.
        self.scratch.clean(&mut self.sweeper).context("clean the scratch folders")?;
        if exec.keep {
            self.work_folder.keep(&mut self.sweeper).context("keep what a command made")?;
        } else {
            self.work_folder.ran().context("take back what was lent")?;
        }
        Ok(())
    }

    fn end(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let submission = self.open.take().ok_or(Fault::Request("the end of no submission"))?;
        let mut problems = Vec::new();
        if !self.is_alone().context("end all processes")? {
            problems.push("a process is left".to_owned());
        }
        if let Err(error) = self.work_folder.clear(&mut self.sweeper) {
            problems.push(format!("the work folder cannot be emptied: {error}"));
        }
        if let Err(error) = self.scratch.clean(&mut self.sweeper) {
            problems.push(format!("a scratch folder cannot be emptied: {error}"));
        }
        self.verify(&submission, &mut problems).context("verify")?;
        connection.reply(&Reply::Clean(Clean { ok: problems.is_empty(), problems }))
    }

    /// Whether no other process exists, if need be after killing it.
    fn is_alone(&self) -> std::io::Result<bool> {
        if self.reach.is_alone()? {
            return Ok(true);
        }
        self.reach.kill_all()?;
        self.reach.collect_all(&mut Reaped::default(), |_| {})?;
        self.reach.is_alone()
    }

    /// Looks for what should not be there after a submission.
    fn verify(&mut self, submission: &Submission, problems: &mut Vec<String>) -> std::io::Result<()> {
        if !self.work_folder.is_empty(&mut self.sweeper)? {
            problems.push("something is left in the work folder".to_owned());
        }
        self.scratch.verify(&mut self.sweeper, problems)?;
        if let (Some(before), Some(after)) = (submission.tasks, self.meter.tasks())
            && after > before
        {
            problems.push(format!("{after} tasks in the slot, {before} before"));
        }
        Ok(())
    }
}

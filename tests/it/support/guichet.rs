//! The true program as a process of its own, on a data folder of its own.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Client, Role};
use super::engine::{self, Engine};
use super::options::Options;

/// How long a start may take.
const START: Duration = Duration::from_secs(30);
/// How long a stop may take: the grace period and some.
const STOP: Duration = Duration::from_mins(1);
/// The label that every container of an installation has.
const LABEL: &str = "guichet.installation";

/// A service. When dropped it is stopped, and must leave nothing behind: no container, no lease, no panic in its log.
#[derive(Debug)]
pub struct TestGuichet {
    options: Mutex<Options>,
    folder: TempDir,
    process: Mutex<Process>,
    docker_host: String,
}

#[derive(Debug, Default)]
struct Process {
    child: Option<Child>,
    /// Where it listens, also after a restart: clients reconnect to the address they know.
    address: Option<String>,
    /// Length of the log when the process started.
    log_from: usize,
}

impl TestGuichet {
    /// A service with two slots.
    pub async fn start() -> Self {
        Options::default().start().await
    }

    /// A data folder and settings, nothing running yet.
    pub fn prepare(options: Options) -> Self {
        let ground = engine::ground();
        let folder = tempfile::Builder::new().prefix("guichet-").tempdir().expect("a folder for the service");
        let docker_host = options.docker_host.clone().unwrap_or_else(|| ground.docker_host.clone());
        Self { options: Mutex::new(options), folder, process: Mutex::default(), docker_host }
    }

    /// A command of the program on this data folder, like `token`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_guichet"), arguments)
    }

    /// A command of the program in the control group that the options name.
    fn command_in_its_group(&self, arguments: &[&str]) -> Command {
        let group = lock(&self.options).control_group.clone();
        let Some(group) = group else { return self.command(arguments) };
        let enter = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
        let mut command = self.command_of("sh", &["-c", enter]);
        command.arg(group).arg(env!("CARGO_BIN_EXE_guichet")).args(arguments);
        command
    }

    /// A command of another program with the same settings.
    pub fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let slots = lock(&self.options).slots.unwrap_or(2);
        command
            .current_dir(engine::root())
            .args(arguments)
            .env("GUICHET_DATA_DIR", self.data())
            .env("GUICHET_EXECUTION__AGENT_PATH", &engine::ground().agent)
            .env("GUICHET_EXECUTION__RUNTIMES_DIR", &engine::ground().runtimes)
            .env("GUICHET_EXECUTION__SLOTS", slots.to_string())
            .stdin(Stdio::null());
        if !lock(&self.options).names_hosts() {
            command.env("GUICHET_DOCKER_HOSTS", &self.docker_host);
        }
        for (name, value) in &lock(&self.options).env {
            command.env(name, value);
        }
        command
    }

    /// Sets another environment for the next start.
    pub fn set_env(&self, name: &str, value: &str) {
        let mut options = lock(&self.options);
        options.env.retain(|(known, _)| known != name);
        options.env.push((name.to_owned(), value.to_owned()));
    }

    /// Arguments of a command for its settings file, which is written; none without one.
    pub fn config_arguments(&self) -> Vec<String> {
        lock(&self.options).config_arguments(self.folder())
    }

    /// Starts the process on the same data folder and waits until it is ready.
    pub async fn restart(&self) {
        self.launch();
        self.wait_until_ready().await;
    }

    /// Starts the process on the same data folder.
    pub fn launch(&self) {
        let mut process = lock(&self.process);
        assert!(process.child.is_none(), "the service runs already");
        let listen = process.address.clone().unwrap_or_else(|| "127.0.0.1:0".to_owned());
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the log");
        process.log_from = self.log().len();
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(lock(&self.options).arguments.iter().cloned());
        arguments.extend(self.config_arguments());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let child = self
            .command_in_its_group(&arguments)
            .env("GUICHET_LISTEN", listen)
            .stdout(log.try_clone().expect("the log"))
            .stderr(log)
            .spawn()
            .expect("the service starts");
        process.child = Some(child);
    }

    /// Waits until the process listens and says that it is ready.
    pub async fn wait_until_ready(&self) {
        let begun = Instant::now();
        loop {
            if let Some(address) = self.announced_address() {
                lock(&self.process).address = Some(address.clone());
                let ready = reqwest::get(format!("http://{address}/readyz")).await;
                if ready.is_ok_and(|answer| answer.status() == 200) {
                    return;
                }
            }
            let ended =
                lock(&self.process).child.as_mut().and_then(|child| child.try_wait().expect("the process"));
            assert!(ended.is_none(), "the service ended with {ended:?}; its log:\n{}", self.log());
            assert!(
                begun.elapsed() < START,
                "the service is not ready after {START:?}; its log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The address that the running process wrote into its log.
    fn announced_address(&self) -> Option<String> {
        let log = self.log();
        let from = lock(&self.process).log_from;
        let line = log.get(from..)?.lines().find(|line| line.contains("guichet serves"))?;
        let address = line.split("address=").nth(1)?;
        Some(address.split_whitespace().next()?.to_owned())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let address = lock(&self.process).address.clone();
        format!("http://{}", address.expect("the service has not been ready yet"))
    }

    /// A client with a fresh token of its own.
    pub fn client(&self, role: Role, subject: &str) -> Client {
        Client::new(&self.url(), &self.token(role, subject))
    }

    /// A student.
    pub fn student(&self, subject: &str) -> Client {
        self.client(Role::Student, subject)
    }

    /// A teacher called `teacher`.
    pub fn teacher(&self) -> Client {
        self.client(Role::Teacher, "teacher")
    }

    /// An admin called `admin`.
    pub fn admin(&self) -> Client {
        self.client(Role::Admin, "admin")
    }

    /// A token, minted by the program itself.
    pub fn token(&self, role: Role, subject: &str) -> String {
        engine::say(&mut self.command(&["token", "--sub", subject, "--role", role.name()]))
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder beside the data folder, gone with the service.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What all its processes wrote.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(self.log_path()) {
            log.read_to_end(&mut text).expect("the log");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Its engine.
    pub fn engine(&self) -> Engine {
        Engine::at(&self.docker_host)
    }

    /// The label of its containers.
    pub async fn label(&self) -> String {
        let id: String = self.query("SELECT id FROM installation").await;
        format!("{LABEL}={id}")
    }

    /// The id of its data folder, as its lock has it.
    pub fn data_folder_id(&self) -> String {
        let lock = std::fs::read_to_string(self.data().join("guichet.sqlite.lock")).expect("the lock");
        lock.split(' ').next().expect("an id").to_owned()
    }

    /// The folder that it shares with containers while they start.
    pub fn sockets(&self) -> PathBuf {
        guichet::pool::sockets_folder(self.data_folder_id().parse().expect("an id"))
    }

    /// One value out of its database, read by another connection.
    pub async fn query<T>(&self, sql: &'static str) -> T
    where
        T: for<'row> sqlx::Decode<'row, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
    {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.data().join("guichet.sqlite"))
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let mut connection =
            sqlx::SqliteConnection::connect_with(&options).await.expect("the database opens");
        let value = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("the database answers");
        connection.close().await.expect("the database closes");
        value
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        lock(&self.process).child.as_ref().expect("the service runs").id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid =
            i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the process takes signals");
    }

    /// SIGKILL; everything else stays as it is at that moment.
    pub fn kill(&self) {
        let mut child = lock(&self.process).child.take().expect("the service runs");
        child.kill().expect("the process dies");
        child.wait().expect("the process is gone");
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.ended(STOP).await
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&self, deadline: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            let ended = lock(&self.process)
                .child
                .as_mut()
                .expect("the service runs")
                .try_wait()
                .expect("the process");
            if let Some(status) = ended {
                lock(&self.process).child = None;
                return status;
            }
            assert!(
                begun.elapsed() < deadline,
                "the service did not end in {deadline:?}; its log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it if it runs, and answers whether it stopped cleanly.
    fn stop_for_good(&mut self) -> bool {
        let mut process = lock(&self.process);
        let Some(mut child) = process.child.take() else { return true };
        if let Ok(Some(status)) = child.try_wait() {
            eprintln!("the service ended before it was asked to, with {status}");
            return false;
        }
        if !std::thread::panicking() {
            let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
            if pid
                .is_some_and(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok())
            {
                let begun = Instant::now();
                while begun.elapsed() < STOP {
                    match child.try_wait() {
                        Ok(Some(status)) => return status.success(),
                        Ok(None) => pause(),
                        Err(_gone) => break,
                    }
                }
            }
        }
        drop(child.kill());
        drop(child.wait());
        false
    }

    /// What it has left behind, in words.
    fn left_behind(&self) -> Vec<String> {
        let mut left = Vec::new();
        let database = self.data().join("guichet.sqlite");
        if !database.exists() {
            return left;
        }
        // Drop may run inside a runtime, where nothing can be waited for but in a thread of its own.
        let read = || -> Result<(String, i64), sqlx::Error> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(sqlx::Error::Io)?;
            runtime.block_on(async {
                let id = self.query("SELECT id FROM installation").await;
                let leases = self.query("SELECT count(*) FROM submissions WHERE state = 'running'").await;
                Ok((id, leases))
            })
        };
        let read = std::thread::scope(|scope| scope.spawn(read).join());
        let Ok(Ok((id, leases))) = read else { return vec!["a database that cannot be read".to_owned()] };
        let sockets = self.sockets();
        let shared = std::fs::read_dir(&sockets).into_iter().flatten().count();
        if shared != 0 {
            left.push(format!("{shared} folders that containers shared"));
        }
        // A process that was killed leaves it.
        drop(std::fs::remove_dir(&sockets));
        let label = format!("{LABEL}={id}");
        let containers = self.engine().containers(&label);
        if !containers.is_empty() {
            self.engine().remove(&containers);
            left.push(format!("{} containers", containers.len()));
        }
        if leases != 0 {
            left.push(format!("{leases} leases"));
        }
        left
    }
}

impl Drop for TestGuichet {
    fn drop(&mut self) {
        let clean = self.stop_for_good();
        let left = self.left_behind();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("the service's log:\n{}", tail(&log));
            return;
        }
        assert!(clean, "the service did not stop cleanly; its log:\n{}", tail(&log));
        assert!(left.is_empty(), "the service left {left:?} behind; its log:\n{}", tail(&log));
        assert!(!log.contains("panicked at"), "the service panicked; its log:\n{log}");
    }
}

/// Drop can't await.
#[expect(clippy::disallowed_methods, reason = "drop waits for a process of ours, in a thread of a test")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

fn tail(log: &str) -> &str {
    let from = log.len().saturating_sub(8000);
    log.get(log.ceil_char_boundary(from)..).unwrap_or(log)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

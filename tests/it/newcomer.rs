//! What `make up` does once it has built, in a folder of its own, and what then works there without being told.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::engine::{Engine, ground, root, run, say};
use crate::support::{Client, TestGuichet, options::Options};

/// A folder as a newcomer has it, with the programs built. When dropped, what was started in it is stopped.
struct SourceFolder {
    folder: TempDir,
}

impl SourceFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        say(Command::new("cp")
            .arg("-r")
            .args(["scripts", "exercises", "runtimes"].map(|part| root().join(part)))
            .arg(folder.path()));
        std::fs::create_dir(folder.path().join("bin")).expect("a folder");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_guichet"));
        for (from, name) in [(&program, "guichet"), (&ground().agent, "guichet-agent")] {
            // By another process: one that this one writes to cannot be run while a test beside this one starts a process.
            say(Command::new("cp").arg(from).arg(folder.path().join("bin").join(name)));
        }
        Self { folder }
    }

    /// A command in the folder, by someone who has set nothing.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join(program));
        command.args(arguments).current_dir(self.folder.path());
        for (name, _value) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GUICHET_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn guichet(&self, arguments: &[&str]) -> Output {
        run(&mut self.command("bin/guichet", arguments))
    }

    /// What `make up` does behind the build.
    fn start(&self) -> Command {
        self.command("scripts/start.sh", &["bin/guichet"])
    }

    /// What `make down` does.
    fn down(&self) -> Output {
        run(&mut self.command("scripts/down.sh", &[]))
    }
}

impl Drop for SourceFolder {
    fn drop(&mut self) {
        let stopped = self.down();
        assert!(std::thread::panicking() || stopped.status.success(), "{stopped:?}");
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_make_up_every_command_in_the_folder_means_its_service_until_make_down() {
    let here = SourceFolder::new();
    let (host, address) = (&ground().docker_host, free_address());

    let up = run(here.start().env("GUICHET_LISTEN", &address).env("GUICHET_DOCKER_HOSTS", host));
    let again = run(&mut here.start());
    let doctor = here.guichet(&["doctor"]);
    let list = here.guichet(&["runtime", "list"]);
    let token = here.guichet(&["token", "--sub", "alice"]);
    let me = Client::new(&format!("http://{address}"), printed(&token).trim()).get("/v1/me").await;

    for up in [&up, &again] {
        assert!(up.status.success(), "{up:?}");
        assert!(printed(up).contains("event: submission.finished"), "{up:?}");
        assert_eq!(printed(up).lines().last(), Some(format!("http://{address}").as_str()));
    }
    assert!(doctor.status.success() && printed(&doctor).contains(host), "{doctor:?}");
    assert!(list.status.success(), "{list:?}");
    assert!(printed(&list).matches(&format!("\t{host}\tready\n")).count() >= 2, "{list:?}");
    assert_eq!(me.expect(200)["sub"], "alice");

    let database = here.folder.path().join("data/guichet.sqlite");
    let installation = say(Command::new("sqlite3").arg(database).arg("SELECT id FROM installation"));
    let down = here.down();

    assert!(down.status.success(), "{down:?}");
    assert!(!here.folder.path().join(".guichet/up.toml").exists());
    assert_eq!(Engine::at(host).containers(&format!("guichet.installation={installation}")), [""; 0]);
    assert!(!printed(&here.guichet(&["doctor"])).contains(host));
}

#[test]
fn what_make_up_left_counts_below_the_settings_of_the_folder_and_not_beside_others() {
    let here = SourceFolder::new();
    let key = |output: &Output| {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        told.split("there is no key at ")
            .nth(1)
            .and_then(|rest| rest.split("/key:").next())
            .map(str::to_owned)
    };
    let say_dir = |file: &str, dir: &str| {
        std::fs::write(here.folder.path().join(file), format!("[data]\ndir = \"{dir}\"\n")).expect("a file");
    };
    let token = |arguments: &[&str]| key(&here.guichet(&[&["token", "--sub", "a"], arguments].concat()));

    std::fs::create_dir(here.folder.path().join(".guichet")).expect("a folder");
    say_dir(".guichet/up.toml", "/nonexistent/up");
    let by_record = token(&[]);
    say_dir("other.toml", "/nonexistent/other");
    let by_other = token(&["--config", "other.toml"]);
    say_dir("guichet.toml", "/nonexistent/folder");
    let by_folder = token(&[]);
    std::fs::remove_file(here.folder.path().join(".guichet/up.toml")).expect("the file");

    assert_eq!(by_record.as_deref(), Some("/nonexistent/up"));
    assert_eq!(by_other.as_deref(), Some("/nonexistent/other"));
    assert_eq!(by_folder.as_deref(), Some("/nonexistent/folder"));
}

#[test]
fn no_token_is_made_without_a_key_and_no_key_by_asking_for_a_token() {
    let nothing = TestGuichet::prepare(Options::default());

    let token = run(&mut nothing.command(&["token", "--sub", "alice"]));

    let told = String::from_utf8_lossy(&token.stderr);
    assert_eq!((token.status.code(), printed(&token).as_str()), (Some(1), ""));
    assert!(told.contains(&nothing.data().join("key").display().to_string()), "{told}");
    assert!(told.contains("guichet serve") && told.contains("GUICHET_DATA_DIR"), "{told}");
    assert!(!nothing.data().exists());
}

#[test]
fn every_command_says_once_what_to_do_about_engines_that_do_not_answer() {
    let nothing = TestGuichet::prepare(Options::default());
    let command = |arguments: &[&str]| {
        run(nothing
            .command(arguments)
            .env("GUICHET_DOCKER_HOSTS", "unix:///nonexistent/one.sock,unix:///nonexistent/two.sock"))
    };
    let advice = "start the engine (systemctl start docker), let this user use its socket (group docker), \
                  or name others by GUICHET_DOCKER_HOSTS";

    let doctor = command(&["doctor"]);

    assert_eq!(doctor.status.code(), Some(1));
    assert!(
        printed(&doctor).contains("/nonexistent/one.sock")
            && printed(&doctor).contains("/nonexistent/two.sock")
    );
    assert_eq!(printed(&doctor).matches(advice).count(), 1, "{}", printed(&doctor));
    for action in ["list", "build", "check"] {
        let told = command(&["runtime", action]);
        let stderr = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.code(), Some(1));
        assert_eq!(stderr.matches(advice).count(), 1, "{stderr}");
        assert_eq!(stderr.matches("there is no such socket").count(), 1, "{stderr}");
    }
}

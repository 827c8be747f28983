//! The images of the runtimes: made, found, tried and missed by the command line.

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::pool::hosts::OwnEngine;
use crate::support::engine::{Engine, ground, guichet, root, run};

/// A runtime of one small package, in a folder of its own.
pub struct SmallRuntime {
    folder: tempfile::TempDir,
    image: String,
}

impl SmallRuntime {
    pub fn new(probe: &str) -> Self {
        let small = Self {
            folder: tempfile::tempdir().expect("a folder"),
            image: format!("guichet-small:{}", uuid::Uuid::new_v4().simple()),
        };
        small.write(probe, "[\"/bin/busybox\", \"true\"]");
        small
    }

    /// Writes its `runtime.toml`, after that of `c`, with a command that finishes the image's tree.
    pub fn write(&self, probe: &str, finish: &str) {
        let limits = |step: &str| {
            format!(
                "[{step}.limits.default]\ncpu_time_ms = 1000\nwall_time_ms = 3000\nmemory_bytes = 67108864\n\
                 output_bytes = 65536\nprocesses = 8\n[{step}.limits.maximum]\ncpu_time_ms = 2000\n\
                 wall_time_ms = 6000\nmemory_bytes = 134217728\noutput_bytes = 65536\nprocesses = 8\n"
            )
        };
        let text = format!(
            "id = \"small\"\nlanguage = \"sh\"\nversion = \"1\"\nname = \"Small\"\nimage = \"{}\"\n\
             probe = {probe}\nentry_file = \"main.sh\"\n[run]\ncommand = [\"/bin/busybox\", \"sh\", \"{{entry}}\"]\n{}\
             [build]\nsuite = \"bookworm\"\npackages = [\"busybox-static\"]\nfinish = [{finish}]\n",
            self.image,
            limits("run")
        );
        let folder = self.folder.path().join("small");
        std::fs::create_dir_all(folder.join("check")).expect("a folder");
        std::fs::write(folder.join("runtime.toml"), text).expect("a file");
        self.write_check("exit 0\n");
    }

    /// Leaves out how its image is made.
    fn forget_recipe(&self) {
        let file = self.folder.path().join("small/runtime.toml");
        let text = std::fs::read_to_string(&file).expect("a runtime");
        let (text, _recipe) = text.split_once("[build]").expect("a recipe");
        std::fs::write(&file, text).expect("a file");
    }

    /// Writes its check program.
    fn write_check(&self, script: &str) {
        std::fs::write(self.folder.path().join("small/check/main.sh"), script).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Output {
        self.command_on(&ground().docker_host, arguments)
    }

    pub fn command_on(&self, docker_hosts: &str, arguments: &[&str]) -> Output {
        on_engine(self.folder.path(), docker_hosts, arguments)
    }

    /// The folder of runtimes that it is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The id that its image has on an engine, if it is there.
    pub fn image_on(&self, engine: &Engine) -> Option<String> {
        engine.ask_for(&["inspect", "-f", "{{.Id}}", &self.image])
    }
}

impl Drop for SmallRuntime {
    fn drop(&mut self) {
        Engine::at(&ground().docker_host).ask(&["rmi", "-f", &self.image]);
    }
}

fn on_engine(runtimes: &Path, docker_host: &str, arguments: &[&str]) -> Output {
    run(guichet()
        .arg("runtime")
        .args(arguments)
        .env("GUICHET_EXECUTION__RUNTIMES_DIR", runtimes)
        .env("GUICHET_EXECUTION__AGENT_PATH", &ground().agent)
        .env("GUICHET_DOCKER_HOSTS", docker_host))
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_image_is_made_once_and_anew_when_its_recipe_changes() {
    let small = SmallRuntime::new("[\"/bin/busybox\", \"true\"]");

    let missing = small.command(&["check"]);
    let made = small.command(&["build", "small"]);
    let found = small.command(&["build"]);
    let checked = small.command(&["check"]);
    small.write("[\"/bin/busybox\", \"true\"]", "");
    let outdated = small.command(&["check"]);

    assert_eq!(missing.status.code(), Some(1));
    assert!(printed(&missing).contains("is missing"), "{}", printed(&missing));
    assert!(made.status.success(), "{made:?}");
    assert_eq!(printed(&found), format!("small: {} is on every host\n", small.image));
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(outdated.status.code(), Some(1));
    assert!(printed(&outdated).contains("is of an older recipe"), "{}", printed(&outdated));
}

#[tokio::test]
async fn an_image_is_made_while_others_prune() {
    let small = SmallRuntime::new("[\"/bin/busybox\", \"true\"]");
    let own = OwnEngine::empty().await;
    let (engine, stop) = (Engine::at(&own.address()), AtomicBool::new(false));

    let made = std::thread::scope(|scope| {
        for _other in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(engine.ask_for(&["image", "prune", "-f", "--filter", "label=another"]));
                }
            });
        }
        let made = [(); 2].map(|()| small.command_on(&own.address(), &["build", "--anew"]));
        stop.store(true, Ordering::Relaxed);
        made
    });

    assert!(made.iter().all(|made| made.status.success()), "{made:?}");
}

#[tokio::test]
async fn an_image_is_made_once_and_brought_to_every_other_host_where_it_replaces_the_old_one() {
    let small = SmallRuntime::new("[\"/bin/busybox\", \"true\"]");
    let other = OwnEngine::empty().await;
    let (shared, own) = (Engine::at(&ground().docker_host), Engine::at(&other.address()));
    let both = format!("{},{}", ground().docker_host, other.address());

    let made = small.command_on(&both, &["build"]);
    let first = small.image_on(&shared);
    let found = small.command_on(&both, &["build"]);

    assert!(made.status.success(), "{made:?}");
    assert_eq!(printed(&made).matches("unpacking").count(), 1, "{}", printed(&made));
    assert!(printed(&made).contains(&format!(" MiB from {}", ground().docker_host)), "{}", printed(&made));
    assert!(first.is_some());
    assert_eq!(small.image_on(&own), first);
    assert_eq!(printed(&found), format!("small: {} is on every host\n", small.image));

    small.write("[\"/bin/busybox\", \"true\"]", "");
    let anew = small.command_on(&both, &["build"]);
    let second = small.image_on(&own);

    assert!(anew.status.success(), "{anew:?}");
    assert!(second.is_some() && second != first, "{second:?}");
    assert_eq!(small.image_on(&shared), second);
    assert_eq!(own.ask_for(&["inspect", &first.expect("an image")]), None, "what nothing uses goes");

    let again = small.command_on(&both, &["build", "--anew"]);
    assert!(again.status.success(), "{again:?}");
    assert_ne!(small.image_on(&own), second);
    assert_eq!(small.image_on(&own), small.image_on(&shared));
    let checked = small.command_on(&both, &["check"]);
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test]
async fn an_image_without_a_recipe_is_brought_from_the_host_that_has_it_and_a_host_that_is_gone_keeps_none_from_it()
 {
    let small = SmallRuntime::new("[\"/bin/busybox\", \"true\"]");
    assert!(small.command(&["build"]).status.success());
    small.forget_recipe();
    let other = OwnEngine::empty().await;
    let three = format!("unix:///nonexistent/docker.sock,{},{}", other.address(), ground().docker_host);

    let brought = small.command_on(&three, &["build"]);

    assert_eq!(brought.status.code(), Some(1), "{brought:?}");
    assert!(String::from_utf8_lossy(&brought.stderr).contains("/nonexistent/docker.sock"), "{brought:?}");
    let shared = Engine::at(&ground().docker_host);
    assert!(small.image_on(&shared).is_some());
    assert_eq!(small.image_on(&Engine::at(&other.address())), small.image_on(&shared));
}

#[test]
fn an_image_whose_probe_fails_is_not_in_order() {
    let small = SmallRuntime::new("[\"/bin/busybox\", \"false\"]");

    let made = small.command(&["build"]);
    let checked = small.command(&["check"]);

    assert!(made.status.success(), "{made:?}");
    assert_eq!(checked.status.code(), Some(1));
    assert!(printed(&checked).contains("/bin/busybox false exited with 1"), "{}", printed(&checked));
    let left = Engine::at(&ground().docker_host).containers(&format!("guichet.probe={}", small.image));
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_check_program_that_ends_badly_or_is_missing_is_told() {
    let small = SmallRuntime::new("[\"/bin/busybox\", \"true\"]");
    let made = small.command(&["build"]);
    assert!(made.status.success(), "{made:?}");

    small.write_check("echo missing: a thing\necho missing: another >&2\nexit 3\n");
    let told = small.command(&["check"]);
    std::fs::remove_dir_all(small.folder.path().join("small/check")).expect("a folder");
    let without = small.command(&["check"]);

    assert_eq!((told.status.code(), without.status.code()), (Some(1), Some(1)));
    let words = "its check program ends with 3: missing: a thing; missing: another";
    assert!(printed(&told).contains(words), "{}", printed(&told));
    assert!(printed(&without).contains("has no check program"), "{}", printed(&without));
}

#[test]
fn the_images_of_this_repository_hold_what_programs_are_promised() {
    let checked = on_engine(&ground().runtimes, &ground().docker_host, &["check"]);

    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(printed(&checked).matches("holds what programs are promised").count(), 2, "{checked:?}");
}

#[test]
fn an_image_that_lacks_the_locale_and_the_time_zones_is_told_so() {
    let engine = Engine::at(&ground().docker_host);
    let image = format!("guichet-bare:{}", uuid::Uuid::new_v4().simple());
    let removes =
        "import shutil; [shutil.rmtree(path) for path in ('/usr/share/zoneinfo', '/usr/lib/locale')]";
    engine.build(
        &image,
        &format!("FROM guichet-python:2\nRUN [\"/usr/bin/python3\", \"-c\", \"{removes}\"]\n"),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let ours = root().join("runtimes/python");
    let text = std::fs::read_to_string(ours.join("runtime.toml")).expect("a runtime");
    let (text, _recipe) = text.split_once("[build]").expect("a recipe");
    std::fs::create_dir_all(folder.path().join("python/check")).expect("a folder");
    std::fs::write(folder.path().join("python/runtime.toml"), text.replace("guichet-python:2", &image))
        .expect("a file");
    std::fs::copy(ours.join("check/main.py"), folder.path().join("python/check/main.py")).expect("a file");

    let checked = on_engine(folder.path(), &ground().docker_host, &["check"]);
    engine.ask(&["rmi", "-f", &image]);

    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let told = printed(&checked);
    assert!(
        told.contains("missing: the locale of LANG") && told.contains("missing: the time zone Europe/Paris"),
        "{told}"
    );
}

#[test]
fn a_host_that_does_not_answer_fails_every_command_about_images() {
    let output = on_engine(&root().join("runtimes"), "unix:///nonexistent/docker.sock", &["check"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unix:///nonexistent/docker.sock"));
}

#[test]
fn a_runtime_nobody_knows_cannot_be_built() {
    let output = on_engine(&root().join("runtimes"), &ground().docker_host, &["build", "cobol"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no runtime cobol"));
}

//! What the service leaves on a Docker host: nothing that it does not need again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::pool::hosts::OwnEngine;
use crate::support::engine::{Engine, ground, run, say};
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// Folders of the service's control groups on this machine.
fn control_groups(guichet: &TestGuichet) -> Vec<PathBuf> {
    let id = guichet.data_folder_id();
    let short: String = id.chars().filter(|letter| *letter != '-').take(12).collect();
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies =
        std::fs::read_dir(root).expect("control groups").map(|entry| entry.expect("one").path());
    let folders = hierarchies.chain([root.to_owned()]).map(|path| path.join("guichet").join(&short));
    folders.filter(|folder| folder.exists()).collect()
}

/// A container whose files its engine cannot remove: something is mounted among them, where the engine cannot unmount it.
struct Stuck {
    engine: Engine,
    container: String,
    /// The layer's folder by another path.
    layer: tempfile::TempDir,
}

impl Stuck {
    fn make(engine: Engine, container: String) -> Self {
        let upper = engine.ask(&["inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", &container]);
        let folder = Path::new(upper.trim()).parent().expect("the layer's folder");
        let layer = tempfile::tempdir().expect("a folder");
        say(Command::new("mount").arg("--bind").args([folder, layer.path()]));
        // Else the engine would see what follows below its own path, too, and unmount it.
        say(Command::new("mount").arg("--make-private").arg(layer.path()));
        let mounted = layer.path().join("mounted");
        std::fs::create_dir(&mounted).expect("a folder");
        say(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(mounted));
        Self { engine, container, layer }
    }

    fn is_there(&self) -> bool {
        self.engine.ask_for(&["inspect", &self.container]).is_some()
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        drop(run(Command::new("umount").arg("-R").arg(self.layer.path())));
        self.engine.ask_for(&["rm", "-f", &self.container]);
    }
}

#[tokio::test]
async fn a_container_that_the_engine_cannot_remove_keeps_neither_its_slot_nor_its_host_from_work() {
    let engine = OwnEngine::start(&[]).await;
    let guichet = Options::default().slots(1).docker_host(&engine.address()).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let student = guichet.student("alice");
    let python = programs::python_sum();
    student.grade("sum", &python).await;
    let host = Engine::at(&engine.address());
    let container = host.running(&guichet.label().await).first().cloned().expect("a warm container");
    let stuck = Stuck::make(host.clone(), container.clone());

    host.kill(&[container]);
    let in_its_slot = student.grade("sum", &python).await;
    guichet.kill();
    guichet.restart().await;
    let on_its_host = student.grade("sum", &python).await;

    assert!(stuck.is_there(), "the engine could not remove it");
    assert_eq!((&in_its_slot["verdict"], &on_its_host["verdict"]), (&"accepted".into(), &"accepted".into()));
    assert!(guichet.log().contains("cannot remove a container that has ended"), "{}", guichet.log());
    drop(stuck);
}

#[tokio::test]
async fn a_graceful_stop_leaves_no_control_group() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.student("alice").grade("sum", &programs::c_sum()).await;
    assert_ne!(control_groups(&guichet), Vec::<PathBuf>::new(), "of the containers that run");

    assert!(guichet.terminate().await.success());

    assert_eq!(control_groups(&guichet), Vec::<PathBuf>::new());
}

/// An image as an agent of another version has left it.
struct OldImage(String);

/// Other tests' services remove such images, too, also while one is being made.
const TRIES: usize = 20;

impl OldImage {
    fn make(labels: &str) -> Self {
        let tag = uuid::Uuid::new_v4().simple();
        let name = format!("guichet-agent:{tag}");
        let folder = tempfile::tempdir().expect("a folder");
        // The engine makes one image, of two names, of what is built twice from the same steps.
        let steps = format!("FROM guichet-c:2\nLABEL guichet.agent=true guichet.test={tag} {labels}\n");
        std::fs::write(folder.path().join("Dockerfile"), steps).expect("a Dockerfile");
        let folder = folder.path().to_string_lossy();
        let build = ["build", "-q", "-t", &name, &folder];
        (0..TRIES).find_map(|_| engine().ask_for(&build)).expect("an image");
        Self(name)
    }

    /// One with a container of it.
    fn make_in_use(labels: &str) -> (Self, String) {
        let made = (0..TRIES).find_map(|_| {
            let image = Self::make(labels);
            let container = engine().ask_for(&["create", &image.0, "/nothing"])?;
            Some((image, container))
        });
        made.expect("an image with a container")
    }

    fn is_there(&self) -> bool {
        !engine().ask(&["images", "-q", &self.0]).is_empty()
    }

    async fn wait_until_gone(&self) {
        wait_for(&self.0, SOON, async || self.is_there(), |there| !there).await;
    }
}

fn engine() -> Engine {
    Engine::at(&ground().docker_host)
}

#[tokio::test]
async fn images_of_earlier_agents_go_unless_a_container_uses_them() {
    let _images = ground();
    let unlabelled = OldImage::make("");
    let of_this_base = OldImage::make("guichet.base=guichet-c:2 guichet.base-id=sha256:1");
    let of_an_older_base = OldImage::make("guichet.base=guichet-c:0 guichet.base-id=sha256:1");
    let of_a_lost_base = OldImage::make("guichet.base=guichet-gone:1 guichet.base-id=sha256:1");
    let (in_use, container) = OldImage::make_in_use("guichet.base=guichet-c:2 guichet.base-id=sha256:2");

    let guichet = TestGuichet::start().await;
    for old in [&unlabelled, &of_this_base, &of_an_older_base, &of_a_lost_base] {
        old.wait_until_gone().await;
    }
    assert!(in_use.is_there());
    engine().remove(&[container]);
    guichet.terminate().await;
    guichet.restart().await;

    in_use.wait_until_gone().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    assert_eq!(guichet.student("alice").grade("sum", &programs::c_sum()).await["verdict"], "accepted");
}

#[tokio::test]
async fn an_image_that_lost_its_name_and_is_in_use_keeps_no_other_on_the_host() {
    let _images = ground();
    let old = OldImage::make("");
    // The engine lists the newest first.
    let (nameless, container) = OldImage::make_in_use("");
    engine().ask(&["rmi", "-f", &nameless.0]);
    assert!(!nameless.is_there());

    let _guichet = TestGuichet::start().await;

    old.wait_until_gone().await;
    engine().remove(&[container]);
}

#[tokio::test]
async fn an_image_that_vanished_is_built_again_when_a_container_needs_it() {
    // An agent of its own makes images that no other test uses.
    let folder = tempfile::tempdir().expect("a folder");
    let agent = folder.path().join("agent");
    let mut program = std::fs::read(&ground().agent).expect("the agent");
    program.extend(uuid::Uuid::new_v4().as_bytes());
    std::fs::write(&agent, program).expect("an agent");
    let path = agent.to_string_lossy();
    let guichet = Options::default().env("GUICHET_EXECUTION__AGENT_PATH", &path).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let student = guichet.student("alice");
    assert_eq!(student.grade("sum", &programs::c_sum()).await["verdict"], "accepted");
    let label = guichet.label().await;

    let containers = engine().running(&label);
    let images: Vec<_> =
        containers.iter().map(|id| engine().ask(&["inspect", "-f", "{{.Config.Image}}", id])).collect();
    for image in images.iter().collect::<std::collections::BTreeSet<_>>() {
        engine().ask(&["rmi", "-f", image]);
    }
    engine().kill(&containers);

    assert_eq!(student.grade("sum", &programs::c_sum()).await["verdict"], "accepted");
}

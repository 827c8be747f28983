//! The way to an agent is found by itself, and a container that means harm gains nothing by a folder that it shares.

use std::collections::BTreeMap;
use std::path::PathBuf;

use guichet::domain::exercise::Isolation;
use guichet::pool::{Settings, TransportKind};
use guichet_agent::{Hello, Reply, UsageSource, VERSION, encode};
use tempfile::TempDir;
use tokio::net::UnixListener;

use super::bench::{Bench, hosts};
use super::hosts::OwnEngine;
use crate::support::engine::Engine;

#[tokio::test]
async fn an_agent_on_this_machine_is_spoken_to_over_a_socket_and_its_folder_is_gone_before_a_program_runs() {
    let bench = Bench::start().await;
    let container = bench.claim("python").await;
    assert_eq!(container.transport(), TransportKind::Socket);

    let id = container.id().expect("an id").to_owned();
    // Even the container's root, which the agent is and no program of a student.
    let write = "
try:
    open('/.guichet/socket/file', 'w')
    print('written')
except OSError as error:
    print(error.strerror)
";
    let tried = Engine::at(&bench.settings.hosts[0].url).ask(&["exec", &id, "/usr/bin/python3", "-c", write]);

    assert_eq!(tried, "No such file or directory");
    container.release(Isolation::Reset).await;
    bench.claim("c").await.release(Isolation::Reset).await;
    assert_eq!(bench.sockets(), Vec::<PathBuf>::new());
    bench.end().await;
}

#[tokio::test]
async fn an_engine_that_sees_other_files_than_we_do_is_gone_through() {
    let hidden = folder();
    let engine = OwnEngine::start_blind(&[], Some(hidden.path().to_owned())).await;
    let sockets = Some(hidden.path().join("sockets"));
    let settings = Settings { hosts: hosts([engine.address()]), sockets, ..Bench::settings() };
    let bench = Bench::with(settings).await;

    for _ in 0..2 {
        let container = bench.claim("python").await;
        assert_eq!(container.transport(), TransportKind::Attach);
        container.destroy().await;
    }

    assert_eq!(bench.run("python", "print('all the same')").await.stdout, "all the same\n");
    assert_eq!(bench.sockets(), Vec::<PathBuf>::new());
    bench.end().await;
}

/// What a played agent says at first, as a list of numbers.
fn hello(listens: bool) -> String {
    let weaknesses = Vec::new();
    let hello = Hello { version: VERSION, usage_source: UsageSource::Rusage, weaknesses, listens };
    let mut bytes = Vec::new();
    encode(&Reply::Hello(hello), &mut bytes).expect("a frame");
    format!("{bytes:?}")
}

/// A pool whose agents are played by a script, in containers as hardened as all others. `deed` knows `path`, where the
/// socket should be, and may set `listens`; `afterwards` follows the hello.
fn played(folder: &TempDir, deed: &str, afterwards: &str) -> Bench {
    let script = format!(
        "#!/usr/bin/python3 -I
import os, socket
path, listens = '{}', True
os.read(0, 65536)
{deed}
os.write(1, bytes({} if listens else {}))
{afterwards}
while os.read(0, 65536):
    pass
",
        guichet_agent::SOCKET,
        hello(true),
        hello(false),
    );
    let agent_path = folder.path().join("agent");
    std::fs::write(&agent_path, script).expect("a script");
    let sockets = Some(folder.path().join("sockets"));
    // It runs no program.
    let canaries = BTreeMap::new();
    let settings = Settings { agent_path, sockets, canaries, ..Bench::settings() };
    Bench::of_one("python", settings)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn ends_up_attached(bench: Bench) {
    let container = bench.claim("python").await;
    assert_eq!(container.transport(), TransportKind::Attach);
    assert_eq!(bench.containers().await.len(), 1, "one container is left behind");
    drop(container);
    bench.end().await;
}

#[tokio::test]
async fn a_link_that_an_agent_leaves_in_place_of_its_socket_leads_nowhere() {
    // As seen from here: beside the folder of all shared folders, where a docker.sock might be.
    let folder = folder();
    let decoy = UnixListener::bind(folder.path().join("decoy")).expect("a socket");
    let bench = played(&folder, "os.symlink('../../decoy', path)", "");

    let container = bench.claim("python").await;

    assert_eq!(container.transport(), TransportKind::Attach);
    let nobody = tokio::time::timeout(std::time::Duration::ZERO, decoy.accept()).await;
    assert!(nobody.is_err(), "the link was followed: {nobody:?}");
    drop(container);
    bench.end().await;
}

#[tokio::test]
async fn an_agent_that_cannot_listen_is_spoken_to_through_its_engine() {
    let folder = folder();
    let bench = played(&folder, "listens = False", "");

    ends_up_attached(bench).await;
}

#[tokio::test]
async fn an_agent_whose_socket_nobody_listens_at_is_spoken_to_through_its_engine() {
    let folder = folder();
    let bench = played(&folder, "socket.socket(socket.AF_UNIX).bind(path)", "");

    ends_up_attached(bench).await;
}

/// How the agents of the next containers are spoken to, one after the other, while a file is in the place
/// of the folder of all shared folders.
async fn without_the_folder<const COUNT: usize>(bench: &Bench) -> [TransportKind; COUNT] {
    let sockets = bench.settings.sockets.clone().expect("a folder");
    let away = sockets.with_extension("away");
    let mut held = bench.claim("python").await;
    std::fs::rename(&sockets, &away).expect("it is away");
    std::fs::write(&sockets, "").expect("a file in its place");
    let mut seen = [TransportKind::Socket; COUNT];
    for transport in &mut seen {
        drop(held);
        held = bench.claim("python").await;
        *transport = held.transport();
    }
    std::fs::remove_file(&sockets).expect("the file is gone");
    std::fs::rename(&away, &sockets).expect("it is back");
    drop(held);
    seen
}

#[tokio::test]
async fn a_folder_that_was_taken_away_is_made_again() {
    let bench = Bench::of_one("python", Bench::settings());
    let held = bench.claim("python").await;
    std::fs::remove_dir_all(bench.settings.sockets.clone().expect("a folder")).expect("it is gone");

    drop(held);

    assert_eq!(bench.claim("python").await.transport(), TransportKind::Socket);
    bench.end().await;
}

#[tokio::test]
async fn faults_that_pass_leave_the_sockets_in_use() {
    let bench = Bench::of_one("python", Bench::settings());

    for _ in 0..2 {
        assert_eq!(without_the_folder(&bench).await, [TransportKind::Attach; 2]);
        assert_eq!(bench.claim("python").await.transport(), TransportKind::Socket);
    }

    bench.end().await;
}

#[tokio::test]
async fn after_three_faults_in_a_row_a_host_is_gone_through_for_good() {
    let bench = Bench::of_one("python", Bench::settings());

    assert_eq!(without_the_folder(&bench).await, [TransportKind::Attach; 3]);

    assert_eq!(bench.claim("python").await.transport(), TransportKind::Attach);
    bench.end().await;
}

#[tokio::test]
async fn an_agent_that_talks_nonsense_over_its_socket_is_replaced_by_one_that_has_none() {
    let deed = "
listener = socket.socket(socket.AF_UNIX)
try:
    listener.bind(path)
    listener.listen()
except OSError:
    listens = False
";
    let afterwards = "
if listens:
    listener.accept()[0].send(b'{\"verdict\": \"accepted\"}')
";
    let folder = folder();
    let bench = played(&folder, deed, afterwards);

    ends_up_attached(bench).await;
}

#[tokio::test]
async fn what_a_container_puts_into_its_folder_is_removed_with_it() {
    let deed = "
folder = os.path.dirname(path)
try:
    os.makedirs(folder + '/a/b')
    open(folder + '/a/b/file', 'w').write('left')
    os.symlink('/', folder + '/a/link')
except OSError:
    listens = False
";
    let folder = folder();
    let bench = played(&folder, deed, "");
    let container = bench.claim("python").await;

    assert_eq!(bench.sockets(), Vec::<PathBuf>::new());
    drop(container);
    bench.end().await;
}

#[tokio::test]
async fn a_container_whose_folder_cannot_be_removed_is_given_to_nobody() {
    let deed = "
try:
    os.chdir(os.path.dirname(path))
    for _ in range(40):
        os.mkdir('deep')
        os.chdir('deep')
except OSError:
    pass
listens = False
";
    let folder = folder();
    let bench = played(&folder, deed, "");
    let container = bench.claim("python").await;

    let id = container.id().expect("an id").to_owned();
    let mounts = "{{range .Mounts}}{{.Destination}} {{end}}";
    let mounted = Engine::at(&bench.settings.hosts[0].url).ask(&["inspect", "--format", mounts, &id]);

    assert!(!mounted.contains("/.guichet/socket"), "{mounted}");
    assert_eq!(bench.containers().await, [id]);
    for left in bench.sockets() {
        std::fs::remove_dir_all(left).expect("nobody holds it");
    }
    drop(container);
    bench.end().await;
}

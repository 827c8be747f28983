//! `guichet host` and `guichet container`: the true program against a true service.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::pool::hosts::OwnEngine;
use crate::support::client::text;
use crate::support::engine::{ground, run};
use crate::support::{Options, Role, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// Longest time for what takes an engine some work.
const IN_TIME: Duration = Duration::from_mins(3);

/// A command against the service, by the key of its data folder.
pub fn command(guichet: &TestGuichet, arguments: &[&str]) -> Command {
    let mut command = guichet.command(arguments);
    command.args(["--url", &guichet.url()]).env_remove("GUICHET_URL").env_remove("GUICHET_TOKEN");
    command
}

pub fn ask(guichet: &TestGuichet, arguments: &[&str]) -> Output {
    run(&mut command(guichet, arguments))
}

pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Whether containers of all runtimes are warm on the host.
fn warm(host: &Value) -> bool {
    let is_warm = |runtime: &Value| runtime["warm"] == 1;
    host["runtimes"].as_array().is_some_and(|all| all.len() == 2 && all.iter().all(is_warm))
}

async fn guichet() -> TestGuichet {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let admin = guichet.admin();
    let host = || async { admin.get("/v1/hosts/host-1").await.expect(200) };
    wait_for("warm containers", SOON, host, warm).await;
    guichet
}

#[tokio::test]
async fn hosts_are_listed_for_people_and_for_scripts() {
    let guichet = guichet().await;

    let table = printed(&ask(&guichet, &["host", "list"]));
    let list = json_of(&ask(&guichet, &["host", "list", "--json"]));

    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        lines.next().expect("headings"),
        ["NAME", "MODE", "STATE", "BUSY", "SLOTS", "RUNNING", "IMAGES", "URL"]
    );
    let images = ["c", "ready,", "python", "ready"];
    let row = [
        &["host-1", "active", "healthy", "0", "1", "0"],
        images.as_slice(),
        &[ground().docker_host.as_str()],
    ];
    assert_eq!(lines.next().expect("a host"), row.concat());
    assert!(table.contains("\nhost-1: live-restore is off"), "{table}");
    assert_eq!(list["items"][0]["name"], "host-1");
}

#[tokio::test]
async fn draining_waits_until_the_last_run_has_ended_and_not_longer() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    alice.wait_for_state(&id, &["running"]).await;

    let mut draining = command(&guichet, &["host", "drain", "host-1", "--wait"]);
    let mut draining = draining.stdout(Stdio::piped()).spawn().expect("the command starts");
    let admin = guichet.admin();
    let host = || async { admin.get("/v1/hosts/host-1").await.expect(200) };
    wait_for("draining", SOON, host, |host| host["mode"] == "draining").await;
    assert_eq!(
        (alice.submission(&id).await["state"].clone(), draining.try_wait().expect("a process")),
        (json!("running"), None)
    );
    let drained = draining.wait_with_output().expect("the command ends");

    assert!(drained.status.success());
    assert_eq!(
        printed(&drained),
        "host-1 (healthy) takes nothing new and is being emptied, nothing runs there\n"
    );
    assert_eq!(alice.submission(&id).await["state"], "finished");
    let active = ask(&guichet, &["host", "activate", "host-1"]);
    assert_eq!(printed(&active), "host-1 (healthy) takes submissions\n");
    let cordoned = json_of(&ask(&guichet, &["host", "cordon", "host-1", "--json"]));
    assert_eq!((&cordoned["mode"], &cordoned["drained"]), (&json!("cordoned"), &json!(true)));
    let log = guichet.log();
    assert!(log.lines().any(|line| line.contains("audit=true") && line.contains("local-admin")), "{log}");
}

#[tokio::test]
async fn a_host_that_is_added_gets_its_images_takes_work_and_is_removed_though_something_runs_there() {
    let guichet = guichet().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let second = OwnEngine::empty().await;
    let url = second.address();

    let added = ask(&guichet, &["host", "add", "judge-2", &url, "--slots", "1"]);
    let twice = ask(&guichet, &["host", "add", "judge-2", "tcp://127.0.0.1:1"]);
    let nowhere = ask(&guichet, &["host", "add", "judge-3", "http://127.0.0.1:1"]);

    assert_eq!(printed(&added), "judge-2 (connecting) takes submissions\n");
    assert!(complaint(&twice).contains("(host_exists)\n"), "{}", complaint(&twice));
    assert!(complaint(&nowhere).contains("(validation_failed)\n  /url "), "{}", complaint(&nowhere));
    let host = || async { admin.get("/v1/hosts/judge-2").await.expect(200) };
    wait_for("images on the added host", IN_TIME, host, warm).await;
    assert!(ask(&guichet, &["host", "cordon", "host-1"]).status.success());
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    alice.wait_for_state(&id, &["running"]).await;
    let busy = ask(&guichet, &["host", "remove", "judge-2"]);
    let configured = ask(&guichet, &["host", "remove", "host-1"]);
    let removed = ask(&guichet, &["host", "remove", "judge-2", "--force"]);

    assert!(complaint(&busy).ends_with("(host_busy)\n"), "{}", complaint(&busy));
    assert!(complaint(&configured).ends_with("(host_configured)\n"), "{}", complaint(&configured));
    assert_eq!(printed(&removed), "judge-2 is removed\n");
    let queued = alice.wait_for_state(&id, &["queued"]).await;
    assert_eq!(queued["position"], 1, "{queued}");
    assert_eq!(printed(&ask(&guichet, &["host", "list"])).matches("judge-2").count(), 0);
    alice.cancel(&id).await;
}

#[tokio::test]
async fn containers_are_listed_and_killed_by_the_beginning_of_their_ids() {
    let guichet = guichet().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    // Four commands come to their end meanwhile.
    let id = alice.submit("patient", &programs::sleep_then_sum(12.0)).await;
    alice.wait_for_state(&id, &["running"]).await;

    let busy = json_of(&ask(&guichet, &["container", "list", "--state", "busy", "--json"]));
    let table = printed(&ask(&guichet, &["container", "list", "--host", "host-1", "--runtime", "python"]));
    let container = text(&busy["items"][0]["id"]);
    let unknown = ask(&guichet, &["container", "kill", "nothing"]);
    let several = ask(&guichet, &["container", "kill", ""]);
    let killed = ask(&guichet, &["container", "kill", &container[..10]]);

    let row = table.lines().nth(1).expect("a row").split_whitespace().collect::<Vec<_>>();
    assert_eq!(row[..6], [&container[..12], "host-1", "python", "0", "busy", &id], "{table}");
    assert_eq!(printed(&killed), format!("{container} is killed, and replaced\n"));
    assert_eq!(complaint(&unknown), "guichet: there is no container nothing\n");
    assert!(complaint(&several).contains("containers have ids that begin with"), "{}", complaint(&several));
    assert_eq!((unknown.status.code(), several.status.code()), (Some(1), Some(1)));
    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(2)), "{ended}");
    let host = || async { admin.get("/v1/hosts/host-1").await.expect(200) };
    wait_for("another container", SOON, host, warm).await;
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_its_code_and_by_the_exit_code() {
    let guichet = guichet().await;
    let (url, student) = (guichet.url(), guichet.token(Role::Student, "alice"));
    let by = |arguments: &[&str], url: &str, token: Option<&str>| {
        let mut command = guichet.command(arguments);
        command.env("GUICHET_URL", url).env_remove("GUICHET_TOKEN");
        run(token.into_iter().fold(&mut command, |command, token| command.env("GUICHET_TOKEN", token)))
    };

    let unknown = by(&["host", "cordon", "nowhere"], &url, None);
    let forbidden = by(&["host", "list"], &url, Some(&student));
    let elsewhere = by(&["host", "list"], "http://192.0.2.1:1", None);
    let silent = by(&["host", "list"], "http://127.0.0.1:9", None);
    let foreign = by(&["host", "list"], &format!("{url}/livez"), None);
    let misused = by(&["host", "melt"], &url, None);

    let codes =
        [&unknown, &forbidden, &elsewhere, &silent, &foreign, &misused].map(|output| output.status.code());
    assert_eq!(codes, [1, 1, 1, 3, 1, 2].map(Some));
    assert_eq!(
        complaint(&unknown),
        "guichet: Not found: there is nothing here that you may see (not_found)\n"
    );
    assert!(complaint(&forbidden).ends_with("(forbidden)\n"), "{}", complaint(&forbidden));
    assert!(complaint(&elsewhere).contains("needs an admin's token"), "{}", complaint(&elsewhere));
    assert!(complaint(&silent).starts_with("guichet: no answer from http://127.0.0.1:9/v1/hosts: "));
    assert!(!complaint(&forbidden).contains(&student));
}

//! Starting, stopping, settings and the command line of the true program.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::engine::run;
use crate::support::{EventStream, Options, Role, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

async fn guichet_with_patience(options: Options) -> TestGuichet {
    let guichet = options.start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_stop_lets_running_work_end_and_keeps_what_waits() {
    let guichet = guichet_with_patience(Options::default().slots(1)).await;
    let alice = guichet.student("alice");
    let running = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    alice.wait_for_state(&running, &["running"]).await;
    let waiting = alice.submit("patient", &programs::python_sum()).await;

    let status = guichet.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", guichet.log());
    let label = guichet.label().await;
    assert_eq!(guichet.engine().containers(&label), Vec::<String>::new());
    guichet.restart().await;

    let ended = alice.submission(&running).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    assert_eq!(alice.result(&waiting).await["verdict"], "accepted");
}

#[tokio::test]
async fn what_runs_longer_than_the_grace_period_is_handed_back() {
    let options = Options::default().slots(1).env("GUICHET_SERVER__SHUTDOWN_GRACE", "500ms");
    let guichet = guichet_with_patience(options).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(8.0)).await;
    alice.wait_for_state(&id, &["running"]).await;

    let status = guichet.terminate().await;
    assert_eq!(status.code(), Some(4), "{}", guichet.log());
    let (state, attempt): (String, i64) = (
        guichet.query("SELECT state FROM submissions").await,
        guichet.query("SELECT attempt FROM submissions").await,
    );
    assert_eq!((state.as_str(), attempt), ("queued", 1));
    assert_eq!(guichet.engine().containers(&guichet.label().await), Vec::<String>::new());
    guichet.restart().await;

    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(2)), "{ended}");
}

#[tokio::test]
async fn a_service_that_is_restarted_again_and_again_makes_no_submission_fail() {
    let options = Options::default().slots(1).env("GUICHET_SERVER__SHUTDOWN_GRACE", "1ms");
    let guichet = guichet_with_patience(options).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;

    for attempt in 1..=4 {
        let look = || alice.submission(&id);
        let running = |seen: &Value| seen["state"] == "running" && seen["attempt"] == attempt;
        wait_for("the next attempt", SOON, look, running).await;
        assert_eq!(guichet.terminate().await.code(), Some(4), "{}", guichet.log());
        if attempt == 4 {
            guichet.set_env("GUICHET_SERVER__SHUTDOWN_GRACE", "30s");
        }
        guichet.restart().await;
    }

    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(5)), "{ended}");
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let guichet = guichet_with_patience(Options::default().slots(1)).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    alice.wait_for_state(&id, &["running"]).await;

    guichet.signal(Signal::TERM);
    let ready = || async { alice.get("/readyz").await.status.as_u16() };
    wait_for("the stop to begin", SOON, ready, |status| *status == 503).await;
    guichet.signal(Signal::INT);

    assert_eq!(guichet.ended(SOON).await.code(), Some(4), "{}", guichet.log());
    guichet.restart().await;
    guichet.admin().cancel(&id).await.expect(200);
}

#[tokio::test]
async fn while_it_stops_it_is_not_ready_takes_nothing_new_and_still_answers() {
    let guichet = guichet_with_patience(Options::default().slots(1)).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    alice.wait_for_state(&id, &["running"]).await;
    let mut stream = alice.events(&id).await;
    stream.until_named("submission.started").await;

    guichet.signal(Signal::TERM);
    let told = stream.next().await;
    let ready = reqwest::get(format!("{}/readyz", guichet.url())).await.expect("it still answers").status();
    let live = reqwest::get(format!("{}/livez", guichet.url())).await.expect("it still answers").status();
    let refused = alice.submit_refused("patient", &programs::python_sum()).await;
    let shown = alice.submission(&id).await;

    assert_eq!(told, None, "streams end, their readers come back later");
    assert_eq!(stream.raw().matches("retry:").count(), 2, "{}", stream.raw());
    assert_eq!((ready.as_u16(), live.as_u16()), (503, 200));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(shown["state"], "running");
    assert_eq!(guichet.ended(SOON).await.code(), Some(0));
}

#[tokio::test]
async fn a_second_service_on_the_same_folder_is_refused() {
    let guichet = TestGuichet::start().await;

    let second = run(guichet.command(&["serve"]).env("GUICHET_LISTEN", "127.0.0.1:0"));

    assert!(!second.status.success());
    assert!(said(&second).contains("used by another process"), "{}", said(&second));
    assert_eq!(guichet.admin().get("/v1/me").await.status, 200);
}

#[tokio::test]
async fn the_first_start_makes_a_key_that_only_its_owner_may_read() {
    let guichet = TestGuichet::start().await;

    let mode = std::fs::metadata(guichet.data().join("key")).expect("the key").permissions().mode();
    let token = guichet.token(Role::Student, "alice");
    let me = guichet.student("alice").get("/v1/me").await.expect(200);

    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(token.split('.').count(), 3, "{token}");
    assert_eq!(
        (&me["sub"], &me["role"], &me["queued"], &me["max_queued"]),
        (&json!("alice"), &json!("student"), &json!(0), &json!(500))
    );
    assert!(guichet.log().contains("guichet token --sub"), "it says how to mint a token");
    assert!(!guichet.log().contains(&token));
}

#[tokio::test]
async fn a_token_lives_as_long_as_it_was_asked_to() {
    let guichet = TestGuichet::start().await;

    let token =
        crate::support::engine::say(&mut guichet.command(&["token", "--sub", "alice", "--ttl", "1s"]));
    let client = crate::support::Client::new(&guichet.url(), &token);
    let look = || async { client.get("/v1/me").await };
    let refused =
        wait_for("the token to expire", Duration::from_secs(70), look, |answer| answer.status == 401).await;

    assert!(
        refused.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")),
        "{refused:?}"
    );
}

#[test]
fn unknown_settings_are_refused_by_name() {
    let prepared = TestGuichet::prepare(Options::default());
    let file = prepared.folder().join("wrong.toml");
    std::fs::write(&file, "[queue]\nmax_lenght = 3\n").expect("a file");

    let by_file = run(prepared.command(&["serve", "--config"]).arg(&file));
    let by_variable = run(prepared.command(&["serve"]).env("GUICHET_QUEUE__MAX_LENGHT", "3"));
    let by_value = run(prepared.command(&["serve"]).env("GUICHET_SERVER__SHUTDOWN_GRACE", "30"));

    for (output, name) in [(by_file, "max_lenght"), (by_variable, "MAX_LENGHT"), (by_value, "shutdown_grace")]
    {
        assert!(!output.status.success());
        assert!(said(&output).to_lowercase().contains(&name.to_lowercase()), "{}", said(&output));
    }
}

#[tokio::test]
async fn a_settings_file_counts_before_and_after_the_command_and_the_environment_above_it() {
    let prepared = TestGuichet::prepare(Options::default());
    let file = prepared.folder().join("guichet.toml");
    std::fs::write(&file, "[queue]\nmax_per_owner = 7\n[auth]\nissuer = \"school\"\n").expect("a file");
    let path = file.display().to_string();
    std::fs::create_dir(prepared.data()).expect("the data folder");
    std::fs::write(prepared.data().join("key"), "k".repeat(32)).expect("a key");

    let before = run(&mut prepared.command(&["--config", &path, "token", "--sub", "a"]));
    let after = run(&mut prepared.command(&["token", "--sub", "a", "--config", &path]));
    assert!(before.status.success() && after.status.success(), "{}{}", said(&before), said(&after));
    drop(prepared);
    let kept = tempfile::tempdir().expect("a folder");
    let file = kept.path().join("guichet.toml");
    std::fs::write(&file, "[queue]\nmax_per_owner = 7\nmax_length = 9\n").expect("a file");
    let options = Options::default().argument("--config").argument(&file.display().to_string());
    let guichet = options.env("GUICHET_QUEUE__MAX_PER_OWNER", "8").start().await;

    assert_eq!(guichet.student("alice").get("/v1/me").await.expect(200)["max_queued"], 8);
}

#[tokio::test]
async fn a_database_that_must_not_be_migrated_is_migrated_by_the_command() {
    let prepared = TestGuichet::prepare(Options::default().env("GUICHET_DATABASE__MIGRATE", "false"));

    let refused = run(prepared.command(&["serve"]).env("GUICHET_LISTEN", "127.0.0.1:0"));
    let migrated = run(&mut prepared.command(&["migrate"]));
    prepared.restart().await;

    assert!(!refused.status.success());
    assert!(said(&refused).contains("migrated"), "{}", said(&refused));
    assert!(migrated.status.success(), "{}", said(&migrated));
}

#[test]
fn every_command_tells_what_it_does_and_the_version_is_known() {
    let prepared = TestGuichet::prepare(Options::default());

    for command in ["serve", "migrate", "openapi", "token", "runtime", "doctor"] {
        let output = run(&mut prepared.command(&[command, "--help"]));
        assert!(output.status.success() && said(&output).contains("Usage:"), "{command}: {}", said(&output));
    }
    let version = run(&mut prepared.command(&["--version"]));
    assert_eq!(said(&version).trim(), concat!("guichet ", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&mut prepared.command(&["fly"])).status.code(), Some(2));
}

#[test]
fn the_openapi_document_of_the_program_is_the_committed_one() {
    let prepared = TestGuichet::prepare(Options::default());

    let check = run(&mut prepared.command(&["openapi", "--check"]));

    assert!(check.status.success(), "{}", said(&check));
}

#[test]
fn the_settings_page_is_what_the_program_prints() {
    let prepared = TestGuichet::prepare(Options::default());

    let check = run(&mut prepared.command(&["settings", "--check"]));

    assert!(check.status.success(), "{}", said(&check));
}

#[tokio::test]
async fn metrics_want_an_admin_or_a_listener_of_their_own() {
    let guichet = TestGuichet::start().await;

    let student = guichet.student("alice").get("/metrics").await;
    let nobody =
        crate::support::client::send(guichet.admin().anonymous(reqwest::Method::GET, "/metrics")).await;
    let admin = guichet.admin().get("/metrics").await;

    assert_eq!((student.status.as_u16(), nobody.status.as_u16(), admin.status.as_u16()), (403, 401, 200));
    assert!(admin.text.contains("guichet_"), "{}", admin.text);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let guichet = guichet_with_patience(Options::default().slots(1)).await;
    let token =
        crate::support::engine::say(&mut guichet.command(&["token", "--sub", "alice", "--ttl", "2s"]));
    let client = crate::support::Client::new(&guichet.url(), &token);

    let stream: EventStream = client.own_events().await;
    let told = tokio::time::timeout(Duration::from_secs(75), stream.into_end()).await;

    assert!(told.is_ok_and(|events| events.len() == 1), "the stream went on");
}

/// How far a start has come.
#[derive(Clone, Copy)]
enum Stage {
    Listening,
    MakingContainers,
    Warm,
}

#[tokio::test]
async fn a_stop_right_after_the_start_leaves_nothing() {
    for stage in [Stage::Listening, Stage::MakingContainers, Stage::Warm] {
        let guichet = TestGuichet::prepare(Options::default());
        guichet.launch();
        let serves = || async { guichet.log().contains("guichet serves") };
        wait_for("it to listen", SOON, serves, |serves| *serves).await;
        let (engine, label) = (guichet.engine(), guichet.label().await);
        let reached = || async {
            match stage {
                Stage::Listening => true,
                Stage::MakingContainers => !engine.containers(&label).is_empty(),
                Stage::Warm => engine.running(&label).len() == 4,
            }
        };
        wait_for("the start to come so far", SOON, reached, |reached| *reached).await;

        assert_eq!(guichet.terminate().await.code(), Some(0), "{}", guichet.log());

        assert_eq!(engine.containers(&label), Vec::<String>::new());
    }
}

#[tokio::test]
async fn metrics_tell_the_containers_of_each_host_and_runtime() {
    let guichet = guichet_with_patience(Options::default().slots(1)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let host = "host=\"host-1\"".to_owned();
    let told = async |runtime: &str, state: &str, count: &str| {
        let parts = [host.as_str(), &format!("runtime=\"{runtime}\""), &format!("state=\"{state}\"")];
        let metrics = admin.get("/metrics").await.text;
        let mut of_pool = metrics.lines().filter(|line| line.starts_with("guichet_containers{"));
        of_pool
            .any(|line| parts.iter().all(|part| line.contains(part)) && line.ends_with(&format!(" {count}")))
    };
    for runtime in ["python", "c"] {
        wait_for("a warm container", SOON, || told(runtime, "warm", "1"), |told| *told).await;
        assert!(told(runtime, "busy", "0").await);
    }
    let launched = "guichet_containers_launched_total{host=\"host-1\",transport=\"socket\"} 2";
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.lines().any(|line| line == launched), "{metrics}");

    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;

    wait_for("a busy container", SOON, || told("python", "busy", "1"), |told| *told).await;
    assert!(told("python", "warm", "0").await && told("python", "starting", "0").await);
    alice.cancel(&id).await.expect(200);
    wait_for("a warm container again", SOON, || told("python", "warm", "1"), |told| *told).await;
}

#[tokio::test]
async fn what_finds_nothing_to_write_is_counted_as_no_commit() {
    let guichet = guichet_with_patience(Options::default()).await;
    let (admin, teacher) = (guichet.admin(), guichet.teacher());
    let commits = async || {
        let metrics = admin.get("/metrics").await.text;
        let count = metrics.lines().find(|line| line.starts_with("guichet_database_commit_seconds_count"));
        count.unwrap_or_else(|| panic!("{metrics}")).to_owned()
    };
    let before = commits().await;

    for _again in 0..5 {
        teacher.put_exercise("patient", &exercises::patient_sum()).await;
    }
    let same = commits().await;
    teacher.put_exercise("sum", &exercises::sum()).await;

    assert_eq!(same, before);
    assert_ne!(commits().await, before);
}

//! The containers of a service as an operator sees and ends them, on real engines.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::pool::hosts::OwnEngine;
use crate::support::client::{Answer, Client, send, text};
use crate::support::engine::{Engine, ground};
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

async fn guichet(options: Options) -> TestGuichet {
    let guichet = options.start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

async fn list(admin: &Client, query: &str) -> Vec<Value> {
    let list = admin.get(&format!("/v1/containers?{query}")).await.expect(200);
    list["items"].as_array().expect("a list").clone()
}

async fn list_when(admin: &Client, query: &str, what: &str, ready: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    wait_for(what, SOON, || list(admin, query), |items| ready(items)).await
}

async fn kill(admin: &Client, id: &str) -> Answer {
    send(admin.request(Method::DELETE, &format!("/v1/containers/{id}"))).await
}

fn ids(containers: &[Value]) -> BTreeSet<String> {
    containers.iter().map(|container| text(&container["id"])).collect()
}

fn all_warm(count: usize) -> impl Fn(&[Value]) -> bool {
    move |items: &[Value]| items.len() == count && items.iter().all(|item| item["state"] == "warm")
}

/// The container in which a submission runs.
async fn busy_with(admin: &Client, submission: &str) -> Value {
    let serves = |item: &&Value| item["submission_id"] == submission && item["state"] == "busy";
    let busy =
        list_when(admin, "state=busy", "the run", |items| items.iter().any(|item| serves(&item))).await;
    busy.iter().find(serves).expect("the run").clone()
}

#[tokio::test]
async fn every_container_of_every_host_is_listed_with_what_it_is_doing() {
    let second = OwnEngine::start(&[]).await;
    let hosts = format!("{},{}", ground().docker_host, second.address());
    let guichet = guichet(Options::default().slots(1).env("GUICHET_DOCKER_HOSTS", &hosts)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));

    let warm = list_when(&admin, "runtime=python", "warm containers on both hosts", all_warm(2)).await;

    let label = guichet.label().await;
    for (host, address) in [("host-1", &ground().docker_host), ("host-2", &second.address())] {
        let shown: Vec<_> = warm.iter().filter(|item| item["host"] == host).collect();
        assert_eq!(shown.len(), 1, "{warm:?}");
        assert!(Engine::at(address).running(&label).contains(&text(&shown[0]["id"])), "{shown:?}");
    }
    let mut one = warm[0].clone();
    for field in ["id", "host", "runtime", "created_at", "transport"] {
        assert!(one[field].take().is_string(), "{field}");
    }
    assert_eq!(
        one,
        json!({ "id": null, "host": null, "runtime": null, "slot": 0, "state": "warm", "submission_id": null,
                "transport": null, "created_at": null, "submissions": 0 })
    );
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    let busy = busy_with(&admin, &id).await;
    assert_eq!((&busy["runtime"], &busy["submissions"]), (&json!("python"), &json!(1)));
    let host = text(&busy["host"]);
    assert!(list(&admin, &format!("host={host}")).await.iter().all(|item| item["host"] == *host));
    let others = list(&admin, "runtime=python&state=warm").await;
    assert!(others.len() == 1 && others[0]["host"] != *host, "{others:?}");
    list_when(&admin, "runtime=c&host=host-1", "the other runtime", all_warm(1)).await;
    assert_eq!(list(&admin, "host=elsewhere").await, Vec::<Value>::new());
    alice.ended(&id).await;
    let idle = list_when(&admin, "runtime=python", "its end", all_warm(2)).await;
    let served = idle.iter().find(|item| item["id"] == busy["id"]).expect("the same container");
    assert_eq!((&served["submissions"], &served["submission_id"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn pages_of_containers_hold_each_of_them_once_newest_first() {
    let guichet = guichet(Options::default().slots(2).env("GUICHET_EXECUTION__WARM_PER_RUNTIME", "2")).await;
    let admin = guichet.admin();
    let all = list_when(&admin, "", "warm containers", all_warm(4)).await;
    let (mut paged, mut path) = (Vec::new(), "/v1/containers?limit=3".to_owned());
    loop {
        let answer = admin.get(&path).await;
        let link = answer.header("link").map(str::to_owned);
        let page = answer.expect(200);
        paged.extend(page["items"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(link, None);
            break;
        };
        path = format!("/v1/containers?limit=3&cursor={next}");
        assert_eq!(link, Some(format!("<{path}>; rel=\"next\"")));
    }

    assert_eq!(paged, all);
    let dates: Vec<_> = all.iter().map(|item| text(&item["created_at"])).collect();
    assert!(dates.is_sorted_by(|newer, older| newer >= older), "{dates:?}");
}

#[tokio::test]
async fn a_warm_container_that_is_ended_is_gone_and_replaced() {
    let guichet = guichet(Options::default().slots(1)).await;
    let admin = guichet.admin();
    let before = list_when(&admin, "", "warm containers", all_warm(2)).await;
    let victim = text(&before[0]["id"]);

    let killed = kill(&admin, &victim).await.expect(202);

    assert_eq!((&killed["id"], &killed["state"]), (&json!(victim), &json!("removing")));
    let replaced = |items: &[Value]| all_warm(2)(items) && !ids(items).contains(&victim);
    list_when(&admin, "", "another one", replaced).await;
    let label = guichet.label().await;
    assert!(!guichet.engine().containers(&label).contains(&victim));
    assert_eq!(kill(&admin, &victim).await.problem(404).0, "not_found");
    let log = guichet.log();
    let line = log.lines().find(|line| line.contains("a container is killed")).expect("an audit line");
    for part in ["audit=true", "caller=admin", "role=\"admin\"", "host=host-1", &victim] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[tokio::test]
async fn what_ran_in_a_container_that_was_ended_is_tried_again_however_often_that_happens() {
    let guichet = guichet(Options::default().slots(1)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    let behind = alice.submit("patient", &programs::python_sum()).await;
    let label = guichet.label().await;
    let mut victims = BTreeSet::new();
    for _ in 0..4 {
        let busy = busy_with(&admin, &id).await;
        let victim = text(&busy["id"]);

        let killed = kill(&admin, &victim).await.expect(202);

        assert_eq!((&killed["state"], &killed["submission_id"]), (&json!("removing"), &json!(id)));
        let gone = |ids: &Vec<String>| !ids.contains(&victim);
        wait_for("its end", SOON, async || guichet.engine().containers(&label), gone).await;
        assert!(victims.insert(victim), "each attempt has a container of its own");
    }

    let ended = alice.ended(&id).await;

    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(5)), "{ended}");
    assert_eq!(ended["result"]["verdict"], "accepted");
    let events = alice.events(&id).await.into_end().await;
    let requeued: Vec<_> = events.iter().filter(|event| event.name == "submission.requeued").collect();
    assert_eq!(requeued.len(), 4);
    for event in requeued {
        let data = event.json();
        assert_eq!((&data["reason"], &data["position"]), (&json!("container_lost"), &json!(1)), "{data}");
    }
    assert_eq!(alice.ended(&behind).await["state"], "finished");
    // What was ended with its container did not end there.
    let ended = async || admin.get("/v1/hosts/host-1").await.expect(200)["submissions"]["ended"].clone();
    wait_for("both to be counted", SOON, ended, |ended| *ended == 2).await;
}

#[tokio::test]
async fn metrics_tell_of_each_host_how_it_does_and_how_long_it_takes() {
    let hosts = format!("{},unix:///nonexistent/docker.sock", ground().docker_host);
    let guichet = Options::default().slots(1).env("GUICHET_DOCKER_HOSTS", &hosts).start().await;
    let admin = guichet.admin();
    let expected = [
        "guichet_host_state{host=\"host-1\",state=\"healthy\"} 1",
        "guichet_host_state{host=\"host-1\",state=\"connecting\"} 0",
        "guichet_host_state{host=\"host-2\",state=\"unreachable\"} 1",
        "guichet_host_slots{host=\"host-1\",state=\"total\"} 1",
        "guichet_host_slots{host=\"host-1\",state=\"free\"} 1",
        "guichet_host_slots{host=\"host-2\",state=\"total\"} 0",
        "guichet_host_launch_seconds_count{host=\"host-1\"} 2",
        "guichet_host_round_trip_seconds_count{host=\"host-1\"} ",
        "guichet_containers_launched_total{host=\"host-1\",transport=",
    ];
    let missing = async || {
        let text = admin.get("/metrics").await.text;
        let is_missing = |line: &&str| !text.lines().any(|told| told.starts_with(line));
        expected.into_iter().filter(is_missing).map(str::to_owned).collect::<Vec<_>>()
    };

    wait_for("all figures", SOON, missing, Vec::is_empty).await;
}

//! Instances beside each other and after each other on one engine: which containers a new one removes.

use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions, WaitContainerOptions,
};
use futures_util::TryStreamExt as _;
use guichet::domain::exercise::Isolation;
use guichet::pool::Settings;
use uuid::Uuid;

use super::bench::{Bench, ROOMY, containers_with, run_in};

/// Makes a container as an instance has left it: not started yet.
async fn leave_behind(bench: &Bench, installation: Uuid, folder: Uuid) -> String {
    let labels = [
        ("guichet.installation", installation),
        ("guichet.folder", folder),
        ("guichet.instance", Uuid::new_v4()),
    ];
    let body = bollard::models::ContainerCreateBody {
        image: Some("guichet-python:2".to_owned()),
        entrypoint: Some(vec!["/usr/bin/python3".to_owned()]),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_string())).into()),
        ..Default::default()
    };
    bench.docker.create_container(None::<CreateContainerOptions>, body).await.expect("a container").id
}

async fn remove(bench: &Bench, container: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    bench.docker.remove_container(container, Some(options)).await.expect("a container to remove");
}

/// Another instance of the same installation, with a data folder of its own.
fn beside(settings: &Settings) -> Settings {
    Settings { installation: settings.installation, ..Bench::settings() }
}

/// Has run a program, so that its host was swept before.
async fn working(settings: Settings) -> Bench {
    let bench = Bench::with(settings).await;
    bench.claim("python").await.release(Isolation::Reset).await;
    bench
}

#[tokio::test]
async fn containers_of_an_earlier_instance_are_removed_and_those_of_others_stay() {
    let docker = Bench::start().await;
    let settings = Bench::settings();
    let mine = leave_behind(&docker, settings.installation, settings.folder).await;
    let theirs = leave_behind(&docker, Uuid::new_v4(), Uuid::new_v4()).await;
    let of_a_copy = leave_behind(&docker, settings.installation, Uuid::new_v4()).await;
    let installation = format!("guichet.installation={}", settings.installation);

    let bench = working(settings).await;

    let left = containers_with(&docker.docker, &installation).await;
    assert!(!left.contains(&mine), "an earlier instance's container is still there");
    assert!(left.contains(&of_a_copy), "a container is gone that a living instance may be about to start");
    remove(&docker, &theirs).await;
    remove(&docker, &of_a_copy).await;
    bench.end().await;
    docker.end().await;
}

#[tokio::test]
async fn two_instances_of_an_installation_with_a_data_folder_each_do_each_other_no_harm() {
    let first = Bench::start().await;
    let mut busy = first.claim("python").await;
    let before = first.containers().await;

    working(beside(&first.settings)).await.end().await;

    let done = run_in(&mut busy, "python", "print('unharmed')", ROOMY).await.expect("a report");
    busy.release(Isolation::Reset).await;
    assert_eq!(done.stdout, "unharmed\n");
    let after = first.containers().await;
    assert!(before.iter().all(|container| after.contains(container)), "{before:?} {after:?}");
    first.end().await;
}

#[tokio::test]
async fn what_has_ended_of_an_instance_with_another_data_folder_is_removed() {
    let docker = Bench::start().await;
    let settings = Bench::settings();
    let ended = leave_behind(&docker, settings.installation, Uuid::new_v4()).await;
    let wait = docker.docker.wait_container(&ended, None::<WaitContainerOptions>);
    docker.docker.start_container(&ended, None::<StartContainerOptions>).await.expect("it starts");
    wait.try_collect::<Vec<_>>().await.expect("it ends, having nothing to do");
    let installation = format!("guichet.installation={}", settings.installation);

    let bench = working(settings).await;

    assert!(!containers_with(&docker.docker, &installation).await.contains(&ended));
    bench.end().await;
    docker.end().await;
}

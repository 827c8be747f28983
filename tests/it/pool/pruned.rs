//! An engine whose other users remove what has no name.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bollard::query_parameters::PruneImagesOptionsBuilder;
use guichet::pool::Settings;

use super::bench::{Bench, SOON, hosts, wait_for};
use super::hosts::{OwnEngine, connect};

/// How often others prune while an image is built: less often than a build is tried.
const PRUNINGS: u32 = 6;

#[tokio::test]
async fn what_is_pruned_between_two_steps_of_a_build_is_built_anew() {
    let engine = OwnEngine::start(&[]).await;
    let (docker, left, stop) = (connect(&engine.address()), AtomicU32::new(0), AtomicBool::new(false));
    let prune = async {
        while !stop.load(Ordering::Relaxed) {
            if left.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            left.fetch_sub(1, Ordering::Relaxed);
            let filters = [("dangling", vec!["true"])].into();
            let options = PruneImagesOptionsBuilder::new().filters(&filters).build();
            // One at a time is allowed.
            drop(docker.prune_images(Some(options)).await);
        }
    };
    let build = async {
        for number in 0..8 {
            let agent = engine.agent(number);
            left.store(PRUNINGS, Ordering::Relaxed);
            let settings =
                Settings { hosts: hosts([engine.address()]), agent_path: agent, ..Bench::settings() };
            let bench = Bench::over(connect(&engine.address()), settings);
            let python = wait_for("an image", SOON, async || {
                let mut shown = bench.pool.hosts().await.expect("a pool");
                let of =
                    shown.remove(0).runtimes.into_iter().find(|runtime| runtime.id.as_str() == "python")?;
                (of.warm == 1 || of.error.is_some()).then_some(of)
            })
            .await;
            assert_eq!(python.error, None);
            bench.end().await;
        }
        stop.store(true, Ordering::Relaxed);
    };

    tokio::join!(prune, build);
}

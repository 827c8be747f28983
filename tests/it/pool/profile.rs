//! What the engine says of a container is what keeps a program inside.

use guichet::domain::exercise::Isolation;

use super::bench::{Bench, SOON, hosts, wait_for};
use super::hosts::OwnEngine;

#[tokio::test]
async fn a_container_has_the_hardening_profile() {
    let bench = Bench::start().await;
    bench.claim("c").await.release(Isolation::Reset).await;
    let id = bench.containers_of("c").await.remove(0);

    let found = bench.docker.inspect_container(&id, None).await.expect("a container");

    let config = found.config.expect("its configuration");
    assert_eq!(config.user.as_deref(), Some("0:0"));
    assert_eq!(config.network_disabled, Some(true));
    assert_eq!(config.entrypoint, Some(vec!["/.guichet/agent".to_owned()]));
    assert_eq!((config.stdin_once, config.tty), (Some(true), Some(false)));
    let host = found.host_config.expect("its host configuration");
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(
        (host.readonly_rootfs, host.privileged, host.auto_remove),
        (Some(true), Some(false), Some(true))
    );
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    let mut added = host.cap_add.expect("capabilities of the agent");
    added.sort();
    let added: Vec<&str> = added.iter().map(|name| name.trim_start_matches("CAP_")).collect();
    assert_eq!(added, ["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETPCAP", "SETUID"]);
    let options = host.security_opt.expect("security options");
    assert!(options.iter().any(|option| option == "no-new-privileges"), "{options:?}");
    assert!(options.iter().any(|option| option.starts_with("seccomp={")), "{options:?}");
    assert!(host.memory.is_some_and(|memory| memory > 0));
    assert_eq!(host.memory_swap, host.memory);
    assert!(host.pids_limit.is_some_and(|limit| (1..1024).contains(&limit)));
    assert_eq!(host.nano_cpus, Some(0));
    assert_eq!(host.cpuset_cpus.as_deref(), Some("0"));
    assert_eq!(host.ipc_mode.as_deref(), Some("private"));
    assert_eq!(host.log_config.and_then(|log| log.typ).as_deref(), Some("none"));
    assert_eq!(host.devices.unwrap_or_default().len(), 0);
    let masked = host.masked_paths.expect("masked paths");
    assert!(masked.iter().any(|path| path == "/sys") && masked.iter().any(|path| path == "/proc/kcore"));
    let sockets = bench.settings.sockets.as_ref().and_then(|path| path.to_str()).expect("a folder");
    let mounts = found.mounts.unwrap_or_default();
    assert!(
        mounts.iter().all(|mount| {
            let (inside, outside) = (mount.destination.as_deref(), mount.source.as_deref());
            let is = |path: Option<&str>, start: &str| path.is_some_and(|path| path.starts_with(start));
            is(inside, "/.guichet/cgroup/") && is(outside, "/sys/fs/cgroup/")
                || inside == Some("/.guichet/socket") && is(outside, sockets)
        }),
        "{mounts:?}"
    );
    bench.end().await;
}

#[tokio::test]
async fn the_same_cell_has_the_same_profile_and_slots_share_no_uid() {
    let settings = guichet::pool::Settings { slots: Some(2), warm_per_runtime: 2, ..Bench::settings() };
    let bench = Bench::with(settings).await;
    let source = "import os; print(os.getuid(), os.getgid(), os.getgroups())";
    let mut one = bench.claim("python").await;
    let mut other = bench.claim("python").await;

    let first =
        super::bench::run_in(&mut one, "python", source, super::bench::ROOMY).await.expect("a report");
    let second =
        super::bench::run_in(&mut other, "python", source, super::bench::ROOMY).await.expect("a report");

    assert_ne!(first.stdout, second.stdout);
    one.release(Isolation::Reset).await;
    other.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn containers_of_a_host_are_started_by_the_runtime_that_the_settings_name() {
    let runc = std::process::Command::new("sh").args(["-c", "command -v runc"]).output().expect("a shell");
    let other = format!("--add-runtime=other={}", String::from_utf8_lossy(&runc.stdout).trim());
    let engine = OwnEngine::start(&[&other]).await;
    let hosts = hosts([engine.address()]);
    let oci_runtimes = |name: &str| [(hosts[0].name.clone(), name.to_owned())].into();
    let settings = guichet::pool::Settings {
        hosts: hosts.clone(),
        oci_runtimes: oci_runtimes("other"),
        ..Bench::settings()
    };
    let bench = Bench::over(super::hosts::connect(&engine.address()), settings);
    bench.claim("python").await.release(Isolation::Reset).await;
    let id = bench.containers_of("python").await.remove(0);

    let found = bench.docker.inspect_container(&id, None).await.expect("a container");

    assert_eq!(found.host_config.and_then(|host| host.runtime).as_deref(), Some("other"));
    bench.end().await;
    let settings = guichet::pool::Settings {
        hosts: hosts.clone(),
        oci_runtimes: oci_runtimes("none-such"),
        ..Bench::settings()
    };
    let bench = Bench::over(super::hosts::connect(&engine.address()), settings);
    let told = wait_for("the engine's words", SOON, async || {
        let shown = bench.pool.hosts().await.expect("a pool");
        shown[0]
            .last_error
            .as_ref()
            .map(|error| error.message.clone())
            .filter(|told| told.contains("none-such"))
    })
    .await;
    assert!(told.starts_with("python: "), "{told}");
    bench.end().await;
}

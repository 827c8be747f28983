//! A browser without a window.

use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

/// Chromium at one page; it ends with this value.
///
/// * `profile` — a folder of its own.
pub fn browse(address: &str, profile: &Path) -> Child {
    Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(address)
        .env("HOME", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("chromium: {error}; `make test` sets it up"))
}

//! `guichet doctor`: looks at everything the service needs, and says what to do about what is wrong.
//!
//! It changes nothing and may run beside the service.

mod certificates;
mod findings;

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use self::findings::Finding;
use crate::chain::Chain;
use crate::cli::runtime::{self, Defect, NO_ANSWER};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::runtime::Runtime;
use crate::pool::endpoint::Endpoint;
use crate::pool::image::{self, Images};
use crate::runtimes;
use crate::storage;
use crate::storage::sqlite::{self, AddedEngine};

/// What to do about an engine that no TLS is spoken with.
const NO_TLS: &str = "put what is named right: ca.pem, cert.pem and key.pem lie in the host's folder below docker.certs_dir, \
    and docs/operating.md says how they are made";

/// Looks at everything, reports on standard output, and exits with 1 if something keeps the service from its work.
///
/// # Errors
/// Standard output is closed.
pub async fn run_configured(config: &Config) -> anyhow::Result<ExitCode> {
    let works = run(config, &mut std::io::stdout()).await?;
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at everything and reports on `out`, a line for each finding; whether the service can do its work.
///
/// # Errors
/// `out` cannot be written.
pub async fn run(config: &Config, out: &mut (dyn Write + Send)) -> std::io::Result<bool> {
    let agent_path = config.agent_path();
    let mut findings = vec![findings::agent(&agent_path, &std::fs::read(&agent_path))];
    findings.extend(data_folder(&config.data.dir, &config.generated_key_path()));
    let (stored, added) = database(&config.sqlite_path()).await;
    findings.push(stored);
    let languages = match runtimes::load(&config.runtimes_dir()) {
        Ok(languages) => languages.into_values().collect(),
        Err(error) => {
            let advice = "correct the file, or set execution.runtimes_dir";
            findings.push(Finding::fault(format!("runtimes: {error}"), advice));
            Vec::new()
        }
    };
    let certs_dir = config.certs_dir();
    let mut endpoints: Vec<_> = config.docker.hosts.iter().map(|host| host.endpoint(&certs_dir)).collect();
    for AddedEngine { url, certs } in added {
        // At its next start the service has that of the settings only.
        if endpoints.iter().all(|known| known.url != url) {
            endpoints.push(Endpoint::new(&url, certs.as_ref(), &certs_dir));
        }
    }
    for endpoint in endpoints {
        findings.extend(host(endpoint, &languages).await);
    }
    findings::report(&findings, out)?;
    Ok(!findings.iter().any(Finding::is_fault))
}

fn data_folder(folder: &Path, key: &Path) -> Vec<Finding> {
    let shown = folder.display();
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![Finding::good(format!("data folder {shown}: not there yet, serve makes it"))];
        }
        Err(error) => {
            let advice = "set data.dir to a folder of the user that runs Guichet";
            return vec![Finding::fault(format!("data folder {shown}: {error}"), advice)];
        }
    };
    let mut findings = Vec::new();
    if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() {
        let advice = "give it to the user that runs Guichet";
        findings.push(Finding::fault(format!("data folder {shown} cannot be written"), advice));
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        let advice = format!("chmod o-rwx {shown}: it holds students' programs");
        findings.push(Finding::warning(format!("data folder {shown} is open to everybody"), advice));
    }
    if std::fs::metadata(key).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        let advice = format!(
            "chmod 600 {0}; who has read it can make any token: remove it to make a new one",
            key.display()
        );
        findings.push(Finding::fault(format!("the key {} is open to others", key.display()), advice));
    }
    if let Ok(space) = rustix::fs::statvfs(folder) {
        findings.push(findings::free_space(folder, space.f_bavail.saturating_mul(space.f_frsize)));
    }
    findings
}

/// How it is, and the engines that stand in it.
async fn database(path: &Path) -> (Finding, Vec<AddedEngine>) {
    let text = format!("database {}", path.display());
    if !path.exists() {
        return (Finding::good(format!("{text}: not there yet, serve makes it")), Vec::new());
    }
    let finding = match sqlite::inspect(path).await {
        Ok(added) => return (Finding::good(text), added),
        Err(storage::Error::TooOld) => Finding::warning(
            format!("{text} is older than this program"),
            "serve brings it up to date by itself, or guichet migrate does if database.migrate is false",
        ),
        Err(error @ storage::Error::TooNew(_)) => {
            Finding::fault(format!("{text}: {error}"), "use the newer program that wrote it, or a backup")
        }
        Err(error) => {
            Finding::fault(format!("{text}: {error}"), "is it readable, and a database of Guichet?")
        }
    };
    (finding, Vec::new())
}

async fn host(endpoint: Endpoint, languages: &[Runtime]) -> Vec<Finding> {
    let silent = |error: &image::Error| {
        let advice = if error.is_tls() { NO_TLS } else { NO_ANSWER };
        Finding::fault(Chain(error).to_string(), advice)
    };
    let address = endpoint.url.clone();
    let mut findings = certificates::look(&endpoint).await;
    let images = match Images::connect(endpoint).await {
        Ok(images) => images,
        Err(error) => {
            findings.push(silent(&error));
            return findings;
        }
    };
    findings.extend(match images.engine_facts().await {
        Ok(facts) => findings::engine(&address, &facts, Clock::System.now().millis()),
        Err(error) => vec![silent(&error)],
    });
    findings.extend(images_of(&address, languages, &images).await);
    findings
}

/// The languages' images on a host. An operator need not offer every language, but one at least.
async fn images_of(address: &str, languages: &[Runtime], images: &Images) -> Vec<Finding> {
    let (mut findings, mut missing) = (Vec::new(), Vec::new());
    for language in languages {
        let text = format!("{address}: image {} of runtime {}", language.image, language.id);
        match runtime::state(language, images).await {
            Ok(()) => findings.push(Finding::good(format!("{text} starts"))),
            Err(Defect { missing: true, .. }) => missing.push(language.id.as_str()),
            Err(Defect { reason, advice, .. }) => {
                findings.push(Finding::fault(format!("{text} {reason}"), advice));
            }
        }
    }
    let none = findings.is_empty();
    let (missing, advice) = (missing.join(", "), "guichet runtime build ID... makes what is missing");
    match (missing.is_empty(), none) {
        (true, _) => {}
        (false, true) => {
            findings.push(Finding::fault(format!("{address}: no image of a runtime is there"), advice));
        }
        (false, false) => {
            let text = format!("{address}: runs no programs of {missing}, whose images are missing");
            findings.push(Finding::warning(text, advice));
        }
    }
    findings
}

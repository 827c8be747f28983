//! `guichet runtime list|build|check`: the images of the languages on the Docker hosts.
//!
//! Needs the hosts, no running service.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;

use super::image;
use crate::chain::Chain;
use crate::config::Config;
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;
use crate::pool::docker_settings::ConfiguredHost;
use crate::pool::image::{self as host_image, Images, Presence};
use crate::pool::trial::{self, Trial};
use crate::runtimes::recipe;
use crate::{judge, runtimes};

/// What to do about the runtimes.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the runtimes and whether their images are on each host
    List,
    /// Make the images that are missing or whose recipe has changed, once each, and bring them to every host
    ///
    /// What one host has is brought to the others through their engines; no registry is asked.
    Build {
        /// Only these runtimes
        ids: Vec<RuntimeId>,
        /// Make them anew even if hosts have them, of the packages' newest versions
        #[arg(long)]
        anew: bool,
    },
    /// Run the runtimes' check programs on every host, as students' programs run there
    ///
    /// Exits with 1 if an image is missing or does not start, or if it lacks what programs are promised.
    Check {
        /// Only these runtimes
        ids: Vec<RuntimeId>,
    },
}

/// What to do about an engine that cannot be asked.
pub(super) const NO_ANSWER: &str = "start the engine (systemctl start docker), let this user use its socket (group \
    docker), or name others by GUICHET_DOCKER_HOSTS";

/// Why a command about runtimes failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such runtime.
    #[error("there is no runtime {0}")]
    Unknown(RuntimeId),
    /// The runtime names an image that no host has, and says nothing of how it is made.
    #[error("no host has {image} of runtime {runtime}, which has no [build]: bring it to {host} yourself")]
    NoRecipe {
        /// The runtime.
        runtime: RuntimeId,
        /// Its image.
        image: String,
        /// The host's address.
        host: String,
    },
    /// Some image is not as it should be; each was reported.
    #[error("{0} of the images are not in order")]
    NotInOrder(usize),
    /// A tree could not be made.
    #[error("cannot make the image of runtime {runtime}: {source}")]
    Make {
        /// The runtime.
        runtime: RuntimeId,
        /// Why.
        source: image::Error,
    },
    /// The engine of a host does not answer.
    #[error("{}\n  {NO_ANSWER}", Chain(.0))]
    NoAnswer(host_image::Error),
    /// A host failed.
    #[error(transparent)]
    Host(#[from] host_image::Error),
    /// Standard output is closed.
    #[error("cannot write the report")]
    Output(#[from] std::io::Error),
}

/// Carries `action` out for the runtimes and hosts that the settings name.
///
/// # Errors
/// What keeps an image from being made; what was made before it stays. [`Error::NotInOrder`] after a whole `check`, or if an
/// image could not be brought to each host. If the runtimes cannot be read or a host cannot be reached; `build` serves the
/// others first.
pub async fn run_configured(config: &Config, action: &Action) -> anyhow::Result<ExitCode> {
    let languages: Vec<Runtime> = runtimes::load(&config.runtimes_dir())?.into_values().collect();
    let (mut hosts, mut silent) = (Vec::new(), None);
    let certs_dir = config.certs_dir();
    for host in &config.docker.hosts {
        match (Images::connect(host.endpoint(&certs_dir)).await.map_err(Error::NoAnswer), action) {
            (Ok(host), _) => hosts.push(host),
            // The others get their images all the same.
            (Err(error), Action::Build { .. }) => silent = silent.or(Some(error)),
            (Err(error), Action::List | Action::Check { .. }) => return Err(error.into()),
        }
    }
    let out = &mut std::io::stdout();
    match action {
        Action::List => list(&languages, &hosts, out).await?,
        Action::Build { ids, anew } => {
            let made = if *anew { Made::All } else { Made::Missing };
            let mut faults = 0;
            for runtime in chosen(&languages, ids)? {
                faults += build(runtime, &hosts, made, out).await?;
            }
            if let Some(error) = silent {
                return Err(error.into());
            }
            in_order(faults)?;
        }
        Action::Check { ids } => check(config, &chosen(&languages, ids)?, &hosts, out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen<'a>(runtimes: &'a [Runtime], ids: &[RuntimeId]) -> Result<Vec<&'a Runtime>, Error> {
    if ids.is_empty() {
        return Ok(runtimes.iter().collect());
    }
    ids.iter()
        .map(|id| runtimes.iter().find(|one| one.id == *id).ok_or_else(|| Error::Unknown(id.clone())))
        .collect()
}

async fn list(runtimes: &[Runtime], hosts: &[Images], out: &mut (dyn Write + Send)) -> Result<(), Error> {
    for runtime in runtimes {
        writeln!(out, "{}\t{}\t{}", runtime.id, runtime.name, runtime.image)?;
        for host in hosts {
            let state = match presence(runtime, host).await {
                Ok(Presence::Current) => "ready".to_owned(),
                Ok(Presence::Outdated) => "outdated".to_owned(),
                Ok(Presence::Missing) => "missing".to_owned(),
                Err(error) => Chain(&error).to_string(),
            };
            writeln!(out, "\t{}\t{state}", host.host())?;
        }
    }
    Ok(())
}

/// Which images are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Those that no host has, or that are of an older recipe.
    Missing,
    /// All that have a recipe.
    All,
}

/// Sees to it that every host has the image; returns how many it could not be brought to.
async fn build(
    runtime: &Runtime,
    hosts: &[Images],
    made: Made,
    out: &mut (dyn Write + Send),
) -> Result<usize, Error> {
    let (id, image) = (&runtime.id, &runtime.image);
    let anew = made == Made::All && runtime.build.is_some();
    let (mut having, mut lacking) = (Vec::new(), Vec::new());
    let mut faults = 0;
    for host in hosts {
        match presence(runtime, host).await {
            Ok(Presence::Current) if !anew => having.push(host),
            Ok(_) => lacking.push(host),
            Err(error) => faults += tell(id, &error, out)?,
        }
    }
    let mut lacking = lacking.into_iter();
    let source = match (having.first(), lacking.len()) {
        (Some(_), 0) => {
            writeln!(out, "{id}: {image} is on every host")?;
            return Ok(faults);
        }
        (Some(host), _) => host,
        (None, _) => {
            let Some(first) = lacking.next() else { return Ok(faults) };
            make(runtime, first, out).await?;
            first
        }
    };
    for host in lacking {
        match host.bring(image, source).await {
            Ok(bytes) => {
                let (place, from, mib) = (host.host(), source.host(), bytes >> 20);
                writeln!(out, "{id}: {image} is now on {place}, {mib} MiB from {from}")?;
            }
            Err(error) => faults += tell(id, &error, out)?,
        }
    }
    for host in hosts {
        if let Err(error) = host.prune().await {
            faults += tell(id, &error, out)?;
        }
    }
    Ok(faults)
}

/// Says what failed on one host, so that the others are served all the same; counts it.
fn tell(
    runtime: &RuntimeId,
    error: &dyn std::error::Error,
    out: &mut (dyn Write + Send),
) -> Result<usize, Error> {
    writeln!(out, "{runtime}: {}", Chain(error))?;
    Ok(1)
}

async fn make(runtime: &Runtime, host: &Images, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let (id, image) = (&runtime.id, &runtime.image);
    let Some(recipe) = &runtime.build else {
        let host = host.host().to_owned();
        return Err(Error::NoRecipe { runtime: id.clone(), image: image.clone(), host });
    };
    writeln!(out, "{id}: unpacking {} and what they need", recipe.packages.join(", "))?;
    let tree =
        image::make_tree(recipe).await.map_err(|source| Error::Make { runtime: id.clone(), source })?;
    host.import(image, &tree.path(), &recipe::digest(recipe)).await?;
    writeln!(out, "{id}: {image} is now on {}", host.host())?;
    Ok(())
}

fn in_order(faults: usize) -> Result<(), Error> {
    if faults == 0 { Ok(()) } else { Err(Error::NotInOrder(faults)) }
}

async fn check(
    config: &Config,
    runtimes: &[&Runtime],
    hosts: &[Images],
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let mut faults = 0;
    for runtime in runtimes.iter().copied() {
        for (host, configured) in hosts.iter().zip(&config.docker.hosts) {
            let proven = match state(runtime, host).await {
                Ok(()) => prove(config, runtime, configured).await,
                defect => defect,
            };
            faults += usize::from(proven.is_err());
            let text = match proven {
                Ok(()) => "holds what programs are promised".to_owned(),
                Err(Defect { reason, advice, .. }) => format!("{reason}; {advice}"),
            };
            writeln!(out, "{}: {} on {}: {text}", runtime.id, runtime.image, host.host())?;
        }
    }
    in_order(faults)
}

/// Why the image of a runtime is not as it should be on a host.
pub(super) struct Defect {
    /// Follows the image's name.
    pub reason: String,
    /// Whether the image is not there at all.
    pub missing: bool,
    /// What to do about it.
    pub advice: &'static str,
}

/// Whether the runtime's check program ends well in a container like those of students' programs.
async fn prove(config: &Config, runtime: &Runtime, host: &ConfiguredHost) -> Result<(), Defect> {
    let files = runtimes::check_program(&config.runtimes_dir(), &runtime.id).map_err(|error| Defect {
        missing: false,
        reason: format!("has no check program: {}", Chain(&error)),
        advice: "put one into the folder check beside its runtime.toml",
    })?;
    let untried = |error: trial::Error| Defect {
        missing: false,
        reason: format!("cannot be tried: {}", Chain(&error)),
        advice: "see to the engine, and to the agent (guichet doctor tells about both)",
    };
    let (name, endpoint) = (host.name.clone(), host.endpoint(&config.certs_dir()));
    let mut trial = Trial::start(name, &endpoint, host.oci_runtime.as_deref(), &config.agent_path(), runtime)
        .await
        .map_err(untried)?;
    let checked = trial.run(&judge::canary(runtime, files)).await;
    if let Err(error) = trial.end().await {
        tracing::warn!(error = %Chain(&error), "the check's container could not be removed");
    }
    checked.map_err(untried)?.map_err(|reason| Defect {
        missing: false,
        reason,
        advice: "put what is missing into the image, or correct its check program",
    })
}

/// Whether the runtime's image is on the host as it should be, and starts.
pub(super) async fn state(runtime: &Runtime, host: &Images) -> Result<(), Defect> {
    let defect = |reason: &str, advice| Err(Defect { missing: false, reason: reason.to_owned(), advice });
    let failed = match presence(runtime, host).await {
        Ok(Presence::Missing) => {
            let (reason, advice) =
                ("is missing".to_owned(), "guichet runtime build ID... makes what is missing");
            return Err(Defect { missing: true, reason, advice });
        }
        Ok(Presence::Outdated) => {
            return defect("is of an older recipe", "guichet runtime build makes anew what is outdated");
        }
        Ok(Presence::Current) => match host.probe(&runtime.image, &runtime.probe).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        },
        Err(error) => error,
    };
    match failed {
        host_image::Error::Probe { reason, .. } => defect(
            &format!("does not start: {reason}"),
            "remove the image (docker rmi) and let guichet runtime build make it anew, or correct its probe",
        ),
        host_image::Error::Engine { .. } | host_image::Error::Tar(_) | host_image::Error::Copy { .. } => {
            defect(&format!("cannot be tried: {}", Chain(&failed)), NO_ANSWER)
        }
    }
}

async fn presence(runtime: &Runtime, host: &Images) -> Result<Presence, host_image::Error> {
    let digest = runtime.build.as_ref().map(recipe::digest);
    host.presence(&runtime.image, digest.as_deref()).await
}

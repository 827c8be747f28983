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
use crate::pool::image::{self as host_image, Images, Presence};
use crate::pool::trial::{self, Trial};
use crate::{judge, runtimes};

/// What to do about the runtimes.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the runtimes and whether their images are on each host
    List,
    /// Make the images that are missing or whose recipe has changed, on every host
    Build {
        /// Only these runtimes
        ids: Vec<RuntimeId>,
    },
    /// Run every runtime's check program on every host, as students' programs run there
    ///
    /// Exits with 1 if an image is missing or does not start, or if it lacks what programs are promised.
    Check,
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
    /// The runtime names an image that a host lacks, and says nothing of how it is made.
    #[error("{host} lacks {image} of runtime {runtime}, which has no [build]: bring it there yourself")]
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
/// The first failure of `build`; what was made before it stays. [`Error::NotInOrder`] after a whole `check`. If the
/// runtimes cannot be read or a host cannot be reached.
pub async fn run_configured(config: &Config, action: &Action) -> anyhow::Result<ExitCode> {
    let languages: Vec<Runtime> = runtimes::load(&config.runtimes_dir())?.into_values().collect();
    let mut hosts = Vec::new();
    for host in &config.docker.hosts {
        hosts.push(Images::connect(&host.url).await.map_err(Error::NoAnswer)?);
    }
    let out = &mut std::io::stdout();
    match action {
        Action::List => list(&languages, &hosts, out).await?,
        Action::Build { ids } => {
            for runtime in chosen(&languages, ids)? {
                build(runtime, &hosts, out).await?;
            }
        }
        Action::Check => check(config, &languages, &hosts, out).await?,
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

async fn build(runtime: &Runtime, hosts: &[Images], out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let mut lacking = Vec::new();
    for host in hosts {
        if presence(runtime, host).await? != Presence::Current {
            lacking.push(host);
        }
    }
    let Some(first) = lacking.first() else {
        writeln!(out, "{}: {} is on every host", runtime.id, runtime.image)?;
        return Ok(());
    };
    let Some(recipe) = &runtime.build else {
        return Err(Error::NoRecipe {
            runtime: runtime.id.clone(),
            image: runtime.image.clone(),
            host: first.host().to_owned(),
        });
    };
    writeln!(out, "{}: unpacking {} and what they need", runtime.id, recipe.packages.join(", "))?;
    let tree = image::make_tree(recipe)
        .await
        .map_err(|source| Error::Make { runtime: runtime.id.clone(), source })?;
    let digest = image::recipe_digest(recipe);
    for host in lacking {
        host.import(&runtime.image, &tree.path(), &digest).await?;
        writeln!(out, "{}: {} is now on {}", runtime.id, runtime.image, host.host())?;
    }
    Ok(())
}

async fn check(
    config: &Config,
    runtimes: &[Runtime],
    hosts: &[Images],
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let mut faults = 0;
    for runtime in runtimes {
        for host in hosts {
            let proven = match state(runtime, host).await {
                Ok(()) => prove(config, runtime, host).await,
                defect => defect,
            };
            faults += usize::from(proven.is_err());
            let text = match proven {
                Ok(()) => "holds what programs are promised".to_owned(),
                Err(Defect { reason, advice }) => format!("{reason}; {advice}"),
            };
            writeln!(out, "{}: {} on {}: {text}", runtime.id, runtime.image, host.host())?;
        }
    }
    if faults == 0 { Ok(()) } else { Err(Error::NotInOrder(faults)) }
}

/// Why the image of a runtime is not as it should be on a host.
pub(super) struct Defect {
    /// Follows the image's name.
    pub reason: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Whether the runtime's check program ends well in a container like those of students' programs.
async fn prove(config: &Config, runtime: &Runtime, host: &Images) -> Result<(), Defect> {
    let files = runtimes::check_program(&config.runtimes_dir(), &runtime.id).map_err(|error| Defect {
        reason: format!("has no check program: {}", Chain(&error)),
        advice: "put one into the folder check beside its runtime.toml",
    })?;
    let untried = |error: trial::Error| Defect {
        reason: format!("cannot be tried: {}", Chain(&error)),
        advice: "see to the engine, and to the agent (guichet doctor tells about both)",
    };
    let mut trial = Trial::start(host.host(), &config.agent_path(), runtime).await.map_err(untried)?;
    let checked = judge::check(runtime, &files, &mut trial).await;
    if let Err(error) = trial.end().await {
        tracing::warn!(error = %Chain(&error), "the check's container could not be removed");
    }
    checked.map_err(untried)?.map_err(|reason| Defect {
        reason,
        advice: "put what is missing into the image, or correct its check program",
    })
}

/// Whether the runtime's image is on the host as it should be, and starts.
pub(super) async fn state(runtime: &Runtime, host: &Images) -> Result<(), Defect> {
    let defect = |reason: &str, advice| Err(Defect { reason: reason.to_owned(), advice });
    let failed = match presence(runtime, host).await {
        Ok(Presence::Missing) => return defect("is missing", "guichet runtime build makes what is missing"),
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
        host_image::Error::Engine { .. } | host_image::Error::Tar(_) => {
            defect(&format!("cannot be tried: {}", Chain(&failed)), NO_ANSWER)
        }
    }
}

async fn presence(runtime: &Runtime, host: &Images) -> Result<Presence, host_image::Error> {
    let digest = runtime.build.as_ref().map(image::recipe_digest);
    host.presence(&runtime.image, digest.as_deref()).await
}

//! The agent's way to a host: a layer upon the runtime's image, built there once for each agent and image.
//!
//! Nothing is read from the host's file system and no path of our machine is named, so the host may be remote.

use std::collections::{BTreeSet, HashMap};

use bollard::errors::Error as DockerError;
use bollard::models::ImageSummary;
use bollard::query_parameters::{BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::recipe::{Presence, RECIPE_LABEL, made_at, nameless};
use super::{Engine, Error, QUESTION_DEADLINE, WORK_DEADLINE, within};
use crate::domain::time::Timestamp;

/// The agent inside the image; only root may enter its folder.
pub(super) const AGENT: &str = "/.guichet/agent";

/// Where the agent finds the cgroup folders of its cell.
pub(super) const CGROUP_FOLDER: &str = "/.guichet/cgroup";

/// Where the agent finds the folder that it shares with us, if there is one.
pub(super) const SOCKET_FOLDER: &str = "/.guichet/socket";

/// Label of all agent images.
const AGENT_LABEL: &str = "guichet.agent=true";

/// What engines call an image that has lost its name; it goes with others of its kind ([`Engine::prune_images`]).
const NAMELESS: &str = "<none>:<none>";

/// Label of the image that an agent image was made of: its name.
const BASE_LABEL: &str = "guichet.base";

/// Label of the image that an agent image was made of: its id.
const BASE_ID_LABEL: &str = "guichet.base-id";

/// How often an image is built at most: between two steps it has no name yet, and all who use the engine may prune it.
const BUILDS: u32 = 8;

/// Changes when the layer does, besides by the agent.
const LAYOUT: &[u8] = b"guichet agent layer 4";

/// The agent's executable.
#[derive(Clone)]
pub struct AgentProgram(Vec<u8>);

impl std::fmt::Debug for AgentProgram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AgentProgram({} bytes)", self.0.len())
    }
}

impl AgentProgram {
    /// An agent of these bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// An image with the agent in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentImage {
    /// Its name.
    pub name: String,
    /// How the image is that it was made of.
    pub presence: Presence,
    /// When that was made.
    pub made_at: Option<Timestamp>,
}

/// What became of superseded images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// So many are gone.
    pub removed: usize,
    /// So many are used by a container.
    pub used: usize,
}

impl Engine {
    /// The image that is `image` with the agent in it; builds it if it isn't there.
    ///
    /// * `recipe` — digest of the image's recipe, if it has one; one made by another is used all the same.
    ///
    /// # Errors
    /// [`Error::MissingImage`], [`Error::UnusableImage`], or what the engine said.
    pub async fn agent_image(
        &self,
        image: &str,
        recipe: Option<&str>,
        agent: &AgentProgram,
    ) -> Result<AgentImage, Error> {
        let base = match within(QUESTION_DEADLINE, self.docker.inspect_image(image)).await {
            Ok(base) => base,
            Err(error) if error.is_not_found() => return Err(Error::MissingImage(image.to_owned())),
            Err(error) => return Err(error),
        };
        let (presence, made_at) = (Presence::of(&base, recipe), made_at(&base));
        let config = base.config.unwrap_or_default();
        if config.volumes.is_some_and(|volumes| !volumes.is_empty()) {
            return Err(unusable(
                image,
                "it declares volumes, which would be writable and outlive a program",
            ));
        }
        if config.on_build.is_some_and(|steps| !steps.is_empty()) {
            return Err(unusable(image, "it declares ONBUILD steps, which would change it"));
        }
        let base_id = base.id.unwrap_or_else(|| image.to_owned());
        let name = derived_name(&base_id, agent);
        match within(QUESTION_DEADLINE, self.docker.inspect_image(&name)).await {
            Ok(_there) => {}
            Err(error) if error.is_not_found() => {
                self.build_unhindered(&Base { image, id: &base_id }, &name, agent).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(AgentImage { name, presence, made_at })
    }

    /// Removes what has no name any more: what builds of agent images left, and images made by a recipe that newer ones
    /// have superseded. What is used stays.
    ///
    /// # Errors
    /// What the engine said.
    pub async fn prune_images(&self) -> Result<(), Error> {
        let _no_build = self.nameless.write().await;
        for label in [AGENT_LABEL, RECIPE_LABEL] {
            let pruning = self.docker.prune_images(Some(nameless(label)));
            match within(WORK_DEADLINE, pruning).await {
                // Another prunes at the moment; one at a time is allowed.
                Ok(_)
                | Err(Error::Engine(DockerError::DockerResponseServerError { status_code: 409, .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes agent images that have been superseded: by another agent or tag, where their base is of a repository of
    /// `images`, or since their base is another one by now, or gone.
    ///
    /// One that a container uses stays. Another installation that wants one later builds it again.
    ///
    /// # Errors
    /// What the engine said.
    pub async fn remove_superseded(&self, images: &[String], agent: &AgentProgram) -> Result<Removal, Error> {
        let mut current = BTreeSet::new();
        for image in images {
            current.extend(self.id_of(image).await?.map(|id| derived_name(&id, agent)));
        }
        let filters = HashMap::from([("label", vec![AGENT_LABEL.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let mut removal = Removal::default();
        for found in within(WORK_DEADLINE, self.docker.list_images(Some(options))).await? {
            if self.is_superseded(&found, images).await? {
                let named = found.repo_tags.iter().filter(|name| *name != NAMELESS);
                for name in named.filter(|name| !current.contains(*name)) {
                    self.remove_unused_image(name, &mut removal).await?;
                }
            }
        }
        Ok(removal)
    }

    /// Whether an agent image is of no use, unless it is one of the current ones.
    async fn is_superseded(&self, found: &ImageSummary, images: &[String]) -> Result<bool, Error> {
        // Those made before they said what of are all of earlier agents.
        let Some(base) = found.labels.get(BASE_LABEL) else { return Ok(true) };
        let repository = |image: &str| image.rsplit_once(':').map(|(repository, _tag)| repository.to_owned());
        if images.iter().any(|image| image == base || repository(image) == repository(base)) {
            return Ok(true);
        }
        Ok(self.id_of(base).await?.as_ref() != found.labels.get(BASE_ID_LABEL))
    }

    async fn remove_unused_image(&self, name: &str, removal: &mut Removal) -> Result<(), Error> {
        let removing = self.docker.remove_image(name, None::<RemoveImageOptions>, None);
        match within(WORK_DEADLINE, removing).await {
            Ok(_layers) => removal.removed += 1,
            // Another installation was faster.
            Err(Error::Engine(DockerError::DockerResponseServerError { status_code: 404, .. })) => {}
            Err(Error::Engine(DockerError::DockerResponseServerError { status_code: 409, .. })) => {
                removal.used += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// An image's id, if it is there.
    async fn id_of(&self, image: &str) -> Result<Option<String>, Error> {
        match within(QUESTION_DEADLINE, self.docker.inspect_image(image)).await {
            Ok(there) => Ok(there.id),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Builds anew what another user of the engine has pruned between two of its steps.
    async fn build_unhindered(&self, base: &Base<'_>, name: &str, agent: &AgentProgram) -> Result<(), Error> {
        let _no_pruning = self.nameless.read().await;
        for _hindered in 1..BUILDS {
            match self.build(base, name, agent).await {
                Err(error) if error.is_lost_image() => {}
                ended => return ended,
            }
        }
        self.build(base, name, agent).await
    }

    async fn build(&self, base: &Base<'_>, name: &str, agent: &AgentProgram) -> Result<(), Error> {
        let context = build_context(base, agent).map_err(|error| unusable(base.image, &error.to_string()))?;
        let options = BuildImageOptionsBuilder::new()
            .dockerfile("Dockerfile")
            .t(name)
            .networkmode("none")
            .rm(true)
            .forcerm(true)
            .build();
        let progress = self
            .docker
            .build_image(options, None, Some(bollard::body_full(context.into())))
            .try_for_each(|step| async move {
                match step.error_detail.and_then(|detail| detail.message) {
                    Some(error) => Err(bollard::errors::Error::DockerStreamError { error }),
                    None => Ok(()),
                }
            });
        within(WORK_DEADLINE * 4, progress).await
    }
}

/// The image that an agent image is made of.
struct Base<'a> {
    image: &'a str,
    id: &'a str,
}

fn unusable(image: &str, reason: &str) -> Error {
    Error::UnusableImage { image: image.to_owned(), reason: reason.to_owned() }
}

fn derived_name(base_id: &str, agent: &AgentProgram) -> String {
    let digest = Sha256::new_with_prefix(LAYOUT).chain_update(base_id).chain_update(&agent.0).finalize();
    format!("guichet-agent:{}", hex(&digest, 12))
}

/// The first `bytes` bytes in hexadecimal.
pub(super) fn hex(digest: &[u8], bytes: usize) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    digest.iter().take(bytes).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

/// A tar with the build's two steps and the tree `root`, which is laid over the image's own.
fn build_context(base: &Base<'_>, agent: &AgentProgram) -> std::io::Result<Vec<u8>> {
    let Base { image, id } = base;
    let labels = format!("{AGENT_LABEL} {BASE_LABEL}={image} {BASE_ID_LABEL}={id}");
    let dockerfile = format!("FROM {image}\nLABEL {labels}\nCOPY root/ /\n");
    let mut tar = tar::Builder::new(Vec::with_capacity(agent.0.len() + 16_384));
    add(&mut tar, "Dockerfile", tar::EntryType::Regular, 0o644, dockerfile.as_bytes())?;
    add(&mut tar, "root/", tar::EntryType::Directory, 0o755, &[])?;
    add(&mut tar, &format!("root{}", folder_of(AGENT)), tar::EntryType::Directory, 0o700, &[])?;
    add(&mut tar, &format!("root{AGENT}"), tar::EntryType::Regular, 0o700, &agent.0)?;
    // Mount points must exist in a root that is read-only; the last one is written over it.
    for folder in ["", "/memory", "/cpuacct", "/pids", "/unified"] {
        add(&mut tar, &format!("root{CGROUP_FOLDER}{folder}/"), tar::EntryType::Directory, 0o700, &[])?;
    }
    add(&mut tar, &format!("root{SOCKET_FOLDER}/"), tar::EntryType::Directory, 0o700, &[])?;
    for folder in ["root/w/", "root/tmp/"] {
        add(&mut tar, folder, tar::EntryType::Directory, 0o1777, &[])?;
    }
    // The image's own tables of users can't name the uids of commands: the agent makes others, in a folder of its own.
    add(&mut tar, "root/etc/", tar::EntryType::Directory, 0o755, &[])?;
    for name in ["passwd", "group"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        tar.append_link(&mut header, format!("root/etc/{name}"), format!("/w/{name}"))?;
    }
    tar.into_inner()
}

fn folder_of(path: &str) -> String {
    path.rsplit_once('/').map(|(folder, _name)| format!("{folder}/")).unwrap_or_default()
}

fn add(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &str,
    kind: tar::EntryType,
    mode: u32,
    bytes: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    tar.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::{AgentProgram, derived_name};

    #[test]
    fn another_agent_or_another_base_makes_another_image() {
        let agent = AgentProgram::new(b"one".to_vec());
        let other = AgentProgram::new(b"two".to_vec());

        let names = [derived_name("a", &agent), derived_name("a", &other), derived_name("b", &agent)];

        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    }
}

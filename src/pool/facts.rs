//! What a Docker engine says about itself, for who has to judge whether it can run students' programs.

use bollard::Docker;
use bollard::models::SystemInfoCgroupVersionEnum;

use super::image::{Error, Images};

/// One engine as it describes itself. What it does not say is `None` or `false`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its version, as its packager writes it.
    pub version: String,
    /// Newest version of its API, like `1.41`.
    pub api_version: String,
    /// Version of its runc, as its packager writes it.
    pub runc_version: Option<String>,
    /// Version of the control groups it uses, 1 or 2.
    pub cgroup_version: Option<u8>,
    /// The limits that its kernel cannot hold: memory, swap, processes, cores.
    pub missing_limits: Vec<&'static str>,
    /// Whether it filters system calls.
    pub seccomp: bool,
    /// Whether it runs as an ordinary user.
    pub rootless: bool,
    /// Whether containers outlive it.
    pub live_restore: bool,
    /// Its clock (RFC 3339).
    pub time: Option<String>,
    /// Version of its machine's kernel.
    pub kernel: Option<String>,
    /// Its cores.
    pub cores: Option<u32>,
    /// The memory of its machine, in bytes.
    pub memory_bytes: Option<u64>,
}

impl Images {
    /// Asks the engine about itself.
    ///
    /// # Errors
    /// [`Error::Engine`] if it does not answer.
    pub async fn engine_facts(&self) -> Result<EngineFacts, Error> {
        ask(self.docker()).await.map_err(|source| self.engine(source))
    }
}

pub(super) async fn ask(docker: &Docker) -> Result<EngineFacts, bollard::errors::Error> {
    let version = docker.version().await?;
    let info = docker.info().await?;
    let options = info.security_options.unwrap_or_default();
    let limits = [
        ("memory", info.memory_limit),
        ("swap", info.swap_limit),
        ("processes", info.pids_limit),
        ("cores", info.cpu_set),
    ];
    // A packager's whole version is among runc's details, where distributions tell their own corrections.
    let runc = version.components.unwrap_or_default().into_iter().find(|part| part.name == "runc");
    let runc_version = runc.map(|part| {
        let details = part.details.unwrap_or_default();
        let whole = details.get("GitCommit").filter(|text| text.starts_with(&part.version));
        whole.cloned().unwrap_or(part.version)
    });
    Ok(EngineFacts {
        version: version.version.unwrap_or_default(),
        api_version: version.api_version.unwrap_or_default(),
        runc_version,
        cgroup_version: match info.cgroup_version {
            Some(SystemInfoCgroupVersionEnum::_1) => Some(1),
            Some(SystemInfoCgroupVersionEnum::_2) => Some(2),
            Some(SystemInfoCgroupVersionEnum::EMPTY) | None => None,
        },
        missing_limits: limits
            .into_iter()
            .filter_map(|(name, held)| (held != Some(true)).then_some(name))
            .collect(),
        seccomp: options.iter().any(|option| option.contains("seccomp")),
        rootless: options.iter().any(|option| option.contains("rootless")),
        live_restore: info.live_restore_enabled.unwrap_or_default(),
        time: info.system_time,
        kernel: info.kernel_version,
        cores: info.ncpu.and_then(|cores| cores.try_into().ok()),
        memory_bytes: info.mem_total.and_then(|bytes| bytes.try_into().ok()),
    })
}

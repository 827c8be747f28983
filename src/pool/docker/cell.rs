//! The control groups of a cell: the host's, the slot's and the runtime's own, in which one container is at a time.

use sha2::{Digest as _, Sha256};

use super::Cgroups;
use super::agent_image::{CGROUP_FOLDER, hex};
use super::fields::Placement;
use crate::domain::ids::RuntimeId;
use crate::pool::state::Role;

/// The cgroup that holds a cell's container and nothing else, so that its counters are the container's.
pub(super) struct CellCgroup {
    /// Its name at the engine.
    pub(super) parent: String,
    /// What of it the agent sees.
    pub(super) binds: Vec<String>,
}

impl CellCgroup {
    pub(super) fn new(placement: &Placement<'_>, cgroups: Cgroups) -> Option<Self> {
        let short = placement.labels.short();
        // Two engines of one machine have one tree of groups.
        let host = hex(&Sha256::digest(placement.host.as_str()), 4);
        // No runtime's name ends so.
        let role = match placement.role {
            Role::Program => "",
            Role::Companion => "__companion",
        };
        let cell = format!("h{host}_s{}_{}{role}", placement.slot.0, in_a_name(&placement.runtime.id));
        let folder = format!("{}/{cell}", placement.labels.control_groups());
        // systemd nests a slice by the dashes in its name.
        let slice = format!("guichet-{short}-{cell}.slice");
        let slice_folder = format!("/guichet.slice/guichet-{short}.slice/{slice}");
        let first = |folder: &str| -> Vec<String> {
            ["memory", "cpuacct", "pids"]
                .iter()
                .map(|name| format!("/sys/fs/cgroup/{name}{folder}:{CGROUP_FOLDER}/{name}:rw"))
                .collect()
        };
        let second = |folder: &str| vec![format!("/sys/fs/cgroup{folder}:{CGROUP_FOLDER}/unified:rw")];
        match cgroups {
            Cgroups::V1Cgroupfs => Some(Self { binds: first(&folder), parent: folder }),
            Cgroups::V1Systemd => Some(Self { binds: first(&slice_folder), parent: slice }),
            Cgroups::V2Cgroupfs => Some(Self { binds: second(&folder), parent: folder }),
            Cgroups::V2Systemd => Some(Self { binds: second(&slice_folder), parent: slice }),
            Cgroups::Unusable => None,
        }
    }
}

/// A runtime's id as a part of the name of a group or slice: one part, and no two ids alike.
fn in_a_name(runtime: &RuntimeId) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let part = |c: char| if plain(c) { c.to_string() } else { format!("_{:02x}", u32::from(c)) };
    runtime.as_str().chars().map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use tokio::sync::watch;

    use super::*;
    use crate::domain::runtime::Runtime;
    use crate::pool::docker::Labels;
    use crate::pool::state::SlotId;

    const UUID: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

    fn runtime() -> Runtime {
        toml::from_str(include_str!("../../../runtimes/c/runtime.toml")).expect("a runtime")
    }

    fn cell(cgroups: Cgroups) -> Option<(String, Vec<String>)> {
        cell_on("judge-1", cgroups)
    }

    fn cell_on(host: &str, cgroups: Cgroups) -> Option<(String, Vec<String>)> {
        cell_of(host, Role::Program, cgroups)
    }

    fn cell_of(host: &str, role: Role, cgroups: Cgroups) -> Option<(String, Vec<String>)> {
        let runtime = runtime();
        let host = host.parse().expect("a name");
        let labels = Labels { installation: UUID, folder: UUID, instance: UUID };
        let placement = Placement {
            labels,
            host: &host,
            connection: UUID,
            runtime: &runtime,
            image: "i",
            oci_runtime: None,
            slot: SlotId(3),
            role,
            transport: None,
            id: &watch::Sender::new(None),
        };
        CellCgroup::new(&placement, cgroups).map(|cell| (cell.parent, cell.binds))
    }

    #[test]
    fn a_cell_of_the_first_version_binds_three_controllers() {
        let (parent, binds) = cell(Cgroups::V1Cgroupfs).expect("a cgroup");

        assert_eq!(parent, "/guichet/0123456789ab/h65316c99_s3_c");
        assert_eq!(
            binds,
            [
                "/sys/fs/cgroup/memory/guichet/0123456789ab/h65316c99_s3_c:/.guichet/cgroup/memory:rw",
                "/sys/fs/cgroup/cpuacct/guichet/0123456789ab/h65316c99_s3_c:/.guichet/cgroup/cpuacct:rw",
                "/sys/fs/cgroup/pids/guichet/0123456789ab/h65316c99_s3_c:/.guichet/cgroup/pids:rw",
            ]
        );
    }

    #[test]
    fn a_cell_of_the_second_version_binds_one_folder() {
        let (parent, binds) = cell(Cgroups::V2Cgroupfs).expect("a cgroup");

        assert_eq!(parent, "/guichet/0123456789ab/h65316c99_s3_c");
        assert_eq!(binds, ["/sys/fs/cgroup/guichet/0123456789ab/h65316c99_s3_c:/.guichet/cgroup/unified:rw"]);
    }

    #[test]
    fn a_cell_under_systemd_is_a_slice_below_the_slices_of_its_name() {
        let (parent, binds) = cell(Cgroups::V2Systemd).expect("a cgroup");

        assert_eq!(parent, "guichet-0123456789ab-h65316c99_s3_c.slice");
        let folder = "/sys/fs/cgroup/guichet.slice/guichet-0123456789ab.slice/guichet-0123456789ab-h65316c99_s3_c.slice";
        assert_eq!(binds, [format!("{folder}:/.guichet/cgroup/unified:rw")]);
    }

    #[test]
    fn an_engine_without_cgroups_gets_no_path_of_its_host() {
        assert_eq!(cell(Cgroups::Unusable), None);
    }

    #[test]
    fn a_container_and_its_companion_share_no_cell() {
        for cgroups in [Cgroups::V1Cgroupfs, Cgroups::V1Systemd, Cgroups::V2Cgroupfs, Cgroups::V2Systemd] {
            assert_ne!(cell(cgroups), cell_of("judge-1", Role::Companion, cgroups));
        }
    }

    #[test]
    fn engines_of_one_machine_share_no_cell() {
        for cgroups in [Cgroups::V1Cgroupfs, Cgroups::V1Systemd, Cgroups::V2Cgroupfs, Cgroups::V2Systemd] {
            assert_ne!(cell_on("judge-1", cgroups), cell_on("judge-2", cgroups));
        }
    }

    #[test]
    fn runtimes_share_no_cell_whatever_is_in_their_ids() {
        let names = ["c~17", "c-17", "c_17", "c17", "c.17"];
        let names: BTreeSet<_> = names.map(|id| in_a_name(&id.parse().expect("an id"))).into();

        assert_eq!(names.len(), 5);
        assert!(
            names.iter().all(|name| name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())),
            "{names:?}"
        );
    }
}

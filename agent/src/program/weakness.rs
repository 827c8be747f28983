//! Which protections hold in this container: each is tried, none is taken for granted.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::{
    OWN_FOLDER,
    fault::{Context, Fault},
    reap::{Reach, Reaped},
    signals::WaitMask,
    spawn::{Spawner, protection},
    sys,
    usage::Meter,
};

/// Protections of a command's processes, by what is lost without them.
const OF_COMMANDS: [(u32, &str); 7] = [
    (protection::UID, "uid"),
    (protection::OOM_SCORE, "oom_score_adj"),
    (protection::NICE, "nice"),
    (protection::NO_NEW_PRIVILEGES, "no_new_privs"),
    (protection::BOUNDING_SET, "capability bounding set"),
    (protection::CLOSE_RANGE, "close_range"),
    (protection::WRITING, "landlock"),
];

/// Adds the names of the protections that do not hold.
pub fn find(
    spawner: &mut Spawner,
    meter: &Meter,
    uid: u32,
    mask: &WaitMask,
    reach: Reach,
    weaknesses: &mut Vec<String>,
) -> Result<(), Fault> {
    let held = spawner.probe(uid, meter.entry(), mask.get()).context("try the protections")?;
    reach.collect_all(&mut Reaped::default(), |_| {}).context("collect the trial")?;
    let mut add = |name: &str, holds: bool| {
        if !holds {
            weaknesses.push(name.to_owned());
        }
    };
    for (bit, name) in OF_COMMANDS {
        add(name, held & bit != 0);
    }
    add("dumpable", sys::prctl(libc::PR_GET_DUMPABLE, 0).is_ok_and(|dumpable| dumpable == 0));
    add("pid namespace", reach == Reach::Namespace);
    add("agent's folder", is_private(Path::new(OWN_FOLDER)));
    add("read-only root", is_read_only());
    Ok(())
}

/// Whether only root can enter a folder.
fn is_private(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|facts| facts.uid() == 0 && facts.mode() & 0o777 == 0o700)
}

/// Whether the root file system refuses even root.
fn is_read_only() -> bool {
    // SAFETY: all-zero is a valid `statvfs`; the path ends with NUL.
    unsafe {
        let mut facts: libc::statvfs = std::mem::zeroed();
        libc::statvfs(c"/".as_ptr(), &raw mut facts) == 0 && facts.f_flag & libc::ST_RDONLY != 0
    }
}

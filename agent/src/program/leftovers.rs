//! Control groups that an engine made for containers and does not remove: the empty ones go.
//!
//! Only the Docker host's root may remove them, and there this runs: in a container that sees all hierarchies.

use std::{fs, io, path::Path};

/// Removes `folder` (`/guichet/…`) with all that is in it, in each hierarchy at `root`, and what is empty above it then.
///
/// # Errors
/// The first one; as much as possible is removed then.
pub fn remove(root: &Path, folder: &str) -> io::Result<()> {
    let folder = Path::new(folder.trim_start_matches('/'));
    let mut hierarchies = vec![root.to_owned()];
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        // Some names of hierarchies are links to others.
        if entry.file_type()?.is_dir() {
            hierarchies.push(entry.path());
        }
    }
    hierarchies.into_iter().map(|hierarchy| remove_in(&hierarchy, folder)).fold(Ok(()), io::Result::and)
}

fn remove_in(hierarchy: &Path, folder: &Path) -> io::Result<()> {
    gone_is_fine(remove_tree(&hierarchy.join(folder)))?;
    for above in folder.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        // It may hold those of other installations.
        match fs::remove_dir(hierarchy.join(above)) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Ok(()),
            removed => gone_is_fine(removed)?,
        }
    }
    Ok(())
}

/// A group's files go with it; its groups have to go before.
fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

fn gone_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

//! Every place besides the work folder where a command can leave something: temporary folders and System V IPC.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsFd,
        unix::fs::{OpenOptionsExt, PermissionsExt},
    },
};

use super::folder::Sweeper;

/// Folders that commands can write to, where they exist.
const FOLDERS: [&str; 3] = ["/tmp", "/dev/shm", "/dev/mqueue"];

/// Lists of System V objects, one in each line behind the first.
const IPC_LISTS: [&str; 3] = ["/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg"];

/// The places that exist in this container.
pub struct Scratch {
    folders: Vec<(&'static str, File)>,
    ipc_lists: Vec<&'static str>,
}

impl Scratch {
    /// Opens the places that exist.
    pub fn open() -> Self {
        let folders = FOLDERS.into_iter().filter_map(|path| Some((path, open_folder(path).ok()?))).collect();
        let ipc_lists = IPC_LISTS.into_iter().filter(|path| fs::read(path).is_ok()).collect();
        Self { folders, ipc_lists }
    }

    /// Removes everything in the folders.
    pub fn clean(&self, sweeper: &mut Sweeper) -> io::Result<()> {
        self.folders
            .iter()
            .try_for_each(|(_, folder)| sweeper.sweep(folder.as_fd(), folder.as_fd(), |_| false))
    }

    /// Adds what is found to `problems`.
    pub fn verify(&self, sweeper: &mut Sweeper, problems: &mut Vec<String>) -> io::Result<()> {
        for (path, folder) in &self.folders {
            if !sweeper.is_empty(folder.as_fd())? {
                problems.push(format!("something is left in {path}"));
            }
        }
        for path in &self.ipc_lists {
            let objects = fs::read_to_string(path)?.lines().skip(1).count();
            if objects > 0 {
                problems.push(format!("{objects} objects in {path}"));
            }
        }
        Ok(())
    }
}

/// Opens a folder without following a link in its last place.
pub fn open_folder(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

/// Makes a folder that all may write to sticky and open; some versions of runc mount it without.
pub fn open_to_all(folder: &File) -> io::Result<()> {
    folder.set_permissions(Permissions::from_mode(0o1777))
}

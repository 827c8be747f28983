//! What a compilation makes apart from the work folder: its own while it compiles, fixed from then on.
//!
//! All that stays belongs to root, in folders of root: no command can change, rename or remove it, so that nothing has
//! to be made anew for the next one, however large it is.

use std::{
    ffi::{CStr, CString},
    fs::{File, Permissions},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{MetadataExt, PermissionsExt, fchown},
    },
};

use super::{
    folder::{Kind, Sweeper},
    path, sys,
};

/// Lets `uid` write into the folder `name` of `base`, which is made if it is missing.
pub fn open_to(base: BorrowedFd<'_>, name: &CStr, uid: u32) -> io::Result<()> {
    match sys::make_folder_at(base, name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sys::give_at(base, name, uid)
}

/// Fixes what is in the folder `name` of `base`: regular files and folders become root's, everything else is removed.
///
/// Of a file with several names one stays, of a setuid or setgid file none. What lies too deep is removed. The insides
/// of removed folders may be moved to `base`, which has to be swept afterwards.
pub fn fix(sweeper: &mut Sweeper, base: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let mut waiting = vec![path::Path::from(name)];
    while let Some(folder) = waiting.pop() {
        let opened = sys::open_folder_at(base, &folder.to_text()?)?;
        let dir = opened.as_fd();
        settle(dir, 0o755)?;
        let mut unwanted: Vec<CString> = Vec::new();
        sweeper.for_each(dir, |entry| {
            let inside = folder.join(entry.name);
            let stays = match entry.kind {
                Kind::File => adopt_file(dir, entry.name)?,
                Kind::Folder => inside.is_short(),
                Kind::Other => false,
            };
            if !stays {
                unwanted.push(entry.name.to_owned());
            } else if entry.kind == Kind::Folder {
                waiting.push(inside);
            }
            Ok(())
        })?;
        for name in unwanted {
            sweeper.remove(dir, base, &name)?;
        }
    }
    Ok(())
}

/// Makes a file that a command created root's, or says that it cannot stay.
fn adopt_file(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    let file = File::from(sys::open_at(dir, name, libc::O_RDONLY | libc::O_NONBLOCK, 0)?);
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(false);
    }
    if facts.nlink() > 1 || facts.mode() & 0o6000 != 0 {
        // Now, so that the last name of a file with several is its only one.
        sys::unlink_at(dir, name)?;
        return Ok(true);
    }
    let mode = if facts.mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    settle(file.as_fd(), mode)?;
    Ok(true)
}

/// Gives a file or folder to root, then sets its mode (which also masks what an access list would allow).
fn settle(file: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    fchown(file, Some(0), Some(0))?;
    File::from(file.try_clone_to_owned()?).set_permissions(Permissions::from_mode(mode))
}

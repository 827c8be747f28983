//! Who a command is: the user and group that its uid is called by, as `/etc/passwd` and `/etc/group` say.
//!
//! Both are links to files of ours, which name the uid of the open submission: a table of all uids would be long to
//! search, and one name has to stand for one uid.

use std::{
    fs::File,
    io,
    os::{
        fd::BorrowedFd,
        unix::fs::{FileExt, fchown},
    },
};

use guichet_agent::USER;

use super::sys;

/// The user `nobody` and its group, by convention.
const NOBODY: u32 = 65_534;

/// The two files.
pub struct Names {
    users: File,
    groups: File,
}

impl Names {
    /// Makes the files in `folder`.
    pub fn make(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let make = |name| -> io::Result<File> {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
            let file = File::from(sys::open_at(folder, name, flags, 0o644)?);
            fchown(&file, Some(0), Some(0))?;
            Ok(file)
        };
        Ok(Self { users: make(super::USERS)?, groups: make(super::GROUPS)? })
    }

    /// Calls `uid`, and the gid of the same number, [`USER`].
    pub fn call(&self, uid: u32) -> io::Result<()> {
        replace(
            &self.users,
            &format!(
                "root:x:0:0:root:/:/bin/sh\n{USER}:x:{uid}:{uid}:{USER}:/tmp:/bin/sh\n\
                 nobody:x:{NOBODY}:{NOBODY}:nobody:/:/bin/sh\n"
            ),
        )?;
        replace(&self.groups, &format!("root:x:0:\n{USER}:x:{uid}:\nnogroup:x:{NOBODY}:\n"))
    }
}

fn replace(file: &File, text: &str) -> io::Result<()> {
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

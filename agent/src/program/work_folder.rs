//! The work folder: a command may do with it what it wants, and the next one finds it as if nothing had been done.
//!
//! ```text
//! /w                  root's: no command makes, renames or removes anything in it
//! /w/work             the work folder, the command's own with all that is in it
//! /w/output           what a compilation makes apart from it, see `output_folder`
//! /w/passwd, group    see `names`
//! ```
//!
//! What the work folder holds at a command's start is recorded, with the bytes in a [`Store`]: what Guichet wrote,
//! and what a compilation left there. A folder that a command may have changed is removed whole before the next one
//! and made anew out of the record: of what a command does to a file nothing tells for sure that it was done. What is lent
//! lies over the record for one command.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::CStr,
    fs::{File, Permissions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileExt, MetadataExt, PermissionsExt, fchown},
    },
};

use guichet_agent::READ_BYTES;

use super::{
    GROUPS, OUTPUT, USERS, WORK,
    fault::{Context, Fault},
    folder::{Kind, Sweeper},
    output_folder,
    path::Path,
    store::{Content, Store},
    sys,
};

/// Mode of a folder that Guichet asks for.
const FOLDER_MODE: u32 = 0o755;

/// Mode of a file that Guichet writes.
const FILE_MODE: u32 = 0o644;

/// Bits of a mode that the agent's mask takes from what it makes.
const MASKED_BITS: u32 = 0o022;

/// What is recorded of a path.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Folder { mode: u32 },
    File { mode: u32, content: Content },
}

/// The work folder, and the record of what a command finds in it.
pub struct WorkFolder {
    base: OwnedFd,
    record: BTreeMap<Path, Kept>,
    /// What the next command finds over it.
    lent: BTreeMap<Path, Kept>,
    /// Where the store ends without what is lent.
    end_without_lent: u64,
    store: Store,
    /// Whether the folder exists and is as recorded.
    is_as_recorded: bool,
    /// Whether a compilation of this submission left something apart.
    has_output: bool,
}

impl WorkFolder {
    /// A work folder in `base`, in which everything is ours.
    pub fn new(base: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            base,
            record: BTreeMap::new(),
            lent: BTreeMap::new(),
            end_without_lent: 0,
            store: Store::new()?,
            is_as_recorded: false,
            has_output: false,
        })
    }

    /// Removes everything, and forgets it.
    pub fn clear(&mut self, sweeper: &mut Sweeper) -> io::Result<()> {
        self.record.clear();
        self.lent.clear();
        self.has_output = false;
        self.store.clear()?;
        self.remove(sweeper)
    }

    /// Whether nothing at all is left.
    pub fn is_empty(&self, sweeper: &mut Sweeper) -> io::Result<bool> {
        let mut is_empty = true;
        sweeper.for_each(self.base.as_fd(), |entry| {
            is_empty &= is_ours(entry.name);
            Ok(())
        })?;
        Ok(is_empty)
    }

    /// Records a file of Guichet, with the folders on its way; it takes the place of what was recorded there.
    pub fn write(&mut self, path: &str, append: bool, bytes: &[u8]) -> Result<(), Fault> {
        if !self.lent.is_empty() {
            return Err(Fault::Request("a file that stays behind one that is lent"));
        }
        self.is_as_recorded = false;
        note(&mut self.record, &mut self.store, path, append, bytes)
    }

    /// Lays a file of Guichet over the record until the next command has ended.
    pub fn lend(&mut self, path: &str, append: bool, bytes: &[u8]) -> Result<(), Fault> {
        if self.lent.is_empty() {
            self.end_without_lent = self.store.end();
        }
        self.is_as_recorded = false;
        note(&mut self.lent, &mut self.store, path, append, bytes)
    }

    /// A part of a file as it is now, and how long that is; `None` if no regular file has the path.
    ///
    /// No command runs, so that what was found to be a folder still is one.
    pub fn read(&self, path: &str, offset: u64, most_bytes: u64) -> Result<(Option<u64>, Vec<u8>), Fault> {
        let top = Path::from(WORK);
        let path = top.join_asked(path)?;
        let Some(file) = self.open_left(&top, &path).context("open a file that a command left")? else {
            return Ok((None, Vec::new()));
        };
        let length = file.metadata().context("look at a file that a command left")?.len();
        let rest = length.saturating_sub(offset).min(most_bytes);
        let mut bytes = vec![0; usize::try_from(rest).unwrap_or(READ_BYTES).min(READ_BYTES)];
        file.read_exact_at(&mut bytes, offset).context("read a file that a command left")?;
        Ok((Some(length), bytes))
    }

    fn open_left(&self, top: &Path, path: &Path) -> io::Result<Option<File>> {
        let base = self.base.as_fd();
        for folder in std::iter::once(top.clone()).chain(path.folders_below(top)) {
            if let Err(error) = sys::open_folder_at(base, &folder.to_text()?) {
                return if is_nothing(&error) { Ok(None) } else { Err(error) };
            }
        }
        match sys::open_at(base, &path.to_text()?, libc::O_RDONLY | libc::O_NONBLOCK, 0) {
            Ok(file) => {
                let file = File::from(file);
                Ok(file.metadata()?.is_file().then_some(file))
            }
            Err(error) if is_nothing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the folder what is recorded, all of it owned by `uid`.
    pub fn restore(&mut self, sweeper: &mut Sweeper, uid: u32) -> io::Result<()> {
        if self.is_as_recorded {
            return Ok(());
        }
        self.remove(sweeper)?;
        self.make_folder(&Path::from(WORK), FOLDER_MODE, uid)?;
        for (path, kept) in self.found() {
            match kept {
                Kept::Folder { mode } => self.make_folder(path, *mode, uid)?,
                Kept::File { mode, content } => self.make_file(path, *mode, content, uid)?,
            }
        }
        self.is_as_recorded = true;
        Ok(())
    }

    /// What the next command finds.
    fn found(&self) -> BTreeMap<&Path, &Kept> {
        let mut found: BTreeMap<_, _> = self.record.iter().collect();
        for (path, lent) in &self.lent {
            match (lent, found.get(path)) {
                (Kept::Folder { .. }, Some(Kept::Folder { .. })) => {}
                (Kept::Folder { .. }, _) => {
                    found.insert(path, lent);
                }
                (Kept::File { .. }, _) => {
                    found.retain(|recorded, _| !recorded.is_inside(path));
                    found.insert(path, lent);
                }
            }
        }
        found
    }

    /// Lets a compilation that `uid` starts leave something apart.
    pub fn open_output(&mut self, uid: u32) -> io::Result<()> {
        self.has_output = true;
        output_folder::open_to(self.base.as_fd(), OUTPUT, uid)
    }

    /// Says that a command ran which leaves nothing: what it did is undone before the next one.
    pub fn ran(&mut self) -> io::Result<()> {
        self.is_as_recorded = false;
        if !self.lent.is_empty() {
            self.lent.clear();
            self.store.cut(self.end_without_lent)?;
        }
        Ok(())
    }

    /// Records what a compilation left: regular files and folders with their modes, whatever it did to them.
    ///
    /// Of a file with several names one stays. What lies too deep to be walked by path does not.
    pub fn keep(&mut self, sweeper: &mut Sweeper) -> io::Result<()> {
        output_folder::fix(sweeper, self.base.as_fd(), OUTPUT)?;
        self.record.clear();
        self.lent.clear();
        self.store.clear()?;
        let mut all_stays = true;
        let mut several_names = HashSet::new();
        let mut waiting = vec![Path::from(WORK)];
        while let Some(path) = waiting.pop() {
            let folder = File::from(sys::open_folder_at(self.base.as_fd(), &path.to_text()?)?);
            let facts = folder.metadata()?;
            let (record, store) = (&mut self.record, &mut self.store);
            sweeper.for_each(folder.as_fd(), |entry| {
                let inside = path.join(entry.name);
                match entry.kind {
                    Kind::Folder if inside.is_short() => waiting.push(inside),
                    Kind::File if inside.is_short() => {
                        let file = open_file(&folder, entry.name)?;
                        let facts = file.metadata()?;
                        if facts.nlink() == 1 || several_names.insert(facts.ino()) {
                            let mode = facts.mode() & 0o777;
                            record.insert(inside, Kept::File { mode, content: store.take(&file)? });
                        }
                        all_stays &= facts.nlink() == 1 && facts.mode() & 0o7000 == 0;
                    }
                    Kind::Folder | Kind::File | Kind::Other => all_stays = false,
                }
                Ok(())
            })?;
            self.record.insert(path, Kept::Folder { mode: facts.mode() & 0o777 });
            all_stays &= facts.mode() & 0o7000 == 0;
        }
        // The folder itself is made in any case.
        self.record.remove(&Path::from(WORK));
        self.is_as_recorded = all_stays;
        sweeper.sweep(self.base.as_fd(), self.base.as_fd(), |entry| {
            is_ours(entry.name) || entry.name == OUTPUT || entry.name == WORK
        })
    }

    /// Removes the work folder, and what lies beside it but does not belong there.
    fn remove(&mut self, sweeper: &mut Sweeper) -> io::Result<()> {
        self.is_as_recorded = false;
        let has_output = self.has_output;
        sweeper.sweep(self.base.as_fd(), self.base.as_fd(), |entry| {
            is_ours(entry.name) || (has_output && entry.name == OUTPUT)
        })
    }

    fn make_folder(&self, path: &Path, mode: u32, uid: u32) -> io::Result<()> {
        let (base, name) = (self.base.as_fd(), path.to_text()?);
        sys::make_folder_at(base, &name)?;
        if mode != FOLDER_MODE {
            File::from(sys::open_folder_at(base, &name)?).set_permissions(Permissions::from_mode(mode))?;
        }
        // Last: the agent may not change the mode of what belongs to others.
        sys::give_at(base, &name, uid)
    }

    fn make_file(&self, path: &Path, mode: u32, content: &Content, uid: u32) -> io::Result<()> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        let file = File::from(sys::open_at(self.base.as_fd(), &path.to_text()?, flags, mode)?);
        if mode & MASKED_BITS != 0 {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        self.store.give(content, &file)?;
        fchown(&file, Some(uid), Some(uid))
    }
}

/// Notes a file of Guichet, with the folders on its way; it takes the place of what was noted there.
fn note(
    noted: &mut BTreeMap<Path, Kept>,
    store: &mut Store,
    path: &str,
    append: bool,
    bytes: &[u8],
) -> Result<(), Fault> {
    let top = Path::from(WORK);
    let path = top.join_asked(path)?;
    if append {
        return match noted.get_mut(&path) {
            Some(Kept::File { content, .. }) if store.is_last(content) => {
                store.append(content, bytes).context("keep more of a file")
            }
            _ => Err(Fault::Request("more of a file that was not begun last")),
        };
    }
    for folder in path.folders_below(&top) {
        if !matches!(noted.get(&folder), Some(Kept::Folder { .. })) {
            noted.insert(folder, Kept::Folder { mode: FOLDER_MODE });
        }
    }
    noted.retain(|recorded, _| !recorded.is_inside(&path));
    let content = store.begin(bytes).context("keep a file")?;
    noted.insert(path, Kept::File { mode: FILE_MODE, content });
    Ok(())
}

/// Whether a path that a command made leads to no file or folder.
fn is_nothing(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::ENXIO].into_iter().any(|nothing| code == Some(nothing))
}

fn open_file(folder: &File, name: &CStr) -> io::Result<File> {
    Ok(sys::open_at(folder.as_fd(), name, libc::O_RDONLY | libc::O_NONBLOCK, 0)?.into())
}

fn is_ours(name: &CStr) -> bool {
    name == USERS || name == GROUPS
}

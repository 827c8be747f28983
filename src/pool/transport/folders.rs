//! Folders that containers share with us while they are launched, for the sockets of their agents.
//!
//! A folder is made for one launch and removed when that has ended, however: a connection outlives its socket's name.
//! So where students' programs run there is no way to write to this machine, and what a killed process can leave is
//! an empty folder. What lies in a folder is the container's, and nothing of it is followed or believed; it may be
//! made so that it cannot be removed, or not soon, and then that container is given to nobody.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{Uid, geteuid};
use tokio::fs::{DirBuilder, OpenOptions};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::removal;

/// Where the folders of a data folder's launches are; its id names them.
///
/// A container's list of mounts names a folder that it shares by its path below the root of the file system. In this one,
/// which is in memory, that says nothing of the machine.
pub fn sockets_folder(data_folder: Uuid) -> PathBuf {
    Path::new("/dev/shm").join(format!("guichet-{}", data_folder.simple()))
}

/// Where the folders of launches are; those of earlier processes are removed before the first of ours is made.
#[derive(Debug)]
pub struct SocketFolders {
    parent: PathBuf,
    instance: Uuid,
    /// The parent's complete path, once it is there and without folders of earlier processes.
    ready: OnceCell<String>,
}

impl SocketFolders {
    /// Folders below `parent`, which no other process uses.
    pub fn new(parent: PathBuf, instance: Uuid) -> Self {
        Self { parent, instance, ready: OnceCell::new() }
    }

    /// Makes the parent and removes the folders of earlier processes from it, unless it is so already.
    ///
    /// # Errors
    /// Why there can be no folders now; nothing that may be another user's was touched.
    pub async fn prepare(&self) -> Result<&str, String> {
        let prepared = self.ready.get_or_try_init(|| prepare(&self.parent, geteuid())).await;
        prepared.map(String::as_str).map_err(|error| format!("{}: {error}", self.parent.display()))
    }

    /// Makes the folder of one launch.
    ///
    /// # Errors
    /// Why it cannot be; nothing of it is left.
    pub async fn make(&self) -> Result<SocketFolder, String> {
        let parent = self.prepare().await?;
        let made = match self.make_in(parent).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A system may empty the folders in memory of a user who has left.
                prepare(&self.parent, geteuid()).await.map_err(|error| format!("{parent}: {error}"))?;
                self.make_in(parent).await
            }
            made => made,
        };
        made.map_err(|error| format!("{parent}: {error}"))
    }

    async fn make_in(&self, parent: &str) -> io::Result<SocketFolder> {
        let path = format!("{parent}/{}-{}", self.instance.simple(), Uuid::new_v4().simple());
        // Made and guarded in one step, which no giving up can come between.
        let making = spawn_blocking(move || {
            std::fs::DirBuilder::new().mode(0o700).create(&path)?;
            Ok(SocketFolder { path: Some(path) })
        });
        making.await.map_err(io::Error::other)?
    }
}

impl Drop for SocketFolders {
    fn drop(&mut self) {
        if self.ready.initialized() {
            // What still lies in it keeps it, and is removed at the next start.
            std::fs::remove_dir(&self.parent).unwrap_or_default();
        }
    }
}

async fn prepare(parent: &Path, owner: Uid) -> io::Result<String> {
    DirBuilder::new().recursive(true).mode(0o700).create(parent).await?;
    let found = tokio::fs::symlink_metadata(parent).await?;
    if !found.is_dir() || found.uid() != owner.as_raw() {
        return Err(io::Error::other("a link, or another user's"));
    }
    let parent = tokio::fs::canonicalize(parent).await?;
    let mut left = tokio::fs::read_dir(&parent).await?;
    while let Some(entry) = left.next_entry().await? {
        if entry.file_name().to_str().is_some_and(is_name_of_ours)
            && let Err(error) = remove(entry.path()).await
        {
            say_that_it_stays(&entry.path(), &error);
        }
    }
    parent.into_os_string().into_string().map_err(|_path| io::Error::other("its path is not UTF-8"))
}

/// Whether a folder of that name may be one that [`SocketFolders::make`] made, now or in an earlier process.
fn is_name_of_ours(name: &str) -> bool {
    let is_id = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(instance, launch)| is_id(instance) && is_id(launch))
}

/// Removes a folder with all that a container may have put there, or tries to for a while.
async fn remove(folder: PathBuf) -> io::Result<()> {
    spawn_blocking(move || removal::remove_folder(&folder)).await.map_err(io::Error::other).flatten()
}

fn say_that_it_stays(folder: &Path, error: &io::Error) {
    tracing::warn!(folder = %folder.display(), %error, "a folder shared with a container cannot be removed");
}

/// A folder that one container shares with us while it is launched; gone when dropped.
#[derive(Debug)]
pub struct SocketFolder {
    /// `None` once it is removed.
    path: Option<String>,
}

impl SocketFolder {
    /// Its complete path.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }

    /// Connects to the socket that the agent made there.
    ///
    /// What is there may be anything: only a socket that lies in the folder itself is spoken to, never what a link
    /// names, which could be the engine's own.
    ///
    /// # Errors
    /// That there is no socket, or nobody listens at it.
    pub async fn connect(&self) -> io::Result<UnixStream> {
        let name = Path::new(guichet_agent::SOCKET).file_name().unwrap_or_default();
        let flags = (OFlags::PATH | OFlags::NOFOLLOW).bits().cast_signed();
        let path = Path::new(self.path()).join(name);
        let entry = OpenOptions::new().read(true).custom_flags(flags).open(path).await?;
        if !entry.metadata().await?.file_type().is_socket() {
            return Err(io::Error::other("what is there is no socket"));
        }
        // By its descriptor: nobody can put something else there meanwhile, and no path is too long for a socket.
        UnixStream::connect(format!("/proc/self/fd/{}", entry.as_raw_fd())).await
    }

    /// Removes it, with all that is in it.
    ///
    /// # Errors
    /// Why it is still there, as a whole or in part; dropped, it is tried once more.
    pub async fn remove(&mut self) -> io::Result<()> {
        if let Some(path) = self.path.clone() {
            remove(path.into()).await?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        // Only a launch that was given up comes here, or one whose container did all to keep the folder.
        if let Some(path) = self.path.take()
            && let Err(error) = removal::remove_folder(Path::new(&path))
        {
            say_that_it_stays(Path::new(&path), &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    async fn folders() -> (tempfile::TempDir, SocketFolders, SocketFolder) {
        let parent = tempfile::tempdir().unwrap();
        let folders = SocketFolders::new(parent.path().join("sockets"), Uuid::new_v4());
        let folder = folders.make().await.unwrap();
        (parent, folders, folder)
    }

    fn socket_in(folder: &SocketFolder) -> PathBuf {
        Path::new(folder.path()).join("agent")
    }

    #[tokio::test]
    async fn a_socket_in_the_folder_is_connected_to() {
        let (_parent, _folders, folder) = folders().await;
        let listener = UnixListener::bind(socket_in(&folder)).unwrap();

        folder.connect().await.unwrap();

        listener.accept().unwrap();
    }

    #[tokio::test]
    async fn a_link_to_a_socket_elsewhere_is_not_followed() {
        let (parent, _folders, folder) = folders().await;
        let elsewhere = parent.path().join("docker.sock");
        let listener = UnixListener::bind(&elsewhere).unwrap();
        listener.set_nonblocking(true).unwrap();
        symlink(&elsewhere, socket_in(&folder)).unwrap();

        let refused = folder.connect().await.unwrap_err();

        assert_eq!(refused.to_string(), "what is there is no socket");
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "it was connected to");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_spoken_to() {
        let (_parent, _folders, folder) = folders().await;
        let path = socket_in(&folder);
        let refused = async || folder.connect().await.unwrap_err().to_string();

        std::fs::write(&path, "").unwrap();
        assert_eq!(refused().await, "what is there is no socket");
        std::fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(refused().await, "what is there is no socket");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(refused().await, "what is there is no socket");
    }

    #[tokio::test]
    async fn a_folder_is_its_owners_alone_and_gone_with_all_that_is_in_it() {
        let (_parent, _folders, folder) = folders().await;
        let path = PathBuf::from(folder.path());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        symlink("/", path.join("a/link")).unwrap();

        drop(folder);

        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_parent_that_was_taken_away_is_made_again() {
        let (_parent, folders, folder) = folders().await;
        let parent = PathBuf::from(folder.path()).parent().unwrap().to_owned();
        std::fs::remove_dir_all(&parent).unwrap();

        let made = folders.make().await.unwrap();

        assert!(Path::new(made.path()).exists());
    }

    #[tokio::test]
    async fn the_parent_goes_with_the_last_folder() {
        let (_parent, folders, folder) = folders().await;
        let parent = PathBuf::from(folder.path()).parent().unwrap().to_owned();
        assert!(parent.exists());

        drop(folder);
        drop(folders);

        assert!(!parent.exists());
    }

    #[tokio::test]
    async fn what_an_earlier_process_left_is_removed_before_the_first_folder_is_made() {
        let (parent, first, mut left) = folders().await;
        let next = SocketFolders::new(parent.path().join("sockets"), Uuid::new_v4());

        let made = next.make().await.unwrap();
        let again = first.make().await.unwrap();

        assert!(!Path::new(left.path()).exists());
        assert!(Path::new(made.path()).exists() && Path::new(again.path()).exists());
        left.remove().await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_could_not_be_removed_can_be_later() {
        let (_parent, _folders, mut folder) = folders().await;
        let path = PathBuf::from(folder.path());
        std::fs::create_dir_all(path.join("a/".repeat(40))).unwrap();

        folder.remove().await.unwrap_err();
        assert!(path.exists());
        std::fs::remove_dir_all(path.join("a")).unwrap();
        folder.remove().await.unwrap();

        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_folder_of_ours_stays_where_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let id = Uuid::nil().simple().to_string();
        let foreign = ["thesis".to_owned(), id.clone(), format!("{id}-thesis"), format!("{id}-{id}-{id}")];
        let foreign = foreign.map(|name| parent.path().join(name));
        foreign.iter().try_for_each(std::fs::create_dir).unwrap();
        let ours = parent.path().join(format!("{id}-{id}"));
        std::fs::create_dir(&ours).unwrap();

        SocketFolders::new(parent.path().to_owned(), Uuid::new_v4()).prepare().await.unwrap();

        assert!(foreign.iter().all(|path| path.exists()), "{foreign:?}");
        assert!(!ours.exists());
    }

    #[tokio::test]
    async fn a_link_in_place_of_the_parent_is_not_followed_and_its_end_is_not_remembered() {
        let (elsewhere, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = Uuid::nil().simple();
        let foreign = elsewhere.path().join(format!("{id}-{id}"));
        std::fs::create_dir(&foreign).unwrap();
        let link = parent.path().join("sockets");
        symlink(elsewhere.path(), &link).unwrap();
        let folders = SocketFolders::new(link.clone(), Uuid::new_v4());

        let refused = folders.make().await.unwrap_err();
        std::fs::remove_file(&link).unwrap();
        let made = folders.make().await;

        assert!(refused.ends_with("/sockets: a link, or another user's"), "{refused}");
        assert!(foreign.exists());
        made.unwrap();
    }

    #[tokio::test]
    async fn the_parent_of_another_user_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let other = Uid::from_raw(geteuid().as_raw() + 1);

        let refused = prepare(parent.path(), other).await.unwrap_err().to_string();

        assert_eq!(refused, "a link, or another user's");
    }

    #[tokio::test]
    async fn without_a_parent_there_is_no_folder_and_the_reason_is_told() {
        let folders = SocketFolders::new(PathBuf::from("/proc/sockets"), Uuid::new_v4());

        let refused = folders.make().await.unwrap_err();

        assert!(refused.starts_with("/proc/sockets: "), "{refused}");
    }
}

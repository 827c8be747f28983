//! The offer to go on over a socket: one connection is taken, the first that comes, and no other.
//!
//! The folder lies below one that only root may enter, and the socket's name is gone before the first command.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{fs::PermissionsExt, net::UnixListener},
    },
};

use guichet_agent::SOCKET;

use super::{connection, start};

/// A socket that nobody has connected to; its name goes when it is dropped.
pub struct Listener(UnixListener);

impl Listener {
    /// Listens, if there is a folder for it that can be written to.
    pub fn open() -> Option<Self> {
        Self(UnixListener::bind(SOCKET).ok()?).prepare().ok()
    }

    fn prepare(mut self) -> io::Result<Self> {
        // Guichet needs not be root; that nobody else comes here is the folder's concern, on both sides.
        fs::set_permissions(SOCKET, Permissions::from_mode(0o666))?;
        self.0 = OwnedFd::from(start::move_up(self.0.as_raw_fd())?).into();
        self.0.set_nonblocking(true)?;
        Ok(self)
    }

    /// What to wait for, if a connection may have come already.
    pub fn poll(&self, wanted: bool) -> libc::pollfd {
        libc::pollfd { fd: if wanted { self.0.as_raw_fd() } else { -1 }, events: libc::POLLIN, revents: 0 }
    }

    /// Both directions of the connection that came, if it is still there.
    pub fn accept(&self) -> io::Result<Option<(File, File)>> {
        match self.0.accept() {
            Ok((stream, _)) => {
                let fd = stream.as_raw_fd();
                Ok(Some((start::move_up(fd)?, start::move_up(fd)?)))
            }
            Err(error) if connection::is_not_now(&error) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Guichet may have removed the folder already.
        drop(fs::remove_file(SOCKET));
    }
}

//! Makes the file tree of a runtime's image from Debian packages, as a tar, without a registry.
//!
//! `mmdebstrap` downloads and unpacks the packages; none of their installation scripts runs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::domain::runtime::ImageRecipe;
use crate::runtimes::recipe;

/// Links /bin and /lib to /usr/bin and /usr/lib, as packages expect.
const MERGED_USR: &str = "/usr/share/mmdebstrap/hooks/merged-usr";

/// Lines of what `mmdebstrap` says that an error shows.
const SHOWN_LINES: usize = 12;

/// Why a tree could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `mmdebstrap`.
    #[error("mmdebstrap is missing: apt-get install mmdebstrap")]
    NoMmdebstrap,
    /// `mmdebstrap` failed.
    #[error("mmdebstrap failed with {status}:\n{output}")]
    Failed {
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines of what it said.
        output: String,
    },
    /// A file could not be written.
    #[error("cannot make the image's tree")]
    Io(#[from] std::io::Error),
}

/// A finished tar; its folder goes when this is dropped.
#[derive(Debug)]
pub struct Tree {
    folder: TempDir,
}

impl Tree {
    /// Where the tar is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("image.tar")
    }
}

/// Makes the tree that `recipe` describes.
///
/// # Errors
/// [`Error`]; nothing is left behind then.
pub async fn make_tree(recipe: &ImageRecipe) -> Result<Tree, Error> {
    let folder = tempfile::Builder::new().prefix("guichet-image-").tempdir()?;
    // Without root, mmdebstrap works as another user, who has to find the hook.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let hook_path = folder.path().join("hook");
    std::fs::write(&hook_path, recipe::hook(recipe))?;
    std::fs::set_permissions(&hook_path, std::fs::Permissions::from_mode(0o755))?;
    write_overlay(recipe, &folder.path().join(recipe::OVERLAY))?;

    let tree = Tree { folder };
    let output = mmdebstrap(recipe, &hook_path, &tree.path()).output().await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound { Error::NoMmdebstrap } else { Error::Io(error) }
    })?;
    if output.status.success() {
        return Ok(tree);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
    Err(Error::Failed { status: output.status, output: last.join("\n") })
}

/// Writes the recipe's own files below `folder`, for the hook.
fn write_overlay(recipe: &ImageRecipe, folder: &Path) -> std::io::Result<()> {
    for file in &recipe.overlay {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        for made in path.ancestors().skip(1).take_while(|made| made.starts_with(folder)) {
            std::fs::set_permissions(made, std::fs::Permissions::from_mode(0o755))?;
        }
        std::fs::write(&path, &file.content)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn mmdebstrap(recipe: &ImageRecipe, hook: &Path, tar: &Path) -> Command {
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--variant=extract", "--skip=cleanup", "--format=tar", "--aptopt=Acquire::Retries \"3\""])
        .arg(format!("--hook-dir={MERGED_USR}"))
        .arg(format!("--include={}", recipe::packages(recipe).collect::<Vec<_>>().join(",")))
        .arg(format!("--extract-hook={}", hook.display()))
        .arg(&recipe.suite)
        .arg(tar)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

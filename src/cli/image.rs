//! Makes the file tree of a runtime's image from Debian packages, as a tar, without a registry.
//!
//! `mmdebstrap` downloads and unpacks the packages; none of their installation scripts runs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

use crate::domain::runtime::ImageRecipe;

/// What is done to every image's tree; the recipe's own commands follow it.
const HOOK: &str = include_str!("image_hook.sh");

/// Packages of every image: the locale and the time zones that every program is promised.
const BASE_PACKAGES: [&str; 2] = ["libc-bin", "tzdata"];

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

/// Digest of everything that decides what is in an image (SHA-256, hexadecimal).
pub fn recipe_digest(recipe: &ImageRecipe) -> String {
    let mut digest = Sha256::new();
    digest.update(hook(recipe));
    digest.update([0]);
    digest.update(&recipe.suite);
    for package in packages(recipe) {
        digest.update([0]);
        digest.update(package);
    }
    format!("{:x}", digest.finalize())
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
    std::fs::write(&hook_path, hook(recipe))?;
    std::fs::set_permissions(&hook_path, std::fs::Permissions::from_mode(0o755))?;

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

fn mmdebstrap(recipe: &ImageRecipe, hook: &Path, tar: &Path) -> Command {
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--variant=extract", "--skip=cleanup", "--format=tar"])
        .arg(format!("--hook-dir={MERGED_USR}"))
        .arg(format!("--include={}", packages(recipe).collect::<Vec<_>>().join(",")))
        .arg(format!("--extract-hook={}", hook.display()))
        .arg(&recipe.suite)
        .arg(tar)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn packages(recipe: &ImageRecipe) -> impl Iterator<Item = &str> {
    BASE_PACKAGES.into_iter().chain(recipe.packages.iter().map(String::as_str))
}

/// The hook with the recipe's commands at its end, each run inside the tree with a clean environment.
fn hook(recipe: &ImageRecipe) -> String {
    let mut script = HOOK.to_owned();
    for command in &recipe.finish {
        script.push_str("env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 chroot \"$root\"");
        for word in command {
            script.push(' ');
            script.push_str(&quoted(word));
        }
        script.push('\n');
    }
    script
}

/// `word` as the shell reads it back unchanged.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{hook, quoted, recipe_digest};
    use crate::domain::runtime::ImageRecipe;

    fn recipe() -> ImageRecipe {
        ImageRecipe {
            suite: "bookworm".to_owned(),
            packages: vec!["gcc".to_owned(), "libc6-dev".to_owned()],
            finish: vec![vec!["/bin/x".to_owned(), "it's; rm".to_owned()]],
        }
    }

    #[test]
    fn a_word_of_a_recipe_stays_one_word_for_the_shell() {
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert!(hook(&recipe()).ends_with("chroot \"$root\" '/bin/x' 'it'\\''s; rm'\n"));
    }

    #[test]
    fn every_part_of_a_recipe_changes_its_digest() {
        let other_suite = ImageRecipe { suite: "trixie".to_owned(), ..recipe() };
        let other_packages = ImageRecipe { packages: vec!["gcc".to_owned()], ..recipe() };
        let other_finish = ImageRecipe { finish: Vec::new(), ..recipe() };

        assert_eq!(recipe_digest(&recipe()), recipe_digest(&recipe()));
        assert_ne!(recipe_digest(&recipe()), recipe_digest(&other_suite));
        assert_ne!(recipe_digest(&recipe()), recipe_digest(&other_packages));
        assert_ne!(recipe_digest(&recipe()), recipe_digest(&other_finish));
    }
}

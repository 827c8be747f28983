//! What decides what is in an image that is made from a recipe.

use sha2::{Digest, Sha256};

use crate::domain::runtime::ImageRecipe;

/// What is done to every image's tree; the recipe's own commands follow it.
const HOOK: &str = include_str!("image_hook.sh");

/// The folder beside the hook that holds the recipe's own files.
pub const OVERLAY: &str = "overlay";

/// Packages of every image: the locale and the time zones that every program is promised.
const BASE_PACKAGES: [&str; 2] = ["libc-bin", "tzdata"];

/// Digest of everything that decides what is in an image (SHA-256, hexadecimal).
pub fn digest(recipe: &ImageRecipe) -> String {
    let mut digest = Sha256::new();
    digest.update(hook(recipe));
    digest.update([0]);
    digest.update(&recipe.suite);
    for package in packages(recipe) {
        digest.update([0]);
        digest.update(package);
    }
    for file in &recipe.overlay {
        digest.update([0, u8::from(file.executable)]);
        digest.update(&file.path);
        digest.update([0]);
        digest.update(Sha256::digest(&file.content));
    }
    format!("{:x}", digest.finalize())
}

/// All packages of an image.
pub fn packages(recipe: &ImageRecipe) -> impl Iterator<Item = &str> {
    BASE_PACKAGES.into_iter().chain(recipe.packages.iter().map(String::as_str))
}

/// What finishes an image's tree: a script whose first argument is the tree's folder.
///
/// The recipe's own files, which lie in the folder [`OVERLAY`] beside the script, are laid over the tree, and its commands are
/// at the script's end, each run inside the tree with a clean environment.
pub fn hook(recipe: &ImageRecipe) -> String {
    let mut script = HOOK.to_owned();
    if !recipe.overlay.is_empty() {
        let copy = format!("cp -R --no-target-directory \"$(dirname \"$0\")/{OVERLAY}\" \"$root\"\n");
        script.push_str(&copy);
    }
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
    use super::{digest, hook, quoted};
    use crate::domain::runtime::{ImageRecipe, OverlayFile};

    fn recipe() -> ImageRecipe {
        ImageRecipe {
            suite: "bookworm".to_owned(),
            packages: vec!["gcc".to_owned(), "libc6-dev".to_owned()],
            finish: vec![vec!["/bin/x".to_owned(), "it's; rm".to_owned()]],
            overlay: Vec::new(),
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
        let file = |content: &[u8], executable| {
            let file = OverlayFile { path: "usr/x".to_owned(), content: content.to_vec(), executable };
            digest(&ImageRecipe { overlay: vec![file], ..recipe() })
        };

        assert_eq!(digest(&recipe()), digest(&recipe()));
        assert_ne!(digest(&recipe()), digest(&other_suite));
        assert_ne!(digest(&recipe()), digest(&other_packages));
        assert_ne!(digest(&recipe()), digest(&other_finish));
        assert_ne!(digest(&recipe()), file(b"1", false));
        assert_ne!(file(b"1", false), file(b"2", false));
        assert_ne!(file(b"1", false), file(b"1", true));
    }
}

//! Puts the page that scripts/page.sh has built into the program; without one, the program says how to build it. A release
//! also knows of which commit it is.
//!
//! The page's folder is there in every clone, so Cargo notices both a page that appears and one that changes.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the page is built to (web-demo/vite.config.ts).
const PAGE: &str = "web-demo/dist/page";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=web-demo/dist");
    let root =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("Cargo names the package's folder")?);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("Cargo names a folder for what is made")?);
    fs::write(out.join("page.rs"), source(&root.join(PAGE))?)?;
    println!("cargo::rustc-env=GUICHET_VERSION={}", version(&root)?);
    Ok(())
}

/// The package's version, and in a release built from a clone the commit in brackets. What tests build would be built anew with
/// each commit.
fn version(root: &Path) -> Result<String, Box<dyn Error>> {
    let variable = |name| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let version = variable("CARGO_PKG_VERSION").ok_or("Cargo names the version")?;
    if variable("PROFILE").as_deref() != Some("release") {
        return Ok(version);
    }
    println!("cargo::rerun-if-changed=.git/logs/HEAD");
    let asked = Command::new("git").current_dir(root).args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = asked.ok().filter(|answer| answer.status.success()).map(|answer| answer.stdout);
    Ok(match commit {
        Some(commit) => format!("{version} ({})", String::from_utf8(commit)?.trim()),
        None => version,
    })
}

/// An expression of the type `Page` of `src/http/page.rs`.
fn source(page: &Path) -> Result<String, Box<dyn Error>> {
    let index = page.join("index.html");
    if !index.exists() {
        return Ok("Page { index: None, assets: &[] }".to_owned());
    }
    let mut source = format!("Page {{ index: Some(include_str!({})), assets: &[", literal(&index)?);
    for path in assets(&page.join("assets"))? {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file's name is not UTF-8")?;
        let [brotli, gzip] =
            ["br", "gz"].map(|ending| packed(&path.with_file_name(format!("{name}.{ending}"))));
        write!(
            source,
            "Asset {{ name: {name:?}, plain: include_bytes!({}), brotli: {}, gzip: {} }},",
            literal(&path)?,
            brotli?,
            gzip?
        )?;
    }
    source.push_str("] }");
    Ok(source)
}

/// The bytes of a file that may not be there.
fn packed(path: &Path) -> Result<String, Box<dyn Error>> {
    Ok(if path.exists() { format!("Some(include_bytes!({}))", literal(path)?) } else { "None".to_owned() })
}

/// A path as a string of Rust.
fn literal(path: &Path) -> Result<String, Box<dyn Error>> {
    let text = path.to_str().ok_or("a path is not UTF-8")?;
    Ok(format!("{text:?}"))
}

/// The files as they are, without those that hold the same packed; in order.
fn assets(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut assets = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.extension().is_some_and(|ending| ending == "br" || ending == "gz") {
            assets.push(path);
        }
    }
    assets.sort();
    Ok(assets)
}

//! Zip archives of folders, and such as no tool would write.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::engine::root;

/// A package of the tests' own, below `tests/data/packages`.
pub fn package(name: &str) -> PathBuf {
    root().join("tests/data/packages").join(name)
}

/// The files below a folder, by path and in order.
pub fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_str().expect("UTF-8").to_owned();
                files.push((name, std::fs::read(&path).expect("a file")));
            }
        }
    }
    files.sort();
    files
}

/// A zip of these files, compressed, below `top` if that is not empty.
pub fn zip_of(files: &[(String, Vec<u8>)], top: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (path, content) in files {
        let path = if top.is_empty() { path.clone() } else { format!("{top}/{path}") };
        zip.start_file(path, options).expect("an entry");
        zip.write_all(content).expect("its content");
    }
    zip.finish().expect("a zip").into_inner()
}

/// A zip of one of the tests' packages, in a folder of its name.
pub fn zip_of_package(name: &str) -> Vec<u8> {
    zip_of(&files_below(&package(name)), name.rsplit('/').next().expect("a name"))
}

/// An entry, with whatever it says about itself.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: Vec<u8>,
    /// What its local header calls it, if that is another name.
    pub local_name: Option<Vec<u8>>,
    pub content: Vec<u8>,
    pub deflated: bool,
    /// Bits of both headers, besides that for UTF-8.
    pub flags: u16,
    pub method: Option<u16>,
    /// Unix mode with the kind of the entry.
    pub mode: u32,
    /// Its length as told, if that is no truth.
    pub told: Option<u32>,
    /// Whether the checksum is another's.
    pub is_damaged: bool,
    /// Whether it is where the first entry is.
    pub overlaps: bool,
}

impl Entry {
    pub fn new(name: &str, content: &str) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            local_name: None,
            content: content.as_bytes().to_vec(),
            deflated: false,
            flags: 0,
            method: None,
            mode: 0o100_644,
            told: None,
            is_damaged: false,
            overlaps: false,
        }
    }
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("deflated");
    encoder.finish().expect("deflated")
}

/// A zip of entries that say what they like.
pub fn raw_zip(entries: &[Entry]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    let mut last: Option<(&Entry, Vec<u8>)> = None;
    for entry in entries {
        let stored = match &last {
            Some((before, stored))
                if before.deflated && entry.deflated && before.content == entry.content =>
            {
                stored.clone()
            }
            _ if entry.deflated => deflate(&entry.content),
            _ => entry.content.clone(),
        };
        last = Some((entry, stored.clone()));
        let mut crc = flate2::Crc::new();
        crc.update(&entry.content);
        let sum = crc.sum() ^ u32::from(entry.is_damaged);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
        let mut common = Vec::new();
        common.extend(20_u16.to_le_bytes());
        common.extend((entry.flags | 0x0800).to_le_bytes());
        common.extend(entry.method.unwrap_or(if entry.deflated { 8 } else { 0 }).to_le_bytes());
        common.extend([0, 0, 0x21, 0]);
        common.extend(sum.to_le_bytes());
        common.extend(length(&stored).to_le_bytes());
        common.extend(entry.told.unwrap_or_else(|| length(&entry.content)).to_le_bytes());
        let short = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_le_bytes();
        let offset = if entry.overlaps { 0 } else { length(&zip) };
        if !entry.overlaps {
            let local = entry.local_name.as_ref().unwrap_or(&entry.name);
            zip.extend(b"PK\x03\x04");
            zip.extend(&common);
            zip.extend(short(local));
            zip.extend([0, 0]);
            zip.extend(local);
            zip.extend(&stored);
        }
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 3]);
        directory.extend(&common);
        directory.extend(short(&entry.name));
        directory.extend([0; 8]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let count = u16::try_from(entries.len() & 0xffff).expect("cut").to_le_bytes();
    let start = u32::try_from(zip.len()).expect("short").to_le_bytes();
    let length = u32::try_from(directory.len()).expect("short").to_le_bytes();
    zip.extend(directory);
    zip.extend(b"PK\x05\x06");
    zip.extend([0; 4]);
    zip.extend(count);
    zip.extend(count);
    zip.extend(length);
    zip.extend(start);
    zip.extend([0, 0]);
    zip
}

//! Zip archives of others, read without trust, and ours, written the same for the same files.
//!
//! What is read is counted as it comes out of the archive and never believed of its headers. Nothing is written anywhere,
//! so a name decides nothing but what it is called; it is refused all the same if a system could take it for another.

use std::io::{Cursor, Read, Write as _};

use zip::read::ZipFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::files::{MAX_FILES, MAX_UNPACKED_BYTES, too_large};
use super::{Error, Files};

/// How the record of each entry in an archive's directory begins.
const ENTRY: &[u8] = b"PK\x01\x02";
/// How much is unpacked at a time.
const PIECE: usize = 64 << 10;
/// The bits of a Unix mode that say what an entry is, and those of a plain file and a folder.
const MODE_KIND: u32 = 0o170_000;
const MODE_FILE: u32 = 0o100_000;
const MODE_FOLDER: u32 = 0o040_000;

/// The files in a zip archive.
///
/// * `room` — asked before so many bytes are unpacked in all; `false` ends it.
///
/// # Errors
/// [`Error::Unfit`] if the archive is damaged, contradicts itself, or has entries that are no plain files and folders;
/// [`Error::TooLarge`]; [`Error::NoRoom`].
pub fn read(bytes: &[u8], room: &mut dyn FnMut(usize) -> bool) -> Result<Files, Error> {
    // Each entry costs memory before anything can be asked of the archive.
    if bytes.windows(ENTRY.len()).filter(|window| *window == ENTRY).count() > MAX_FILES {
        return Err(Error::unfit("", format!("has more than {MAX_FILES} files and folders")));
    }
    let unreadable = |error: zip::result::ZipError| Error::unfit("", format!("is no zip archive: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.has_duplicate_names() {
        return Err(Error::unfit("", "has a name twice"));
    }
    archive
        .validate_header_consistency()
        .map_err(|error| Error::unfit("", format!("contradicts itself: {error}")))?;
    let mut files = Files::default();
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(unreadable)?;
        let name = checked_name(&entry)?;
        let is_folder = entry.is_dir();
        drop(entry);
        if is_folder {
            files.add_folder(&name)?;
            continue;
        }
        let damaged = |reason: String| Error::unfit(name.as_str(), format!("is damaged: {reason}"));
        let entry = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        let told = entry.size();
        let content = unpack(entry, &name, &mut unpacked, room)?;
        if u64::try_from(content.len()) != Ok(told) {
            return Err(damaged(format!("it has {} bytes and not {told}", content.len())));
        }
        files.add(&name, content)?;
    }
    Ok(files)
}

/// The name of an entry that is a plain file or a folder.
fn checked_name<R: Read + ?Sized>(entry: &ZipFile<'_, R>) -> Result<String, Error> {
    let Ok(name) = std::str::from_utf8(entry.name_raw()) else {
        let shown = String::from_utf8_lossy(entry.name_raw()).chars().take(200).collect::<String>();
        return Err(Error::unfit(shown, "has a name that is not UTF-8"));
    };
    let refuse = |message: &str| Err(Error::unfit(name.chars().take(200).collect::<String>(), message));
    if entry.encrypted() {
        return refuse("is encrypted");
    }
    match entry.unix_mode().map_or(0, |mode| mode & MODE_KIND) {
        0 | MODE_FILE | MODE_FOLDER => {}
        _ => return refuse("is a link or a device"),
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(name.to_owned()),
        _ => refuse("is compressed otherwise than by deflate"),
    }
}

/// The content of an entry; `unpacked` counts what came out of all so far.
fn unpack(
    mut entry: impl Read,
    name: &str,
    unpacked: &mut usize,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let came =
            entry.read(&mut piece).map_err(|error| Error::unfit(name, format!("is damaged: {error}")))?;
        let Some(came) = piece.get(..came).filter(|came| !came.is_empty()) else { return Ok(content) };
        *unpacked += came.len();
        if *unpacked > MAX_UNPACKED_BYTES {
            return Err(too_large());
        }
        if !room(*unpacked) || content.try_reserve(came.len()).is_err() {
            return Err(Error::NoRoom);
        }
        content.extend_from_slice(came);
    }
}

/// An archive of these files, in this order: the same bytes for the same files.
///
/// # Errors
/// [`Error::TooLarge`] if a zip archive cannot hold them.
pub fn write<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Vec<u8>, Error> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644);
    let unwritable = |error: String| Error::TooLarge(format!("cannot be written as a zip: {error}"));
    for (path, content) in files {
        zip.start_file(path, plain).map_err(|error| unwritable(error.to_string()))?;
        zip.write_all(content).map_err(|error| unwritable(error.to_string()))?;
    }
    Ok(zip.finish().map_err(|error| unwritable(error.to_string()))?.into_inner())
}

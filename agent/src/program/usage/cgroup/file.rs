//! Reading and writing the kernel's small text files: always from their beginning, never in pieces.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

/// Longer than any of them, `memory.stat` of version 2 included.
const LONGEST: usize = 4096;

/// Opens a file to read and to write.
pub fn open_both(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens a file that can only be written.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// Reads the number behind `key` in each of several files.
pub fn read_keys(files: &[File], key: &str) -> io::Result<Vec<u64>> {
    files.iter().map(|file| read_key(file, key)).collect()
}

/// Reads the number behind `key` in a file of lines `key number`.
pub fn read_key(file: &File, key: &str) -> io::Result<u64> {
    let [number] = read_numbers(file, [key])?;
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no `{key}` in a cgroup file")))
}

/// Reads the numbers behind `keys` in a file of lines `key number`, as far as they are there.
pub fn read_numbers<const COUNT: usize>(
    file: &File,
    keys: [&str; COUNT],
) -> io::Result<[Option<u64>; COUNT]> {
    let mut buffer = [0; LONGEST];
    let text = read(file, &mut buffer)?;
    let lines = || text.lines().filter_map(|line| line.split_once(' '));
    Ok(keys
        .map(|key| lines().find_map(|(name, number)| (name == key).then(|| number.trim().parse().ok())?)))
}

/// Reads a file that is one number.
pub fn read_number(file: &File) -> io::Result<u64> {
    let mut buffer = [0; 32];
    read(file, &mut buffer)?.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn read<'a>(file: &File, buffer: &'a mut [u8]) -> io::Result<&'a str> {
    let count = file.read_at(buffer, 0)?;
    std::str::from_utf8(buffer.get(..count).unwrap_or_default())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes a value.
pub fn write(file: &File, text: &str) -> io::Result<()> {
    file.write_all_at(text.as_bytes(), 0)
}

//! The bytes of the files that each command finds, in one file without a name that no command can reach.
//!
//! Not in the agent's memory, which a command's first process shares for a moment and would be measured with. Holes of
//! a file stay holes here, so that the store takes no more memory than the files did.

use std::{
    fs::File,
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt, MetadataExt},
    },
};

use super::sys;

/// Contents begin at multiples of a page: only whole pages can be holes.
const PAGE_BYTES: u64 = 4096;

/// Bytes of a block as the kernel counts them.
const BLOCK_BYTES: u64 = 512;

/// Where the store holds a file's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    start: u64,
    length: u64,
    has_holes: bool,
}

/// Contents, one behind the other.
pub struct Store {
    file: File,
    end: u64,
}

impl Store {
    /// An empty store.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: sys::make_nameless_file(c"kept")?.into(), end: 0 })
    }

    /// Forgets all contents.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.end > 0 {
            self.file.set_len(0)?;
            self.end = 0;
        }
        Ok(())
    }

    /// Where the next content would begin.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Forgets the contents that begin at `end` or behind.
    pub fn cut(&mut self, end: u64) -> io::Result<()> {
        if self.end > end {
            self.file.set_len(end)?;
            self.end = end;
        }
        Ok(())
    }

    /// Begins a content with `bytes`.
    pub fn begin(&mut self, bytes: &[u8]) -> io::Result<Content> {
        let mut content = Content { start: self.next_start(), length: 0, has_holes: false };
        self.end = content.start;
        self.append(&mut content, bytes)?;
        Ok(content)
    }

    /// Whether this content is the last one, to which can be appended.
    pub fn is_last(&self, content: &Content) -> bool {
        content.start + content.length == self.end
    }

    /// Appends to the last content.
    pub fn append(&mut self, content: &mut Content, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        content.length += bytes.len() as u64;
        Ok(())
    }

    /// Copies a whole file in.
    pub fn take(&mut self, file: &File) -> io::Result<Content> {
        let facts = file.metadata()?;
        let length = facts.len();
        let has_holes = facts.blocks() * BLOCK_BYTES < length;
        let content = Content { start: self.next_start(), length, has_holes };
        self.end = content.start + length;
        // Also where nothing is written: a hole at the end.
        self.file.set_len(self.end)?;
        copy(file, 0, &self.file, content.start, &content)?;
        Ok(content)
    }

    /// Copies a content into an empty file.
    pub fn give(&self, content: &Content, file: &File) -> io::Result<()> {
        if content.has_holes {
            file.set_len(content.length)?;
        }
        copy(&self.file, content.start, file, 0, content)
    }

    fn next_start(&self) -> u64 {
        self.end.next_multiple_of(PAGE_BYTES)
    }
}

/// Copies what is no hole of `content`, which begins at `from_start` in `from`, to `to_start` and behind in `to`.
fn copy(from: &File, from_start: u64, to: &File, to_start: u64, content: &Content) -> io::Result<()> {
    let end = from_start + content.length;
    let mut at = from_start;
    while at < end {
        let (data, hole) = if content.has_holes {
            match sys::next_data(from.as_fd(), at)? {
                Some((data, hole)) => (data, hole.min(end)),
                None => return Ok(()),
            }
        } else {
            (at, end)
        };
        if data >= end {
            return Ok(());
        }
        sys::copy(from.as_fd(), data, to.as_fd(), to_start + (data - from_start), hole - data)?;
        at = hole;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::MetadataExt};

    use super::*;

    fn nameless() -> File {
        sys::make_nameless_file(c"test").unwrap().into()
    }

    fn text(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn what_was_written_in_pieces_comes_out_whole() {
        let mut store = Store::new().unwrap();
        let first = store.begin(b"one").unwrap();
        let mut second = store.begin(b"tw").unwrap();
        store.append(&mut second, b"o").unwrap();
        assert!(store.is_last(&second) && !store.is_last(&first));

        let (one, two) = (nameless(), nameless());
        store.give(&first, &one).unwrap();
        store.give(&second, &two).unwrap();

        assert_eq!((text(&one), text(&two)), (b"one".to_vec(), b"two".to_vec()));
    }

    #[test]
    fn holes_cost_nothing_and_come_out_as_holes() {
        let file = nameless();
        file.write_all_at(b"begin", 0).unwrap();
        file.write_all_at(b"middle", 1 << 30).unwrap();
        file.set_len(2 << 30).unwrap();
        let mut store = Store::new().unwrap();
        store.begin(b"before").unwrap();

        let content = store.take(&file).unwrap();
        let copy = nameless();
        store.give(&content, &copy).unwrap();

        assert!(store.file.metadata().unwrap().blocks() < 100 && copy.metadata().unwrap().blocks() < 100);
        assert_eq!(copy.metadata().unwrap().len(), 2 << 30);
        let mut middle = [0; 6];
        copy.read_exact_at(&mut middle, 1 << 30).unwrap();
        assert_eq!(&middle, b"middle");
    }

    #[test]
    fn what_is_cut_off_takes_no_room_any_more() {
        let mut store = Store::new().unwrap();
        let kept = store.begin(b"kept").unwrap();
        let end = store.end();
        store.begin(&vec![1; 1 << 20]).unwrap();

        store.cut(end).unwrap();

        let copy = nameless();
        store.give(&kept, &copy).unwrap();
        assert_eq!((text(&copy), store.file.metadata().unwrap().len()), (b"kept".to_vec(), 4));
        assert!(store.is_last(&kept));
    }

    #[test]
    fn an_empty_file_is_kept_as_one() {
        let mut store = Store::new().unwrap();
        let content = store.take(&nameless()).unwrap();

        let mut copy = nameless();
        store.give(&content, &copy).unwrap();

        assert_eq!(copy.read(&mut [0; 1]).unwrap(), 0);
    }
}

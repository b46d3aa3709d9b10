//! For the tests of WALs and journals: SQLite itself, and repeatable randomness.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use crate::page::{Overlay, PageSize, Pgno};

/// A new folder, removed when dropped.
pub(in crate::page) struct Folder(PathBuf);

impl Folder {
    pub(in crate::page) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // In memory where there is such a folder: SQLite syncs thousands of times here, which proves nothing.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let path = parent.join(format!("pagemark-page-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(in crate::page) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The bytes of a file, none when it does not exist.
    pub(in crate::page) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What SQLite makes of a main file and its WAL.
#[derive(Debug, PartialEq)]
pub(in crate::page) struct Recovered {
    /// Frames that count.
    pub(in crate::page) frames: u32,
    /// The main file with all of them written back.
    pub(in crate::page) main: Vec<u8>,
}

/// Opens a copy of the pair, as after a crash, and has it checkpointed; `Err` is SQLite's code for refusing it.
pub(in crate::page) fn recover_wal(main: &[u8], wal: &[u8]) -> Result<Recovered, rusqlite::ErrorCode> {
    let folder = Folder::new();
    let path = folder.file("copy.db");
    fs::write(&path, main).unwrap();
    fs::write(folder.file("copy.db-wal"), wal).unwrap();
    let frames = checkpoint(&path).map_err(|error| error.sqlite_error_code().unwrap())?;
    // -1 is what SQLite says when there is no WAL to speak of.
    Ok(Recovered { frames: frames.max(0) as u32, main: folder.read("copy.db") })
}

fn checkpoint(path: &Path) -> rusqlite::Result<i64> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA synchronous=OFF")?;
    db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}

/// Opens a copy of the pair, as after a crash, and returns the main file after the rollback, if there was one. Where
/// the journal shall name a super-journal, `journal` is given the path of one that exists.
pub(in crate::page) fn recover_journal(main: &[u8], journal: impl FnOnce(&str) -> Vec<u8>) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.file("copy.db");
    let child = folder.file("copy.db-journal");
    let super_journal = folder.file("copy.db-mj0123459AB");
    fs::write(&path, main).unwrap();
    fs::write(&child, journal(super_journal.to_str().unwrap())).unwrap();
    fs::write(&super_journal, [child.to_str().unwrap().as_bytes(), b"\0"].concat()).unwrap();
    let db = Connection::open(&path).unwrap();
    // The rollback comes first, so a main file that is damaged after it is no matter here.
    let _ = db.execute_batch("PRAGMA synchronous=OFF; SELECT count(*) FROM sqlite_master");
    drop(db);
    folder.read("copy.db")
}

/// The main file as a reader of `overlay` sees it: pages that lie nowhere are zero.
pub(in crate::page) fn compose(
    main: &[u8],
    side: &[u8],
    page_size: PageSize,
    page_count: u32,
    overlay: &Overlay,
) -> Vec<u8> {
    let size = page_size.bytes();
    let mut image = main.to_vec();
    image.resize(page_count as usize * size, 0);
    for &(pgno, offset) in overlay.range(Pgno::FIRST, u32::MAX) {
        let page = &side[offset as usize..][..size];
        image[pgno.offset(page_size) as usize..][..size].copy_from_slice(page);
    }
    image
}

/// SplitMix64: the same numbers from the same seed.
pub(in crate::page) struct Rng(pub(in crate::page) u64);

impl Rng {
    pub(in crate::page) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`; 0 when `bound` is 0.
    pub(in crate::page) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(in crate::page) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(in crate::page) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// `bytes` in a few pieces, some of them empty.
    pub(in crate::page) fn chunks<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = self.pick(&[7, 24, 32, 536, 4096, 1 << 20]);
        let mut chunks = Vec::new();
        while !bytes.is_empty() {
            let (chunk, rest) = bytes.split_at(self.below(longest + 1).min(bytes.len()));
            chunks.push(chunk);
            bytes = rest;
        }
        chunks
    }
}

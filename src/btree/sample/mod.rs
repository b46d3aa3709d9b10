//! For tests: databases that SQLite wrote, and what it says about them; repeatable randomness.

pub(crate) mod contents;
pub(crate) mod random;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use crate::btree::Layout;
use crate::page::header::HEADER_SIZE;
use crate::page::{DatabaseHeader, Pgno};

pub(crate) const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
pub(crate) const ENCODINGS: [&str; 3] = ["UTF-8", "UTF-16le", "UTF-16be"];

/// A database file, its bytes as they were after the set-up, and SQLite to ask about it.
pub(crate) struct Sample {
    pub(crate) db: Connection,
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: DatabaseHeader,
    file: TempFile,
}

impl Sample {
    /// A database with pages of `page_size` bytes, `reserved` of which are left alone.
    pub(crate) fn new(page_size: u32, reserved: u8, set_up: impl FnOnce(&Connection)) -> Self {
        let file = TempFile::new();
        if reserved > 0 {
            fs::write(&file.0, empty_with_reserve(page_size, reserved)).unwrap();
        }
        let db = Connection::open(&file.0).unwrap();
        let pragmas = format!("PRAGMA page_size = {page_size}; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF");
        db.execute_batch(&pragmas).unwrap();
        set_up(&db);
        let bytes = fs::read(&file.0).unwrap();
        let header = DatabaseHeader::parse(&bytes).unwrap();
        assert_eq!((header.page_size.value(), header.reserved), (page_size, reserved));
        Self { db, bytes, header, file }
    }

    /// The same, from one text of SQL.
    pub(crate) fn of(page_size: u32, sql: &str) -> Self {
        Self::new(page_size, 0, |db| db.execute_batch(sql).unwrap())
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.file.0
    }

    pub(crate) fn page_count(&self) -> u32 {
        (self.bytes.len() / self.header.page_size.bytes()) as u32
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.header, self.page_count())
    }

    pub(crate) fn page(&self, pgno: Pgno) -> &[u8] {
        page_of(&self.bytes, &self.header, pgno)
    }
}

/// Page `pgno` of a database file.
pub(crate) fn page_of<'a>(file: &'a [u8], header: &DatabaseHeader, pgno: Pgno) -> &'a [u8] {
    let start = pgno.offset(header.page_size) as usize;
    &file[start..start + header.page_size.bytes()]
}

/// SQLite takes the reserve over from the header of a database that exists.
fn empty_with_reserve(page_size: u32, reserved: u8) -> Vec<u8> {
    let mut bytes = Sample::of(page_size, "CREATE TABLE t (x); DROP TABLE t; VACUUM").bytes;
    assert_eq!(bytes.len(), page_size as usize);
    bytes[20] = reserved;
    let cells_start = (page_size - u32::from(reserved)) as u16;
    bytes[HEADER_SIZE + 5..HEADER_SIZE + 7].copy_from_slice(&cells_start.to_be_bytes());
    bytes
}

/// A file of its own, removed when dropped.
struct TempFile(PathBuf);

impl TempFile {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("pagemark-btree-{}-{number}.db", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Random numbers that are the same in every run (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) as usize) % bound
    }
}

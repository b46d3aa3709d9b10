//! The database header: the first 100 bytes of page 1 (file format, section 1.3).

use super::PageSize;
use crate::bytes::{Reader, packed_by};
use crate::error::{Error, ErrorKind, Result};

/// Length of the header, in bytes.
pub const HEADER_SIZE: usize = 100;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the header says, as far as a backup needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseHeader {
    /// In bytes.
    pub page_size: PageSize,
    /// Bytes at the end of each page that extensions use.
    pub reserved: u8,
    /// Whether the database is in WAL mode (write version 2).
    pub wal: bool,
    /// Rises by one with every commit in rollback mode.
    pub change_counter: u32,
    /// Size in pages, when the writer was new enough to keep it (3.7.0).
    pub page_count: Option<u32>,
    /// Pages that hold nothing (`PRAGMA freelist_count`).
    pub free_pages: u32,
    /// The schema cookie: rises with every change of the schema.
    pub schema_cookie: u32,
    /// `PRAGMA auto_vacuum`.
    pub auto_vacuum: AutoVacuum,
    /// Whether text is UTF-8 (1), UTF-16le (2) or UTF-16be (3), in the two lowest bits; 0 in a database without a table.
    pub encoding: u32,
    /// `PRAGMA user_version`.
    pub user_version: u32,
    /// `PRAGMA application_id`.
    pub application_id: u32,
}

/// What becomes of pages that are no longer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoVacuum {
    /// They are kept for later.
    None = 0,
    /// Every commit gives them back.
    Full = 1,
    /// `PRAGMA incremental_vacuum` gives them back.
    Incremental = 2,
}

impl DatabaseHeader {
    /// Reads the header from the first bytes of page 1, at least [`HEADER_SIZE`] of them.
    ///
    /// # Errors
    /// `DatabaseEmpty`, `DatabaseNotSqlite`, `DatabasePacked`, `DatabaseEncrypted`, `DatabaseHeader`, `DatabaseTruncated`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(ErrorKind::DatabaseEmpty.into());
        }
        let mut reader = Reader::new(bytes, 0, ErrorKind::DatabaseTruncated);
        if !bytes.starts_with(MAGIC) {
            let kind = match packed_by(bytes) {
                Some(_) => ErrorKind::DatabasePacked,
                None if looks_random(bytes) => ErrorKind::DatabaseEncrypted,
                None => ErrorKind::DatabaseNotSqlite,
            };
            return Err(kind.into());
        }
        reader.clone().take(HEADER_SIZE)?;
        reader.take(MAGIC.len())?;
        let page_size = match reader.u16()? {
            1 => 65536,
            bytes => u32::from(bytes),
        };
        let page_size = PageSize::new(page_size).ok_or(Error::at_offset(ErrorKind::DatabaseHeader, 16))?;
        let wal = match reader.array()? {
            [1, 1] => false,
            // Version 2 to write and 1 to read is what a writer leaves that is halfway into WAL mode.
            [2, 1 | 2] | [1, 2] => true,
            _ => return Err(Error::at_offset(ErrorKind::DatabaseHeader, 18)),
        };
        let reserved = reader.u8()?;
        if page_size.value() - u32::from(reserved) < 480 {
            return Err(Error::at_offset(ErrorKind::DatabaseHeader, 20));
        }
        reader.take(3)?;
        let change_counter = reader.u32()?;
        let stated_pages = reader.u32()?;
        reader.take(4)?;
        let free_pages = reader.u32()?;
        let schema_cookie = reader.u32()?;
        reader.take(8)?;
        let largest_root = reader.u32()?;
        let encoding = reader.u32()?;
        let user_version = reader.u32()?;
        let incremental = reader.u32()? != 0;
        let application_id = reader.u32()?;
        reader.take(20)?;
        let valid_for = reader.u32()?;
        // A writer before 3.7.0 leaves the page count alone, and then the two counters differ (section 1.3.8).
        let page_count = (stated_pages != 0 && valid_for == change_counter).then_some(stated_pages);
        let auto_vacuum = match (largest_root, incremental) {
            (0, _) => AutoVacuum::None,
            (_, false) => AutoVacuum::Full,
            (_, true) => AutoVacuum::Incremental,
        };
        Ok(Self {
            page_size,
            reserved,
            wal,
            change_counter,
            page_count,
            free_pages,
            schema_cookie,
            auto_vacuum,
            encoding,
            user_version,
            application_id,
        })
    }

    /// Size in pages of the database in a main file of `file_size` bytes, without WAL or journal.
    ///
    /// # Errors
    /// `DatabaseTruncated` when the file is shorter than its header says.
    pub fn pages_in(&self, file_size: u64) -> Result<u32> {
        let whole = file_size / u64::from(self.page_size.value());
        let whole = u32::try_from(whole).map_err(|_| Error::from(ErrorKind::DatabaseHeader))?;
        match self.page_count {
            Some(stated) if stated > whole => Err(Error::at_offset(ErrorKind::DatabaseTruncated, file_size)),
            Some(stated) => Ok(stated),
            None if whole == 0 => Err(Error::at_offset(ErrorKind::DatabaseTruncated, file_size)),
            None => Ok(whole),
        }
    }
}

/// Ciphertext uses nearly every byte value; text and other formats' headers do not.
fn looks_random(bytes: &[u8]) -> bool {
    let sample = bytes.get(..512).unwrap_or_default();
    let mut seen = [false; 256];
    for &byte in sample {
        if let Some(slot) = seen.get_mut(usize::from(byte)) {
            *slot = true;
        }
    }
    // 512 random bytes hit 221 values on average, with a deviation of about 5.
    seen.iter().filter(|&&s| s).count() > 190
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(page_size: u16) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&page_size.to_be_bytes());
        bytes[18..20].copy_from_slice(&[1, 1]);
        bytes
    }

    #[test]
    fn every_page_size_value_is_read_or_refused() {
        let accepted = (0..=u16::MAX).filter(|&size| DatabaseHeader::parse(&header(size)).is_ok()).count();
        assert_eq!(accepted, 8);
        assert_eq!(DatabaseHeader::parse(&header(1)).unwrap().page_size.value(), 65536);
    }

    #[test]
    fn what_is_not_a_database_is_named() {
        let kind = |bytes: &[u8]| DatabaseHeader::parse(bytes).unwrap_err().kind;
        assert_eq!(kind(b""), ErrorKind::DatabaseEmpty);
        assert_eq!(kind(b"hello, this is text"), ErrorKind::DatabaseNotSqlite);
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        for packed in [&b"\x1f\x8b\x08\0"[..], b"PK\x03\x04", b"\x28\xb5\x2f\xfd", &tar] {
            assert_eq!(kind(packed), ErrorKind::DatabasePacked);
        }
        assert_eq!(kind(b"SQLite format 3\0short"), ErrorKind::DatabaseTruncated);
        let random: Vec<u8> =
            (0..512u32).flat_map(|i| blake3::hash(&i.to_be_bytes()).as_bytes()[..1].to_vec()).collect();
        assert_eq!(kind(&random), ErrorKind::DatabaseEncrypted);
    }

    #[test]
    fn page_count_is_trusted_only_when_the_counters_agree() {
        let mut bytes = header(512);
        bytes[24..28].copy_from_slice(&5u32.to_be_bytes());
        bytes[28..32].copy_from_slice(&9u32.to_be_bytes());
        let parsed = DatabaseHeader::parse(&bytes).unwrap();
        assert_eq!(parsed.pages_in(4096), Ok(8));
        bytes[92..96].copy_from_slice(&5u32.to_be_bytes());
        let parsed = DatabaseHeader::parse(&bytes).unwrap();
        assert_eq!(parsed.pages_in(9 * 512), Ok(9));
        assert!(parsed.pages_in(8 * 512).is_err());
    }
}

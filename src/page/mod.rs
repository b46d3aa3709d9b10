//! SQLite's pages: what they are called, how large they are, and where the committed ones of one moment lie.
//!
//! Follows the [SQLite file format](https://www.sqlite.org/fileformat2.html).

pub mod checksum;
pub mod header;
pub mod journal;
pub mod overlay;
pub mod wal;

pub(crate) mod order;
mod pair;

use core::fmt;
use core::num::NonZeroU32;

pub use checksum::{Checksum, Crc64};
pub use header::{AutoVacuum, DatabaseHeader};
pub use overlay::{Moment, Overlay};

/// The page that holds this byte, the lock page, is used for file locks and holds no data.
const LOCK_BYTE: u32 = 0x4000_0000;

/// A page number. Pages count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pgno(NonZeroU32);

impl Pgno {
    /// The first page, which holds the database header.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// `None` for 0.
    pub fn new(pgno: u32) -> Option<Self> {
        NonZeroU32::new(pgno).map(Self)
    }

    /// The number as an integer.
    pub fn value(self) -> u32 {
        self.0.get()
    }

    /// Byte offset of the page in the main database file.
    pub fn offset(self, page_size: PageSize) -> u64 {
        u64::from(self.value() - 1) * u64::from(page_size.value())
    }
}

impl fmt::Display for Pgno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A page size: a power of two from 512 to 65536, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(u32);

impl PageSize {
    /// 512 bytes.
    pub const LEAST: Self = Self(512);

    /// `None` unless a power of two from 512 to 65536.
    pub fn new(bytes: u32) -> Option<Self> {
        (bytes.is_power_of_two() && (512..=65536).contains(&bytes)).then_some(Self(bytes))
    }

    /// In bytes.
    pub fn value(self) -> u32 {
        self.0
    }

    /// In bytes, for indexing.
    pub fn bytes(self) -> usize {
        self.0 as usize
    }

    /// The page that holds byte 2^30.
    pub fn lock_page(self) -> Pgno {
        // 2^30 / page size is at least 2^14, so the sum cannot be 0.
        Pgno::new(LOCK_BYTE / self.0 + 1).unwrap_or(Pgno::FIRST)
    }

    /// How many pages of a database of `page_count` pages hold data: all but the lock page.
    pub fn data_pages(self, page_count: u32) -> u32 {
        page_count - u32::from(page_count >= self.lock_page().value())
    }
}

/// The 64-bit number of a committed state of one database. Starts at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txid(pub u64);

impl Txid {
    /// Reads 16 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 16 || !text.bytes().all(lower_hex) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_size_accepts_exactly_the_eight_sizes() {
        let sizes: Vec<_> = (0..=70000).filter_map(PageSize::new).map(PageSize::value).collect();
        assert_eq!(sizes, [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
    }

    #[test]
    fn lock_page_holds_byte_2_to_the_30() {
        assert_eq!(PageSize(4096).lock_page().value(), 262_145);
        assert_eq!(PageSize(65536).lock_page().value(), 16_385);
        assert_eq!(PageSize(65536).data_pages(16_384), 16_384);
        assert_eq!(PageSize(65536).data_pages(16_385), 16_384);
    }

    #[test]
    fn txid_text_is_16_lower_case_hex_digits() {
        assert_eq!(Txid::parse("00000000000000ff"), Some(Txid(255)));
        assert_eq!(Txid::parse("00000000000000FF"), None);
        assert_eq!(Txid::parse("+0000000000000ff"), None);
        assert_eq!(Txid(255).to_string(), "00000000000000ff");
    }
}

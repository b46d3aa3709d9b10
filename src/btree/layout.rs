//! What the pages of one database have in common, and the kinds of page that b-trees are made of.

use crate::error::{Error, ErrorKind, Result};
use crate::page::{DatabaseHeader, PageSize, Pgno};

/// What the pages of one database have in common: their size, the part in use, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    page_size: PageSize,
    usable: usize,
    page_count: u32,
}

impl Layout {
    /// The layout of a database of `page_count` pages with this header.
    pub fn new(header: &DatabaseHeader, page_count: u32) -> Self {
        Self::of(header.page_size, header.reserved, page_count)
    }

    /// The layout of a database whose pages have so many reserved bytes at their ends.
    pub fn of(page_size: PageSize, reserved: u8, page_count: u32) -> Self {
        // The smallest page is 512 bytes and `reserved` at most 255, so the difference is positive.
        Self { page_size, usable: page_size.bytes() - usize::from(reserved), page_count }
    }

    /// The same, of a database of so many pages.
    pub fn with_pages(self, page_count: u32) -> Self {
        Self { page_count, ..self }
    }

    /// Bytes of a page that b-trees may use: the page size less the reserved bytes at its end (section 1.3.4).
    pub fn usable(self) -> usize {
        self.usable
    }

    /// Size of a page, in bytes.
    pub fn page_size(self) -> usize {
        self.page_size.bytes()
    }

    /// More than any payload that fits in the database, in bytes: one that claims more is damaged.
    pub fn largest_payload(self) -> usize {
        (self.page_count as usize).saturating_mul(self.usable)
    }

    /// The page that holds no data.
    pub fn lock_page(self) -> Pgno {
        self.page_size.lock_page()
    }

    /// Size of the database, in pages.
    pub fn page_count(self) -> u32 {
        self.page_count
    }

    /// The usable part of a whole page.
    ///
    /// # Errors
    /// `Usage` when `page` is not one page long.
    pub fn content(self, page: &[u8]) -> Result<&[u8]> {
        if page.len() != self.page_size.bytes() {
            return Err(ErrorKind::Usage.into());
        }
        page.get(..self.usable).ok_or(ErrorKind::Usage.into())
    }

    /// The page that a page number stored in page `from` points to.
    ///
    /// # Errors
    /// `BtreePage`, naming `from`, when there is no such page or it is the lock page, which holds no data.
    pub fn pointer(self, pgno: u32, from: Pgno) -> Result<Pgno> {
        let page = Pgno::new(pgno).filter(|&page| pgno <= self.page_count && page != self.page_size.lock_page());
        page.ok_or(damaged(from))
    }
}

/// The four kinds of b-tree page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Children of an index, or of a table WITHOUT ROWID, and the keys between them.
    IndexInterior,
    /// Children of a table, and the rowids between them.
    TableInterior,
    /// Keys of an index, or rows of a table WITHOUT ROWID.
    IndexLeaf,
    /// Rows of a table.
    TableLeaf,
}

impl Kind {
    /// Reads a page's first byte; `None` for one that no b-tree page has.
    pub fn new(flag: u8) -> Option<Self> {
        match flag {
            2 => Some(Self::IndexInterior),
            5 => Some(Self::TableInterior),
            10 => Some(Self::IndexLeaf),
            13 => Some(Self::TableLeaf),
            _ => None,
        }
    }

    /// Whether the page has no children.
    pub fn is_leaf(self) -> bool {
        matches!(self, Self::IndexLeaf | Self::TableLeaf)
    }

    /// Whether the keys are rowids, not records.
    pub fn is_table(self) -> bool {
        matches!(self, Self::TableInterior | Self::TableLeaf)
    }
}

/// Page `pgno` has bytes that SQLite never writes.
pub(super) fn damaged(pgno: Pgno) -> Error {
    Error::at_page(ErrorKind::BtreePage, pgno.value())
}

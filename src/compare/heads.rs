//! What is kept of every page: whether it is the same on both sides, and how it begins.

use crate::btree::{BtreePage, Cell, Kind, Layout};
use crate::page::Pgno;

/// A set of page numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct PageSet(Vec<u64>);

impl PageSet {
    /// None of as many pages.
    pub(super) fn none(page_count: u32) -> Self {
        Self(vec![0; page_count as usize / 64 + 1])
    }

    pub(super) fn has(&self, pgno: u32) -> bool {
        self.0.get(pgno as usize / 64).is_some_and(|word| word >> (pgno % 64) & 1 == 1)
    }

    /// Numbers beyond the set are ignored.
    pub(super) fn add(&mut self, pgno: u32) {
        if let Some(word) = self.0.get_mut(pgno as usize / 64) {
            *word |= 1 << (pgno % 64);
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, pgno: u32) -> bool {
        let was_there = self.has(pgno);
        if let Some(word) = self.0.get_mut(pgno as usize / 64) {
            *word &= !(1 << (pgno % 64));
        }
        was_there
    }
}

/// How a page begins: its kind, and how many cells it has. A page of 64 KiB has 10,921 at most, so 14 bits hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head(u16);

impl Head {
    /// A page that is not of a b-tree.
    pub(super) const OTHER: Self = Self(u16::MAX);

    /// The head of a page; and whether any of its cells goes on in overflow pages.
    pub(super) fn of(page: &[u8], pgno: Pgno, layout: Layout) -> (Self, bool) {
        let Ok(page) = BtreePage::parse(page, pgno, layout) else { return (Self::OTHER, false) };
        let kind = match page.kind() {
            Kind::TableLeaf => 0,
            Kind::IndexLeaf => 1,
            Kind::TableInterior => 2,
            Kind::IndexInterior => 3,
        };
        let is_long = page.kind() != Kind::TableInterior && page.cells().any(|cell| cell.is_ok_and(goes_on));
        (Self(kind << 14 | page.cell_count() as u16), is_long)
    }

    pub(super) fn is_other(self) -> bool {
        self == Self::OTHER
    }

    pub(super) fn is_leaf(self) -> bool {
        self.0 >> 15 == 0
    }

    pub(super) fn is_table(self) -> bool {
        self.0 >> 14 & 1 == 0
    }

    pub(super) fn cells(self) -> u16 {
        self.0 & 0x3fff
    }
}

fn goes_on(cell: Cell<'_>) -> bool {
    match cell {
        Cell::TableLeaf { payload, .. } | Cell::IndexLeaf { payload } | Cell::IndexInterior { payload, .. } => {
            payload.overflow.is_some()
        }
        Cell::TableInterior { .. } => false,
    }
}

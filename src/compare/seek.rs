//! Where pages that differ lie in their trees, so that subtrees without any need not be read.

use core::ops::RangeInclusive;

use crate::btree::{BtreePage, CAPACITY, Cell, Layout};
use crate::page::Pgno;

/// Bytes of pages that differ, at most: all of them are held at once. Of more, every page above leaves is read.
const MOST: usize = CAPACITY / 2;
/// An overflow page begins with the number of the next one: in a smaller database that is no kind of index page.
const LEAST_LIKE_INDEX: u32 = 2 << 24;

/// A rowid of each page of a table that differs: the page lies where its rowid does.
#[derive(Debug, Default)]
pub(super) struct Sought(Vec<i64>);

impl Sought {
    /// Whether so many pages are few enough.
    pub(super) fn is_for(pages: usize, page_size: usize) -> bool {
        pages.saturating_mul(page_size) <= MOST
    }

    /// Takes a page that differs; whether it is an index's, and surely no overflow page.
    pub(super) fn add(&mut self, page: &[u8], pgno: Pgno, layout: Layout) -> bool {
        match BtreePage::parse(page, pgno, layout).and_then(|page| page.cell(0)) {
            Ok(Cell::TableLeaf { rowid, .. } | Cell::TableInterior { key: rowid, .. }) => {
                self.0.push(rowid);
                false
            }
            Ok(_) => layout.page_count() < LEAST_LIKE_INDEX,
            // What is of no tree is not found in one, which makes everything be read.
            Err(_) => false,
        }
    }

    /// Must be called after the last page that is added.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// Whether a page that differs may lie in a subtree with these rowids.
    pub(super) fn is_among(&self, rowids: &RangeInclusive<i64>) -> bool {
        let before = self.0.partition_point(|rowid| rowid < rowids.start());
        self.0.get(before).is_some_and(|rowid| rowids.contains(rowid))
    }
}

//! The page numbers of the database before: which of them were given away again, and which are free.

use std::collections::BTreeSet;

/// A bit for each page, and those that are known to be free.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    page_count: u32,
    /// Set for those that were given away.
    taken: Vec<u64>,
    free: BTreeSet<u32>,
}

impl Pool {
    /// A pool of so many pages, none of which is known to be free.
    pub(super) fn new(page_count: u32) -> Self {
        Self { page_count, taken: vec![0; page_count as usize / 64 + 1], free: BTreeSet::new() }
    }

    /// Nobody wants a page as its own any more.
    pub(super) fn release(&mut self, pgno: u32) {
        if self.is_left(pgno) {
            self.free.insert(pgno);
        }
    }

    /// Gives a page away; `false` when that was done before, or it is none of these.
    pub(super) fn take(&mut self, pgno: u32) -> bool {
        if !self.is_left(pgno) {
            return false;
        }
        self.free.remove(&pgno);
        if let Some(word) = self.taken.get_mut(pgno as usize / 64) {
            *word |= 1 << (pgno % 64);
        }
        true
    }

    /// Gives all of these away, or none.
    pub(super) fn take_all(&mut self, mut pages: impl Iterator<Item = u32> + Clone) -> bool {
        pages.clone().all(|pgno| self.is_left(pgno)) && pages.all(|pgno| self.take(pgno))
    }

    /// Gives the lowest away that is free.
    pub(super) fn take_lowest(&mut self) -> Option<u32> {
        let lowest = *self.free.first()?;
        self.take(lowest);
        Some(lowest)
    }

    /// All that were not given away, but the first and this one, in order.
    pub(super) fn left(&self, but: u32) -> Vec<u32> {
        (2..=self.page_count).filter(|&pgno| pgno != but && self.is_left(pgno)).collect()
    }

    fn is_left(&self, pgno: u32) -> bool {
        let word = self.taken.get(pgno as usize / 64);
        pgno <= self.page_count && word.is_some_and(|word| word >> (pgno % 64) & 1 == 0)
    }
}

//! What the transaction under way has written.

use std::collections::TryReserveError;

use pagemark::page::Pgno;
use rustc_hash::FxHashMap;

use super::staged::Staged;
use crate::store::Pages;

/// SQLite's default page size, for a database that has none yet.
pub(super) const DEFAULT_PAGE_SIZE: usize = 4096;

/// Pages written and the size of the file, over a committed state.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// Size of the pieces, in bytes; only of use while there is no committed state to take it from.
    chunk: usize,
    pages: FxHashMap<u32, Box<[u8]>>,
    /// What the store has of it already; none of these is in `pages`.
    staged: Staged,
    /// How many committed pages still show: the smallest size the file has had, in pages.
    base: Option<u32>,
    /// Size of the file, in bytes.
    size: Option<u64>,
}

impl Overlay {
    pub(crate) fn is_untouched(&self) -> bool {
        self.size.is_none() && self.pages.is_empty()
    }

    pub(crate) fn chunk(&self) -> usize {
        if self.chunk == 0 { DEFAULT_PAGE_SIZE } else { self.chunk }
    }

    pub(crate) fn set_chunk(&mut self, chunk: usize) {
        self.chunk = chunk;
    }

    pub(crate) fn page(&self, pgno: Pgno) -> Option<&[u8]> {
        if self.pages.is_empty() {
            return None;
        }
        self.pages.get(&pgno.value()).map(Box::as_ref)
    }

    /// `committed` is the page count of the committed state.
    pub(crate) fn put(&mut self, pgno: Pgno, page: Box<[u8]>, committed: u32) -> Result<(), TryReserveError> {
        self.pages.try_reserve(1)?;
        self.pages.insert(pgno.value(), page);
        self.staged.remove(pgno);
        self.base.get_or_insert(committed);
        Ok(())
    }

    /// The file is `count` pages long now.
    pub(crate) fn truncate(&mut self, count: u32, committed: u32) {
        self.pages.retain(|&pgno, _| pgno <= count);
        self.staged.truncate(count);
        let base = self.base.get_or_insert(committed);
        *base = count.min(*base);
    }

    pub(crate) fn base(&self) -> Option<u32> {
        self.base
    }

    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    pub(crate) fn set_size(&mut self, size: u64) {
        self.size = Some(size);
    }

    pub(crate) fn clear(&mut self) {
        // A table grown by one large transaction is not kept for the small ones after it.
        if self.pages.capacity() > 4096 {
            self.pages = FxHashMap::default();
        }
        self.pages.clear();
        self.staged = Staged::default();
        (self.base, self.size) = (None, None);
    }

    /// How many pages are in memory.
    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    /// What the store has of it.
    pub(super) fn staged(&mut self) -> &mut Staged {
        &mut self.staged
    }

    /// The numbers of the pages in memory, ascending.
    pub(super) fn numbers(&self) -> Result<Vec<Pgno>, TryReserveError> {
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(self.pages.len())?;
        numbers.extend(self.pages.keys().filter_map(|&pgno| Pgno::new(pgno)));
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Takes a page out of memory.
    pub(super) fn take(&mut self, pgno: Pgno) -> Option<Box<[u8]>> {
        self.pages.remove(&pgno.value())
    }

    /// Puts one back that was taken out, and that the store has or has not got since.
    pub(super) fn put_back(&mut self, pages: Pages) {
        // It was there before, so the table has room.
        self.pages.extend(pages.into_iter().map(|(pgno, page)| (pgno.value(), page)));
    }

    /// The written pages, ascending, taken out.
    pub(crate) fn take_pages(&mut self) -> Result<Pages, TryReserveError> {
        let mut pages = Vec::new();
        pages.try_reserve_exact(self.pages.len())?;
        pages.extend(self.pages.drain().filter_map(|(pgno, page)| Some((Pgno::new(pgno)?, page))));
        pages.sort_unstable_by_key(|&(pgno, _)| pgno);
        Ok(pages)
    }
}

/// What is held back of several transactions that become one commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    /// Whether something was written since SQLite's last commit.
    pub(super) is_dirty: bool,
    /// Whether something that was written was rolled back.
    pub(super) is_broken: bool,
}

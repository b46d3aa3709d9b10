//! The pages that are complete, until the host takes them; and which numbers pages get.

use std::collections::HashMap;

use super::guide::Chain;
use super::pool::Pool;
use super::previous::{Fingerprint, fingerprint};
use crate::btree::PageRange;
use crate::error::{ErrorKind, Result};
use crate::page::{PageSize, Pgno};

/// The most pages that SQLite lets a database have.
const MOST_PAGES: u32 = u32::MAX - 1;

/// Hands out page numbers, each once, and keeps what was written to them.
#[derive(Clone, Debug)]
pub(super) struct Output {
    page_size: PageSize,
    /// How many pages there are so far.
    page_count: u32,
    /// Those of the database before that no one has yet.
    pool: Pool,
    /// Where the overflow pages of the tree's rows were before.
    chains: HashMap<u64, Chain>,
    /// The fingerprints of the pages of the database before.
    before: Vec<Fingerprint>,
    runs: Vec<PageRange>,
    bytes: Vec<u8>,
}

impl Output {
    /// The output of a database of one page, the first, which is written last.
    pub(super) fn new(page_size: PageSize) -> Self {
        Self {
            page_size,
            page_count: 1,
            pool: Pool::default(),
            chains: HashMap::new(),
            before: Vec::new(),
            runs: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// The output behind page `last` of a database, whose first page is written last.
    pub(super) fn behind(page_size: PageSize, last: u32) -> Self {
        Self { page_count: last.max(1), ..Self::new(page_size) }
    }

    /// The numbers of a database before, of whose pages these are the fingerprints. All can be asked for by number; others
    /// get only those that are free. Pages that are as they were are left out.
    pub(super) fn reuse(&mut self, fingerprints: Vec<Fingerprint>, is_free: impl Fn(u32) -> bool) {
        let page_count = fingerprints.len() as u32;
        self.before = fingerprints;
        self.pool = Pool::new(page_count);
        self.page_count = page_count.max(1);
        let lock_page = self.page_size.lock_page().value();
        let free = (2..=page_count).filter(|&pgno| pgno != lock_page && is_free(pgno));
        free.for_each(|pgno| self.pool.release(pgno));
    }

    pub(super) fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Size of the database, in pages.
    pub(super) fn page_count(&self) -> u32 {
        self.page_count
    }

    /// The overflow pages that the rows of the next tree had before.
    pub(super) fn begin_tree(&mut self, chains: HashMap<u64, Chain>) {
        self.chains = chains;
    }

    /// All that the tree had and does not use any more is free.
    pub(super) fn end_tree(&mut self) {
        for chain in core::mem::take(&mut self.chains).into_values() {
            self.release_chain(chain);
        }
    }

    /// A page of the database before is free.
    pub(super) fn release(&mut self, pgno: u32) {
        if pgno > 1 && pgno <= self.page_count && pgno != self.page_size.lock_page().value() {
            self.pool.release(pgno);
        }
    }

    /// A page of the database before stays as it was; `false` when it had another use already.
    pub(super) fn keep(&mut self, pgno: u32) -> bool {
        self.pool.take(pgno)
    }

    fn release_chain(&mut self, chain: Chain) {
        let last = self.page_count;
        chain.pages(self.page_size).take_while(|&pgno| pgno <= last).for_each(|pgno| self.release(pgno));
    }

    /// A page number: the one that is wanted if it can be had; the lowest that is free; or the one after the last.
    fn allot(&mut self, wanted: Option<u32>) -> Result<Pgno> {
        let lock_page = self.page_size.lock_page().value();
        let wanted = wanted.filter(|&pgno| pgno > 1 && pgno != lock_page && self.pool.take(pgno));
        match wanted.or_else(|| self.pool.take_lowest()).and_then(Pgno::new) {
            Some(pgno) => Ok(pgno),
            None => self.extend(1),
        }
    }

    /// The number after the last, and as many after that; never the lock page's.
    fn extend(&mut self, count: u32) -> Result<Pgno> {
        let lock_page = self.page_size.lock_page().value();
        let first = u64::from(self.page_count) + 1;
        let first = first + u64::from(first == u64::from(lock_page));
        let mut last = first + u64::from(count) - 1;
        if (first..=last).contains(&u64::from(lock_page)) {
            last += 1;
        }
        let last = u32::try_from(last).ok().filter(|&last| last <= MOST_PAGES).ok_or(ErrorKind::BuildSize)?;
        self.page_count = last;
        Ok(u32::try_from(first).ok().and_then(Pgno::new).ok_or(ErrorKind::BuildSize)?)
    }

    /// The numbers of overflow pages for the row with this key: those that it had before if they are as many.
    pub(super) fn allot_chain(&mut self, key: u64, count: u32) -> Result<Chain> {
        if let Some(before) = self.chains.remove(&key) {
            let fits = before.count == count && before.first > 1;
            if fits && self.pool.take_all(before.pages(self.page_size)) {
                return Ok(before);
            }
            self.release_chain(before);
        }
        let first = if count == 1 { self.allot(None)? } else { self.extend(count)? };
        Ok(Chain { key, first: first.value(), count })
    }

    /// The number that follows, but the lock page's.
    pub(super) fn page_after(&self, pgno: u32) -> u32 {
        let next = pgno.saturating_add(1);
        if next == self.page_size.lock_page().value() { next + 1 } else { next }
    }

    /// Takes a page, whole.
    pub(super) fn put(&mut self, pgno: Pgno, page: &[u8]) {
        let before = self.before.get(pgno.value() as usize - 1);
        if before.is_some_and(|before| *before == fingerprint(page)) {
            return;
        }
        self.bytes.extend_from_slice(page);
        match self.runs.last_mut() {
            Some(run) if run.first.value().checked_add(run.count) == Some(pgno.value()) => run.count += 1,
            _ => self.runs.push(PageRange { first: pgno, count: 1 }),
        }
    }

    /// Gives a number to a page, the wanted one if it can be had, and takes it.
    pub(super) fn append(&mut self, wanted: Option<u32>, page: &[u8]) -> Result<Pgno> {
        let pgno = self.allot(wanted)?;
        self.put(pgno, page);
        Ok(pgno)
    }

    /// Leaves free pages at the end of the database out; gives the others, in order.
    pub(super) fn end_pages(&mut self) -> Vec<u32> {
        let lock_page = self.page_size.lock_page().value();
        let mut free = self.pool.left(lock_page);
        while self.page_count > 1 {
            if free.last() == Some(&self.page_count) {
                free.pop();
            } else if self.page_count != lock_page {
                break;
            }
            self.page_count -= 1;
        }
        free
    }

    /// Whether nothing was written since [`Output::take`].
    pub(super) fn is_taken(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written since the last call.
    pub(super) fn take(&mut self) -> (Vec<PageRange>, Vec<u8>) {
        (core::mem::take(&mut self.runs), core::mem::take(&mut self.bytes))
    }
}

//! Which pages the store has of what is not committed, and whose they are.

use std::collections::TryReserveError;

use pagemark::page::{Checksum, PageSize, Pgno, Txid};

use crate::store::Pages;

/// Whose pages are staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Transaction,
    /// A draft, by its number.
    Draft(u32),
}

/// What the store has of pages that are not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staging {
    Nothing,
    Of(Owner),
    /// What nobody wants any more, and the store failed to forget.
    Unwanted,
}

/// Which pages are staged.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    /// The checksum of page N at index N - 1; 0, which is no checksum, for those that are not.
    sums: Vec<u64>,
}

impl Staged {
    pub(super) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    pub(super) fn has(&self, pgno: Pgno) -> bool {
        self.sums.get(index(pgno)).is_some_and(|&sum| sum != 0)
    }

    /// The staged pages up to `last`, ascending.
    pub(super) fn up_to(&self, last: u32) -> impl Iterator<Item = (Pgno, Checksum)> {
        let pages = (1..=last).zip(&self.sums);
        pages.filter_map(|(pgno, &sum)| Some((Pgno::new(pgno)?, Checksum::new(sum)?)))
    }

    pub(super) fn remove(&mut self, pgno: Pgno) {
        if let Some(sum) = self.sums.get_mut(index(pgno)) {
            *sum = 0;
        }
    }

    pub(super) fn truncate(&mut self, count: u32) {
        self.sums.truncate(count as usize);
    }

    pub(super) fn reserve(&mut self, last: Pgno) -> Result<(), TryReserveError> {
        let len = last.value() as usize;
        if self.sums.len() < len {
            self.sums.try_reserve(len - self.sums.len())?;
            self.sums.resize(len, 0);
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, pgno: Pgno, checksum: Checksum) {
        if let Some(sum) = self.sums.get_mut(index(pgno)) {
            *sum = checksum.value();
        }
    }
}

/// A state that is being put together, page by page.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) owner: Owner,
    pub(super) page_size: PageSize,
    /// What is in memory of it.
    pub(super) pages: Pages,
    pub(super) staged: Staged,
    /// The state whose pages it leaves as they are, if it leaves any.
    pub(super) base: Option<Txid>,
}

impl Draft {
    pub(super) fn new(owner: Owner, page_size: PageSize) -> Self {
        Self { owner, page_size, pages: Pages::new(), staged: Staged::default(), base: None }
    }
}

fn index(pgno: Pgno) -> usize {
    pgno.value() as usize - 1
}

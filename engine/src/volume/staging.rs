//! What is not committed and would take too much memory: the store keeps it, out of sight, until the commit.
//!
//! It does so for one owner at a time: the transaction under way, or content that comes in to replace the database's.
//! Whoever stages next, or commits, puts out what is staged for another; content that comes in then has to come anew.

use pagemark::page::{PageSize, Pgno, Txid};

use super::Volume;
use super::staged::{Draft, Owner, Staged, Staging};
use crate::store::{Pages, StoreError, copied, zeroed};

/// How many pages the store is given at a time.
const SLICE: usize = 64;

impl Volume {
    /// Begins a draft.
    pub(super) fn draft(&mut self, page_size: PageSize) -> Draft {
        self.next_draft = self.next_draft.wrapping_add(1);
        Draft::new(Owner::Draft(self.next_draft), page_size)
    }

    /// Adds a page to a draft.
    pub(super) fn add(&mut self, draft: &mut Draft, pgno: Pgno, page: Box<[u8]>) -> Result<(), StoreError> {
        draft.pages.try_reserve(1)?;
        draft.pages.push((pgno, page));
        if self.is_too_much(draft.pages.len(), draft.page_size.bytes()) {
            let pages = core::mem::take(&mut draft.pages);
            for slice in pages.chunks(SLICE) {
                self.stage(draft.owner, draft.page_size, slice, &mut draft.staged)?;
            }
        }
        Ok(())
    }

    /// Adds a page to a draft, unless the newest state has the same: what did not change is not to be written again, and
    /// no backup is to store it again.
    pub(super) fn add_if_other(&mut self, draft: &mut Draft, pgno: Pgno, page: &[u8]) -> Result<(), StoreError> {
        let newest = self.newest().filter(|newest| newest.page_size == draft.page_size);
        if let Some(newest) = newest.filter(|newest| pgno.value() <= newest.page_count) {
            let mut present = zeroed(page.len())?;
            self.read(pgno.offset(draft.page_size), &mut present)?;
            if *present == *page {
                draft.base = Some(newest.txid);
                return Ok(());
            }
        }
        self.add(draft, pgno, copied(page)?)
    }

    /// Whether something of a draft was staged and has been put out since, or a page that it leaves as it was may be
    /// another now.
    pub(super) fn is_stale(&self, draft: &Draft) -> bool {
        let is_put_out = !draft.staged.is_empty() && self.staging != Staging::Of(draft.owner);
        is_put_out || draft.base.is_some_and(|base| self.newest().is_none_or(|newest| newest.txid != base))
    }

    /// Whether the store has pages of the transaction under way, so that nothing else can be staged.
    pub(super) fn is_taken(&self) -> bool {
        self.staging == Staging::Of(Owner::Transaction)
    }

    /// Gives a draft up.
    pub(crate) fn abandon(&mut self, owner: Owner) {
        if self.staging == Staging::Of(owner) {
            // What cannot be forgotten now is before anything else is staged or committed.
            let _ = self.unstage();
        }
    }

    /// Stages pages of the transaction under way, if memory holds too many.
    pub(super) fn spill(&mut self) -> Result<(), StoreError> {
        let chunk = self.chunk();
        let Some(page_size) = u32::try_from(chunk).ok().and_then(PageSize::new) else { return Ok(()) };
        if !self.is_too_much(self.overlay.len(), chunk) {
            return Ok(());
        }
        for numbers in self.overlay.numbers()?.chunks(SLICE) {
            let mut pages = Pages::new();
            pages.try_reserve_exact(numbers.len())?;
            pages.extend(numbers.iter().filter_map(|&pgno| Some((pgno, self.overlay.take(pgno)?))));
            let mut staged = core::mem::take(self.overlay.staged());
            let done = self.stage(Owner::Transaction, page_size, &pages, &mut staged);
            *self.overlay.staged() = staged;
            if done.is_err() {
                self.overlay.put_back(pages);
                return done;
            }
        }
        Ok(())
    }

    /// Makes sure that nothing is staged but what `owner` staged.
    pub(super) fn clear_for(&mut self, owner: Owner) -> Result<(), StoreError> {
        match self.staging {
            Staging::Nothing => Ok(()),
            Staging::Of(other) if other == owner => Ok(()),
            _ => self.unstage(),
        }
    }

    /// Forgets what is staged.
    pub(super) fn unstage(&mut self) -> Result<(), StoreError> {
        if self.staging != Staging::Nothing {
            self.staging = Staging::Unwanted;
            self.store.scratch(|scratch| scratch.unstage())?;
            self.staging = Staging::Nothing;
        }
        Ok(())
    }

    /// The number of the commit that is to come.
    pub(super) fn next_txid(&self) -> Txid {
        Txid(self.newest().map_or(1, |newest| newest.txid.0 + 1))
    }

    fn stage(
        &mut self,
        owner: Owner,
        page_size: PageSize,
        pages: &[(Pgno, Box<[u8]>)],
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        let Some(last) = pages.iter().map(|&(pgno, _)| pgno).max() else { return Ok(()) };
        staged.reserve(last)?;
        self.clear_for(owner)?;
        self.staging = Staging::Of(owner);
        let txid = self.next_txid();
        if let Err(failure) = self.store.scratch(|scratch| scratch.stage(txid, pages)) {
            self.make_room(failure)?;
            self.store.scratch(|scratch| scratch.stage(txid, pages))?;
        }
        for (pgno, page) in pages {
            staged.insert(*pgno, self.sums.of(page_size, *pgno, page));
        }
        Ok(())
    }

    /// Whether so many pages are more than memory is to hold.
    fn is_too_much(&self, count: usize, page_size: usize) -> bool {
        self.spill_after.is_some_and(|limit| count.saturating_mul(page_size) as u64 > limit)
    }
}

//! The commit: a transaction's pages become the newest state.

use pagemark::page::{Checksum, PageSize, Pgno};

use super::staged::{Draft, Owner, Staged, Staging};
use super::{HEADER, Volume};
use crate::store::{Commit, CommitRecord, Pages, StoreError, zeroed};

/// A state's pages that differ from the newest one's.
pub(super) struct Change {
    pub(super) owner: Owner,
    pub(super) page_size: PageSize,
    pub(super) page_count: u32,
    /// Ascending, without the lock page, none beyond `page_count`.
    pub(super) pages: Pages,
    /// What the store has of it already, and perhaps more beyond `page_count`; none of these is in `pages`.
    pub(super) staged: Staged,
}

impl Change {
    /// What a draft has come to.
    pub(super) fn of(draft: Draft, page_count: u32) -> Self {
        let Draft { owner, page_size, mut pages, staged, .. } = draft;
        pages.sort_unstable_by_key(|&(pgno, _)| pgno);
        Self { owner, page_size, page_count, pages, staged }
    }

    /// Whether it has every page, so that nothing stays of the state before.
    fn is_whole(&self) -> bool {
        let lock_page = self.page_size.lock_page();
        let staged = self.staged.up_to(self.page_count).filter(|&(pgno, _)| pgno != lock_page).count();
        let all = self.page_count as usize - usize::from(lock_page.value() <= self.page_count);
        staged + self.pages.len() == all
    }
}

impl Volume {
    /// Hands the transaction under way to the store.
    ///
    /// # Errors
    /// What the store says; nothing has changed then, and the transaction is forgotten.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        if self.overlay.is_untouched() || self.holds_back() {
            return Ok(());
        }
        let change = if self.read_only { Err(StoreError::ReadOnly) } else { self.change() };
        self.overlay.clear();
        let applied = match change {
            Ok(change) => self.apply(change),
            Err(error) => {
                self.abandon(Owner::Transaction);
                Err(error)
            }
        };
        self.commit_failed = applied.is_err();
        applied
    }

    /// What the transaction under way changes.
    fn change(&mut self) -> Result<Change, StoreError> {
        let page_size = match self.overlay.page(Pgno::FIRST).and_then(<[u8]>::first_chunk) {
            Some(header) => page_size(header)?,
            None => {
                let mut header = [0; HEADER];
                self.read(0, &mut header)?;
                page_size(&header)?
            }
        };
        let page_count = u32::try_from(self.size().div_ceil(u64::from(page_size.value())));
        let page_count = page_count.map_err(|_| StoreError::Full("a database has at most 2^32 pages".into()))?;
        if page_size.bytes() == self.chunk() {
            self.written(page_size, page_count)
        } else {
            self.cut_anew(page_size, page_count)
        }
    }

    fn written(&mut self, page_size: PageSize, page_count: u32) -> Result<Change, StoreError> {
        // SQLite does not write a page that was added and freed again within the transaction: it reads as zeros.
        let first_new = self.overlay.base().unwrap_or(page_count).min(self.committed_pages()) + 1;
        let lock_page = page_size.lock_page();
        for pgno in (first_new..=page_count).filter_map(Pgno::new).filter(|&pgno| pgno != lock_page) {
            if self.overlay.page(pgno).is_none() && !self.overlay.staged().has(pgno) {
                self.overlay.put(pgno, zeroed(page_size.bytes())?, page_count)?;
                self.spill()?;
            }
        }
        let mut pages = self.overlay.take_pages()?;
        pages.truncate(pages.partition_point(|&(pgno, _)| pgno.value() <= page_count));
        if let Ok(at) = pages.binary_search_by_key(&lock_page, |&(pgno, _)| pgno) {
            pages.remove(at);
        }
        let staged = core::mem::take(self.overlay.staged());
        Ok(Change { owner: Owner::Transaction, page_size, page_count, pages, staged })
    }

    /// VACUUM has changed the page size, and wrote in pieces of the old one.
    fn cut_anew(&mut self, page_size: PageSize, page_count: u32) -> Result<Change, StoreError> {
        let mut draft = Draft::new(Owner::Transaction, page_size);
        // A page that is staged takes the place of the staged piece of its number. The order is such that everything
        // that was in that one has been read by then.
        let is_finer = page_size.bytes() < self.chunk();
        let lock_page = page_size.lock_page();
        for step in 1..=page_count {
            let pgno = Pgno::new(if is_finer { page_count - step + 1 } else { step });
            let Some(pgno) = pgno.filter(|&pgno| pgno != lock_page) else { continue };
            let mut page = zeroed(page_size.bytes())?;
            self.read(pgno.offset(page_size), &mut page)?;
            self.add(&mut draft, pgno, page)?;
        }
        Ok(Change::of(draft, page_count))
    }

    /// Makes a change the newest state.
    pub(super) fn apply(&mut self, change: Change) -> Result<(), StoreError> {
        let owner = change.owner;
        let applied = self.clear_for(owner).and_then(|()| self.hand_over(change));
        match applied {
            Ok(()) => self.staging = Staging::Nothing,
            Err(_) => self.abandon(owner),
        }
        applied
    }

    fn hand_over(&mut self, change: Change) -> Result<(), StoreError> {
        let before = self.newest();
        let (checksum, sums) = self.checksum_after(before.as_ref(), &change)?;
        let Change { page_size, page_count, pages, staged, .. } = change;
        self.sums.reserve(page_count)?;
        let txid = self.next_txid();
        // A clock that was set back would make states out of order, and so not to be found by time.
        let time_ms = before.map_or(self.now_ms, |before| before.time_ms.max(self.now_ms));
        let record = CommitRecord { txid, time_ms, page_size, page_count, checksum };
        let written = pages.len() + staged.up_to(page_count).count();
        if self.history.is_to_be_measured(self.now_ms) && self.store.is_crowded()? {
            self.history.shed();
        }
        let first = pages.first().filter(|&&(pgno, _)| pgno == Pgno::FIRST);
        let header = first.and_then(|(_, page)| page.first_chunk().copied());
        let keep = self.history.keep_after(&record, self.now_ms);
        let count = pages.len();
        let mut commit = Commit { record, lineage: self.history.lineage(), pages, keep };
        if let Err(failure) = self.store.commit(&mut commit) {
            if commit.pages.len() != count {
                return Err(failure);
            }
            self.make_room(failure)?;
            commit.keep = self.history.keep_after(&record, self.now_ms);
            self.store.commit(&mut commit)?;
        }
        self.history.committed(record, commit.keep, self.now_ms);
        self.last_written = written;
        self.header = if staged.has(Pgno::FIRST) { None } else { header.or(self.header) };
        self.sums.resize(page_count);
        for (pgno, checksum) in staged.up_to(page_count) {
            self.sums.set(pgno, checksum);
        }
        for (pgno, checksum) in sums {
            self.sums.set(pgno, checksum);
        }
        Ok(())
    }

    /// The database checksum with the change in, and that of each of its pages that are not staged.
    fn checksum_after(
        &mut self,
        before: Option<&CommitRecord>,
        change: &Change,
    ) -> Result<(Checksum, Vec<(Pgno, Checksum)>), StoreError> {
        let &Change { page_size, page_count, ref pages, ref staged, .. } = change;
        let mut sums = Vec::new();
        sums.try_reserve_exact(pages.len())?;
        // With another page size every page is new, as in a load; nothing is read then of what it replaces.
        let before = before.filter(|before| before.page_size == page_size && !change.is_whole());
        let mut database = before.map_or(Checksum::EMPTY, |before| before.checksum);
        let lock_page = page_size.lock_page();
        for (pgno, page) in pages {
            sums.push((*pgno, self.sums.of(page_size, *pgno, page)));
        }
        let staged = staged.up_to(page_count).filter(|&(pgno, _)| pgno != lock_page);
        for (pgno, new) in staged.chain(sums.iter().copied()) {
            if let Some(before) = before.filter(|before| pgno.value() <= before.page_count) {
                database.toggle(self.checksum_in(before, pgno)?);
            }
            database.toggle(new);
        }
        if let Some(before) = before {
            for pgno in (page_count..before.page_count).filter_map(|last| Pgno::new(last + 1)) {
                if pgno != lock_page {
                    database.toggle(self.checksum_in(before, pgno)?);
                }
            }
        }
        Ok((database, sums))
    }

    /// The checksum of a page of the newest state.
    fn checksum_in(&mut self, newest: &CommitRecord, pgno: Pgno) -> Result<Checksum, StoreError> {
        if let Some(known) = self.sums.known(pgno) {
            return Ok(known);
        }
        let mut page = zeroed(newest.page_size.bytes())?;
        self.store.read(pgno, newest.txid, &mut page)?;
        Ok(self.sums.of(newest.page_size, pgno, &page))
    }
}

/// The page size that the database header states.
pub(super) fn page_size(header: &[u8; HEADER]) -> Result<PageSize, StoreError> {
    let bytes = match header.get(16..18) {
        Some(&[0, 1]) => 65536,
        Some(&[high, low]) => u32::from(high) << 8 | u32::from(low),
        _ => 0,
    };
    PageSize::new(bytes).ok_or_else(|| StoreError::Damaged("page 1 does not begin with a database header".into()))
}

//! The database file as SQLite sees it: the pages of the newest commit, and what a transaction has written over them.
//!
//! SQLite's last word in every commit, whatever its journal mode, is the file control `COMMIT_PHASETWO`: after the
//! journal is gone, after VACUUM has written its last page and cut the file, before the lock is dropped. That, and
//! only that, is where the transaction's pages go to the store ([`Volume::commit`]); until then they are an overlay,
//! and an overlay still there when SQLite drops its lock is a transaction that was rolled back. So the store never
//! shows half a transaction, and no journal has to outlive the process. When the store refuses, SQLite takes it for an
//! I/O error, drops its page cache and reads the state before.
//!
//! In a large transaction the store takes part of the overlay, where nobody sees it (see `staging`). What several
//! transactions make can be held back, to become one commit or none (see `hold`).

mod checksums;
mod commit;
mod hold;
mod overlay;
mod replace;
mod staged;
mod staging;

use pagemark::bookmark::Bookmark;
use pagemark::page::{PageSize, Pgno, Txid};

pub(crate) use self::replace::Loader;

use self::checksums::Checksums;
use self::overlay::{DEFAULT_PAGE_SIZE, Hold, Overlay};
use self::staged::{Owner, Staging};
use crate::error::{Error, ErrorKind, Result};
use crate::history::History;
use crate::store::{CommitRecord, SharedStore, StoreError, copied, zeroed};

/// Length of the database header, in bytes.
const HEADER: usize = 100;
/// A transaction that writes as many pages is a large one; in tests many are.
const MANY_PAGES: usize = if cfg!(test) { 8 } else { 1024 };

/// One database between SQLite and its store.
pub(crate) struct Volume {
    store: SharedStore,
    pub(crate) history: History,
    overlay: Overlay,
    staging: Staging,
    /// Set while commits are held back.
    hold: Option<Hold>,
    /// Number of the draft begun last.
    next_draft: u32,
    /// Bytes that memory holds of what is not committed; `None` for all of it.
    spill_after: Option<u64>,
    sums: Checksums,
    /// The first bytes of page 1 of the newest commit: SQLite looks at them in every transaction.
    header: Option<[u8; HEADER]>,
    /// The time of the call that is under way, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// How many pages the last commit wrote.
    last_written: usize,
    /// SQLite's lock level on the file.
    lock: i32,
    /// Why the store failed in the call that is under way: SQLite only carries a number.
    failure: Option<StoreError>,
    /// Whether what failed was a commit.
    commit_failed: bool,
    /// Whether nothing may be committed.
    read_only: bool,
}

impl Volume {
    /// A volume that keeps `spill_after` bytes of what is not committed in memory, if the store takes the rest.
    pub(crate) fn new(store: SharedStore, history: History, spill_after: u64, now_ms: i64) -> Self {
        Self {
            spill_after: store.spills().then_some(spill_after),
            store,
            history,
            overlay: Overlay::default(),
            staging: Staging::Nothing,
            hold: None,
            next_draft: 0,
            sums: Checksums::default(),
            header: None,
            now_ms,
            last_written: 0,
            lock: 0,
            failure: None,
            commit_failed: false,
            read_only: false,
        }
    }

    /// Whether a transaction that changes anything fails from now on.
    pub(crate) fn refuse_commits(&mut self, refuse: bool) {
        self.read_only = refuse;
    }

    /// The newest commit.
    pub(crate) fn newest(&self) -> Option<CommitRecord> {
        self.history.newest()
    }

    /// Its bookmark.
    pub(crate) fn bookmark(&self) -> Option<Bookmark> {
        self.newest().map(|record| self.history.bookmark(&record))
    }

    /// Size of the file, in bytes, as the transaction under way has it.
    pub(crate) fn size(&self) -> u64 {
        self.overlay.size().unwrap_or_else(|| self.committed_size())
    }

    /// Fills `buffer` from byte `offset`; beyond the end of the file with zeros. Whether all of it was there.
    pub(crate) fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<bool, StoreError> {
        let size = self.size();
        let there = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let whole = there == buffer.len();
        let (inside, outside) = buffer.split_at_mut(there);
        outside.fill(0);
        if let Some(part) = self.header_part(offset, inside.len()) {
            inside.copy_from_slice(part);
            return Ok(whole);
        }
        let chunk = self.chunk();
        let mut at = offset;
        let mut rest = inside;
        while !rest.is_empty() {
            let (pgno, skip) = place(at, chunk)?;
            let (piece, after) = rest.split_at_mut((chunk - skip).min(rest.len()));
            if piece.len() == chunk {
                self.read_chunk(pgno, piece)?;
            } else {
                let mut page = zeroed(chunk)?;
                self.read_chunk(pgno, &mut page)?;
                piece.copy_from_slice(page.get(skip..skip + piece.len()).unwrap_or_default());
            }
            at += piece.len() as u64;
            rest = after;
        }
        Ok(whole)
    }

    /// Writes into the transaction under way.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if self.newest().is_none() && self.overlay.is_untouched() {
            // The first write of a new database is a page.
            let chunk = u32::try_from(bytes.len()).ok().and_then(PageSize::new);
            self.overlay.set_chunk(chunk.map_or(DEFAULT_PAGE_SIZE, PageSize::bytes));
        }
        let chunk = self.chunk();
        let base = self.committed_pages();
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (pgno, skip) = place(at, chunk)?;
            let (piece, after) = rest.split_at((chunk - skip).min(rest.len()));
            if piece.len() == chunk {
                self.overlay.put(pgno, copied(piece)?, base)?;
            } else {
                let mut page = zeroed(chunk)?;
                self.read_chunk(pgno, &mut page)?;
                if let Some(part) = page.get_mut(skip..skip + piece.len()) {
                    part.copy_from_slice(piece);
                }
                self.overlay.put(pgno, page, base)?;
            }
            at += piece.len() as u64;
            rest = after;
        }
        let size = self.size().max(at);
        self.overlay.set_size(size);
        self.note_write();
        self.spill()
    }

    /// Cuts or extends the file in the transaction under way.
    pub(crate) fn truncate(&mut self, size: u64) -> Result<(), StoreError> {
        if size == self.size() {
            return Ok(());
        }
        let chunk = self.chunk();
        let base = self.committed_pages();
        if let Some((pgno, kept)) = place(size, chunk).ok().filter(|&(_, kept)| kept > 0 && size < self.size()) {
            let mut page = zeroed(chunk)?;
            self.read_chunk(pgno, &mut page)?;
            page.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            self.overlay.put(pgno, page, base)?;
        }
        self.overlay.truncate(u32::try_from(size.div_ceil(chunk as u64)).unwrap_or(u32::MAX), base);
        self.overlay.set_size(size);
        self.note_write();
        Ok(())
    }

    /// Forgets the transaction under way.
    pub(crate) fn discard(&mut self) {
        if self.hold.is_none() {
            self.overlay.clear();
            self.abandon(Owner::Transaction);
        }
        self.note_rollback();
    }

    /// SQLite's lock level on the file.
    pub(crate) fn lock(&self) -> i32 {
        self.lock
    }

    /// SQLite raised or lowered its lock. What it leaves behind when it stops writing was rolled back; whether there
    /// was such.
    pub(crate) fn set_lock(&mut self, lock: i32, reserved: i32) -> bool {
        let is_left = lock < reserved && self.has_uncommitted();
        if lock < reserved {
            self.discard();
        }
        self.lock = lock;
        is_left
    }

    /// Notes why the store failed, for [`Volume::take_failure`].
    pub(crate) fn fail(&mut self, error: StoreError) {
        self.failure = Some(error);
    }

    /// Why the store failed since this was last called.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.commit_failed = false;
        self.failure.take()
    }

    /// Whether a commit failed since then. Of a transaction that spans files (an attached temporary one, say) SQLite
    /// does not report that: with journals on disk it could only mean that a journal stayed behind.
    pub(crate) fn commit_failed(&self) -> bool {
        self.commit_failed
    }

    /// A page of a state that can be read, into a buffer of that state's page size. The lock page is all zeros.
    pub(crate) fn read_at(&mut self, record: &CommitRecord, pgno: Pgno, page: &mut [u8]) -> Result<()> {
        if pgno.value() > record.page_count || page.len() != record.page_size.bytes() {
            return Err(pagemark::error::ErrorKind::Usage.into());
        }
        if pgno == record.page_size.lock_page() {
            page.fill(0);
            return Ok(());
        }
        Ok(self.store.read(pgno, record.txid, page)?)
    }

    /// The pages of `record`'s state that commits after `after` wrote, ascending, without the lock page.
    pub(crate) fn changed_since(&mut self, after: Txid, record: &CommitRecord) -> Result<Vec<Pgno>> {
        let mut changed = self.store.changed(after, record.txid)?;
        let lock_page = record.page_size.lock_page();
        changed.retain(|&pgno| pgno.value() <= record.page_count && pgno != lock_page);
        Ok(changed)
    }

    /// Tells the store what has to be kept now, when that has become less.
    pub(crate) fn release_unneeded(&mut self) -> Result<()> {
        self.history.expire(self.now_ms);
        let keep = self.history.keep(self.now_ms);
        self.store.retain(&keep)?;
        self.history.retained(keep, self.now_ms);
        Ok(())
    }

    /// When the store is full, history goes: what failed can then be tried again.
    ///
    /// # Errors
    /// Another failure of the store; and what it says now.
    pub(crate) fn make_room(&mut self, failure: StoreError) -> Result<(), StoreError> {
        if !matches!(failure, StoreError::Full(_)) {
            return Err(failure);
        }
        self.history.shed_all();
        let keep = self.history.keep(self.now_ms);
        self.store.retain(&keep)?;
        self.history.retained(keep, self.now_ms);
        Ok(())
    }

    /// Whether `page` is what the newest commit has under that number; no when that is not known.
    pub(crate) fn is_committed(&mut self, pgno: Pgno, page: &[u8]) -> bool {
        let Some(newest) = self.newest().filter(|newest| newest.page_size.bytes() == page.len()) else { return false };
        let known = self.sums.known(pgno).filter(|_| pgno.value() <= newest.page_count);
        known.is_some_and(|known| known == self.sums.of(newest.page_size, pgno, page))
    }

    /// Fills `page` with what the newest commit has under that number.
    pub(crate) fn read_committed(&mut self, pgno: Pgno, page: &mut [u8]) -> Result<(), StoreError> {
        let newest = self.newest().ok_or_else(|| StoreError::Damaged("it has no commit any more".into()))?;
        self.store.read(pgno, newest.txid, page)
    }

    /// Whether the next transaction is so large, going by the last one, that its journal should be a file that refers to
    /// the pages of the newest commit ([`crate::journal`]). In SQLite's own memory it is a copy of them, which is
    /// quicker for a few.
    pub(crate) fn wants_journal_file(&self) -> bool {
        self.spills() || self.last_written >= MANY_PAGES
    }

    /// Whether the store takes what is not committed.
    pub(crate) fn spills(&self) -> bool {
        self.store.spills()
    }

    /// How many bytes of page versions the store holds.
    pub(crate) fn stored(&self) -> u64 {
        self.store.size()
    }

    /// Forgets what is not committed.
    pub(crate) fn end(&mut self) {
        self.overlay.clear();
        // What cannot be forgotten now is when the store is opened again.
        let _ = self.unstage();
    }

    /// In which size pieces the file is kept: that of its pages, so that nearly every read and write is one piece.
    fn chunk(&self) -> usize {
        match self.newest() {
            Some(newest) => newest.page_size.bytes(),
            None => self.overlay.chunk(),
        }
    }

    fn committed_pages(&self) -> u32 {
        self.newest().map_or(0, |newest| newest.page_count)
    }

    fn committed_size(&self) -> u64 {
        self.newest().map_or(0, |newest| u64::from(newest.page_count) * u64::from(newest.page_size.value()))
    }

    /// One whole piece, as the transaction under way has it.
    fn read_chunk(&mut self, pgno: Pgno, page: &mut [u8]) -> Result<(), StoreError> {
        if let Some(written) = self.overlay.page(pgno) {
            page.copy_from_slice(written);
            return Ok(());
        }
        if self.overlay.staged().has(pgno) {
            return self.store.read(pgno, self.next_txid(), page);
        }
        match self.newest() {
            Some(newest)
                if pgno.value() <= self.overlay.base().unwrap_or(newest.page_count)
                    && pgno != newest.page_size.lock_page() =>
            {
                self.store.read(pgno, newest.txid, page)?;
                self.sums.note(&newest, pgno, page)?;
                if pgno == Pgno::FIRST {
                    self.header = page.first_chunk().copied();
                }
            }
            _ => page.fill(0),
        }
        Ok(())
    }

    fn header_part(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let at = usize::try_from(offset).ok().filter(|_| self.overlay.is_untouched())?;
        self.header.as_ref()?.get(at..at.checked_add(len)?)
    }
}

/// The piece that holds byte `offset`, and how many of its bytes come before that one.
fn place(offset: u64, chunk: usize) -> Result<(Pgno, usize), StoreError> {
    let chunk = chunk as u64;
    let pgno = u32::try_from(offset / chunk + 1).ok().and_then(Pgno::new);
    let pgno = pgno.ok_or_else(|| StoreError::Full("a database has at most 2^32 pages".into()))?;
    Ok((pgno, (offset % chunk) as usize))
}

impl From<std::collections::TryReserveError> for Error {
    fn from(_: std::collections::TryReserveError) -> Self {
        ErrorKind::Memory.into()
    }
}

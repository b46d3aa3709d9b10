//! Where the pages of a database are kept: versions named by (page number, TXID).

pub mod memory;
mod shared;

use std::collections::TryReserveError;

pub use memory::MemoryStore;
pub(crate) use shared::SharedStore;

use pagemark::bookmark::Lineage;
use pagemark::page::{Checksum, PageSize, Pgno, Txid};

use crate::error::{Error, ErrorKind};

/// A committed state of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    /// Its number; 1 is the first.
    pub txid: Txid,
    /// When, in milliseconds since 1970; never before the commit before it.
    pub time_ms: i64,
    /// In bytes.
    pub page_size: PageSize,
    /// Size of the database, in pages, the lock page among them.
    pub page_count: u32,
    /// Over all pages.
    pub checksum: Checksum,
}

/// Which states have to stay readable: all from one on, and single older ones that a pin holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Every state from this one on.
    pub from: Txid,
    /// States before `from`, ascending.
    pub pins: Vec<Txid>,
}

impl Default for Keep {
    fn default() -> Self {
        Self { from: Txid(1), pins: Vec::new() }
    }
}

impl Keep {
    /// Whether the state has to stay readable.
    pub fn holds(&self, txid: Txid) -> bool {
        txid >= self.from || self.pins.binary_search(&txid).is_ok()
    }

    /// Whether any state that has to stay readable shows a page version of `from` that a later one replaced (or that
    /// the database shrank away) at `replaced`.
    pub fn needs(&self, from: Txid, replaced: Txid) -> bool {
        if replaced > self.from {
            return true;
        }
        let next_pin = self.pins.partition_point(|&pin| pin < from);
        self.pins.get(next_pin).is_some_and(|&pin| pin < replaced)
    }
}

/// Pages with their content, ascending.
pub type Pages = Vec<(Pgno, Box<[u8]>)>;

/// One commit: everything in it becomes visible at once, or nothing does.
pub struct Commit {
    /// The state that it makes.
    pub record: CommitRecord,
    /// Which database this is; the same in every commit.
    pub lineage: Lineage,
    /// The pages that have a new version, ascending, never the lock page. Pages beyond `record.page_count` are gone.
    pub pages: Pages,
    /// Which states have to stay readable after it. The store may drop what none of them shows, now or later.
    pub keep: Keep,
}

/// What a store holds when it is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreState {
    /// Lineage of the database, once it has a commit.
    pub lineage: Option<Lineage>,
    /// Ascending by TXID; at least the newest, those that `keep` holds, and the one after each of these.
    pub commits: Vec<CommitRecord>,
    /// As of the last [`PageStore::commit`] or [`PageStore::retain`].
    pub keep: Keep,
}

/// Keeps page versions. All calls are synchronous, and come from one database only.
pub trait PageStore {
    /// What is there.
    ///
    /// # Errors
    /// [`StoreError`]; the database then does not open.
    fn open(&mut self) -> Result<StoreState, StoreError>;

    /// Fills `page`, which has the size of that state's pages, with the newest version at or before `txid`.
    ///
    /// # Errors
    /// [`StoreError`]; `Damaged` when there is no such version.
    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError>;

    /// Makes a new state, atomically and durably: after an error, or a crash at any moment, the store shows either
    /// the state before or, when this returned `Ok`, the new one. It may take the pages.
    ///
    /// # Errors
    /// [`StoreError`]; nothing has changed then. After `Full`, if it has left the pages, it is called again once history
    /// has been let go.
    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError>;

    /// Says which states have to stay readable from now on. Versions that no such state shows may go.
    ///
    /// # Errors
    /// [`StoreError`]; versions may then stay longer than needed, which harms nobody.
    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError>;

    /// The pages whose newest version at or before `upto` is newer than `after`, ascending. Those beyond the size of
    /// the database at `upto` may be among them.
    ///
    /// # Errors
    /// [`StoreError`].
    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError>;

    /// How many bytes of page versions it holds, as far as it knows.
    fn size(&self) -> u64 {
        0
    }

    /// Whether history takes more room in it than it should: some of it is then let go. Asked seldom.
    fn is_crowded(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Where what is not committed goes beyond what memory is to hold; `None` when all of it has to stay in memory.
    fn scratch(&mut self) -> Option<&mut dyn Scratch> {
        None
    }
}

/// What a store keeps that is not committed. All of it is gone when the store is opened the next time.
pub trait Scratch {
    /// Keeps page versions of the commit that is to come, whose number is `txid`: [`PageStore::read`] gives them for
    /// that number, and no other call shows them. A page that was staged before is replaced. The commit of `txid` makes
    /// them visible together with its own pages, which replace staged ones, but for those beyond its page count.
    ///
    /// # Errors
    /// [`StoreError`]; some of the pages may be staged then.
    fn stage(&mut self, txid: Txid, pages: &[(Pgno, Box<[u8]>)]) -> Result<(), StoreError>;

    /// Forgets what is staged.
    ///
    /// # Errors
    /// [`StoreError`]; it is called again before anything else is staged or committed.
    fn unstage(&mut self) -> Result<(), StoreError>;

    /// Keeps a block of a temporary file; one written before is replaced. All blocks have the same length.
    ///
    /// # Errors
    /// [`StoreError`].
    fn write_block(&mut self, file: u32, block: u32, bytes: &[u8]) -> Result<(), StoreError>;

    /// Fills `bytes` with a block that was written.
    ///
    /// # Errors
    /// [`StoreError`].
    fn read_block(&mut self, file: u32, block: u32, bytes: &mut [u8]) -> Result<(), StoreError>;

    /// Forgets a temporary file.
    ///
    /// # Errors
    /// [`StoreError`]; its blocks then stay until the store is opened again.
    fn drop_file(&mut self, file: u32) -> Result<(), StoreError>;
}

/// Why a store failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It could not be reached, read or written.
    Io(Box<str>),
    /// It has no more space.
    Full(Box<str>),
    /// Memory ran out.
    Memory,
    /// What it holds contradicts itself.
    Damaged(Box<str>),
    /// Nothing may be changed now; no store says so, see [`crate::Database::limit_steps`].
    ReadOnly,
}

impl From<TryReserveError> for StoreError {
    fn from(_: TryReserveError) -> Self {
        Self::Memory
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(detail) => Self::with_detail(ErrorKind::Store, detail),
            StoreError::Full(detail) => Self::with_detail(ErrorKind::Full, detail),
            StoreError::Memory => ErrorKind::Memory.into(),
            StoreError::Damaged(detail) => Self::with_detail(ErrorKind::Damaged, detail),
            StoreError::ReadOnly => ErrorKind::ReadOnly.into(),
        }
    }
}

/// Drops the records of states that are not kept. Walks the list only when it has doubled since the last walk (`at`
/// says when that is), so that a long history costs a commit nothing.
pub(crate) fn prune(commits: &mut Vec<CommitRecord>, keep: &Keep, at: &mut usize) {
    if commits.len() < *at {
        return;
    }
    let newest = commits.last().map(|newest| newest.txid);
    // The one after a kept state says until when that one lasted.
    let mut after_kept = false;
    commits.retain(|record| {
        let kept = keep.holds(record.txid) || Some(record.txid) == newest;
        let wanted = kept || after_kept;
        after_kept = kept;
        wanted
    });
    *at = commits.len() * 2 + 16;
}

/// A page of zeros, or `Memory` where an ordinary allocation would end the program.
pub(crate) fn zeroed(len: usize) -> Result<Box<[u8]>, TryReserveError> {
    let mut page = Vec::new();
    page.try_reserve_exact(len)?;
    page.resize(len, 0);
    Ok(page.into_boxed_slice())
}

/// A copy of a page, as [`zeroed`].
pub(crate) fn copied(bytes: &[u8]) -> Result<Box<[u8]>, TryReserveError> {
    let mut page = Vec::new();
    page.try_reserve_exact(bytes.len())?;
    page.extend_from_slice(bytes);
    Ok(page.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_needed_while_a_kept_state_shows_it() {
        let keep = Keep { from: Txid(20), pins: vec![Txid(5), Txid(9)] };
        assert!(keep.needs(Txid(15), Txid(21)), "state 20 shows it");
        assert!(!keep.needs(Txid(15), Txid(20)), "only 15 to 19 show it");
        assert!(keep.needs(Txid(5), Txid(6)), "the pin at 5 shows it");
        assert!(keep.needs(Txid(6), Txid(10)), "the pin at 9 shows it");
        assert!(!keep.needs(Txid(6), Txid(9)), "replaced just before the pin");
        assert!(!keep.needs(Txid(10), Txid(15)));
    }
}

//! Committed states: bookmarks, pins, pages of the past, and going back.

use pagemark::bookmark::{Bookmark, Lineage};
use pagemark::page::{Pgno, Txid};

use super::Database;
use crate::error::{ErrorKind, Result};
use crate::history::PinId;
use crate::store::CommitRecord;

impl Database {
    /// Which database this is.
    pub fn lineage(&self) -> Lineage {
        self.volume.try_borrow().map_or(self.options.lineage, |volume| volume.history.lineage())
    }

    /// The bookmark of the newest commit.
    ///
    /// # Errors
    /// `DatabaseEmpty` before the first.
    pub fn bookmark(&self) -> Result<Bookmark> {
        self.volume(|volume| volume.bookmark().ok_or_else(|| pagemark::error::ErrorKind::DatabaseEmpty.into()))
    }

    /// The bookmark of a state that can be read: `at` is a bookmark, a TXID of 16 hex digits, a time (RFC 3339 or
    /// seconds since 1970), an age such as `-1m`, or `latest`. What was thinned away (see [`crate::history::Window`]) is the
    /// state before it, which has another bookmark.
    ///
    /// # Errors
    /// `AtSyntax`, `BookmarkLineage`, `ChainChecksum`, `HistoryGone`, `HistoryUnknown`, `TimeBeforeFirst`,
    /// `TimeAfterLast`, `DatabaseEmpty`.
    pub fn bookmark_at(&self, at: &str, now_ms: i64) -> Result<Bookmark> {
        self.volume(|volume| Ok(volume.history.bookmark(&volume.history.resolve(at, false, now_ms)?)))
    }

    /// The bookmark of a state of this database.
    pub fn bookmark_of(&self, record: &CommitRecord) -> Bookmark {
        Bookmark::new(record.txid, record.time_ms, record.checksum, self.lineage())
    }

    /// The states that can be read, ascending.
    pub fn states(&self) -> Vec<CommitRecord> {
        self.volume.try_borrow().map_or_else(|_| Vec::new(), |volume| volume.history.readable().collect())
    }

    /// What is recorded of a state that can be read.
    ///
    /// # Errors
    /// `HistoryGone`, `HistoryUnknown`.
    pub fn state(&self, txid: Txid) -> Result<CommitRecord> {
        self.volume(|volume| volume.history.at_txid(txid))
    }

    /// Holds a state (`at` as in [`Database::bookmark_at`], but a bookmark and a TXID are of that very state) until
    /// `now_ms + lease_ms`; its holder renews the lease.
    ///
    /// # Errors
    /// As [`Database::bookmark_at`].
    pub fn pin(&mut self, at: &str, lease_ms: i64, now_ms: i64) -> Result<(PinId, CommitRecord)> {
        self.volume(|volume| {
            let record = volume.history.resolve(at, true, now_ms)?;
            Ok((volume.history.pin(record.txid, lease_ms, now_ms)?, record))
        })
    }

    /// Prolongs a pin to `now_ms + lease_ms`.
    ///
    /// # Errors
    /// `PinUnknown`.
    pub fn renew(&mut self, pin: PinId, lease_ms: i64, now_ms: i64) -> Result<()> {
        self.volume(|volume| volume.history.renew(pin, lease_ms, now_ms))
    }

    /// Ends a pin and lets go of what only it held; whether it was still there.
    ///
    /// # Errors
    /// What the store says; the pin has ended all the same.
    pub fn release(&mut self, pin: PinId, now_ms: i64) -> Result<bool> {
        self.volume(|volume| {
            let held = volume.history.release(pin);
            volume.now_ms = now_ms;
            volume.release_unneeded()?;
            Ok(held)
        })
    }

    /// Ends the pins whose lease ran out and lets go of what is no longer needed. A commit does so too; this is for
    /// a database that is only read.
    ///
    /// # Errors
    /// What the store says.
    pub fn sweep(&mut self, now_ms: i64) -> Result<()> {
        self.volume(|volume| {
            volume.now_ms = now_ms;
            volume.release_unneeded()
        })
    }

    /// The state that a pin holds.
    ///
    /// # Errors
    /// `PinUnknown`.
    pub fn pinned(&self, pin: PinId, now_ms: i64) -> Result<CommitRecord> {
        self.volume(|volume| volume.history.pinned(pin, now_ms))
    }

    /// Reads page `pgno` of the state that a pin holds into `page`, which has the size of that state's pages. The
    /// lock page reads as zeros.
    ///
    /// # Errors
    /// `PinUnknown`, `Usage` for a page or a size that the state does not have, what the store says.
    pub fn page_at(&mut self, pin: PinId, pgno: Pgno, page: &mut [u8], now_ms: i64) -> Result<()> {
        self.volume(|volume| {
            let record = volume.history.pinned(pin, now_ms)?;
            volume.read_at(&record, pgno, page)
        })
    }

    /// The pages of the state that a pin holds which commits after `since` wrote, ascending, without the lock page.
    /// `since` need not be readable any more, but it must be a state of this database's own past: a restored one
    /// counts as written anew. When the page size has changed since, that is every page.
    ///
    /// # Errors
    /// `PinUnknown`, what the store says.
    pub fn changed_since(&mut self, pin: PinId, since: Txid, now_ms: i64) -> Result<Vec<Pgno>> {
        self.volume(|volume| {
            let record = volume.history.pinned(pin, now_ms)?;
            volume.changed_since(since, &record)
        })
    }

    /// Makes the content that of an earlier state (`at` as in [`Database::bookmark_at`]), as a new commit, and
    /// returns the bookmark that undoes it. Statements see the restored content when they are next run.
    ///
    /// The state before is held for `undo_lease_ms`, beside whatever the history window holds.
    ///
    /// # Errors
    /// As [`Database::bookmark_at`]; `Busy` within a transaction or while a statement is being read; what the store
    /// says, and then nothing has changed.
    pub fn restore(&mut self, at: &str, undo_lease_ms: i64, now_ms: i64) -> Result<Bookmark> {
        self.at(now_ms)?;
        if self.is_busy() {
            return Err(ErrorKind::Busy.into());
        }
        let (undo, reconnect) = self.volume(|volume| {
            let target = volume.history.resolve(at, false, now_ms)?;
            let newest = volume.newest().ok_or(ErrorKind::HistoryUnknown)?;
            let undo = volume.history.bookmark(&newest);
            let encoding = volume.encoding()?;
            let pin = volume.history.pin(newest.txid, undo_lease_ms, now_ms)?;
            // A full store lets go of history on the way.
            let source = volume.history.pin(target.txid, i64::MAX, now_ms)?;
            let restored = volume.restore(&target);
            volume.history.release(source);
            if let Err(error) = restored {
                volume.history.release(pin);
                return Err(error);
            }
            Ok((undo, volume.encoding()? != encoding))
        })?;
        self.replaced(reconnect)?;
        Ok(undo)
    }

    /// How many bytes of page versions the store holds, as far as it says.
    pub fn stored(&self) -> u64 {
        self.volume.try_borrow().map_or(0, |volume| volume.stored())
    }
}

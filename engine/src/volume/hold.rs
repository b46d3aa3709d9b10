//! Several transactions of SQLite's that become one commit, or none.
//!
//! While commits are held back, the overlay stays after SQLite has committed, and the next transaction goes on with it:
//! SQLite sees a file that it has written to, the store nothing. Only a transaction that was rolled back after some of
//! its pages were written cannot be told from what was there before it: then all of it has to be given up.

use super::Volume;
use super::overlay::Hold;
use crate::error::{ErrorKind, Result};

impl Volume {
    /// Holds back what SQLite commits from now on.
    ///
    /// # Errors
    /// `Busy` while a transaction is under way.
    pub(crate) fn hold(&mut self) -> Result<()> {
        if self.lock != 0 || self.hold.is_some() || !self.overlay.is_untouched() {
            return Err(ErrorKind::Busy.into());
        }
        self.hold = Some(Hold::default());
        Ok(())
    }

    /// Hands on what was held back, as one commit. SQLite must not be reading.
    ///
    /// # Errors
    /// `ImportRollback` when something of it was rolled back, what the store says; nothing has changed then.
    pub(crate) fn hand_on(&mut self) -> Result<()> {
        let Hold { is_dirty, is_broken } = self.hold.take().unwrap_or_default();
        if is_dirty || is_broken {
            self.discard();
            return Err(ErrorKind::ImportRollback.into());
        }
        Ok(self.commit()?)
    }

    /// Forgets what was held back. SQLite must not be reading.
    pub(crate) fn give_up(&mut self) {
        self.hold = None;
        self.discard();
    }

    /// SQLite commits: whether that is held back.
    pub(super) fn holds_back(&mut self) -> bool {
        if let Some(hold) = &mut self.hold {
            hold.is_dirty = false;
        }
        self.hold.is_some()
    }

    /// Whether something is written and neither committed nor held back.
    pub(super) fn has_uncommitted(&self) -> bool {
        self.hold.map_or(!self.overlay.is_untouched(), |hold| hold.is_dirty)
    }

    /// SQLite has written.
    pub(super) fn note_write(&mut self) {
        if let Some(hold) = &mut self.hold {
            hold.is_dirty = true;
        }
    }

    /// SQLite has rolled back what it had written.
    pub(super) fn note_rollback(&mut self) {
        if let Some(hold) = &mut self.hold {
            hold.is_broken |= hold.is_dirty;
        }
    }
}

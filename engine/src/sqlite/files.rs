//! What SQLite opens on one connection: the database, its journal, temporary files, and what a compaction writes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::rc::Rc;

use super::ffi;
use crate::journal::Journal;
use crate::scratch::{Blocks, ScratchFile};
use crate::volume::Volume;

/// What SQLite calls the database file.
pub(super) const DATABASE: &CStr = c"database";
/// What it calls the file that a compaction writes.
pub(super) const COMPACTED: &CStr = c"compacted";
/// What it calls the journal of the database.
pub(super) const JOURNAL: &CStr = c"database-journal";

/// What an open file is.
pub(super) enum Opened {
    Database(Rc<RefCell<Volume>>),
    /// The database's rollback journal.
    Journal(Rc<RefCell<Journal>>, Rc<RefCell<Volume>>),
    /// Another journal or a temporary file; the volume says why the store failed.
    Scratch(Rc<RefCell<ScratchFile>>, Rc<RefCell<Volume>>),
}

/// The files of one connection.
pub(super) struct Files {
    pub(super) volume: Rc<RefCell<Volume>>,
    blocks: Blocks,
    /// Whether the database is open.
    open: Cell<bool>,
    /// Whether [`COMPACTED`] may be opened as a database.
    compacting: Cell<bool>,
    journal: RefCell<Option<Rc<RefCell<Journal>>>>,
    /// Other journals, and what a compaction writes.
    named: RefCell<HashMap<CString, Rc<RefCell<ScratchFile>>>>,
}

impl Files {
    /// None yet, over `volume`, with temporary ones in `blocks`.
    pub(super) fn new(volume: Rc<RefCell<Volume>>, blocks: Blocks) -> Self {
        let (open, compacting) = (Cell::new(false), Cell::new(false));
        let (journal, named) = (RefCell::default(), RefCell::default());
        Self { volume, blocks, open, compacting, journal, named }
    }

    /// Forgets a file.
    pub(super) fn take(&self, name: &CStr) -> Option<Rc<RefCell<ScratchFile>>> {
        self.named.try_borrow_mut().ok()?.remove(name)
    }

    /// Says whether [`COMPACTED`] may be opened as a database.
    pub(super) fn set_compacting(&self, compacting: bool) {
        self.compacting.set(compacting);
    }

    fn closed(&self) {
        self.open.set(false);
    }

    pub(super) fn open(&self, name: Option<&CStr>, flags: c_int) -> Result<Opened, c_int> {
        // A file without a name is a temporary one.
        let Some(name) = name else { return self.opened(self.new_file()?) };
        let compacted = name == COMPACTED && self.compacting.get();
        if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 && !compacted {
            if name != DATABASE || self.open.replace(true) {
                return Err(ffi::SQLITE_CANTOPEN);
            }
            return Ok(Opened::Database(Rc::clone(&self.volume)));
        }
        if flags & ffi::SQLITE_OPEN_WAL != 0 {
            return Err(ffi::SQLITE_CANTOPEN);
        }
        if name == JOURNAL {
            return self.open_journal(flags);
        }
        let mut named = self.named.try_borrow_mut().map_err(|_| ffi::SQLITE_MISUSE)?;
        match named.get(name) {
            Some(file) => self.opened(Rc::clone(file)),
            None if flags & ffi::SQLITE_OPEN_CREATE != 0 => {
                named.try_reserve(1).map_err(|_| ffi::SQLITE_NOMEM)?;
                let file = self.new_file()?;
                named.insert(name.to_owned(), Rc::clone(&file));
                self.opened(file)
            }
            None => Err(ffi::SQLITE_CANTOPEN),
        }
    }

    fn open_journal(&self, flags: c_int) -> Result<Opened, c_int> {
        let mut journal = self.journal.try_borrow_mut().map_err(|_| ffi::SQLITE_MISUSE)?;
        if journal.is_none() && flags & ffi::SQLITE_OPEN_CREATE != 0 {
            let rest = self.blocks.file().map_err(|_| ffi::SQLITE_MISUSE)?;
            *journal = Some(Rc::new(RefCell::new(Journal::new(rest))));
        }
        let journal = journal.as_ref().ok_or(ffi::SQLITE_CANTOPEN)?;
        Ok(Opened::Journal(Rc::clone(journal), Rc::clone(&self.volume)))
    }

    /// Forgets the journal; whether there was one.
    pub(super) fn take_journal(&self) -> bool {
        self.journal.try_borrow_mut().is_ok_and(|mut journal| journal.take().is_some())
    }

    fn new_file(&self) -> Result<Rc<RefCell<ScratchFile>>, c_int> {
        let file = self.blocks.file().map_err(|_| ffi::SQLITE_MISUSE)?;
        Ok(Rc::new(RefCell::new(file)))
    }

    fn opened(&self, file: Rc<RefCell<ScratchFile>>) -> Result<Opened, c_int> {
        Ok(Opened::Scratch(file, Rc::clone(&self.volume)))
    }

    /// Whether a file exists. As in SQLite's own VFSes, an empty one does not.
    pub(super) fn exists(&self, name: &CStr) -> bool {
        if name == JOURNAL {
            let Ok(journal) = self.journal.try_borrow() else { return false };
            return journal.as_ref().is_some_and(|journal| journal.try_borrow().is_ok_and(|journal| journal.len() > 0));
        }
        let Ok(named) = self.named.try_borrow() else { return false };
        named.get(name).is_some_and(|file| file.try_borrow().is_ok_and(|file| file.len() > 0))
    }
}

/// # Safety
/// `vfs` must be a registered one, whose `pAppData` is a [`Files`] that outlives it.
pub(super) unsafe fn files<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Files {
    // SAFETY: as the caller promises.
    unsafe { &*(*vfs).pAppData.cast::<Files>() }
}

/// # Safety
/// As [`files`].
pub(super) unsafe fn close_database(vfs: *mut ffi::sqlite3_vfs) {
    // SAFETY: as the caller promises.
    unsafe { files(vfs) }.closed();
}

/// # Safety
/// As [`files`].
pub(super) unsafe fn forget_journal(vfs: *mut ffi::sqlite3_vfs) {
    // SAFETY: as the caller promises.
    unsafe { files(vfs) }.take_journal();
}

//! A connection: SQLite's handle, its VFS, and errors with all that SQLite says of them.

use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::ptr;
use std::rc::Rc;

use super::budget::Budget;
use super::ffi;
use super::files::{COMPACTED, DATABASE};
use super::vfs::Registration;
use crate::error::{Error, ErrorKind, Result};
use crate::scratch::{Blocks, ScratchFile};
use crate::store::StoreError;
use crate::volume::Volume;

/// SQLite's code for a row that refers to none.
pub(crate) const CONSTRAINT_FOREIGN_KEY: i32 = ffi::SQLITE_CONSTRAINT_FOREIGNKEY;
/// SQLite's code for a statement that does not compile.
pub(crate) const ERROR: i32 = ffi::SQLITE_ERROR;
/// A file that is asked for is not there, or not for SQL to open.
pub(crate) const CANTOPEN: i32 = ffi::SQLITE_CANTOPEN;
/// The authorizer refuses it.
pub(crate) const AUTH: i32 = ffi::SQLITE_AUTH;
/// Longest message of SQLite that is passed on, in characters.
const LONGEST_MESSAGE: usize = 1000;

/// An open connection; statements keep it open.
#[derive(Clone)]
pub(crate) struct Connection(Rc<Handle>);

/// The fields are dropped in this order, after `drop` has closed the connection.
struct Handle {
    db: *mut ffi::sqlite3,
    vfs: Registration,
    volume: Rc<RefCell<Volume>>,
    /// See [`Connection::limit_steps`].
    budget: Budget,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it was opened by `open`, and every statement holds this handle, so none is left.
        unsafe { ffi::sqlite3_close(self.db) };
    }
}

impl Connection {
    /// Opens the one connection to `volume`, with its temporary files in `blocks`.
    pub(crate) fn open(volume: &Rc<RefCell<Volume>>, blocks: &Blocks) -> Result<Self> {
        let vfs = Registration::new(Rc::clone(volume), blocks.clone())?;
        let flags = ffi::SQLITE_OPEN_READWRITE
            | ffi::SQLITE_OPEN_CREATE
            | ffi::SQLITE_OPEN_NOMUTEX
            | ffi::SQLITE_OPEN_EXRESCODE;
        let mut db = ptr::null_mut();
        // SAFETY: the names end with NUL, and SQLite copies what it keeps of them.
        let code = unsafe { ffi::sqlite3_open_v2(DATABASE.as_ptr(), &raw mut db, flags, vfs.name.as_ptr()) };
        // Even a connection that did not open has to be closed, unless memory ran out.
        let connection = Self(Rc::new(Handle { db, vfs, volume: Rc::clone(volume), budget: Budget::default() }));
        if code != ffi::SQLITE_OK {
            return Err(connection.error(code));
        }
        connection.replace_functions()?;
        Ok(connection)
    }

    /// Rows that the last INSERT, UPDATE or DELETE changed.
    pub(crate) fn changes(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_changes64(self.0.db) }
    }

    /// Rows that all statements of this connection changed.
    pub(crate) fn total_changes(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_total_changes64(self.0.db) }
    }

    /// The rowid of the last INSERT.
    pub(crate) fn last_insert_rowid(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_last_insert_rowid(self.0.db) }
    }

    /// Whether a transaction was begun and not ended.
    pub(crate) fn in_transaction(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.0.db) == 0 }
    }

    /// Whether foreign keys are enforced.
    pub(crate) fn enforces_foreign_keys(&self) -> bool {
        self.configure(ffi::SQLITE_DBCONFIG_ENABLE_FKEY as c_int, None)
    }

    /// Has foreign keys enforced from now on, or not, within a transaction, too.
    pub(crate) fn set_foreign_keys(&self, enforced: bool) {
        self.configure(ffi::SQLITE_DBCONFIG_ENABLE_FKEY as c_int, Some(enforced));
    }

    /// Whether the transaction has rows that refer to none, which are looked at when it ends.
    pub(crate) fn has_open_foreign_keys(&self) -> bool {
        let (mut is, mut most) = (0, 0);
        // SAFETY: the connection is open, and SQLite is given where to put two integers.
        unsafe { ffi::sqlite3_db_status(self.0.db, ffi::SQLITE_DBSTATUS_DEFERRED_FKS, &raw mut is, &raw mut most, 0) };
        is != 0
    }

    /// Whether a statement compiles. A pragma may take effect by that.
    pub(crate) fn compiles(&self, mut sql: &[u8]) -> bool {
        self.prepare(&mut sql, false).is_ok()
    }

    /// Has the schema read again, which somebody else has written.
    pub(crate) fn forget_schema(&self) -> Result<()> {
        let is_writable = self.configure(ffi::SQLITE_DBCONFIG_WRITABLE_SCHEMA as c_int, None);
        self.exec("PRAGMA writable_schema = RESET")?;
        self.configure(ffi::SQLITE_DBCONFIG_WRITABLE_SCHEMA as c_int, Some(is_writable));
        Ok(())
    }

    /// Gives memory back that is only there for speed.
    pub(crate) fn release_memory(&self) {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_db_release_memory(self.0.db) };
    }

    /// Sets one of SQLite's switches, if a value is given; how it is then.
    pub(super) fn configure(&self, switch: c_int, value: Option<bool>) -> bool {
        let (value, mut is): (c_int, c_int) = (value.map_or(-1, c_int::from), 0);
        // SAFETY: the connection is open, and these switches take an int and where to put one.
        unsafe { ffi::sqlite3_db_config(self.0.db, switch, value, &raw mut is) };
        is != 0
    }

    /// VACUUM INTO a temporary file.
    pub(crate) fn compact(&self) -> Result<Compacted> {
        let files = &self.0.vfs.files;
        files.take(COMPACTED);
        files.set_compacting(true);
        let done = self.exec("VACUUM INTO 'compacted'");
        files.set_compacting(false);
        let file = files.take(COMPACTED);
        done?;
        Ok(Compacted { file, at: 0 })
    }

    /// The database exactly as SQLite itself serialises it: the oracle of the tests.
    #[cfg(test)]
    pub(crate) fn serialize(&self) -> Vec<u8> {
        let mut size = 0;
        // SAFETY: SQLite returns memory of `size` bytes that is ours to free, or null.
        unsafe {
            let bytes = ffi::sqlite3_serialize(self.0.db, c"main".as_ptr(), &raw mut size, 0);
            let copy = if bytes.is_null() {
                Vec::new()
            } else {
                std::slice::from_raw_parts(bytes, usize::try_from(size).unwrap_or(0)).to_vec()
            };
            ffi::sqlite3_free(bytes.cast());
            copy
        }
    }

    pub(super) fn db(&self) -> *mut ffi::sqlite3 {
        self.0.db
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// A commit that failed without SQLite saying so.
    pub(super) fn unreported(&self) -> Option<Error> {
        let failed = self.0.volume.try_borrow().is_ok_and(|volume| volume.commit_failed());
        failed.then(|| self.error(ffi::SQLITE_IOERR))
    }

    /// What SQLite says of its last call on this connection, which returned `code`; why the store failed, if it did.
    pub(super) fn error(&self, code: c_int) -> Error {
        let failure = self.0.volume.try_borrow_mut().ok().and_then(|mut volume| volume.take_failure());
        let mut error = match (failure, code & 0xff) {
            (Some(failure), ffi::SQLITE_IOERR | ffi::SQLITE_FULL | ffi::SQLITE_NOMEM) => failure.into(),
            (_, ffi::SQLITE_NOMEM) => ErrorKind::Memory.into(),
            _ if code == ffi::SQLITE_IOERR_NOMEM => ErrorKind::Memory.into(),
            (_, ffi::SQLITE_IOERR) => Error::with_detail(ErrorKind::Store, self.message()),
            _ => Error::with_detail(ErrorKind::Sql, self.message()),
        };
        error.sqlite = Some(code);
        // SAFETY: SQLite allows null here, for a connection that it had no memory to make.
        error.offset = u32::try_from(unsafe { ffi::sqlite3_error_offset(self.0.db) }).ok();
        if error.kind == ErrorKind::Memory && !self.0.db.is_null() {
            // What comes next, if only to read what there is, needs some: so the cached pages that nobody uses go.
            self.release_memory();
        }
        error
    }

    fn message(&self) -> Box<str> {
        // SAFETY: SQLite's text ends with NUL and stays until its next call.
        unsafe {
            let text = ffi::sqlite3_errmsg(self.0.db);
            if text.is_null() { "".into() } else { shortened(CStr::from_ptr(text).to_bytes()) }
        }
    }
}

/// The start of a message, which may hold all of the SQL.
fn shortened(message: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(message);
    let cut = text.char_indices().nth(LONGEST_MESSAGE).and_then(|(at, _)| text.get(..at));
    cut.map_or_else(|| text.as_ref().into(), |start| format!("{start}…").into())
}

/// What a compaction wrote, to be read once from front to back.
pub(crate) struct Compacted {
    file: Option<Rc<RefCell<ScratchFile>>>,
    at: u64,
}

impl Compacted {
    /// In bytes.
    pub(crate) fn len(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.borrow().len())
    }

    /// Fills the front of `buffer`; how many bytes it took, 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let Some(file) = self.file.as_ref().map(|file| file.borrow()) else { return Ok(0) };
        let left = usize::try_from(file.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let taken = left.min(buffer.len());
        file.read(self.at, buffer.get_mut(..taken).unwrap_or_default())?;
        self.at += taken as u64;
        Ok(taken)
    }
}

/// Limits what memory SQLite itself may take, in bytes, over all connections of the module; 0 is no limit.
pub(crate) fn set_heap_limit(bytes: u64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: it has no conditions.
    unsafe { ffi::sqlite3_hard_heap_limit64(bytes) };
}

//! The VFS: which files there are. One VFS for each connection, so that nothing is shared and a file is found by
//! pointer.
//!
//! The database is the one name [`DATABASE`], opened once. Journals are kept for as long as SQLite wants them
//! (small transactions have none: see `file.rs`), temporary files without a name. ATTACH of anything else
//! that would be a file is refused: two stores cannot commit together.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ffi;
use super::file::{self, Opened};
use crate::error::{ErrorKind, Result};
use crate::journal::Journal;
use crate::scratch::{Blocks, ScratchFile};
use crate::volume::Volume;

/// What SQLite calls the database file.
pub(super) const DATABASE: &CStr = c"database";
/// What it calls the file that a compaction writes.
pub(super) const COMPACTED: &CStr = c"compacted";
/// What it calls the journal of the database.
const JOURNAL: &CStr = c"database-journal";

/// Longest file name, in bytes; ours are far shorter.
const MAX_NAME: c_int = 512;

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
    /// Forgets a file.
    pub(super) fn take(&self, name: &CStr) -> Option<Rc<RefCell<ScratchFile>>> {
        self.named.try_borrow_mut().ok()?.remove(name)
    }

    /// Says whether [`COMPACTED`] may be opened as a database.
    pub(super) fn set_compacting(&self, compacting: bool) {
        self.compacting.set(compacting);
    }

    pub(super) fn closed(&self) {
        self.open.set(false);
    }

    fn open(&self, name: Option<&CStr>, flags: c_int) -> Result<Opened, c_int> {
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
    fn take_journal(&self) -> bool {
        self.journal.try_borrow_mut().is_ok_and(|mut journal| journal.take().is_some())
    }

    fn new_file(&self) -> Result<Rc<RefCell<ScratchFile>>, c_int> {
        let file = self.blocks.file().map_err(|_| ffi::SQLITE_MISUSE)?;
        Ok(Rc::new(RefCell::new(file)))
    }

    fn opened(&self, file: Rc<RefCell<ScratchFile>>) -> Result<Opened, c_int> {
        Ok(Opened::Scratch(file, Rc::clone(&self.volume)))
    }

    /// As in SQLite's own VFSes an empty file does not count as one.
    fn exists(&self, name: &CStr) -> bool {
        if name == JOURNAL {
            let Ok(journal) = self.journal.try_borrow() else { return false };
            return journal.as_ref().is_some_and(|journal| journal.try_borrow().is_ok_and(|journal| journal.len() > 0));
        }
        let Ok(named) = self.named.try_borrow() else { return false };
        named.get(name).is_some_and(|file| file.try_borrow().is_ok_and(|file| file.len() > 0))
    }
}

/// A VFS that SQLite knows, until dropped.
pub(super) struct Registration {
    vfs: Box<ffi::sqlite3_vfs>,
    pub(super) name: CString,
    pub(super) files: Rc<Files>,
}

impl Registration {
    /// Makes a VFS over `volume`, with temporary files in `blocks`.
    pub(super) fn new(volume: Rc<RefCell<Volume>>, blocks: Blocks) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = CString::new(format!("pagemark-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let name = name.map_err(|_| ErrorKind::Memory)?;
        let (open, compacting) = (Cell::new(false), Cell::new(false));
        let (journal, named) = (RefCell::default(), RefCell::default());
        let files = Rc::new(Files { volume, blocks, open, compacting, journal, named });
        let mut vfs = Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: file::SIZE,
            mxPathname: MAX_NAME,
            pNext: ptr::null_mut(),
            zName: name.as_ptr(),
            pAppData: Rc::as_ptr(&files).cast_mut().cast(),
            xOpen: Some(self::open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        });
        // SAFETY: the VFS, its name and its files live on the heap until `drop`, which unregisters it first.
        match unsafe { ffi::sqlite3_vfs_register(&raw mut *vfs, 0) } {
            ffi::SQLITE_OK => Ok(Self { vfs, name, files }),
            _ => Err(ErrorKind::Memory.into()),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: it was registered by `new`, and the connection that used it was closed before (its field order).
        unsafe { ffi::sqlite3_vfs_unregister(&raw mut *self.vfs) };
    }
}

/// # Safety
/// `vfs` must be one of a live [`Registration`].
unsafe fn files<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Files {
    // SAFETY: `Registration::new` put it there, and keeps the files alive longer than the VFS.
    unsafe { &*(*vfs).pAppData.cast::<Files>() }
}

/// # Safety
/// `name` must be null or end with a NUL.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a CStr> {
    // SAFETY: as the caller promises; SQLite keeps a name for as long as the call.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes the VFS it was given, a name or null, and room for one of our files (`szOsFile`).
    unsafe {
        file::clear(file);
        match files(vfs).open(text(name), flags) {
            Ok(opened) => {
                file::place(file, opened, vfs);
                if !out_flags.is_null() {
                    *out_flags = flags;
                }
                ffi::SQLITE_OK
            }
            Err(code) => code,
        }
    }
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

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _sync: c_int) -> c_int {
    // SAFETY: SQLite passes the VFS it was given and a name.
    let (files, name) = unsafe { (files(vfs), text(name)) };
    let was_there =
        name.is_some_and(|name| if name == JOURNAL { files.take_journal() } else { files.take(name).is_some() });
    if was_there { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_DELETE_NOENT }
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes the VFS it was given, a name, and where to put the answer.
    unsafe { *out = c_int::from(text(name).is_some_and(|name| files(vfs).exists(name))) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a name.
    let bytes = unsafe { text(name) }.map(CStr::to_bytes_with_nul).unwrap_or(b"\0");
    if bytes.len() > usize::try_from(room).unwrap_or(0) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has `room` bytes, which is enough, and is not the name itself.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    ffi::SQLITE_OK
}

/// SQLite asks the default VFS for random bytes, never this one; a caller that does gets none.
unsafe extern "C" fn randomness(_vfs: *mut ffi::sqlite3_vfs, _len: c_int, _out: *mut c_char) -> c_int {
    0
}

/// Nobody holds a lock that waiting could end.
unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, _microseconds: c_int) -> c_int {
    0
}

unsafe extern "C" fn last_error(_vfs: *mut ffi::sqlite3_vfs, _len: c_int, _out: *mut c_char) -> c_int {
    0
}

/// The time that SQL sees is the one that the call under way was given, as a Julian day in milliseconds.
unsafe extern "C" fn current_time_ms(vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    const UNIX_EPOCH: i64 = 210_866_760_000_000;
    // SAFETY: SQLite passes the VFS it was given, and where to put the answer.
    unsafe {
        let now_ms = files(vfs).volume.try_borrow().map_or(0, |volume| volume.now_ms);
        *out = UNIX_EPOCH.saturating_add(now_ms);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    const MS_PER_DAY: f64 = 86_400_000.0;
    let mut ms = 0;
    // SAFETY: as the callee's own conditions, which are the same.
    unsafe {
        current_time_ms(vfs, &raw mut ms);
        *out = ms as f64 / MS_PER_DAY;
    }
    ffi::SQLITE_OK
}

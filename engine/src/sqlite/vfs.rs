//! The VFS: which files there are. One VFS for each connection, so that nothing is shared and a file is found by
//! pointer.
//!
//! The database is the one name `DATABASE`, opened once. Journals are kept for as long as SQLite wants them
//! (small transactions have none: see `file.rs`), temporary files without a name. ATTACH of anything else
//! that would be a file is refused: two stores cannot commit together.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ffi;
use super::file;
use super::files::{Files, JOURNAL, files};
use crate::error::{ErrorKind, Result};
use crate::scratch::Blocks;
use crate::volume::Volume;

/// Longest file name, in bytes; ours are far shorter.
const MAX_NAME: c_int = 512;

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
        let files = Rc::new(Files::new(volume, blocks));
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

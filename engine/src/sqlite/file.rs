//! The files of the VFS: the database over its volume, and temporary ones.
//!
//! For small transactions the database says that it takes batches of writes at once (`SQLITE_IOCAP_BATCH_ATOMIC`).
//! SQLite then keeps the rollback journal in its own memory instead of in a file, which spares calls; for large ones a
//! file of ours spares copies (see `journal`). Whether a transaction commits this way or that makes no difference: pages
//! are handed on when SQLite is through with all of it (`COMMIT_PHASETWO`, see `volume`).
//!
//! WAL mode is refused: there is no shared memory (`iVersion` 1), and the exclusive locking mode, which could do
//! without, is not entered. There is nothing to gain: the versions in the store are what lets readers of a pinned
//! state and the writer go on side by side.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::budget::count_read;
use super::ffi;
use super::files::{Opened, close_database, forget_journal};
use crate::journal::Journal;
use crate::scratch::ScratchFile;
use crate::store::StoreError;
use crate::volume::Volume;

/// SQLite's file with ours behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// Null when not open.
    opened: *mut Opened,
    vfs: *mut ffi::sqlite3_vfs,
}

/// What a file of ours takes, in bytes.
pub(super) const SIZE: c_int = size_of::<File>() as c_int;

/// Makes it a file that is not open, which SQLite does not close.
///
/// # Safety
/// `file` must have room for [`SIZE`] bytes.
pub(super) unsafe fn clear(file: *mut ffi::sqlite3_file) {
    let base = ffi::sqlite3_file { pMethods: ptr::null() };
    // SAFETY: as the caller promises.
    unsafe { file.cast::<File>().write(File { base, opened: ptr::null_mut(), vfs: ptr::null_mut() }) };
}

/// Makes it an open file.
///
/// # Safety
/// `file` must have room for [`SIZE`] bytes, and `vfs` be the one that opens it.
pub(super) unsafe fn place(file: *mut ffi::sqlite3_file, opened: Opened, vfs: *mut ffi::sqlite3_vfs) {
    let base = ffi::sqlite3_file { pMethods: &raw const METHODS };
    // SAFETY: as the caller promises.
    unsafe { file.cast::<File>().write(File { base, opened: Box::into_raw(Box::new(opened)), vfs }) };
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// `file` must be one that [`place`] opened and that was not closed.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a Opened {
    // SAFETY: as the caller promises.
    unsafe { &*(*file.cast::<File>()).opened }
}

/// Runs `action` with the volume. SQLite's number for its failure; the volume keeps the reason.
fn with_volume(volume: &RefCell<Volume>, action: impl FnOnce(&mut Volume) -> Result<c_int, StoreError>) -> c_int {
    // Borrowed only if a store calls back into the database that called it.
    let Ok(mut volume) = volume.try_borrow_mut() else { return ffi::SQLITE_MISUSE };
    match action(&mut volume) {
        Ok(code) => code,
        Err(error) => {
            let code = number(&error);
            volume.fail(error);
            code
        }
    }
}

/// Runs an action with the journal.
fn with_journal(
    journal: &RefCell<Journal>,
    volume: &RefCell<Volume>,
    action: impl FnOnce(&mut Journal, &mut Volume) -> Result<c_int, StoreError>,
) -> c_int {
    with_volume(volume, |volume| match journal.try_borrow_mut() {
        Ok(mut journal) => action(&mut journal, volume),
        Err(_) => Ok(ffi::SQLITE_MISUSE),
    })
}

/// Runs an action with a temporary file.
fn with_scratch(
    file: &RefCell<ScratchFile>,
    volume: &RefCell<Volume>,
    action: impl FnOnce(&mut ScratchFile) -> Result<c_int, StoreError>,
) -> c_int {
    with_volume(volume, |_| match file.try_borrow_mut() {
        Ok(mut file) => action(&mut file),
        Err(_) => Ok(ffi::SQLITE_MISUSE),
    })
}

/// Only numbers of the families IOERR and FULL make SQLite drop what it has cached.
fn number(error: &StoreError) -> c_int {
    match error {
        StoreError::Io(_) | StoreError::ReadOnly => ffi::SQLITE_IOERR,
        StoreError::Full(_) => ffi::SQLITE_FULL,
        StoreError::Memory => ffi::SQLITE_IOERR_NOMEM,
        StoreError::Damaged(_) => ffi::SQLITE_IOERR_CORRUPTFS,
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once; the box is the one that `place` made.
    unsafe {
        let file = &mut *file.cast::<File>();
        let opened = Box::from_raw(file.opened);
        file.opened = ptr::null_mut();
        if let Opened::Database(volume) = &*opened {
            close_database(file.vfs);
            if let Ok(mut volume) = volume.try_borrow_mut() {
                volume.set_lock(ffi::SQLITE_LOCK_NONE, ffi::SQLITE_LOCK_RESERVED);
            }
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, buffer: *mut c_void, len: c_int, offset: i64) -> c_int {
    let (Ok(len), Ok(offset)) = (usize::try_from(len), u64::try_from(offset)) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: SQLite passes an open file and a buffer of `len` bytes that is nobody else's; they are made initialised
    // before they are a slice.
    let (opened, buffer) = unsafe {
        ptr::write_bytes(buffer.cast::<u8>(), 0, len);
        (opened(file), std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len))
    };
    let code = |whole| if whole { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ };
    match opened {
        Opened::Database(volume) => {
            count_read(len);
            with_volume(volume, |volume| Ok(code(volume.read(offset, buffer)?)))
        }
        Opened::Journal(journal, volume) => {
            with_journal(journal, volume, |journal, volume| Ok(code(journal.read(volume, offset, buffer)?)))
        }
        Opened::Scratch(file, volume) => with_scratch(file, volume, |file| Ok(code(file.read(offset, buffer)?))),
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, bytes: *const c_void, len: c_int, offset: i64) -> c_int {
    let (Ok(len), Ok(offset)) = (usize::try_from(len), u64::try_from(offset)) else { return ffi::SQLITE_IOERR_WRITE };
    // SAFETY: SQLite passes an open file and `len` bytes that nobody changes meanwhile.
    let (opened, bytes) = unsafe { (opened(file), std::slice::from_raw_parts(bytes.cast::<u8>(), len)) };
    let done = |result: Result<(), StoreError>| result.map(|()| ffi::SQLITE_OK);
    match opened {
        Opened::Database(volume) => with_volume(volume, |volume| done(volume.write(offset, bytes))),
        Opened::Journal(journal, volume) => {
            with_journal(journal, volume, |journal, volume| done(journal.write(volume, offset, bytes)))
        }
        Opened::Scratch(file, volume) => with_scratch(file, volume, |file| done(file.write(offset, bytes))),
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    let Ok(size) = u64::try_from(size) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: SQLite passes an open file.
    match unsafe { opened(file) } {
        Opened::Database(volume) => with_volume(volume, |volume| volume.truncate(size).map(|()| ffi::SQLITE_OK)),
        Opened::Journal(journal, volume) => {
            with_journal(journal, volume, |journal, _| journal.truncate(size).map(|()| ffi::SQLITE_OK))
        }
        Opened::Scratch(file, volume) => {
            with_scratch(file, volume, |file| file.truncate(size).map(|()| ffi::SQLITE_OK))
        }
    }
}

unsafe extern "C" fn sync(_file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // The commit is what has to be durable, and is so when the store returns from it.
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: SQLite passes an open file.
    let size = match unsafe { opened(file) } {
        Opened::Database(volume) => volume.try_borrow().map(|volume| volume.size()),
        Opened::Journal(journal, _) => journal.try_borrow().map(|journal| journal.len()),
        Opened::Scratch(file, _) => file.try_borrow().map(|file| file.len()),
    };
    let Ok(size) = size else { return ffi::SQLITE_MISUSE };
    // SAFETY: SQLite passes where to put the answer.
    unsafe { *out = i64::try_from(size).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    match unsafe { opened(file) } {
        Opened::Database(volume) => with_volume(volume, |volume| {
            // There is one connection, so every lock is free.
            let level = volume.lock().max(level);
            volume.set_lock(level, ffi::SQLITE_LOCK_NONE);
            Ok(ffi::SQLITE_OK)
        }),
        Opened::Journal(..) | Opened::Scratch(..) => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let Opened::Database(volume) = (unsafe { opened(file) }) else { return ffi::SQLITE_OK };
    let mut is_left = false;
    let code = with_volume(volume, |volume| {
        is_left = volume.set_lock(level, ffi::SQLITE_LOCK_RESERVED);
        Ok(ffi::SQLITE_OK)
    });
    if is_left {
        // What was not committed is gone. A journal that is still there, because SQLite failed to roll back, has nothing
        // to bring back, and would only be written into the database again.
        // SAFETY: SQLite passes an open file, which `place` gave its VFS.
        unsafe { forget_journal((*file.cast::<File>()).vfs) };
    }
    code
}

unsafe extern "C" fn check_reserved_lock(_file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes where to put the answer. It asks whether anybody else holds the lock.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: SQLite passes an open file.
    let Opened::Database(volume) = (unsafe { opened(file) }) else { return ffi::SQLITE_NOTFOUND };
    match op {
        ffi::SQLITE_FCNTL_BEGIN_ATOMIC_WRITE | ffi::SQLITE_FCNTL_COMMIT_ATOMIC_WRITE => ffi::SQLITE_OK,
        ffi::SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE => with_volume(volume, |volume| {
            volume.discard();
            Ok(ffi::SQLITE_OK)
        }),
        ffi::SQLITE_FCNTL_COMMIT_PHASETWO => with_volume(volume, |volume| {
            volume.commit()?;
            Ok(ffi::SQLITE_OK)
        }),
        // SAFETY: SQLite passes an array of three texts for this one.
        ffi::SQLITE_FCNTL_PRAGMA => unsafe { pragma(argument.cast()) },
        _ => ffi::SQLITE_NOTFOUND,
    }
}

/// Answers `PRAGMA locking_mode` itself: the exclusive mode would make WAL possible, and never drop a lock, which is
/// how a rolled back transaction is told.
///
/// # Safety
/// `arguments` must be those of `SQLITE_FCNTL_PRAGMA`: where to put the answer, the name, the argument or null.
unsafe fn pragma(arguments: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises; the answer is SQLite's own memory, which it frees.
    unsafe {
        let name = CStr::from_ptr(*arguments.add(1));
        if !name.to_bytes().eq_ignore_ascii_case(b"locking_mode") {
            return ffi::SQLITE_NOTFOUND;
        }
        *arguments = ffi::sqlite3_mprintf(c"normal".as_ptr());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    let every = ffi::SQLITE_IOCAP_SAFE_APPEND | ffi::SQLITE_IOCAP_SEQUENTIAL | ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE;
    // SAFETY: SQLite passes an open file.
    match unsafe { opened(file) } {
        Opened::Database(volume) if volume.try_borrow().is_ok_and(|volume| !volume.wants_journal_file()) => {
            every | ffi::SQLITE_IOCAP_BATCH_ATOMIC
        }
        _ => every,
    }
}

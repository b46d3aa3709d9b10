//! What a host lends to the component: a store and a database.

use crate::bindings::pagemark::core::progress::Phase;
use crate::bindings::pagemark::core::{database, store, types};

pub use database::{Files, Part};
pub use store::{Layout, Object};
pub use types::Failure;

/// Where backups go: objects under keys, which are never changed. Keys are segments of text with `/` between them.
pub trait Store: Send + Sync {
    /// How LTX files are named: as Litestream does in a folder, or in a bucket.
    fn layout(&self) -> Layout {
        Layout::Folder
    }

    /// A page of the objects whose keys begin with `prefix`, any text, in the order of the keys' bytes; those that follow
    /// with `cursor`, which came with the page before.
    ///
    /// # Errors
    /// What the store fails with.
    fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, Failure>;

    /// `length` bytes of an object from `offset` on; fewer only where it ends.
    ///
    /// # Errors
    /// `Missing`; what the store fails with.
    fn get(&self, key: &str, offset: u64, length: u32) -> Result<Vec<u8>, Failure>;

    /// Removes an object, whether it is there or not.
    ///
    /// # Errors
    /// What the store fails with.
    fn delete(&self, key: &str) -> Result<(), Failure>;

    /// Begins an object, which stands for the time `modified_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    /// `Exists`, if the store looks that early; what it fails with.
    fn create(&self, key: &str, modified_ms: i64) -> Result<Box<dyn Upload>, Failure>;

    /// Goes on with an object that another process has begun, by the name that [`Upload::keep`] gave.
    ///
    /// # Errors
    /// `Missing` when there is none, or the store cannot.
    fn reopen(&self, name: &str, key: &str, modified_ms: i64) -> Result<Box<dyn Upload>, Failure> {
        let _ = (name, key, modified_ms);
        Err(Failure::Missing)
    }
}

/// A part of a listing: objects by key, and where to go on if there are more.
pub type Listing = store::Page;

/// An object that is written. Dropped without having been finished, nothing of it stays, unless it is kept.
pub trait Upload: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// What the store fails with.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// Makes the object, durably and in one step, unless its key has one.
    ///
    /// # Errors
    /// `Exists`; what the store fails with.
    fn finish(&mut self) -> Result<(), Failure>;

    /// Drops what was appended after the first `size` bytes.
    ///
    /// # Errors
    /// `Missing` when the store cannot.
    fn truncate(&mut self, size: u64) -> Result<(), Failure> {
        let _ = size;
        Err(Failure::Missing)
    }

    /// Has it stay when it is dropped, or not. Returns the name for [`Store::reopen`], if there is one.
    fn keep(&mut self, is_kept: bool) -> Option<String> {
        let _ = is_kept;
        None
    }
}

/// A database, lent as the files that it is. Dropped while it is pinned, it lets go.
pub trait Database: Send {
    /// Keeps the files as one committed moment from now on. Pages may be moved from the log to the file meanwhile.
    ///
    /// # Errors
    /// What the host fails with.
    fn pin(&mut self) -> Result<Files, Failure>;

    /// Bytes of a file, exactly `length`.
    ///
    /// # Errors
    /// `Changed` where it has become shorter; what the host fails with.
    fn read(&mut self, part: Part, offset: u64, length: u32) -> Result<Vec<u8>, Failure>;

    /// Lets go.
    ///
    /// # Errors
    /// `Changed` when the files were not kept.
    fn release(&mut self) -> Result<(), Failure>;
}

/// How far a job is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Pages of the database in `Pages` and `Dump`, else stored bytes.
    pub done: u64,
    /// The same, of all there is to do.
    pub total: u64,
}

/// A failure with a code of its own, which comes out again in [`Error::Store`](crate::Error::Store).
pub(crate) fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure::Failed(types::Reason { code: code.to_owned(), message: message.into() })
}

/// What the system fails with.
pub(crate) fn system(error: &std::io::Error, what: &std::path::Path) -> Failure {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Failure::Missing,
        std::io::ErrorKind::AlreadyExists => Failure::Exists,
        std::io::ErrorKind::StorageFull => {
            failure("STORE_FULL", format!("{}: no room is left; make room, then try again", what.display()))
        }
        _ => failure("STORE_FAILED", format!("{}: {error}", what.display())),
    }
}

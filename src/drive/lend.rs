//! What a host lends: a store, a database, and what surrounds them.

pub use crate::catalog::Layout;
pub use crate::run::{ListedObject, Listing};

/// What comes of a call to the host.
pub type Lent<T> = Result<T, HostError>;

/// Why a host could not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The object is there already.
    Exists,
    /// The object is not there.
    Missing,
    /// The database changed while it was lent: the job takes it anew.
    Changed,
    /// The job is to end, and to leave nothing half-done.
    Canceled,
    /// Anything else.
    Failed {
        /// Shouted, as `STORE_FULL`; stable.
        code: String,
        /// What happened and what to do, in a sentence.
        message: String,
    },
}

/// Where backups go: objects under keys, which are never changed. Keys are text of segments with `/` between them.
pub trait Store {
    /// How LTX files are named: as Litestream does in a folder, or in a bucket.
    fn layout(&self) -> Layout {
        Layout::Folder
    }

    /// A page of the objects whose keys begin with `prefix`, any text, in the order of the keys' bytes; the rest with
    /// `cursor`, which came with the page before.
    ///
    /// # Errors
    /// What the host fails with.
    fn list(&self, prefix: &str, cursor: Option<&str>) -> Lent<Listing>;

    /// `length` bytes of an object from `offset` on; fewer only where it ends.
    ///
    /// # Errors
    /// `Missing`; what the host fails with.
    fn get(&self, key: &str, offset: u64, length: u32) -> Lent<Vec<u8>>;

    /// Removes an object, whether it is there or not.
    ///
    /// # Errors
    /// What the host fails with.
    fn delete(&self, key: &str) -> Lent<()>;

    /// Begins an object, which is there once [`Upload::finish`] returns, or not at all. `modified_ms` is the time it
    /// stands for, in milliseconds since 1970.
    ///
    /// # Errors
    /// `Exists`, if the host looks that early; what it fails with.
    fn create<'a>(&'a self, key: &str, modified_ms: i64) -> Lent<Box<dyn Upload + 'a>>;
}

/// An object that is written. Dropped without having been finished, nothing of it stays.
pub trait Upload {
    /// Appends bytes.
    ///
    /// # Errors
    /// What the host fails with.
    fn append(&mut self, bytes: &[u8]) -> Lent<()>;

    /// Makes the object, durably, unless its key has one.
    ///
    /// # Errors
    /// `Exists`; what the host fails with.
    fn finish(self: Box<Self>) -> Lent<()>;
}

/// A database, lent as the files that it is.
pub trait Database {
    /// Keeps the files as they are from now on, as one committed moment: under a read transaction, say. While they are
    /// kept, pages may be moved from the log to the main file, and commits be added to the log.
    ///
    /// # Errors
    /// What the host fails with.
    fn pin(&self) -> Lent<Files>;

    /// Bytes of a file, exactly `length`.
    ///
    /// # Errors
    /// `Changed` where it has become shorter; what the host fails with.
    fn read(&self, part: Part, offset: u64, length: u32) -> Lent<Vec<u8>>;

    /// Lets go. Called once for each pin that succeeded.
    ///
    /// # Errors
    /// `Changed` when the files were not kept.
    fn release(&self) -> Lent<()>;
}

/// A file of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The database file.
    Main,
    /// The write-ahead log, `-wal`.
    Wal,
}

/// The files of a database that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Size of the database file, in bytes.
    pub main_size: u64,
    /// Size of the write-ahead log, in bytes; 0 when there is none.
    pub wal_size: u64,
    /// Real path of the database, if it has one.
    pub place: Option<String>,
    /// What names the file wherever it is moved to: inode and time of creation, say.
    pub file: Option<String>,
    /// When it came into being, in milliseconds since 1970.
    pub born_ms: Option<i64>,
}

/// What surrounds a job.
pub trait Surroundings {
    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Waits.
    fn wait(&self, ms: u32);

    /// Random bytes that nobody can guess; `None` where the host has none.
    fn random(&self) -> Option<[u8; 24]>;

    /// Takes note of how far the job is; `false` cancels it. Called at least once for every few MiB.
    fn progress(&self, progress: &Progress) -> bool {
        let _ = progress;
        true
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Pages of the database in `Pages` and `Dump`, else stored bytes.
    pub done: u64,
    /// The same, of all there is to do.
    pub total: u64,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looks at pages of the database.
    Pages,
    /// Puts a database together.
    Restore,
    /// Reads what is stored.
    Verify,
    /// Writes SQL.
    Dump,
}

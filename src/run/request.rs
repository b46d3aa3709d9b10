//! What machines ask of their host, and what it answers.

use serde::Serialize;

use crate::catalog::StoredFile;
use crate::catalog::record::{Object, Taken};

/// Names a request, so that answers may come in any order.
pub type Id = u32;

/// Something to do. Every request is answered once, in any order: with [`Answer::Done`] unless it says otherwise, or
/// with [`Answer::Failed`]. To JavaScript it is an object whose `kind` is the variant's name; bytes and numbers of pages go
/// beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// A page of the objects whose keys begin with `prefix`: [`Answer::Listing`].
    List {
        /// Any text, not only whole segments.
        prefix: String,
        /// From the page before.
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    },
    /// The first `most` bytes of an object: [`Answer::Bytes`], or a failure of the kind `Missing`.
    Get {
        /// The object's key.
        key: String,
        /// In bytes.
        most: u32,
    },
    /// Stores an object that must not be there yet; a failure of the kind `Exists` when it is.
    Put {
        /// The object's key.
        key: String,
        /// The time it stands for, in milliseconds since 1970.
        modified_ms: i64,
        /// All of it.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Removes an object, whether it is there or not.
    Delete {
        /// The object's key.
        key: String,
    },
    /// Removes an object because a user wants it gone; unlike [`Request::Delete`], not once the job was canceled.
    Remove {
        /// The object's key.
        key: String,
    },
    /// The next bytes of an object that is read from its start: [`Answer::Bytes`], none at its end, once its digest was
    /// proved; a failure of the kind `Damaged` when that is another. Several objects may be read at a time.
    Read {
        /// The object's key.
        key: String,
        /// What its record says of it.
        proof: Object,
    },
    /// Reads an object from its start to its end and proves its digest; fails as [`Request::Read`] does.
    Prove {
        /// Which.
        file: StoredFile,
        /// How long it was when it was listed, in bytes; another length is damage. Missing when it was not there.
        #[serde(skip_serializing_if = "Option::is_none")]
        listed: Option<u64>,
        /// All that will be proved, in bytes.
        total: u64,
    },
    /// Puts a chain together as a restore does, and proves what comes out; fails as [`Request::Read`] does.
    PutTogether {
        /// LTX files, oldest first.
        files: Vec<StoredFile>,
        /// The bookmark whose database checksum must come out; none where no record says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        bookmark: Option<String>,
    },
    /// An object that was begun to be read is not read any further.
    Close {
        /// The object's key.
        key: String,
    },
    /// Holds a moment of the source: [`Answer::Pinned`].
    Pin {
        /// The source's mark at the last backup.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// The source's bookmark of the state wanted; the newest when it is missing.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// Pages of the moment: [`Answer::Bytes`].
    ReadPages {
        /// Number of the first.
        first: u32,
        /// How many.
        count: u32,
    },
    /// Lets the moment go; fails when it did not hold.
    Release,
    /// Opens a stored backup, so that single pages can be read.
    OpenStored {
        /// Its chain, oldest first.
        files: Vec<StoredFile>,
        /// Size of the database's pages, in bytes.
        page_size: u32,
        /// Size of the database, in pages.
        page_count: u32,
    },
    /// A page of the stored backup: [`Answer::Bytes`].
    ReadStored {
        /// Its number.
        pgno: u32,
    },
    /// Closes the stored backup.
    CloseStored,
    /// Gets ready to pack: [`Answer::Packers`].
    OpenPackers {
        /// Size of a page, in bytes.
        page_size: u32,
        /// How much there is to pack, in bytes.
        total: u64,
    },
    /// Reads pages of the moment and packs them ([`crate::snapshot::Packer`]), as soon as those asked for before were
    /// read: [`Answer::Bytes`], the summary. The frames are kept for [`Request::AppendPacked`].
    Pack {
        /// First page and count of each run.
        #[serde(skip)]
        runs: Vec<u32>,
        /// Fingerprints of these pages at the last backup, 24 bytes each, zeros for one that was not there; none to pack all.
        #[serde(skip)]
        states: Option<Vec<u8>>,
    },
    /// Begins a file of the backup; nothing is stored yet.
    Create {
        /// Which.
        file: File,
        /// Under which it is to be stored.
        key: String,
        /// The time it stands for, in milliseconds since 1970.
        modified_ms: i64,
    },
    /// Appends bytes to a file.
    Append {
        /// Which.
        file: File,
        /// What comes next in it.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Appends the frames of a pack to the LTX file and these bytes to the fingerprint file, and tells how far the job is.
    AppendPacked {
        /// The request that packed them.
        pack: Id,
        /// What comes next in the fingerprint file.
        #[serde(skip)]
        fingerprints: Vec<u8>,
        /// Pages looked at.
        done: u32,
        /// Pages in all.
        total: u32,
        /// Size of the pages read, in bytes.
        read: u64,
    },
    /// Makes the object of all that was appended, unless its key is taken (a failure of the kind `Exists`):
    /// [`Answer::Proof`].
    Finish {
        /// Which.
        file: File,
    },
    /// Gives a file up: nothing of it stays in the store, nor its object, if [`Request::Finish`] has made it.
    Abort {
        /// Which.
        file: File,
    },
    /// Waits.
    Wait {
        /// In milliseconds.
        ms: u32,
    },
    /// The job can be saved now. A host that goes on answers; one that does not lets the machine go.
    Save,
}

/// A file that a backup writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum File {
    /// The pages.
    Ltx,
    /// Their fingerprints.
    Fingerprints,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// Bytes.
    Bytes(Vec<u8>),
    /// Objects of the store.
    Listing(Listing),
    /// A moment is held.
    Pinned(Pinned),
    /// Pages can be packed.
    Packers(Packers),
    /// A file is stored.
    Proof(Object),
    /// It could not be done.
    Failed(HostFailure),
}

/// A page of objects.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// By key.
    pub objects: Vec<ListedObject>,
    /// There are more: ask again with it.
    pub cursor: Option<String>,
}

/// An object of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// In the store.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// When it was put, or the time it was put with; in milliseconds since 1970.
    pub modified_ms: i64,
}

/// One committed moment of a source.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// In bytes.
    pub page_size: u32,
    /// In the database.
    pub page_count: u32,
    /// Whether it is the moment at which it was asked for, or one after.
    pub taken: Taken,
    /// Where the source stands, in its own words.
    pub mark: Option<String>,
    /// The source's name for the state.
    pub bookmark: Option<String>,
    /// Database checksum, 16 hex digits.
    pub checksum: Option<String>,
    /// The same at the moment of `since`.
    pub checksum_before: Option<String>,
    /// Real path of the database.
    pub place: Option<String>,
    /// What names the database wherever it is moved to.
    pub file: Option<String>,
    /// When it came into being there, in milliseconds since 1970.
    pub born_ms: Option<f64>,
    /// Pages that follow in the file behind the database's stated end.
    pub beyond: u32,
    /// Pages that changed since the moment of `since`, ascending, each once; missing where that is not known.
    pub changed: Option<Vec<u32>>,
}

/// How pages are packed best.
#[derive(Clone, Copy, Debug)]
pub struct Packers {
    /// Batches at a time.
    pub concurrency: u32,
    /// Size of a batch, in bytes of pages.
    pub batch: u32,
}

/// Why a host could not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFailure {
    /// What the machine must know of it.
    pub kind: FailureKind,
    /// By which the host knows it again.
    pub token: u32,
}

/// What of a host's failure matters to machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The object is there already.
    Exists,
    /// The object is not there.
    Missing,
    /// What is stored is not what was stored.
    Damaged,
    /// The source changed while it was read.
    Changed,
    /// Nothing was begun, as the job was canceled.
    Canceled,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// Whether it says that what is stored is not what was stored.
    pub fn is_of_store(self) -> bool {
        matches!(self, Self::Missing | Self::Damaged)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Self {
        match name {
            "exists" => Self::Exists,
            "missing" => Self::Missing,
            "damaged" => Self::Damaged,
            "changed" => Self::Changed,
            "canceled" => Self::Canceled,
            _ => Self::Other,
        }
    }
}

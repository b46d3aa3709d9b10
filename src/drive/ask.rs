//! What jobs ask of their host, and what it gives.

use super::fault::{Done, Fault};
use super::lend::{Files, HostError, Lent, Listing, Part, Phase, Progress};
use crate::run::{Host, Reply};

/// Names an object that is being written, within a job.
pub type UploadId = u32;

/// Something for the host to do. Each is answered once: with [`Given::Done`] unless it says otherwise, or with
/// [`Given::Failed`]. A job that is answered with [`HostError::Canceled`] ends, and leaves nothing half-done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A page of the objects whose keys begin with `prefix`, or those that follow them by `cursor`: [`Given::Listing`].
    List {
        /// Any text.
        prefix: String,
        /// From the page before.
        cursor: Option<String>,
    },
    /// Bytes of an object, fewer only where it ends: [`Given::Bytes`].
    Get {
        /// The object's key.
        key: String,
        /// In bytes.
        offset: u64,
        /// In bytes.
        length: u32,
    },
    /// Removes an object, whether it is there or not.
    Delete {
        /// The object's key.
        key: String,
    },
    /// Begins an object.
    Create {
        /// Its name from here on.
        upload: UploadId,
        /// The object's key.
        key: String,
        /// The time it stands for, in milliseconds since 1970.
        modified_ms: i64,
    },
    /// Goes on with an object that was begun before the job was saved. What was appended after its first `size` bytes is
    /// dropped.
    Resume {
        /// Its name from here on.
        upload: UploadId,
        /// The object's key.
        key: String,
        /// The time it stands for, in milliseconds since 1970.
        modified_ms: i64,
        /// In bytes.
        size: u64,
    },
    /// Appends at most 256 KiB to an object.
    Append {
        /// Which.
        upload: UploadId,
        /// What comes next in it.
        bytes: Vec<u8>,
    },
    /// Makes an object, durably and in one step, unless its key has one.
    Finish {
        /// Which.
        upload: UploadId,
    },
    /// Gives an object up that is not finished: nothing of it stays. Nothing waits for the answer.
    Abort {
        /// Which.
        upload: UploadId,
    },
    /// Keeps the database's files as one committed moment: [`Given::Pinned`].
    Pin,
    /// Bytes of a file of the database, exactly `length`: [`Given::Bytes`].
    Read {
        /// Which.
        part: Part,
        /// In bytes.
        offset: u64,
        /// At most 256 KiB.
        length: u32,
    },
    /// Lets the database go.
    Release,
    /// Takes the next bytes of a restored database or of SQL, at most 256 KiB.
    Write {
        /// What comes next.
        bytes: Vec<u8>,
    },
    /// Waits.
    Wait {
        /// In milliseconds.
        ms: u32,
    },
    /// Takes note of how far the job is.
    Progress(Progress),
    /// The job can be saved now, if it is wanted.
    Save,
}

/// What the host gives.
#[derive(Clone, Debug)]
pub enum Given {
    /// It is done.
    Done,
    /// Objects.
    Listing(Listing),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The files that are kept.
    Pinned(Files),
    /// It could not be done.
    Failed(HostError),
}

impl Reply for Given {
    type Failure = HostError;

    fn settled(self) -> Lent<Self> {
        match self {
            Self::Failed(error) => Err(error),
            given => Ok(given),
        }
    }
}

/// What a job asks its host through.
#[derive(Clone)]
pub(super) struct Lender(Host<Ask, Given>);

impl Lender {
    pub(super) fn new(host: Host<Ask, Given>) -> Self {
        Self(host)
    }

    /// In milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    pub(super) async fn list(&self, prefix: &str, cursor: Option<&str>) -> Done<Listing> {
        let ask = Ask::List { prefix: prefix.to_owned(), cursor: cursor.map(str::to_owned) };
        match self.0.call(ask).await.map_err(|error| Fault::lent(error, prefix))? {
            Given::Listing(listing) => Ok(listing),
            _ => Err(other()),
        }
    }

    /// At most `length` bytes; fewer only where the object ends, or where the host makes pauses.
    pub(super) async fn get(&self, key: &str, offset: u64, length: u32) -> Done<Vec<u8>> {
        let bytes = self.bytes(Ask::Get { key: key.to_owned(), offset, length }, key).await?;
        if bytes.len() > length as usize {
            return Err(Fault::host(format_args!("gives {} bytes of {key} instead of {length}", bytes.len())));
        }
        Ok(bytes)
    }

    pub(super) async fn delete(&self, key: &str) -> Done<()> {
        self.done(Ask::Delete { key: key.to_owned() }, key).await
    }

    /// Whatever has no other answer than that it is done; `name` is what it is about.
    pub(super) async fn done(&self, ask: Ask, name: &str) -> Done<()> {
        self.lent(ask).await.map_err(|error| Fault::lent(error, name))
    }

    pub(super) async fn lent(&self, ask: Ask) -> Lent<()> {
        self.0.call(ask).await.map(drop)
    }

    /// Nothing waits for the answer.
    pub(super) fn post(&self, ask: Ask) {
        self.0.post(ask);
    }

    pub(super) async fn pin(&self, name: &str) -> Done<Files> {
        match self.0.call(Ask::Pin).await.map_err(|error| Fault::lent(error, name))? {
            Given::Pinned(files) => Ok(files),
            _ => Err(other()),
        }
    }

    /// Exactly `length` bytes of a file of the database `name`.
    pub(super) async fn read(&self, part: Part, offset: u64, length: u32, name: &str) -> Done<Vec<u8>> {
        let bytes = self.bytes(Ask::Read { part, offset, length }, name).await?;
        match bytes.len() {
            got if got == length as usize => Ok(bytes),
            got if got < length as usize => Err(Fault::changed()),
            got => Err(Fault::host(format_args!("gives {got} bytes of a database instead of {length}"))),
        }
    }

    pub(super) async fn write(&self, bytes: Vec<u8>) -> Done<()> {
        self.done(Ask::Write { bytes }, "the output").await
    }

    /// Tells of progress.
    ///
    /// # Errors
    /// When the job is canceled.
    pub(super) async fn tell(&self, phase: Phase, done: u64, total: u64) -> Done<()> {
        self.done(Ask::Progress(Progress { phase, done, total }), "the host").await
    }

    async fn bytes(&self, ask: Ask, name: &str) -> Done<Vec<u8>> {
        match self.0.call(ask).await.map_err(|error| Fault::lent(error, name))? {
            Given::Bytes(bytes) => Ok(bytes),
            _ => Err(other()),
        }
    }
}

fn other() -> Fault {
    Fault::host("answers with something else than it was asked for")
}

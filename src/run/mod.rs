//! One machine for each job: what a backup, a restore, a verification or a removal does, step by step, without doing it.
//!
//! A machine says what to do next ([`Request`]), its host does it in whatever way it has (files, R2, OPFS, a test's map)
//! and says what came of it ([`Answer`]). The order of calls:
//!
//! ```text
//!             ┌──────────────────────────────────────────────┐
//!             ▼                                              │
//!  begin ─▶ poll ──(id, request)──▶ the host performs it ──▶ answer(id, …)
//!             │                     several may be under way, and be answered in any order
//!             └──nothing──▶ take_outcome: what the job came to, or nothing while requests are under way
//! ```
//!
//! A backup can be saved whenever it asks [`Request::Save`], and be begun again from that by another process: each step
//! from a saved state may be made twice. Read-ahead and how many requests are under way are the machine's; the pace, the
//! threads and proving an object's SHA-256 as it is read are the host's.

mod ask;
mod backup;
mod draft;
mod host;
mod identify;
mod load;
mod notes;
mod pages;
mod phases;
mod remove;
mod request;
mod saved;
mod states;
mod story;
mod survey;
#[cfg(test)]
mod tests;
mod verify;

pub use backup::Backup;
pub use host::{Call, Host, Machine, Outcome, Reply, Telling};
pub use load::{Known, Place, load, load_for};
pub use notes::{BackupOptions, Made};
pub use remove::remove;
pub use request::{Answer, FailureKind, File, HostFailure, Id, ListedObject, Listing, Packers, Pinned, Request};
pub use saved::{Lack, Phase};
pub use survey::{StoredDatabase, survey};
pub use verify::{Verification, Wrong, verify};

use crate::catalog::PlanError;
use crate::catalog::identity::Sign;
use crate::error::{Error, ErrorKind};

/// Why a job came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What the core found wrong, and the key of the object in which it did, if it is of one.
    Core(Error, Option<String>),
    /// What the host could not do.
    Host(HostFailure),
    /// The chain's backups are of another database.
    OtherDatabase(Sign),
    /// All backups in the folder were made under another name.
    OtherName {
        /// That name.
        name: String,
        /// The folder.
        folder: String,
    },
    /// Another backup was quicker.
    Conflict,
    /// The schema points behind the database's stated end; the page where it does.
    CutOff(Error),
    /// The source gives another state than the one that is backed up.
    OtherState {
        /// Its bookmark.
        given: String,
        /// That of the other.
        wanted: String,
    },
    /// The history does not allow it.
    Plan(PlanError),
    /// The store does not delete: so many of all objects that must go are gone.
    Undeleted {
        /// What the host could not do.
        failure: HostFailure,
        /// Deleted, of `total`.
        gone: u32,
        /// All, with the note of what must go.
        total: u32,
    },
    /// The fingerprints that an incremental backup needs are damaged or lost.
    LostFingerprints,
    /// The failure in it; what was to be stored may be there all the same.
    Unsure(Box<Failure>),
}

impl Failure {
    /// Whether what the job has begun in the store is to be taken back.
    fn leaves_nothing(&self) -> bool {
        !matches!(self, Self::Conflict | Self::Unsure(_))
    }

    /// Without the doubt.
    fn plain(self) -> Self {
        match self {
            Self::Unsure(failure) => *failure,
            other => other,
        }
    }
}

impl From<HostFailure> for Failure {
    fn from(failure: HostFailure) -> Self {
        Self::Host(failure)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error, None)
    }
}

impl From<ErrorKind> for Failure {
    fn from(kind: ErrorKind) -> Self {
        Error::from(kind).into()
    }
}

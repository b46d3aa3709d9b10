//! Runs jobs to their end for a host that answers at once: the machines of [`crate::run`] with all that their requests
//! need but the store, the pages and the clock, which the host lends ([`lend`]).
//!
//! Still nothing here opens a file or a connection: a host implements [`Store`], [`Database`] and [`Surroundings`], some
//! dozen functions, and has every job of [`Backups`].
//!
//! Memory: at most some 24 MiB, and 30 bytes for each page of the database.

mod ask;
mod backup;
mod backups;
#[cfg(feature = "dump")]
mod dump;
mod fault;
mod folder;
mod job;
pub mod lend;
mod machine;
mod moment;
mod object;
mod perform;
mod restore;
mod saved;
mod stored;
mod subject;
#[cfg(test)]
mod tests;
mod upload;
mod verify;

pub use ask::{Ask, Given, UploadId};
pub use backup::Options;
pub use backups::{Backups, databases, warnings};
#[cfg(feature = "dump")]
pub use dump::Dumped;
pub use fault::Fault;
pub use job::{Job, Of};
pub use lend::{Database, Files, HostError, Lent, Part, Phase, Progress, Store, Surroundings, Upload};
pub use restore::Restored;
pub use verify::Verified;

/// What is asked of the host at a time, in bytes, and what is handed to it.
const TRANSFER: u32 = 256 << 10;

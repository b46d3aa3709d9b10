//! Page-level backups of SQLite databases by Pagemark's WebAssembly component, under wasmtime.
//!
//! The component can do what this crate lends it, and no more: no file, no socket, only objects of a [`Store`] and pages of
//! a [`Database`]. [`Limits`] bound its memory and its work; a job that meets one ends with an error, and what is listed in
//! the store stays whole. [`engine`] is SQLite with bookmarks, held to the same limits.
//!
//! ```no_run
//! use std::sync::Arc;
//! use pagemark_host::{FileDatabase, FolderStore, Limits, Pagemark};
//!
//! # fn main() -> Result<(), pagemark_host::Error> {
//! let pagemark = Pagemark::new(Limits { memory: 64 << 20, fuel: None })?;
//! let backups = pagemark.backups("app", Arc::new(FolderStore::new("backups")));
//! let made = backups.create(FileDatabase::new("app.db"), &Default::default(), |progress| {
//!     eprintln!("{} of {}", progress.done, progress.total);
//!     true // `false` cancels it.
//! })?;
//! backups.restore("restored.db", &made.backup.id, |_| true)?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod backups;
mod bindings;
pub mod engine;
mod error;
mod file;
mod folder;
mod job;
mod lend;
mod limits;
mod pagemark;
mod steps;

pub use backups::{Backups, Options};
pub use bindings::exports::pagemark::core::jobs::{
    Backup, Dialect, DumpOptions, Kind, Made, Restored, StoredDatabase, StoredFile, Verification,
};
pub use bindings::pagemark::core::progress::Phase;
pub use bindings::pagemark::core::types::{Fault, Place};
pub use error::{Error, Result};
pub use file::FileDatabase;
pub use folder::FolderStore;
pub use lend::{Database, Failure, Files, Layout, Listing, Object, Part, Progress, Store, Upload};
pub use limits::Limits;
pub use pagemark::Pagemark;
pub use steps::Steps;

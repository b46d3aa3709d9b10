//! SQLite's C interface, and the VFS over a [`Volume`](crate::volume::Volume).
//!
//! What SQLite calls back into holds for all of it: SQLite calls a VFS and its files with the pointers it was given,
//! on the thread that called SQLite, and never again after closing or unregistering them. A [`Connection`] and its
//! statements stay on one thread, because they hold an `Rc`.

#![allow(unsafe_code, reason = "SQLite's interface is C; every use says why it is sound")]

mod budget;
mod connection;
mod ffi;
mod file;
mod files;
mod functions;
#[cfg(target_arch = "wasm32")]
pub(crate) mod host;
mod limits;
mod statement;
mod vfs;

#[cfg(target_arch = "wasm32")]
pub(crate) use budget::{count_allocated, count_moved};
pub(crate) use connection::{AUTH, CANTOPEN, CONSTRAINT_FOREIGN_KEY, Compacted, Connection, ERROR, set_heap_limit};
pub(crate) use statement::{Statement, Step};

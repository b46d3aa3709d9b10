//! SQLite on a store of page versions.
//!
//! Every commit of SQLite is one call with the changed pages ([`store::PageStore::commit`]), has a number (TXID), a
//! database checksum and so a bookmark, and is a state that can be read and gone back to for as long as a pin or the
//! history window holds it. The engine reads no clock and draws no random number: both are arguments.
//!
//! One connection to a database: a second is refused. SQLite's locks then have nobody to keep out, and a backup does
//! not need one: it reads the pages of a pinned state while the one connection goes on writing.
//!
//! Lower layers know nothing of higher ones:
//!
//! | layer | modules |
//! | --- | --- |
//! | 0 | [`error`], [`rows`] |
//! | 1 | [`store`]: where page versions are kept; [`history`]: which of them are needed |
//! | 2 | `volume`: the database file as SQLite sees it, and the commit; `scratch`: the temporary files beside it |
//! | 3 | `journal`: the rollback journal of the database, which refers to the volume's pages |
//! | 4 | `sqlite`: SQLite's C interface, and the VFS over the volume |
//! | 5 | [`database`]; `memory` (on wasm32) |
//! | 6 | `bind`, `component` (on wasm32): JavaScript, or a host of components |
//!
//! Unsafe code is in `sqlite`, and in `memory`, which gives out and copies wasm's; nowhere else but where wit-bindgen declares
//! the component's exports.

pub mod database;
pub mod error;
pub mod history;
pub mod rows;
pub mod store;

mod journal;
mod scratch;
mod sqlite;
mod volume;

#[cfg(target_arch = "wasm32")]
mod memory;

#[cfg(all(target_arch = "wasm32", feature = "bind"))]
mod bind;
#[cfg(all(target_arch = "wasm32", feature = "component"))]
mod component;

#[cfg(test)]
mod tests;

pub use database::{Database, Options};
pub use error::{Error, ErrorKind, Result};

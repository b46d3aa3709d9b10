//! Pagemark's core: page-level backups of SQLite databases, as LTX files that prove what they hold.
//!
//! Sans-IO: nothing in this crate opens, fetches, logs, sleeps, reads a clock or draws a random number. Bytes, the
//! time and random numbers are arguments; what comes back is bytes, or what is needed next. So the same code runs over
//! a file, a browser's OPFS handle, a ranged read from a bucket and a test's array, and stops between any two steps.
//!
//! Lower layers know nothing of higher ones:
//!
//! | layer | modules |
//! | --- | --- |
//! | 0 | [`error`], [`bytes`], [`sql`], `json` |
//! | 1 | [`page`] |
//! | 2 | [`btree`], [`ltx`], [`bookmark`] |
//! | 3 | [`snapshot`], [`build`], `salvage` (with the dump's feature) |
//! | 4 | [`catalog`], [`compare`], [`subset`], `dump` (with its feature) |
//! | 5 | [`job`], [`run`], `statement` (with its feature) |
//! | 6 | [`drive`] |
//! | 7 | `wasm`, `component` (on wasm32) |
//!
//! # Backing up from Rust
//!
//! [`drive`] does whole jobs for a host that lends a store, a database and a clock. All of such a host, with a folder as
//! the store:
//!
//! ```ignore
#![doc = include_str!("drive/tests/example.rs")]
//! ```

#![cfg_attr(not(feature = "component"), forbid(unsafe_code))]

#[cfg(test)]
extern crate self as pagemark;

pub mod bookmark;
pub mod btree;
pub mod build;
pub mod bytes;
pub mod catalog;
pub mod compare;
pub mod drive;
#[cfg(feature = "dump")]
pub mod dump;
pub mod error;
pub mod job;
mod json;
pub mod ltx;
pub mod page;
pub mod run;
#[cfg(feature = "dump")]
pub mod salvage;
pub mod snapshot;
pub mod sql;
#[cfg(feature = "statement")]
pub mod statement;
pub mod subset;

#[cfg(all(target_arch = "wasm32", feature = "component"))]
mod component;
#[cfg(all(target_arch = "wasm32", feature = "bind"))]
mod wasm;

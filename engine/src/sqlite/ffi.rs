//! One name for SQLite's C interface, whichever crate carries it.

#[cfg(not(target_arch = "wasm32"))]
pub(super) use libsqlite3_sys::*;
#[cfg(target_arch = "wasm32")]
pub(super) use sqlite_wasm_rs::*;

//! The boundary to JavaScript: copies bytes in and out, maps errors, decides nothing.
//!
//! Errors become `Error` objects with the name `CoreError`, `code` and, where known, `offset`, `page` or `txid`.
//! TXIDs and checksums are hex text, because a `number` does not hold 64 bits.

#![allow(unreachable_pub, reason = "JavaScript reaches what no Rust module does")]

#[cfg(feature = "bind-build")]
mod build;
#[cfg(feature = "bind-core")]
mod catalog;
#[cfg(feature = "bind-core")]
mod compare;
#[cfg(feature = "bind-dump")]
mod dump;
#[cfg(feature = "bind-dump")]
mod dump_part;
#[cfg(feature = "bind-core")]
mod identity;
#[cfg(feature = "bind-core")]
mod job;
#[cfg(feature = "bind-core")]
mod page;
#[cfg(feature = "bind-dump")]
mod salvage;
#[cfg(feature = "bind-core")]
mod snapshot;
#[cfg(feature = "bind-dump")]
mod statements;

use wasm_bindgen::prelude::*;

use crate::error::{At, Error, ErrorKind};

// The engine, which has modules of its own, uses what follows.
#[cfg(any(feature = "bind-build", feature = "bind-core", feature = "bind-dump"))]
type JsResult<T> = Result<T, JsValue>;

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let js = js_sys::Error::new(error.kind.message());
        let set = |key: &str, value: JsValue| {
            // Setting a property of a fresh object cannot fail.
            let _ = js_sys::Reflect::set(&js, &key.into(), &value);
        };
        // Tells it from errors of the host or of a caller, which may have a code of their own.
        set("name", "CoreError".into());
        set("code", error.kind.code().into());
        match error.at {
            At::Input => {}
            At::Offset(offset) => set("offset", (offset as f64).into()),
            At::Page(page) => set("page", page.into()),
            At::Row(rowid) => set("row", rowid.to_string().into()),
            At::Txid(txid) => set("txid", format!("{txid:016x}").into()),
        }
        js.into()
    }
}

impl From<ErrorKind> for JsValue {
    fn from(kind: ErrorKind) -> Self {
        Error::from(kind).into()
    }
}

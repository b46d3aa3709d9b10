//! The boundary to JavaScript: copies bytes in and out, maps errors, decides nothing.
//!
//! What is thrown is an error of the package already, made by js/src/core/errors.ts from the class, the code, the finished
//! message and the place. TXIDs and checksums are hex text, because a `number` does not hold 64 bits.

#![allow(unreachable_pub, reason = "JavaScript reaches what no Rust module does")]

#[cfg(feature = "bind-build")]
mod build;
#[cfg(feature = "bind-core")]
mod catalog;
#[cfg(feature = "bind-subset")]
mod compare;
#[cfg(feature = "bind-dump")]
mod dump;
#[cfg(feature = "bind-dump")]
mod dump_part;
#[cfg(feature = "bind-core")]
mod job;
#[cfg(feature = "bind-locality")]
mod locality;
#[cfg(feature = "bind-core")]
mod page;
#[cfg(feature = "bind-core")]
mod proof;
#[cfg(feature = "bind-core")]
mod run;
#[cfg(feature = "bind-dump")]
mod salvage;
#[cfg(feature = "bind-core")]
mod snapshot;
#[cfg(feature = "bind-statement")]
mod statement;
#[cfg(feature = "bind-dump")]
mod statements;
#[cfg(feature = "bind-subset")]
mod subset;
#[cfg(feature = "bind-core")]
mod tail;
#[cfg(feature = "bind-core")]
mod told;

use wasm_bindgen::prelude::*;

use crate::error::{At, Error, ErrorKind};

// The engine, which has modules of its own, uses what follows.
#[cfg(any(
    feature = "bind-build",
    feature = "bind-core",
    feature = "bind-dump",
    feature = "bind-locality",
    feature = "bind-subset",
    feature = "bind-statement"
))]
type JsResult<T> = Result<T, JsValue>;

#[wasm_bindgen(raw_module = "../../core/errors.js")]
extern "C" {
    #[wasm_bindgen(js_name = coreError)]
    fn core_error(class: &str, code: &str, message: &str, place: &str, number: f64, digits: &str) -> JsValue;
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        // Numbers of 64 bits cross as digits.
        let (place, number, digits) = match error.at {
            At::Input => ("", 0.0, String::new()),
            At::Offset(offset) => ("offset", offset as f64, String::new()),
            At::Page(page) => ("page", page.into(), String::new()),
            At::Row(rowid) => ("row", 0.0, rowid.to_string()),
            At::Txid(txid) => ("txid", 0.0, format!("{txid:016x}")),
        };
        let kind = error.kind;
        core_error(kind.class().name(), kind.code(), &error.to_string(), place, number, &digits)
    }
}

/// A structure as it crosses: what `JSON.parse` would make of it.
#[cfg(any(feature = "bind-core", feature = "bind-statement", feature = "bind-subset"))]
fn structure(value: &impl serde::Serialize) -> JsResult<JsValue> {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).map_err(|_| ErrorKind::Usage.into())
}

impl From<ErrorKind> for JsValue {
    fn from(kind: ErrorKind) -> Self {
        Error::from(kind).into()
    }
}

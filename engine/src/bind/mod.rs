//! The boundary to JavaScript: copies bytes in and out, maps errors, decides nothing.
//!
//! What is thrown is an error of the package already, made by js/src/core/errors.ts: with SQLite's extended code, the byte
//! offset in the SQL text or the line of an import where known, and what a store threw as its cause. TXIDs, checksums and lineages are hex
//! text, because a `number` does not hold 64 bits; only a store gets TXIDs as numbers, up to 2^53.

#![allow(unreachable_pub, reason = "JavaScript reaches what no Rust module does")]

mod database;
mod scratch;
mod states;
mod store;
mod values;
mod whole;

use std::cell::RefCell;

use pagemark::bookmark::Lineage;
use pagemark::page::Txid;
use wasm_bindgen::prelude::*;

use crate::error::{Error, ErrorKind};

type JsResult<T> = Result<T, JsValue>;

thread_local! {
    /// What a store threw in the call that is under way.
    static CAUSE: RefCell<Option<JsValue>> = const { RefCell::new(None) };
}

#[wasm_bindgen(raw_module = "../../core/errors.js")]
extern "C" {
    #[wasm_bindgen(js_name = engineError)]
    fn engine_error(
        class: &str,
        code: &str,
        message: &str,
        sqlite: Option<i32>,
        offset: Option<u32>,
        line: Option<f64>,
        cause: JsValue,
    ) -> JsValue;
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        // A store may have thrown in what needed not succeed.
        let is_of_store = matches!(error.kind, ErrorKind::Store | ErrorKind::Full | ErrorKind::Damaged);
        let cause = CAUSE.take().filter(|_| is_of_store).unwrap_or(JsValue::UNDEFINED);
        let Error { sqlite, offset, .. } = error;
        let line = error.line.map(|line| line as f64);
        engine_error(error.kind.class().name(), error.code(), &error.to_string(), sqlite, offset, line, cause)
    }
}

impl From<ErrorKind> for JsValue {
    fn from(kind: ErrorKind) -> Self {
        Error::from(kind).into()
    }
}

/// Sets, once for the module, what local time minus UTC is, for SQL's `localtime`: in seconds, at a time in seconds since 1970.
#[wasm_bindgen(js_name = setUtcOffset)]
pub fn set_utc_offset(function: js_sys::Function) {
    crate::sqlite::host::set_utc_offset(Box::new(move |seconds| {
        let offset = function.call1(&JsValue::UNDEFINED, &(seconds as f64).into()).ok()?;
        Some(offset.as_f64()? as i32)
    }));
}

/// Limits the memory of SQLite itself over all databases of the module, in bytes; 0 is no limit.
#[wasm_bindgen(js_name = setHeapLimit)]
pub fn set_heap_limit(bytes: f64) {
    crate::Database::set_heap_limit(bytes as u64);
}

fn lineage(text: &str) -> JsResult<Lineage> {
    Ok(Lineage::parse(text).ok_or(pagemark::error::ErrorKind::Usage)?)
}

fn txid(text: &str) -> JsResult<Txid> {
    Ok(Txid::parse(text).ok_or(pagemark::error::ErrorKind::Usage)?)
}

/// An object of named values.
fn object<const N: usize>(entries: [(&str, JsValue); N]) -> js_sys::Object {
    let object = js_sys::Object::new();
    for (key, value) in entries {
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&object, &key.into(), &value);
    }
    object
}

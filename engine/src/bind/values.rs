//! What crosses between the engine and a store of JavaScript's.

use js_sys::{Array, Reflect, Uint8Array, Uint32Array};
use pagemark::page::{Checksum, PageSize, Pgno, Txid};
use wasm_bindgen::prelude::*;

use super::CAUSE;
use crate::store::{CommitRecord, StoreError};

/// Page numbers, and a copy of each page.
pub(super) fn copies(pages: &[(Pgno, Box<[u8]>)]) -> (Uint32Array, Array) {
    let count = pages.len() as u32;
    let pgnos = Uint32Array::new_with_length(count);
    let copies = Array::new_with_length(count);
    for (index, (pgno, page)) in (0..).zip(pages) {
        pgnos.set_index(index, pgno.value());
        copies.set(index, Uint8Array::from(&**page).into());
    }
    (pgnos, copies)
}

/// Keeps what was thrown for the error that JavaScript will see, and reads from it whether the store is full.
pub(super) fn thrown(value: JsValue) -> StoreError {
    let error = read(&value);
    CAUSE.set(Some(value));
    error
}

/// As [`thrown`], for calls that need not succeed: an earlier failure is kept instead.
pub(super) fn thrown_beside(value: JsValue) -> StoreError {
    let error = read(&value);
    CAUSE.with_borrow_mut(|cause| cause.get_or_insert(value).clone());
    error
}

fn read(value: &JsValue) -> StoreError {
    let text = |key: &str| Reflect::get(value, &key.into()).ok().and_then(|value| value.as_string());
    let message: Box<str> = text("message").or_else(|| value.as_string()).unwrap_or_default().into();
    let full = text("name").is_some_and(|name| name == "QuotaExceededError")
        || text("code").is_some_and(|code| matches!(&*code, "ENGINE_FULL" | "STORE_FULL" | "ENOSPC" | "EDQUOT"));
    if full { StoreError::Full(message) } else { StoreError::Io(message) }
}

pub(super) fn wrong() -> StoreError {
    StoreError::Damaged("it answered with something that is no state".into())
}

pub(super) fn get(object: &JsValue, key: &str) -> Result<JsValue, StoreError> {
    Reflect::get(object, &key.into()).map_err(|_| wrong())
}

/// A TXID as a number, which holds 53 bits of it.
pub(super) fn number(txid: Txid) -> Result<f64, StoreError> {
    let exact = txid.0 < 1 << 53;
    exact.then_some(txid.0 as f64).ok_or_else(|| StoreError::Full("TXIDs end at 2^53 in this store".into()))
}

pub(super) fn txid(value: &JsValue) -> Result<Txid, StoreError> {
    let number = value.as_f64().filter(|number| (0.0..9.007_199_254_740_992e15).contains(number));
    Ok(Txid(number.ok_or_else(wrong)? as u64))
}

pub(super) fn txids(value: &JsValue) -> Result<Vec<Txid>, StoreError> {
    Array::from(value).iter().map(|value| txid(&value)).collect()
}

pub(super) fn record(value: &JsValue) -> Result<CommitRecord, StoreError> {
    let integer = |key: &str| get(value, key)?.as_f64().ok_or_else(wrong);
    let checksum = get(value, "checksum")?.as_string();
    let checksum = checksum.and_then(|text| Checksum::new(Txid::parse(&text)?.0));
    Ok(CommitRecord {
        txid: txid(&get(value, "txid")?)?,
        time_ms: integer("timeMs")? as i64,
        page_size: PageSize::new(integer("pageSize")? as u32).ok_or_else(wrong)?,
        page_count: integer("pageCount")? as u32,
        checksum: checksum.ok_or_else(wrong)?,
    })
}

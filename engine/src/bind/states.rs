//! Bookmarks, pins, pages of the past, going back.

use js_sys::{Array, Object, Uint8Array};
use pagemark::page::Pgno;
use wasm_bindgen::prelude::*;

use super::database::Database;
use super::{JsResult, object, txid};
use crate::error::ErrorKind;
use crate::history::PinId;
use crate::memory::put_aside;
use crate::store::CommitRecord;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A committed state. */
export interface State {
  /** 16 hex digits, as are `checksum`. */
  txid: string;
  bookmark: string;
  timeMs: number;
  pageSize: number;
  pageCount: number;
  checksum: string;
}

/** A hold on a state. */
export interface Pin extends Omit<State, "timeMs"> {
  id: number;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// See `State`.
    #[wasm_bindgen(extends = Object, typescript_type = "State[]")]
    pub type JsStates;
    /// See `Pin`.
    #[wasm_bindgen(extends = Object, typescript_type = "Pin")]
    pub type JsPin;
}

#[wasm_bindgen]
impl Database {
    /// Which database this is: 16 hex digits.
    #[wasm_bindgen(getter)]
    pub fn lineage(&self) -> String {
        self.0.lineage().to_string()
    }

    /// The bookmark of the newest commit; throws `DATABASE_EMPTY` before the first.
    pub fn bookmark(&self) -> JsResult<String> {
        put_aside()?;
        Ok(self.0.bookmark()?.to_string())
    }

    /// The bookmark of a state: `at` is a bookmark, a TXID, a time, an age, or `latest`.
    #[wasm_bindgen(js_name = bookmarkAt)]
    pub fn bookmark_at(&self, at: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<String> {
        put_aside()?;
        Ok(self.0.bookmark_at(at, now_ms as i64)?.to_string())
    }

    /// The states that can be read, ascending.
    pub fn states(&self) -> JsStates {
        let states: Array = self.0.states().iter().map(|record| self.state_object(record)).collect();
        JsValue::from(states).unchecked_into()
    }

    /// Holds a state (`at` as in [`Database::bookmark_at`]) until `nowMs + leaseMs`.
    pub fn pin(
        &mut self,
        at: &str,
        #[wasm_bindgen(js_name = leaseMs)] lease_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<JsPin> {
        put_aside()?;
        let (PinId(id), record) = self.0.pin(at, lease_ms as i64, now_ms as i64)?;
        let pin = object([
            ("id", id.into()),
            ("txid", record.txid.to_string().into()),
            ("bookmark", self.0.bookmark_of(&record).to_string().into()),
            ("pageSize", record.page_size.value().into()),
            ("pageCount", record.page_count.into()),
            ("checksum", record.checksum.to_string().into()),
        ]);
        Ok(JsValue::from(pin).unchecked_into())
    }

    /// Prolongs a pin to `nowMs + leaseMs`; throws `PIN_UNKNOWN` when its lease ran out.
    pub fn renew(
        &mut self,
        pin: u32,
        #[wasm_bindgen(js_name = leaseMs)] lease_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<()> {
        Ok(self.0.renew(PinId(pin), lease_ms as i64, now_ms as i64)?)
    }

    /// Ends a pin; whether it was still there.
    pub fn release(&mut self, pin: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<bool> {
        Ok(self.0.release(PinId(pin), now_ms as i64)?)
    }

    /// Ends the pins whose lease ran out.
    pub fn sweep(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<()> {
        Ok(self.0.sweep(now_ms as i64)?)
    }

    /// Fills `into` with the pages of these numbers of a pinned state, one after the other.
    #[wasm_bindgen(js_name = readPages)]
    pub fn read_pages(
        &mut self,
        pin: u32,
        pgnos: &[u32],
        into: &Uint8Array,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<()> {
        put_aside()?;
        let now_ms = now_ms as i64;
        let page_size = self.0.pinned(PinId(pin), now_ms)?.page_size.bytes();
        let bytes = pgnos.len().saturating_mul(page_size);
        if into.length() as usize != bytes {
            return Err(pagemark::error::ErrorKind::Usage.into());
        }
        let mut pages = Vec::new();
        pages.try_reserve_exact(bytes).map_err(|_| ErrorKind::Memory)?;
        pages.resize(bytes, 0);
        for (&pgno, page) in pgnos.iter().zip(pages.chunks_mut(page_size)) {
            let pgno = Pgno::new(pgno).ok_or(pagemark::error::ErrorKind::Usage)?;
            self.0.page_at(PinId(pin), pgno, page, now_ms)?;
        }
        into.copy_from(&pages);
        Ok(())
    }

    /// The numbers of the pinned state's pages that commits after `since` (a TXID) wrote, ascending.
    #[wasm_bindgen(js_name = changedSince)]
    pub fn changed_since(
        &mut self,
        pin: u32,
        since: &str,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<Vec<u32>> {
        put_aside()?;
        let changed = self.0.changed_since(PinId(pin), txid(since)?, now_ms as i64)?;
        Ok(changed.into_iter().map(Pgno::value).collect())
    }

    /// Makes the content that of an earlier state; the bookmark that undoes it, which stays for `undoLeaseMs`.
    pub fn restore(
        &mut self,
        at: &str,
        #[wasm_bindgen(js_name = undoLeaseMs)] undo_lease_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<String> {
        put_aside()?;
        Ok(self.0.restore(at, undo_lease_ms as i64, now_ms as i64)?.to_string())
    }

    /// How many bytes of page versions the memory store holds; 0 for another store.
    #[wasm_bindgen(getter)]
    pub fn stored(&self) -> f64 {
        self.0.stored() as f64
    }

    fn state_object(&self, record: &CommitRecord) -> Object {
        let CommitRecord { txid, time_ms, page_size, page_count, checksum } = *record;
        object([
            ("txid", txid.to_string().into()),
            ("bookmark", self.0.bookmark_of(record).to_string().into()),
            ("timeMs", (time_ms as f64).into()),
            ("pageSize", page_size.value().into()),
            ("pageCount", page_count.into()),
            ("checksum", checksum.to_string().into()),
        ])
    }
}

//! A store of JavaScript's: an object whose methods are the calls of [`PageStore`].

use js_sys::{Array, Float64Array, Uint8Array, Uint32Array};
use pagemark::bookmark::Lineage;
use pagemark::page::{Pgno, Txid};
use wasm_bindgen::prelude::*;

use super::object;
use super::scratch::HostScratch;
use super::values::{copies, get, number, record, thrown, txid, txids, wrong};
use crate::store::{Commit, Keep, PageStore, Scratch, StoreError, StoreState};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A committed state, as a store keeps it. */
export interface StoredCommit {
  txid: number;
  timeMs: number;
  pageSize: number;
  pageCount: number;
  /** 16 hex digits. */
  checksum: string;
}

/** Which states have to stay readable: all from `from` on, and those in `pins` (ascending, all before `from`). */
export interface Keep {
  from: number;
  pins: Float64Array;
}

/** Keeps page versions, named by page number and TXID. Every call is synchronous; an exception is a failure. */
export interface PageStore {
  /** What is there; `undefined` for an empty store. `commits` ascend, and `keep` is the last one given. */
  open(): { lineage: string; commits: StoredCommit[]; keep: { from: number; pins: Iterable<number> } } | undefined;
  /** The newest version of the page at or before `txid`. */
  read(pgno: number, txid: number): Uint8Array;
  /**
   * Makes a new state, atomically and durably. `pages[i]` is the new version of page `pgnos[i]` (ascending); pages
   * beyond `commit.pageCount` are gone. Versions that no state of `keep` shows may be dropped, now or later, and so may
   * the records of such states, but for the one after each that is kept.
   */
  commit(commit: StoredCommit, lineage: string, pgnos: Uint32Array, pages: Uint8Array[], keep: Keep): void;
  /** Says what has to stay readable from now on. A `keep` that is the same object as the one before says nothing new. */
  retain(keep: Keep): void;
  /** Whether history takes more room than it should: some of it is then let go. Asked before a commit, now and then. */
  isCrowded?(): boolean;
  /** The pages whose newest version at or before `upto` is newer than `after`, ascending. */
  changed(after: number, upto: number): Iterable<number>;
  /** Takes what is not committed and would take too much memory; without it, all of that stays in memory. */
  readonly scratch?: Scratch | undefined;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// An object with the methods of `PageStore`.
    #[wasm_bindgen(typescript_type = "PageStore")]
    pub type JsStore;

    #[wasm_bindgen(method, catch)]
    fn open(this: &JsStore) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn read(this: &JsStore, pgno: u32, txid: f64) -> Result<Uint8Array, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn commit(
        this: &JsStore,
        commit: &JsValue,
        lineage: &str,
        pgnos: Uint32Array,
        pages: Array,
        keep: &JsValue,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn retain(this: &JsStore, keep: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = isCrowded)]
    fn is_crowded(this: &JsStore) -> Result<bool, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn changed(this: &JsStore, after: f64, upto: f64) -> Result<JsValue, JsValue>;
}

/// [`PageStore`] over a JavaScript object.
pub(super) struct HostStore {
    store: JsStore,
    scratch: Option<HostScratch>,
    /// What it was told last to keep, which is most often what it is told next.
    kept: Option<(Keep, JsValue)>,
}

impl HostStore {
    pub(super) fn new(store: JsStore) -> Self {
        let scratch = HostScratch::of(&store);
        Self { store, scratch, kept: None }
    }

    /// As JavaScript has it.
    fn keep_of(&mut self, keep: &Keep) -> Result<JsValue, StoreError> {
        if let Some((_, same)) = self.kept.as_ref().filter(|(kept, _)| kept == keep) {
            return Ok(same.clone());
        }
        let pins: Vec<f64> = keep.pins.iter().map(|&pin| number(pin)).collect::<Result<_, _>>()?;
        let object: JsValue =
            object([("from", number(keep.from)?.into()), ("pins", Float64Array::from(&*pins).into())]).into();
        self.kept = Some((keep.clone(), object.clone()));
        Ok(object)
    }
}

impl PageStore for HostStore {
    fn open(&mut self) -> Result<StoreState, StoreError> {
        let state = self.store.open().map_err(thrown)?;
        if state.is_undefined() || state.is_null() {
            return Ok(StoreState::default());
        }
        let keep = get(&state, "keep")?;
        Ok(StoreState {
            lineage: Some(
                get(&state, "lineage")?.as_string().and_then(|text| Lineage::parse(&text)).ok_or_else(wrong)?,
            ),
            commits: Array::from(&get(&state, "commits")?)
                .iter()
                .map(|value| record(&value))
                .collect::<Result<_, _>>()?,
            keep: Keep { from: txid(&get(&keep, "from")?)?, pins: txids(&get(&keep, "pins")?)? },
        })
    }

    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        let bytes = self.store.read(pgno.value(), number(txid)?).map_err(thrown)?;
        if bytes.length() as usize != page.len() {
            return Err(StoreError::Damaged(format!("page {pgno} of TXID {txid}").into()));
        }
        bytes.copy_to(page);
        Ok(())
    }

    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        let &mut Commit { record, lineage, ref mut pages, ref keep } = commit;
        let keep = self.keep_of(keep)?;
        let (pgnos, copies) = copies(pages);
        if self.scratch.is_none() {
            // There may be very many, which are not to be there twice.
            *pages = Vec::new();
        }
        let record = object([
            ("txid", number(record.txid)?.into()),
            ("timeMs", (record.time_ms as f64).into()),
            ("pageSize", record.page_size.value().into()),
            ("pageCount", record.page_count.into()),
            ("checksum", record.checksum.to_string().into()),
        ]);
        self.store.commit(&record, &lineage.to_string(), pgnos, copies, &keep).map_err(thrown)
    }

    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError> {
        let keep = self.keep_of(keep)?;
        self.store.retain(&keep).map_err(thrown)
    }

    fn is_crowded(&mut self) -> Result<bool, StoreError> {
        self.store.is_crowded().map_err(thrown)
    }

    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        let changed = self.store.changed(number(after)?, number(upto)?).map_err(thrown)?;
        let pgno = |value: JsValue| Pgno::new(value.as_f64()? as u32);
        Array::from(&changed).iter().map(|value| pgno(value).ok_or_else(wrong)).collect()
    }

    fn scratch(&mut self) -> Option<&mut dyn Scratch> {
        self.scratch.as_mut().map(|scratch| scratch as &mut dyn Scratch)
    }
}

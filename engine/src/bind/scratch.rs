//! What a store of JavaScript's keeps that is not committed: an object whose methods are the calls of [`Scratch`].

use js_sys::{Array, Reflect, Uint8Array, Uint32Array};
use pagemark::page::{Pgno, Txid};
use wasm_bindgen::prelude::*;

use super::values::{copies, number, thrown, thrown_beside, wrong};
use crate::store::{Scratch, StoreError};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/**
 * Keeps what is not committed. Every call is synchronous; an exception is a failure. All of it is gone when the store is
 * opened the next time.
 */
export interface Scratch {
  /**
   * Keeps page versions of the next commit, whose number is `txid`: `read` gives them for that number, and nothing else
   * shows them. A page staged before is replaced. The commit of `txid` makes them visible with its own pages, which
   * replace staged ones, but for those beyond its page count.
   */
  stage(txid: number, pgnos: Uint32Array, pages: Uint8Array[]): void;
  /** Forgets what is staged. */
  unstage(): void;
  /** Keeps a block of a temporary file; one written before is replaced. */
  writeBlock(file: number, block: number, bytes: Uint8Array): void;
  /** A block that was written. */
  readBlock(file: number, block: number): Uint8Array;
  /** Forgets a temporary file. */
  dropFile(file: number): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// An object with the methods of `Scratch`.
    #[wasm_bindgen(typescript_type = "Scratch")]
    type JsScratch;

    #[wasm_bindgen(method, catch)]
    fn stage(this: &JsScratch, txid: f64, pgnos: Uint32Array, pages: Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn unstage(this: &JsScratch) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = writeBlock)]
    fn write_block(this: &JsScratch, file: u32, block: u32, bytes: Uint8Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = readBlock)]
    fn read_block(this: &JsScratch, file: u32, block: u32) -> Result<Uint8Array, JsValue>;

    #[wasm_bindgen(method, catch, js_name = dropFile)]
    fn drop_file(this: &JsScratch, file: u32) -> Result<(), JsValue>;
}

/// [`Scratch`] over a JavaScript object.
pub(super) struct HostScratch(JsScratch);

impl HostScratch {
    /// The scratch of a store, if it has one.
    pub(super) fn of(store: &JsValue) -> Option<Self> {
        let scratch = Reflect::get(store, &"scratch".into()).ok().filter(JsValue::is_object);
        scratch.map(|scratch| Self(scratch.unchecked_into()))
    }
}

impl Scratch for HostScratch {
    fn stage(&mut self, txid: Txid, pages: &[(Pgno, Box<[u8]>)]) -> Result<(), StoreError> {
        let (pgnos, copies) = copies(pages);
        self.0.stage(number(txid)?, pgnos, copies).map_err(thrown)
    }

    fn unstage(&mut self) -> Result<(), StoreError> {
        self.0.unstage().map_err(thrown_beside)
    }

    fn write_block(&mut self, file: u32, block: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.write_block(file, block, Uint8Array::from(bytes)).map_err(thrown)
    }

    fn read_block(&mut self, file: u32, block: u32, bytes: &mut [u8]) -> Result<(), StoreError> {
        let read = self.0.read_block(file, block).map_err(thrown)?;
        if read.length() as usize != bytes.len() {
            return Err(wrong());
        }
        read.copy_to(bytes);
        Ok(())
    }

    fn drop_file(&mut self, file: u32) -> Result<(), StoreError> {
        self.0.drop_file(file).map_err(thrown_beside)
    }
}

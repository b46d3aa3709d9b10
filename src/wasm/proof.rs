//! Whether pages are those that were backed up.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::error::ErrorKind;
use crate::page::{PageSize, Pgno};
use crate::snapshot::fingerprint::decode_states;
use crate::snapshot::proof;

/// The numbers of the whole pages from `first` on that are not as `states` say.
#[wasm_bindgen(js_name = differingPages)]
pub fn differing_pages(page_size: u32, first: u32, pages: &[u8], states: &[u8]) -> JsResult<Vec<u32>> {
    let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
    let first = Pgno::new(first).ok_or(ErrorKind::Usage)?;
    Ok(proof::differing(page_size, first, pages, &decode_states(states)?)?)
}

/// What pages of a backup must be like; see the core's `snapshot::proof`.
#[wasm_bindgen]
pub struct PageProof(proof::PageProof);

#[wasm_bindgen]
impl PageProof {
    /// A proof of no page yet.
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32) -> JsResult<PageProof> {
        Ok(Self(proof::PageProof::new(PageSize::new(page_size).ok_or(ErrorKind::Usage)?)))
    }

    /// Takes the states of the next pages.
    pub fn add(&mut self, states: &[u8]) -> JsResult<()> {
        self.0.add(&decode_states(states)?);
        Ok(())
    }

    /// The first of the whole pages from `first` on that is not as it was backed up.
    #[wasm_bindgen(js_name = findChanged)]
    pub fn find_changed(&self, first: u32, pages: &[u8]) -> JsResult<Option<u32>> {
        Ok(self.0.find_changed(Pgno::new(first).ok_or(ErrorKind::Usage)?, pages)?)
    }
}

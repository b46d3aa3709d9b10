//! Some tables of a database as one of their own.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::error::ErrorKind;
use crate::page::Pgno;
use crate::subset;

/// See the core's `subset::Subset`.
#[wasm_bindgen]
pub struct Subset(subset::Subset);

#[wasm_bindgen]
impl Subset {
    /// A subset of the database of `page_count` pages whose first page is `first`.
    #[wasm_bindgen(constructor)]
    pub fn new(first: &[u8], page_count: u32, tables: Vec<String>) -> JsResult<Subset> {
        Ok(Self(subset::Subset::new(first, page_count, tables)?))
    }

    /// Page number, number of pages, page number, … of what is needed next; nothing when all is known.
    pub fn poll(&mut self) -> JsResult<Vec<u32>> {
        let ranges = self.0.poll()?.into_iter();
        Ok(ranges.flat_map(|range| [range.first.value(), range.count]).collect())
    }

    /// Hands in whole pages from `first` on.
    pub fn feed(&mut self, first: u32, pages: Vec<u8>) -> JsResult<()> {
        self.0.feed(Pgno::new(first).ok_or(ErrorKind::Usage)?, pages);
        Ok(())
    }

    /// Size of the new database, in pages.
    #[wasm_bindgen(getter, js_name = pageCount)]
    pub fn page_count(&self) -> u32 {
        self.0.page_count()
    }

    /// The page that each of `count` pages from `first` on is made from; 0 for none.
    pub fn origins(&self, first: u32, count: u32) -> Vec<u32> {
        self.0.origins(first, count)
    }

    /// Makes the pages from `first` on of those, in their place.
    pub fn convert(&self, first: u32, pages: &mut [u8]) -> JsResult<()> {
        Ok(self.0.convert(first, pages)?)
    }

    /// Names asked for that no table and no view has.
    #[wasm_bindgen(js_name = unknownTables)]
    pub fn unknown_tables(&self) -> Vec<String> {
        self.0.unknown_tables().into_iter().map(str::to_owned).collect()
    }
}

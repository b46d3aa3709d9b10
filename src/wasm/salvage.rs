//! What a file is whose header may be damaged.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::error::ErrorKind;
use crate::page::PageSize;
use crate::salvage;

/// See the core's `salvage::Detect`.
#[wasm_bindgen]
pub struct Detect(salvage::Detect);

/// See the core's `salvage::Detected`.
#[wasm_bindgen(getter_with_clone)]
pub struct Detected {
    /// In bytes.
    #[wasm_bindgen(js_name = pageSize)]
    pub page_size: u32,
    /// In pages.
    #[wasm_bindgen(js_name = pageCount)]
    pub page_count: u32,
    /// A header that says so.
    pub header: Vec<u8>,
    /// Whether the file's own header says something else.
    #[wasm_bindgen(js_name = isRepaired)]
    pub is_repaired: bool,
    /// In pages, before the first of the file.
    pub missing: u32,
}

#[wasm_bindgen]
impl Detect {
    /// For a file of `size` bytes; `page_size` where it is known.
    #[wasm_bindgen(constructor)]
    pub fn new(size: f64, page_size: Option<u32>) -> JsResult<Detect> {
        let page_size = page_size.map(|size| PageSize::new(size).ok_or(ErrorKind::Usage)).transpose()?;
        Ok(Self(salvage::Detect::new(size as u64, page_size)))
    }

    /// Offset and length of the bytes that it needs; nothing when it has seen enough.
    pub fn poll(&self) -> Vec<f64> {
        self.0.poll().map_or(Vec::new(), |(offset, length)| vec![offset as f64, length as f64])
    }

    /// Takes the bytes asked for.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// What the file is.
    pub fn finish(&self) -> JsResult<Detected> {
        let salvage::detect::Detected { page_size, page_count, header, is_repaired, missing } = self.0.finish()?;
        Ok(Detected { page_size: page_size.value(), page_count, header, is_repaired, missing })
    }
}

//! Parts of a dump that other threads write.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::JsResult;
use super::dump::{numbers, options};
use crate::dump;
use crate::error::ErrorKind;
use crate::page::{DatabaseHeader, Pgno};

/// What is to be done next with a part.
#[wasm_bindgen]
pub enum PartStep {
    /// Feed pages, see [`PartWriter::needed`].
    Pages = "pages",
    /// Take text.
    Text = "text",
    /// Nothing, when the last of the text was taken.
    Done = "done",
}

/// See the core's `dump::PartWriter`.
#[wasm_bindgen]
pub struct PartWriter {
    writer: dump::PartWriter,
    /// What the last [`PartWriter::poll`] asked for.
    needed: Vec<u32>,
}

#[wasm_bindgen]
impl PartWriter {
    /// For the [`super::dump::Dump`] with the same arguments.
    #[wasm_bindgen(constructor)]
    pub fn new(
        header: &[u8],
        page_count: u32,
        dialect: &str,
        tables: Vec<String>,
        no_data: bool,
        no_schema: bool,
    ) -> JsResult<PartWriter> {
        let options = options(dialect, tables, no_data, no_schema)?;
        let writer = dump::PartWriter::new(DatabaseHeader::parse(header)?, page_count, options);
        Ok(Self { writer, needed: Vec::new() })
    }

    /// Begins what [`super::dump::Dump::give`] gave away.
    pub fn start(&mut self, part: &[u8]) -> JsResult<()> {
        Ok(self.writer.start(part)?)
    }

    /// What must be done next.
    pub fn poll(&mut self) -> JsResult<PartStep> {
        Ok(match self.writer.poll()? {
            dump::PartStep::NeedPages(ranges) => {
                self.needed = numbers(ranges);
                PartStep::Pages
            }
            dump::PartStep::Text => PartStep::Text,
            dump::PartStep::Done => PartStep::Done,
        })
    }

    /// Page number, number of pages, page number, … of what [`PartWriter::poll`] asked for.
    pub fn needed(&self) -> Vec<u32> {
        self.needed.clone()
    }

    /// Hands in whole pages from `first` on.
    pub fn feed(&mut self, first: u32, pages: Vec<u8>) -> JsResult<()> {
        self.writer.feed(Pgno::new(first).ok_or(ErrorKind::Usage)?, pages);
        Ok(())
    }

    /// Moves text of the part to the start of `into`; gives how much that is, in bytes.
    #[wasm_bindgen(js_name = takeText)]
    pub fn take_text(&mut self, into: &Uint8Array) -> JsResult<usize> {
        let text = self.writer.text();
        let length = text.len();
        if length > into.length() as usize {
            return Err(ErrorKind::Usage.into());
        }
        into.subarray(0, length as u32).copy_from(text);
        self.writer.take();
        Ok(length)
    }

    /// All else of the part, for [`super::dump::Dump::paste`].
    pub fn outcome(&self) -> Vec<u32> {
        self.writer.outcome()
    }
}

//! A dump: pages in, SQL out.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::btree::PageRange;
use crate::dump::{self, Dialect, Options};
use crate::error::{ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};

/// See the core's `dump::Options`.
#[wasm_bindgen]
pub struct DumpOptions(Options);

#[wasm_bindgen]
impl DumpOptions {
    /// `dialect` is a name in `Dialect::NAMED`.
    #[wasm_bindgen(constructor)]
    pub fn new(dialect: &str, tables: Vec<String>, no_data: bool, no_schema: bool) -> JsResult<DumpOptions> {
        Ok(Self(options(dialect, tables, no_data, no_schema)?))
    }

    /// Whether damaged pages are passed over.
    #[wasm_bindgen(setter)]
    pub fn set_salvage(&mut self, salvage: bool) {
        self.0.salvage = salvage;
    }

    /// Whether what is made is dropped first.
    #[wasm_bindgen(setter)]
    pub fn set_drop(&mut self, drop: bool) {
        self.0.drop = drop;
    }

    /// Whether a salvage looks into free pages as well.
    #[wasm_bindgen(setter, js_name = freePages)]
    pub fn set_free_pages(&mut self, free_pages: bool) {
        self.0.free_pages = free_pages;
    }

    /// Whether it can be cut into transactions.
    #[wasm_bindgen(setter, js_name = inBatches)]
    pub fn set_in_batches(&mut self, in_batches: bool) {
        self.0.in_batches = in_batches;
    }
}

/// What is to be done next with a dump.
#[wasm_bindgen]
pub enum DumpStep {
    /// Feed pages, see [`Dump::needed`].
    Pages = "pages",
    /// Take SQL.
    Output = "output",
    /// Paste a part that was given away, when all SQL was taken.
    Given = "given",
    /// Nothing.
    Done = "done",
}

/// See the core's `dump::Dump`.
#[wasm_bindgen]
pub struct Dump {
    dump: dump::Dump,
    /// What the last [`Dump::poll`] asked for.
    needed: Vec<u32>,
}

#[wasm_bindgen]
impl Dump {
    /// A dump of the database of `page_count` pages that begins with `header`.
    #[wasm_bindgen(constructor)]
    pub fn new(header: &[u8], page_count: u32, options: DumpOptions) -> JsResult<Dump> {
        let dump = dump::Dump::new(DatabaseHeader::parse(header)?, page_count, options.0);
        Ok(Self { dump, needed: Vec::new() })
    }

    /// What must be done next.
    pub fn poll(&mut self) -> JsResult<DumpStep> {
        Ok(match self.dump.poll()? {
            dump::DumpStep::NeedPages(ranges) => {
                self.needed = numbers(ranges);
                DumpStep::Pages
            }
            dump::DumpStep::Output => DumpStep::Output,
            dump::DumpStep::Given => DumpStep::Given,
            dump::DumpStep::Done => DumpStep::Done,
        })
    }

    /// Page number, number of pages, page number, … of what [`Dump::poll`] asked for.
    pub fn needed(&self) -> Vec<u32> {
        self.needed.clone()
    }

    /// The same of what it will probably ask for next.
    pub fn ahead(&self) -> Vec<u32> {
        numbers(self.dump.ahead())
    }

    /// Hands in whole pages from `first` on.
    pub fn feed(&mut self, first: u32, pages: Vec<u8>) -> JsResult<()> {
        self.dump.feed(Pgno::new(first).ok_or(ErrorKind::Usage)?, pages);
        Ok(())
    }

    /// How much SQL can be taken, in bytes.
    #[wasm_bindgen(getter, js_name = outputLength)]
    pub fn output_length(&self) -> usize {
        self.dump.output().len()
    }

    /// Takes as much SQL as `into` has room for, and no more than there is; gives how much, in bytes.
    #[wasm_bindgen(js_name = takeOutput)]
    pub fn take_output(&mut self, into: &Uint8Array) -> usize {
        let output = self.dump.output();
        let length = output.len().min(into.length() as usize);
        into.subarray(0, length as u32).copy_from(output.get(..length).unwrap_or_default());
        self.dump.take(length);
        length
    }

    /// Gives away a part of the rows that come later, for a `PartWriter`; `between` so many parts more that it keeps.
    /// `undefined` when there is none.
    pub fn give(&mut self, between: u32) -> Option<Vec<u8>> {
        self.dump.give(between as usize)
    }

    /// Takes what a `PartWriter` said of the oldest part that was given away. `false` when its text is of no use; else
    /// as much of its start as is [`Dump::wanted`] is for [`Dump::repack`], again and again; and what is left of it goes
    /// behind the SQL that can be taken after that.
    pub fn paste(&mut self, outcome: &[u32]) -> JsResult<bool> {
        Ok(self.dump.paste(outcome)?)
    }

    /// How much of the text of a part is wanted next, in bytes.
    #[wasm_bindgen(getter)]
    pub fn wanted(&self) -> usize {
        self.dump.wanted()
    }

    /// Takes what is wanted of the text of a part.
    pub fn repack(&mut self, text: &[u8]) -> JsResult<()> {
        Ok(self.dump.repack(text)?)
    }

    /// Pages visited so far.
    #[wasm_bindgen(getter)]
    pub fn visited(&self) -> f64 {
        self.dump.visited() as f64
    }

    /// Names asked for that no table and no view has, in quotes, with what they are.
    #[wasm_bindgen(js_name = unknownTables)]
    pub fn unknown_tables(&self) -> Vec<String> {
        self.dump.unknown_tables()
    }

    /// What the SQL does not carry.
    pub fn warnings(&self) -> Vec<String> {
        self.dump.warnings()
    }
}

pub(super) fn options(dialect: &str, tables: Vec<String>, no_data: bool, no_schema: bool) -> Result<Options> {
    Ok(Options { dialect: Dialect::parse(dialect)?, tables, no_data, no_schema, ..Options::default() })
}

pub(super) fn numbers(ranges: Vec<PageRange>) -> Vec<u32> {
    ranges.into_iter().flat_map(|range| [range.first.value(), range.count]).collect()
}

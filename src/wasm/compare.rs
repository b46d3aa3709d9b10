//! What a restore would do to tables.

use wasm_bindgen::prelude::*;

use super::{JsResult, structure};
use crate::compare;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};
use crate::snapshot::fingerprint::decode_states;

/// Compares two databases; see the core's `compare::Comparison`.
#[wasm_bindgen]
pub struct Comparison {
    comparison: compare::Comparison,
    /// Whose pages the last [`Comparison::poll`] asked for.
    asked: compare::Side,
    has_failed: bool,
}

/// One of the two databases.
#[wasm_bindgen]
pub enum Side {
    /// As it is now.
    Now = "now",
    /// As it was backed up.
    Then = "then",
}

#[wasm_bindgen]
impl Comparison {
    /// A comparison of the database as it is now, by its first page if there is one, with the one backed up; `budget` in bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(
        now: Option<Vec<u8>>,
        now_pages: u32,
        then: &[u8],
        then_pages: u32,
        budget: f64,
    ) -> JsResult<Comparison> {
        let then = DatabaseHeader::parse(then)?;
        let (now, count) = match now {
            Some(first) => (DatabaseHeader::parse(&first)?, now_pages),
            None => (then, 0),
        };
        let comparison = compare::Comparison::new((&now, count), (&then, then_pages), budget as u64);
        Ok(Self { comparison, asked: compare::Side::Now, has_failed: false })
    }

    /// Whether both can have the same pages.
    #[wasm_bindgen(getter, js_name = sharesPages)]
    pub fn shares_pages(&self) -> bool {
        self.comparison.shares_pages()
    }

    /// Takes whole pages as they are now, and the states of those backed up ([`Previous::states`]), if they help.
    pub fn digest(&mut self, first: u32, pages: &[u8], states: &[u8]) -> JsResult<()> {
        Ok(self.comparison.digest(pgno(first)?, pages, &decode_states(states)?)?)
    }

    /// The same with the pages backed up.
    #[wasm_bindgen(js_name = digestPages)]
    pub fn digest_pages(&mut self, first: u32, pages: &[u8], then: &[u8]) -> JsResult<()> {
        Ok(self.comparison.digest_pages(pgno(first)?, pages, then)?)
    }

    /// Tells which of the pages that both have may differ, in place of digesting them.
    pub fn tell(&mut self, differing: &[u32]) {
        self.comparison.tell(differing);
    }

    /// What to feed next, of [`Comparison::side`]: first page and count of each run; nothing at the end.
    pub fn poll(&mut self) -> JsResult<Option<Vec<u32>>> {
        let polled = self.comparison.poll().inspect_err(|_| self.has_failed = true)?;
        Ok(polled.map(|(side, ranges)| {
            self.asked = side;
            ranges.iter().flat_map(|range| [range.first.value(), range.count]).collect()
        }))
    }

    /// Whose pages are asked for.
    #[wasm_bindgen(getter)]
    pub fn side(&self) -> Side {
        match self.asked {
            compare::Side::Now => Side::Now,
            compare::Side::Then => Side::Then,
        }
    }

    /// Takes a run that was asked for.
    pub fn feed(&mut self, first: u32, pages: Vec<u8>) -> JsResult<()> {
        self.comparison.feed(self.asked, pgno(first)?, pages);
        Ok(())
    }

    /// Whether [`Comparison::poll`] failed because the database as it is now cannot be read.
    #[wasm_bindgen(getter, js_name = hasNowFailed)]
    pub fn has_now_failed(&self) -> bool {
        self.has_failed && self.comparison.side() == compare::Side::Now
    }

    /// What becomes of each table.
    pub fn tables(&self) -> JsResult<JsValue> {
        structure(&self.comparison.tables())
    }

    /// What becomes of each view.
    pub fn views(&self) -> JsResult<JsValue> {
        structure(&self.comparison.views())
    }
}

fn pgno(number: u32) -> Result<Pgno> {
    Pgno::new(number).ok_or(Error::from(ErrorKind::Usage))
}

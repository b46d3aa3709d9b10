//! What a restore would do to tables. The result crosses as JSON.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::JsResult;
use super::snapshot::decode_states;
use crate::compare::{self, Change, Side};
use crate::error::{Error, ErrorKind};
use crate::page::{DatabaseHeader, Pgno};

/// Compares two databases; see the core's `compare::Comparison`.
#[wasm_bindgen]
pub struct Comparison(compare::Comparison);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TableChange<'a> {
    name: &'a str,
    change: &'static str,
    rows_now: Option<u64>,
    rows_then: Option<u64>,
    rows: Option<RowChanges>,
    redefined: bool,
}

#[derive(Serialize)]
struct RowChanges {
    back: u64,
    gone: u64,
    updated: u64,
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
        Ok(Self(compare::Comparison::new((&now, count), (&then, then_pages), budget as u64)))
    }

    /// Whether both can have the same pages.
    #[wasm_bindgen(getter, js_name = sharesPages)]
    pub fn shares_pages(&self) -> bool {
        self.0.shares_pages()
    }

    /// Takes whole pages as they are now, and the states of those backed up ([`Previous::states`]), if they help.
    pub fn digest(&mut self, first: u32, pages: &[u8], states: &[u8]) -> JsResult<()> {
        Ok(self.0.digest(pgno(first)?, pages, &decode_states(states)?)?)
    }

    /// The same with the pages backed up.
    #[wasm_bindgen(js_name = digestPages)]
    pub fn digest_pages(&mut self, first: u32, pages: &[u8], then: &[u8]) -> JsResult<()> {
        Ok(self.0.digest_pages(pgno(first)?, pages, then)?)
    }

    /// What to feed next: 0 for pages as they are now or 1 for those backed up, then first page and count of each run;
    /// nothing at the end.
    pub fn poll(&mut self) -> JsResult<Option<Vec<u32>>> {
        Ok(self.0.poll()?.map(|(side, ranges)| {
            let runs = ranges.iter().flat_map(|range| [range.first.value(), range.count]);
            core::iter::once(side as u32).chain(runs).collect()
        }))
    }

    /// Takes a run.
    pub fn feed(&mut self, side: u32, first: u32, pages: Vec<u8>) -> JsResult<()> {
        let side = if side == 0 { Side::Now } else { Side::Then };
        self.0.feed(side, pgno(first)?, pages);
        Ok(())
    }

    /// Whether an error is about the database as it is now.
    #[wasm_bindgen(getter, js_name = isAboutNow)]
    pub fn is_about_now(&self) -> bool {
        self.0.side() == Side::Now
    }

    /// What becomes of each table, as JSON.
    pub fn tables(&self) -> JsResult<String> {
        let tables = self.0.tables();
        let shown: Vec<_> = tables
            .iter()
            .map(|table| TableChange {
                name: &table.name,
                change: match table.change {
                    Change::Vanish => "vanish",
                    Change::Come => "come",
                    Change::Changed => "changed",
                    Change::Unchanged => "unchanged",
                },
                rows_now: table.rows_now,
                rows_then: table.rows_then,
                rows: table.rows.map(|rows| RowChanges { back: rows.back, gone: rows.gone, updated: rows.updated }),
                redefined: table.redefined,
            })
            .collect();
        serde_json::to_string(&shown).map_err(|_| Error::from(ErrorKind::Usage).into())
    }
}

fn pgno(number: u32) -> JsResult<Pgno> {
    Ok(Pgno::new(number).ok_or(ErrorKind::Usage)?)
}

//! Pages of a source: header, WAL, journal, and what lies in them.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{JsResult, structure};
use crate::btree::inventory::{Inventory, InventoryStep};
use crate::error::ErrorKind;
use crate::page::journal::JournalReader as CoreJournalReader;
use crate::page::wal::{WalMark, WalReader as CoreWalReader};
use crate::page::{self, PageSize, Pgno};

/// The database header.
#[wasm_bindgen]
pub struct DatabaseHeader(pub(super) page::DatabaseHeader);

#[wasm_bindgen]
impl DatabaseHeader {
    /// Reads it from the first 100 bytes or more.
    pub fn parse(bytes: &[u8]) -> JsResult<DatabaseHeader> {
        Ok(Self(page::DatabaseHeader::parse(bytes)?))
    }

    /// In bytes.
    #[wasm_bindgen(getter, js_name = pageSize)]
    pub fn page_size(&self) -> u32 {
        self.0.page_size.value()
    }

    /// Whether the database is in WAL mode.
    #[wasm_bindgen(getter)]
    pub fn wal(&self) -> bool {
        self.0.wal
    }

    /// Rises with every commit in rollback mode.
    #[wasm_bindgen(getter, js_name = changeCounter)]
    pub fn change_counter(&self) -> u32 {
        self.0.change_counter
    }

    /// Pages in a main file of `file_size` bytes.
    #[wasm_bindgen(js_name = pagesIn)]
    pub fn pages_in(&self, file_size: f64) -> JsResult<u32> {
        Ok(self.0.pages_in(file_size as u64)?)
    }
}

/// Which pages lie in the WAL or journal instead of the main file.
#[wasm_bindgen]
pub struct Overlay(page::Overlay);

#[wasm_bindgen]
impl Overlay {
    /// How many pages.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> u32 {
        self.0.len() as u32
    }

    /// Page number, byte offset, page number, … of those among `count` pages from `first`, ascending.
    pub fn range(&self, first: u32, count: u32) -> Vec<f64> {
        let Some(first) = Pgno::new(first) else { return Vec::new() };
        let entries = self.0.range(first, count).iter();
        entries.flat_map(|&(pgno, offset)| [f64::from(pgno.value()), offset as f64]).collect()
    }
}

/// Reads a WAL from its start.
#[wasm_bindgen]
pub struct WalReader(Option<CoreWalReader>);

/// What a WAL holds: the committed pages and where it stands.
#[wasm_bindgen]
pub struct Wal {
    overlay: Option<page::Overlay>,
    page_count: Option<u32>,
    mark: Option<String>,
    changed: Option<Vec<u32>>,
}

#[wasm_bindgen]
impl WalReader {
    /// For a database of that page size; `limit` is the pinned frame count, `since` an earlier [`Wal::mark`].
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32, limit: Option<u32>, since: Option<String>) -> JsResult<WalReader> {
        let mut reader = CoreWalReader::new(PageSize::new(page_size).ok_or(ErrorKind::Usage)?);
        if let Some(limit) = limit {
            reader = reader.with_limit(limit);
        }
        if let Some(mark) = since.and_then(|mark| WalMark::parse(&mark)) {
            reader = reader.since(mark);
        }
        Ok(Self(Some(reader)))
    }

    /// Takes the next bytes; `false` when no further ones matter.
    pub fn feed(&mut self, bytes: &[u8]) -> JsResult<bool> {
        let reader = self.0.as_mut().ok_or(ErrorKind::Usage)?;
        reader.feed(bytes)?;
        Ok(!reader.is_finished())
    }

    /// Ends the reading.
    pub fn finish(&mut self) -> JsResult<Wal> {
        let wal = self.0.take().ok_or(ErrorKind::Usage)?.finish()?;
        let changed = wal.changed_since.map(|pages| pages.into_iter().map(Pgno::value).collect());
        Ok(Wal { overlay: Some(wal.overlay), page_count: wal.page_count, mark: wal.mark.map(WalMark::format), changed })
    }
}

#[wasm_bindgen]
impl Wal {
    /// Size of the database after the last commit; missing when the WAL holds none.
    #[wasm_bindgen(getter, js_name = pageCount)]
    pub fn page_count(&self) -> Option<u32> {
        self.page_count
    }

    /// Where it stands; missing when the WAL has no header yet.
    #[wasm_bindgen(getter)]
    pub fn mark(&self) -> Option<String> {
        self.mark.clone()
    }

    /// Pages in frames after the mark that was given, when it was found.
    pub fn changed(&self) -> Option<Vec<u32>> {
        self.changed.clone()
    }

    /// The pages in it; can be taken once.
    #[wasm_bindgen(js_name = takeOverlay)]
    pub fn take_overlay(&mut self) -> JsResult<Overlay> {
        Ok(Overlay(self.overlay.take().ok_or(ErrorKind::Usage)?))
    }
}

/// Reads a rollback journal from its start.
#[wasm_bindgen]
pub struct JournalReader(Option<CoreJournalReader>);

/// What rolling a journal back does.
#[wasm_bindgen]
pub struct Journal {
    overlay: Option<page::Overlay>,
    page_size: u32,
    page_count: u32,
    super_journal: Option<String>,
    is_committing: bool,
}

#[wasm_bindgen]
impl JournalReader {
    /// For a database of that page size.
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32) -> JsResult<JournalReader> {
        Ok(Self(Some(CoreJournalReader::new(PageSize::new(page_size).ok_or(ErrorKind::Usage)?))))
    }

    /// Takes the next bytes; `false` when no further ones matter.
    pub fn feed(&mut self, bytes: &[u8]) -> JsResult<bool> {
        let reader = self.0.as_mut().ok_or(ErrorKind::Usage)?;
        reader.feed(bytes);
        Ok(!reader.is_finished())
    }

    /// Ends the reading; nothing when there is nothing to roll back.
    pub fn finish(&mut self) -> JsResult<Option<Journal>> {
        let journal = self.0.take().ok_or(ErrorKind::Usage)?.finish()?;
        Ok(journal.map(|journal| Journal {
            overlay: Some(journal.overlay),
            page_size: journal.page_size.value(),
            page_count: journal.page_count,
            super_journal: journal.super_journal,
            is_committing: journal.is_committing,
        }))
    }
}

#[wasm_bindgen]
impl Journal {
    /// Page size of the database before the transaction, in bytes.
    #[wasm_bindgen(getter, js_name = pageSize)]
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Size of the database before the transaction.
    #[wasm_bindgen(getter, js_name = pageCount)]
    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// The super-journal; when that file is gone, the transaction was committed and this journal is stale.
    #[wasm_bindgen(getter, js_name = superJournal)]
    pub fn super_journal(&self) -> Option<String> {
        self.super_journal.clone()
    }

    /// Whether it is one that was about to be deleted by a commit, and by no rollback.
    #[wasm_bindgen(getter, js_name = isCommitting)]
    pub fn is_committing(&self) -> bool {
        self.is_committing
    }

    /// The pages in it; can be taken once.
    #[wasm_bindgen(js_name = takeOverlay)]
    pub fn take_overlay(&mut self) -> JsResult<Overlay> {
        Ok(Overlay(self.overlay.take().ok_or(ErrorKind::Usage)?))
    }
}

/// The tables of a database and their rows.
#[wasm_bindgen]
pub struct TableInventory(Inventory);

#[wasm_bindgen]
impl TableInventory {
    /// An inventory of the database whose first page begins with `header`.
    #[wasm_bindgen(constructor)]
    pub fn new(header: &DatabaseHeader, page_count: u32, count_rows: bool) -> TableInventory {
        Self(Inventory::new(&header.0, page_count, count_rows))
    }

    /// The same of every b-tree, indexes and SQLite's own tables included.
    #[wasm_bindgen(js_name = ofAll)]
    pub fn of_all(header: &DatabaseHeader, page_count: u32) -> TableInventory {
        Self(Inventory::of_all(&header.0, page_count))
    }

    /// The page to feed next; nothing when done.
    pub fn poll(&mut self) -> JsResult<Option<u32>> {
        Ok(match self.0.poll()? {
            InventoryStep::NeedPage(pgno) => Some(pgno.value()),
            InventoryStep::Done => None,
        })
    }

    /// Takes the page.
    pub fn feed(&mut self, page: &[u8]) -> JsResult<()> {
        Ok(self.0.feed(page)?)
    }

    /// The tables: `{ name, rows, damagedPage }`, the last two where they are known.
    pub fn tables(&self) -> JsResult<JsValue> {
        let tables = self.0.tables().iter();
        let tables =
            tables.map(|table| Table { name: &table.name, rows: table.rows, damaged_page: table.damaged_page() });
        structure(&tables.collect::<Vec<_>>())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_page: Option<u32>,
}

//! Opening, closing and SQL.

use std::cell::RefCell;

use js_sys::Array;
use pagemark::page::PageSize;
use wasm_bindgen::prelude::*;

use super::store::{HostStore, JsStore};
use super::{JsResult, lineage};
use crate::database::{Fetched, StatementId};
use crate::error::{Error, ErrorKind};
use crate::history::Window;
use crate::memory::put_aside;
use crate::store::{MemoryStore, PageStore};
use crate::{Database as Engine, Options};

/// An open database. Values are encoded as the table at `crate::rows` says.
#[wasm_bindgen]
pub struct Database(pub(super) Engine);

/// How a database is opened; every field has a default.
#[wasm_bindgen]
#[derive(Default)]
pub struct OpenOptions {
    name: Option<String>,
    page_size: Option<u32>,
    cache_kib: Option<u32>,
    spill_after: Option<f64>,
    foreign_keys: bool,
    window: Window,
    memory_limit: Option<f64>,
}

#[wasm_bindgen]
impl OpenOptions {
    /// Nameless, pages of 4096 bytes, a cache of 16 MiB, foreign keys not enforced, no history, no limit.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses a second database of this name in the module.
    #[wasm_bindgen(setter)]
    pub fn set_name(&mut self, name: String) {
        self.name = Some(name);
    }

    /// In bytes, for a database that holds nothing yet.
    #[wasm_bindgen(setter, js_name = pageSize)]
    pub fn set_page_size(&mut self, bytes: u32) {
        self.page_size = Some(bytes);
    }

    /// Sets the size of SQLite's page cache, in KiB.
    #[wasm_bindgen(setter, js_name = cacheKib)]
    pub fn set_cache_kib(&mut self, kib: u32) {
        self.cache_kib = Some(kib);
    }

    /// What memory holds of transactions and of temporary files before the store takes it, in bytes.
    #[wasm_bindgen(setter, js_name = spillAfter)]
    pub fn set_spill_after(&mut self, bytes: f64) {
        self.spill_after = Some(bytes);
    }

    /// Whether foreign keys are enforced.
    #[wasm_bindgen(setter, js_name = foreignKeys)]
    pub fn set_foreign_keys(&mut self, enforced: bool) {
        self.foreign_keys = enforced;
    }

    /// How many commits before the newest stay readable without a pin.
    #[wasm_bindgen(setter, js_name = historyCommits)]
    pub fn set_history_commits(&mut self, commits: u32) {
        self.window.commits = commits;
    }

    /// Sets the time for which states stay readable without a pin, in milliseconds.
    #[wasm_bindgen(setter, js_name = historyMs)]
    pub fn set_history_ms(&mut self, ms: f64) {
        self.window.age_ms = ms as i64;
    }

    /// Limits the pages that the built-in memory store keeps, in bytes.
    #[wasm_bindgen(setter, js_name = memoryLimit)]
    pub fn set_memory_limit(&mut self, bytes: f64) {
        self.memory_limit = Some(bytes);
    }
}

/// A compiled statement and what is known of it.
#[wasm_bindgen(getter_with_clone)]
pub struct Prepared {
    /// Its handle.
    #[wasm_bindgen(readonly)]
    pub id: u32,
    /// The SQL text that follows it.
    #[wasm_bindgen(readonly)]
    pub rest: String,
    /// The names of its columns.
    #[wasm_bindgen(readonly)]
    pub columns: Vec<String>,
    /// The names of its parameters with their prefix, the first one's first; empty for `?`.
    #[wasm_bindgen(readonly)]
    pub parameters: Vec<String>,
    /// Whether it leaves the database as it is.
    #[wasm_bindgen(readonly)]
    pub readonly: bool,
}

#[wasm_bindgen]
impl Database {
    /// Opens the database in `store`, or a new one in memory. `lineage` is 16 hex digits of random bits, used when the
    /// store holds no database yet.
    pub fn open(
        store: Option<JsStore>,
        #[wasm_bindgen(js_name = lineage)] random: &str,
        options: OpenOptions,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<Database> {
        put_aside()?;
        let OpenOptions { name, page_size, cache_kib, spill_after, foreign_keys, window, memory_limit } = options;
        let page_size =
            page_size.map(|bytes| PageSize::new(bytes).ok_or(pagemark::error::ErrorKind::Usage)).transpose()?;
        let defaults = Options::new(lineage(random)?);
        let cache_kib = cache_kib.unwrap_or(defaults.cache_kib);
        let spill_after = spill_after.map_or(defaults.spill_after, |bytes| bytes as u64);
        let options = Options { name, page_size, cache_kib, spill_after, foreign_keys, window, ..defaults };
        let store: Box<dyn PageStore> = match (store, memory_limit) {
            (Some(store), _) => Box::new(HostStore::new(store)),
            (None, Some(limit)) => Box::new(MemoryStore::with_limit(limit as u64)),
            (None, None) => Box::new(MemoryStore::default()),
        };
        Ok(Self(Engine::open(store, options, now_ms as i64)?))
    }

    /// Closes it; what was not committed is rolled back.
    pub fn close(self) -> JsResult<()> {
        self.0.close()?;
        Ok(())
    }

    /// Runs a script of any number of statements.
    pub fn exec(&mut self, sql: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<()> {
        put_aside()?;
        Ok(self.0.exec(sql, now_ms as i64)?)
    }

    /// Compiles the first statement of `sql`; `undefined` when there is only space and comments.
    pub fn prepare(&mut self, sql: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<Option<Prepared>> {
        put_aside()?;
        let (Some(id), rest) = self.0.prepare(sql, now_ms as i64)? else { return Ok(None) };
        let parameters = self.0.parameter_names(id)?.into_iter().map(Option::unwrap_or_default).collect();
        let (columns, readonly) = (self.0.column_names(id)?, self.0.is_readonly(id)?);
        Ok(Some(Prepared { id: id.0, rest: rest.to_owned(), columns, parameters, readonly }))
    }

    /// The names of a statement's columns as they are now: they change when the schema does.
    pub fn columns(&mut self, id: u32) -> JsResult<Vec<String>> {
        put_aside()?;
        Ok(self.0.column_names(StatementId(id))?)
    }

    /// How many rows of tables and entries of indexes a statement has looked at since it was compiled, and how many it
    /// wrote.
    #[wasm_bindgen(js_name = rowCounts)]
    pub fn row_counts(&mut self, id: u32) -> JsResult<Vec<u32>> {
        let (read, written) = self.0.rows_read_and_written(StatementId(id))?;
        Ok(vec![read, written])
    }

    /// Sets a statement's parameters; it begins anew.
    pub fn bind(&mut self, id: u32, values: &[u8]) -> JsResult<()> {
        put_aside()?;
        Ok(self.0.bind(StatementId(id), values)?)
    }

    /// The next rows, after [`Fetched::head`]; [`Database::columns`] may have changed when its shape has.
    pub fn fetch(
        &mut self,
        id: u32,
        #[wasm_bindgen(js_name = maxRows)] max_rows: u32,
        #[wasm_bindgen(js_name = maxBytes)] max_bytes: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<Vec<u8>> {
        put_aside()?;
        let mut out = vec![0; Fetched::HEAD_SIZE];
        let fetched = self.0.fetch(StatementId(id), max_rows, max_bytes as usize, &mut out, now_ms as i64)?;
        if let Some(head) = out.first_chunk_mut() {
            *head = fetched.head();
        }
        Ok(out)
    }

    /// [`Database::bind`] and [`Database::fetch`] in one.
    pub fn query(
        &mut self,
        id: u32,
        values: &[u8],
        #[wasm_bindgen(js_name = maxRows)] max_rows: u32,
        #[wasm_bindgen(js_name = maxBytes)] max_bytes: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<Vec<u8>> {
        self.bind(id, values)?;
        self.fetch(id, max_rows, max_bytes, now_ms)
    }

    /// Runs a statement from beginning to end with values, without looking at rows; how many rows it changed. Below 0
    /// it failed, and [`Database::failure`] throws why: a `Result` of two values is an array in JavaScript, and making
    /// that takes a tenth of the time that inserting a row does.
    pub fn run(&mut self, id: u32, values: &[u8], #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> f64 {
        let ran = put_aside().and_then(|()| self.0.run(StatementId(id), values, now_ms as i64));
        ran.map_or_else(
            |error| {
                FAILURE.set(Some(error));
                -1.0
            },
            |changes| changes as f64,
        )
    }

    /// [`Database::run`] with the first `length` bytes of [`Database::room`].
    #[wasm_bindgen(js_name = runFromRoom)]
    pub fn run_from_room(&mut self, id: u32, length: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> f64 {
        ROOM.with_borrow(|room| self.run(id, room.get(..length as usize).unwrap_or_default(), now_ms))
    }

    /// Where values can be written instead of being handed over: a view of the module's memory, of no length once that
    /// has grown. It is the same for all databases, and must stay as it is until the call that reads it has returned.
    pub fn room(&self) -> JsResult<js_sys::Uint8Array> {
        let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().dyn_into()?;
        let (start, length) = ROOM.with_borrow(|room| (room.as_ptr() as u32, room.len() as u32));
        Ok(js_sys::Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), start, length))
    }

    /// Throws why [`Database::run`] failed.
    pub fn failure(&self) -> JsResult<()> {
        FAILURE.take().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Runs statements in one transaction: `ids[i]` with the `lengths[i]` bytes of `values` that are its own. An array
    /// with an array for each, of what [`Database::fetch`] would give.
    pub fn batch(
        &mut self,
        ids: &[u32],
        lengths: &[u32],
        values: &[u8],
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<Array> {
        put_aside()?;
        let mut rest = values;
        let mut statements = Vec::with_capacity(ids.len());
        for (&id, &length) in ids.iter().zip(lengths) {
            let (own, after) = rest.split_at_checked(length as usize).ok_or(ErrorKind::Values)?;
            statements.push((StatementId(id), own));
            rest = after;
        }
        let results = Array::new();
        self.0.batch(&statements, now_ms as i64, |index, rows, fetched| {
            let index = index as u32;
            if results.length() <= index {
                results.push(&Array::new());
            }
            let head = fetched.head();
            let piece = js_sys::Uint8Array::new_with_length((head.len() + rows.len()) as u32);
            piece.subarray(0, head.len() as u32).copy_from(&head);
            piece.subarray(head.len() as u32, piece.length()).copy_from(rows);
            if let Ok(pieces) = results.get(index).dyn_into::<Array>() {
                pieces.push(&piece);
            }
        })?;
        Ok(results)
    }

    /// Makes a statement begin anew.
    pub fn reset(&mut self, id: u32) -> JsResult<()> {
        Ok(self.0.reset(StatementId(id))?)
    }

    /// Ends a statement; whether there was one.
    pub fn finalize(&mut self, id: u32) -> bool {
        self.0.finalize(StatementId(id))
    }

    /// Rows that the last INSERT, UPDATE or DELETE changed.
    #[wasm_bindgen(getter)]
    pub fn changes(&self) -> f64 {
        self.0.changes() as f64
    }

    /// Rows that all statements changed.
    #[wasm_bindgen(getter, js_name = totalChanges)]
    pub fn total_changes(&self) -> f64 {
        self.0.total_changes() as f64
    }

    /// Interrupts what takes more than about `steps` of SQLite's instructions from now on, and refuses what would change
    /// anything if it is `read_only`; 0 steps end both.
    #[wasm_bindgen(js_name = limitSteps)]
    pub fn limit_steps(
        &mut self,
        steps: f64,
        #[wasm_bindgen(js_name = readOnly)] read_only: Option<bool>,
    ) -> JsResult<()> {
        Ok(self.0.limit_steps(steps as u64, read_only.unwrap_or(false))?)
    }

    /// While steps are limited: allows no more than D1 does.
    #[wasm_bindgen(js_name = limitAsD1)]
    pub fn limit_as_d1(&mut self, limited: bool) -> JsResult<()> {
        Ok(self.0.limit_as_d1(limited)?)
    }

    /// The rowid of the last INSERT as a number, where that is a safe integer; otherwise near it, and not one.
    #[wasm_bindgen(getter, js_name = lastRowid)]
    pub fn last_rowid(&self) -> f64 {
        self.0.last_insert_rowid() as f64
    }

    /// The rowid of the last INSERT.
    #[wasm_bindgen(getter, js_name = lastInsertRowid)]
    pub fn last_insert_rowid(&self) -> i64 {
        self.0.last_insert_rowid()
    }

    /// Whether a transaction was begun and not ended.
    #[wasm_bindgen(getter, js_name = inTransaction)]
    pub fn in_transaction(&self) -> bool {
        self.0.in_transaction()
    }

    /// Whether a transaction or a statement that was not read to its end is open.
    #[wasm_bindgen(getter)]
    pub fn busy(&self) -> bool {
        self.0.is_busy()
    }
}

thread_local! {
    /// See [`Database::room`]; JavaScript writes to it between calls.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; 4096].into());
    /// The failure of the last [`Database::run`].
    static FAILURE: RefCell<Option<Error>> = const { RefCell::new(None) };
}

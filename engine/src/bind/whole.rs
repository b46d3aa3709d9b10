//! The database as a whole.

use js_sys::{Array, Object};
use wasm_bindgen::prelude::*;

use super::database::Database;
use super::{JsResult, object};
use crate::database;
use crate::error::ErrorKind;
use crate::memory::put_aside;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a check found, and why SQLite could not look where it could not. */
export interface CheckReport {
  integrity: string[];
  refused: string | undefined;
  foreignKeysRefused: string | undefined;
  foreignKeys: { table: string; rowid: bigint | undefined; parent: string; key: number }[];
}
"#;

#[wasm_bindgen]
extern "C" {
    /// See `CheckReport`.
    #[wasm_bindgen(extends = Object, typescript_type = "CheckReport")]
    pub type JsReport;
}

/// A database file on its way in.
#[wasm_bindgen]
#[derive(Default)]
pub struct Loading(database::Loading);

#[wasm_bindgen]
impl Loading {
    /// A load that has no bytes yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }
}

/// A compacted copy on its way out.
#[wasm_bindgen]
pub struct Compacted(database::Compacted);

#[wasm_bindgen]
impl Compacted {
    /// In bytes.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> f64 {
        self.0.size() as f64
    }

    /// The next bytes, at most `max`; none at the end.
    pub fn read(&mut self, max: u32) -> JsResult<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(max as usize).map_err(|_| ErrorKind::Memory)?;
        bytes.resize(max as usize, 0);
        let taken = self.0.read(&mut bytes)?;
        bytes.truncate(taken);
        Ok(bytes)
    }
}

/// SQL on its way in.
#[wasm_bindgen]
#[derive(Default)]
pub struct Import(database::Import);

#[wasm_bindgen]
impl Import {
    /// An import that has no SQL yet. When `steps` is not 0, the SQL is a stranger's: see `Database.limitSteps`, for each piece of it.
    #[wasm_bindgen(constructor)]
    pub fn new(steps: f64) -> Self {
        Self(database::Import::limited(steps as u64))
    }
}

/// What an import did.
#[wasm_bindgen]
pub struct Imported {
    /// How many statements were run.
    #[wasm_bindgen(readonly)]
    pub statements: f64,
    /// How many rows they inserted, updated or deleted.
    #[wasm_bindgen(readonly)]
    pub changes: f64,
    /// The rowid of the last row that was inserted.
    #[wasm_bindgen(readonly, js_name = lastInsertRowid)]
    pub last_insert_rowid: i64,
}

#[wasm_bindgen]
impl Database {
    /// Runs what is whole of the SQL so far. After an error nothing of the import stays.
    #[wasm_bindgen(js_name = importFeed)]
    pub fn import_feed(
        &mut self,
        import: &mut Import,
        sql: &[u8],
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<()> {
        put_aside()?;
        Ok(self.0.import_feed(&mut import.0, sql, now_ms as i64)?)
    }

    /// Ends an import.
    #[wasm_bindgen(js_name = importEnd)]
    pub fn import_end(&mut self, import: Import, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<Imported> {
        put_aside()?;
        let database::Imported { statements, changes, last_insert_rowid } = self.0.import(import.0, now_ms as i64)?;
        Ok(Imported { statements: statements as f64, changes: changes as f64, last_insert_rowid })
    }

    /// Gives an import up.
    #[wasm_bindgen(js_name = importAbort)]
    pub fn import_abort(&mut self, import: Import) {
        self.0.import_abort(import.0);
    }

    /// The newest commit as a database file.
    pub fn serialize(&mut self) -> JsResult<Vec<u8>> {
        put_aside()?;
        Ok(self.0.serialize()?)
    }

    /// Takes the next bytes of a file to load, however many. After an error the load must be aborted.
    #[wasm_bindgen(js_name = loadFeed)]
    pub fn load_feed(
        &mut self,
        loading: &mut Loading,
        bytes: &[u8],
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> JsResult<()> {
        put_aside()?;
        Ok(self.0.load_feed(&mut loading.0, bytes, now_ms as i64)?)
    }

    /// Gives up a file that was being loaded.
    #[wasm_bindgen(js_name = loadAbort)]
    pub fn load_abort(&mut self, loading: Loading) {
        self.0.load_abort(loading.0);
    }

    /// Makes the content that of a whole database file, as one commit.
    pub fn load(&mut self, loading: Loading, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<()> {
        put_aside()?;
        Ok(self.0.load(loading.0, now_ms as i64)?)
    }

    /// A copy without free space.
    pub fn compact(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<Compacted> {
        put_aside()?;
        Ok(Compacted(self.0.compact(now_ms as i64)?))
    }

    /// Checks that the database, or one table of it, is whole and that foreign keys refer to rows.
    pub fn check(&mut self, table: Option<String>, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> JsResult<JsReport> {
        put_aside()?;
        let report = self.0.check(table.as_deref(), now_ms as i64)?;
        let integrity: Array = report.integrity.iter().map(|line| JsValue::from(line.as_str())).collect();
        let problem = |problem: &database::ForeignKeyProblem| {
            object([
                ("table", problem.table.as_str().into()),
                ("rowid", problem.rowid.map_or(JsValue::UNDEFINED, JsValue::from)),
                ("parent", problem.parent.as_str().into()),
                ("key", (problem.key as f64).into()),
            ])
        };
        let foreign_keys: Array = report.foreign_keys.iter().map(problem).collect();
        let text = |text: &Option<String>| text.as_deref().map_or(JsValue::UNDEFINED, JsValue::from);
        let report = object([
            ("integrity", integrity.into()),
            ("refused", text(&report.refused)),
            ("foreignKeys", foreign_keys.into()),
            ("foreignKeysRefused", text(&report.foreign_keys_refused)),
        ]);
        Ok(JsValue::from(report).unchecked_into())
    }
}

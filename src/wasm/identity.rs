//! Whether a database is the one whose backups a chain holds.

use wasm_bindgen::prelude::*;

use super::JsResult;
use super::page::DatabaseHeader;
use crate::btree::Layout;
use crate::catalog::identity::{self, Contents, Identity, Sign, Times, Verdict};
use crate::error::{Error, ErrorKind};
use crate::page::Pgno;

/// Digest of a path, or of what names a file, within the chain of `lineage` (hex).
#[wasm_bindgen(js_name = identityDigest)]
pub fn identity_digest(lineage: &str, text: &str) -> String {
    identity::digest(lineage, text)
}

/// Digests of the names of a database's tables, as many as a record keeps.
#[wasm_bindgen(js_name = tableSketch)]
pub fn table_sketch(names: Vec<String>) -> Vec<String> {
    Identity::sketch(names.iter().map(String::as_str))
}

/// Whether a database is the one that was backed up last, both as JSON: `same`, `unsure` when it must be asked again with
/// rows that were looked for, or else what shows that it is another: `beside`, `elsewhere`, `contents`.
#[wasm_bindgen(js_name = judgeIdentity)]
pub fn judge_identity(
    before: &str,
    now: &str,
    born_ms: Option<f64>,
    backup_ms: f64,
    search: Option<RowSearch>,
    identical: bool,
) -> JsResult<String> {
    let parse = |json: &str| serde_json::from_str(json).map_err(|_| Error::from(ErrorKind::Usage));
    let (before, now): (Identity, Identity) = (parse(before)?, parse(now)?);
    let times = Times { born_ms: born_ms.map(|ms| ms as i64), backup_ms: backup_ms as i64 };
    let contents = search.map(|search| {
        let (rows, kept) = search.0.found();
        Contents { rows, kept, identical }
    });
    let verdict = match before.judge(&now, times, contents) {
        Verdict::Same => "same",
        Verdict::Unsure => "unsure",
        Verdict::Other(Sign::Beside) => "beside",
        Verdict::Other(Sign::Elsewhere) => "elsewhere",
        Verdict::Other(Sign::Contents) => "contents",
    };
    Ok(verdict.to_owned())
}

/// Looks for rows of the last backup in the database as it is now; see the core's `catalog::RowSearch`.
#[wasm_bindgen]
#[derive(Default)]
pub struct RowSearch(identity::RowSearch);

#[wasm_bindgen]
impl RowSearch {
    /// A search that has seen no page.
    #[wasm_bindgen(constructor)]
    pub fn new() -> RowSearch {
        Self::default()
    }

    /// Takes the rows of a page of the database as it is now.
    pub fn add(&mut self, header: &DatabaseHeader, page_count: u32, pgno: u32, page: &[u8]) -> JsResult<()> {
        let pgno = Pgno::new(pgno).ok_or(ErrorKind::Usage)?;
        self.0.add(page, pgno, Layout::new(&header.0, page_count));
        Ok(())
    }

    /// Looks for the rows of a page of the last backup.
    #[wasm_bindgen(js_name = lookFor)]
    pub fn look_for(&mut self, header: &DatabaseHeader, page_count: u32, pgno: u32, page: &[u8]) -> JsResult<()> {
        let pgno = Pgno::new(pgno).ok_or(ErrorKind::Usage)?;
        self.0.look_for(page, pgno, Layout::new(&header.0, page_count));
        Ok(())
    }
}

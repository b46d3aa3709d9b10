//! SQL text, statement by statement.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::error::ErrorKind;
use crate::sql;

/// See the core's `sql::Statements`.
#[wasm_bindgen]
#[derive(Default)]
pub struct Statements(sql::Statements);

#[wasm_bindgen]
impl Statements {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text, which may end anywhere.
    pub fn push(&mut self, text: &[u8]) {
        self.0.push(text);
    }

    /// The next statement that is whole; nothing when more text is needed.
    #[wasm_bindgen(js_name = nextWhole)]
    pub fn next_whole(&mut self) -> JsResult<Option<String>> {
        let Some(statement) = self.0.next_whole() else { return Ok(None) };
        let sql = core::str::from_utf8(statement.sql).map_err(|_| ErrorKind::Usage)?;
        Ok(Some(sql.trim_ascii_start().to_owned()))
    }
}

//! Statements about backups.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{JsResult, structure};
use crate::statement::{self, Problem, Statement};

#[derive(Serialize)]
#[serde(untagged)]
enum Parsed {
    Read { statement: Statement, time: Option<i64> },
    Wrong { position: usize, message: String, expected: Vec<&'static str> },
}

/// Reads a statement; see the core's `statement::parse` and `Statement::time`: `{ statement, time }`, or `{ position, message, expected }`.
#[wasm_bindgen(js_name = parseStatement)]
pub fn parse_statement(text: &str, now_ms: f64) -> JsResult<JsValue> {
    let parsed = match statement::parse(text) {
        Ok(statement) => Parsed::Read { time: statement.time(now_ms as i64), statement },
        Err(Problem { position, message, expected }) => Parsed::Wrong { position, message, expected },
    };
    structure(&parsed)
}

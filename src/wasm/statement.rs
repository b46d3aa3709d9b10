//! Statements about backups.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{JsResult, structure};
use crate::statement::{self, Problem, Statement};

#[derive(Serialize)]
#[serde(untagged)]
enum Parsed {
    Read { statement: Statement, printed: String },
    Wrong { position: usize, message: String, expected: Vec<&'static str> },
}

/// Reads a statement; see the core's `statement::parse`: `{ statement, printed }`, or `{ position, message, expected }`.
#[wasm_bindgen(js_name = parseStatement)]
pub fn parse_statement(text: &str) -> JsResult<JsValue> {
    let parsed = match statement::parse(text) {
        Ok(statement) => Parsed::Read { printed: statement.to_string(), statement },
        Err(Problem { position, message, expected }) => Parsed::Wrong { position, message, expected },
    };
    structure(&parsed)
}

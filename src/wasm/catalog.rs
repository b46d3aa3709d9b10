//! Names, and what proves a restored state.

use wasm_bindgen::prelude::*;

use super::JsResult;
use super::snapshot::parse_checksum;
use crate::bookmark::Bookmark;
use crate::catalog::Name;

/// The folder of a database: its name as a segment of a key.
#[wasm_bindgen(js_name = nameToSegment)]
pub fn name_to_segment(name: &str) -> JsResult<String> {
    Ok(Name::parse(name)?.segment())
}

/// Checks that pages with the database checksum `checksum` (hex) are those that `bookmark` names.
#[wasm_bindgen(js_name = proveBookmark)]
pub fn prove_bookmark(bookmark: &str, checksum: &str) -> JsResult<()> {
    let bookmark: Bookmark = bookmark.parse()?;
    Ok(bookmark.prove(bookmark.lineage, parse_checksum(checksum)?)?)
}

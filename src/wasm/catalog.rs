//! Names, and what proves a restored state.

use wasm_bindgen::prelude::*;

use super::JsResult;
use super::run::parse_layout;
use super::snapshot::parse_checksum;
use crate::bookmark::Bookmark;
use crate::catalog::retention::{Candidate, Policy, retain};
use crate::catalog::{Kind, Name, Record, names};

/// The key that an object in the folder `segment` has in a store of that layout; nothing for what is no part of a backup.
#[wasm_bindgen(js_name = keyIn)]
pub fn key_in(layout: &str, segment: &str, key: &str) -> JsResult<Option<String>> {
    let rest = key.strip_prefix(segment).and_then(|key| key.strip_prefix('/'));
    let layout = parse_layout(layout)?;
    Ok(rest.and_then(|rest| names::key_in(layout, rest)).map(|rest| format!("{segment}/{rest}")))
}

/// The folder of a database: its name as a segment of a key.
#[wasm_bindgen(js_name = nameToSegment)]
pub fn name_to_segment(name: &str) -> JsResult<String> {
    Ok(Name::parse(name)?.segment())
}

/// Refuses a store with these keys, where it is the folder of a database in another store.
#[wasm_bindgen(js_name = refuseNested)]
pub fn refuse_nested(keys: Vec<String>) -> JsResult<()> {
    Ok(names::refuse_nested(keys.iter().map(String::as_str))?)
}

/// Checks that pages with the database checksum `checksum` (hex) are those that `bookmark` names.
#[wasm_bindgen(js_name = proveBookmark)]
pub fn prove_bookmark(bookmark: &str, checksum: &str) -> JsResult<()> {
    let bookmark: Bookmark = bookmark.parse()?;
    Ok(bookmark.prove(bookmark.lineage, parse_checksum(checksum)?)?)
}

/// Whether two bookmarks name the same pages of the same database.
#[wasm_bindgen(js_name = namesSamePages)]
pub fn names_same_pages(bookmark: &str, other: &str) -> JsResult<bool> {
    Ok(bookmark.parse::<Bookmark>()?.has_pages_of(&other.parse()?))
}

/// A record's lineage, first and last TXID, and `full` or `incremental`, with spaces between them.
#[wasm_bindgen(js_name = recordIds)]
pub fn record_ids(record: &str) -> JsResult<String> {
    let (record, _) = Record::decode(record)?;
    let kind = if record.kind == Kind::Full { "full" } else { "incremental" };
    Ok(format!("{} {} {} {kind}", record.lineage(), record.first, record.txid()))
}

/// What becomes of each backup, oldest first: see the core's `catalog::retention::Fate`.
///
/// @param flags of each: 1 full, 2 pinned, 4 deleted
/// @param times of each when it was made, then what a clock on the wall showed, in milliseconds since 1970
/// @param rules how many of the last, of hours, days, weeks, months and years; then whether the database is over
#[wasm_bindgen]
pub fn retention(flags: &[u8], times: &[f64], rules: &[u32], within_ms: Option<f64>, now_ms: f64) -> Vec<u32> {
    let kind = |flags: u8| if flags & 1 == 0 { Kind::Incremental } else { Kind::Full };
    let candidates = flags.iter().zip(times.as_chunks().0).map(|(&flags, &[created, local])| Candidate {
        kind: kind(flags),
        created_ms: created as i64,
        local_ms: local as i64,
        pinned: flags & 2 != 0,
        deleted: flags & 4 != 0,
    });
    let rule = |at: usize| rules.get(at).copied().unwrap_or(0);
    let policy = Policy {
        last: rule(0),
        periods: [rule(1), rule(2), rule(3), rule(4), rule(5)],
        within_ms: within_ms.map(|within| within as i64),
        is_over: rule(6) != 0,
    };
    let candidates: Vec<_> = candidates.collect();
    retain(&candidates, &policy, now_ms as i64).into_iter().map(|fate| fate.0).collect()
}

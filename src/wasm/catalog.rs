//! Names, records and plans. Structures cross as JSON.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::JsResult;
use super::snapshot::{parse_checksum, parse_txid};
use crate::bookmark::{Bookmark, Lineage};
use crate::catalog::names::Found;
use crate::catalog::record::{Kind, Previous};
use crate::catalog::{self, Layout, LtxName, Name, Record, Target, names, replica};
use crate::error::{At, Error, ErrorKind};
use crate::page::Txid;

/// The folder of a database: its name as a segment of a key.
#[wasm_bindgen(js_name = nameToSegment)]
pub fn name_to_segment(name: &str) -> JsResult<String> {
    Ok(Name::parse(name)?.segment())
}

/// The database whose folder that is; nothing when it is none.
#[wasm_bindgen(js_name = segmentToName)]
pub fn segment_to_name(segment: &str) -> Option<String> {
    Name::from_segment(segment).ok().map(|name| name.to_string())
}

/// Key of a record below the database's folder.
#[wasm_bindgen(js_name = recordKey)]
pub fn record_key(first: &str) -> JsResult<String> {
    Ok(names::record_key(parse_txid(first)?))
}

/// Key of a fingerprint file below the database's folder.
#[wasm_bindgen(js_name = fingerprintsKey)]
pub fn fingerprints_key(first: &str, max: &str) -> JsResult<String> {
    Ok(names::fingerprints_key(parse_txid(first)?, parse_txid(max)?))
}

/// Key of an LTX file below the database's folder.
#[wasm_bindgen(js_name = ltxKey)]
pub fn ltx_key(layout: &str, level: u8, min: &str, max: &str) -> JsResult<String> {
    Ok(LtxName { level, min: parse_txid(min)?, max: parse_txid(max)? }.key(parse_layout(layout)?))
}

/// A bookmark for the state `txid` (hex) taken at `now_ms`.
#[wasm_bindgen(js_name = formatBookmark)]
pub fn format_bookmark(txid: &str, now_ms: f64, checksum: &str, lineage: &str) -> JsResult<String> {
    let lineage = Lineage::parse(lineage).ok_or(ErrorKind::Usage)?;
    Ok(Bookmark::new(parse_txid(txid)?, now_ms as i64, parse_checksum(checksum)?, lineage).to_string())
}

/// Checks that pages with the database checksum `checksum` (hex) are those that `bookmark` names.
#[wasm_bindgen(js_name = proveBookmark)]
pub fn prove_bookmark(bookmark: &str, checksum: &str) -> JsResult<()> {
    let bookmark: Bookmark = bookmark.parse()?;
    Ok(bookmark.prove(bookmark.lineage, parse_checksum(checksum)?)?)
}

/// A record as it is stored.
#[wasm_bindgen]
pub struct EncodedRecord {
    record: Record,
    text: String,
    digest: String,
}

#[wasm_bindgen]
impl EncodedRecord {
    /// From the record as JSON.
    #[wasm_bindgen(constructor)]
    pub fn new(json: &str) -> JsResult<EncodedRecord> {
        let record: Record = serde_json::from_str(json).map_err(|_| Error::from(ErrorKind::RecordSyntax))?;
        let (text, digest) = record.encode()?;
        Ok(Self { record, text, digest })
    }

    /// What is stored.
    #[wasm_bindgen(getter)]
    pub fn text(&self) -> String {
        self.text.clone()
    }

    /// Size of the text, in bytes.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> usize {
        self.text.len()
    }
}

/// All backups of one database; see the core's `catalog::History`.
#[wasm_bindgen]
#[derive(Default)]
pub struct History(catalog::History);

/// A record as JavaScript sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    first: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ltx: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprints: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<Damage>,
}

#[derive(Serialize)]
struct Damage {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NextBackup {
    first: String,
    txid: String,
    previous: Option<Previous>,
    lineage: Option<String>,
    full_because: Option<&'static str>,
    damaged: bool,
}

/// A link of a chain: the record, and where its LTX file is.
#[derive(Serialize)]
struct Link<'a> {
    record: &'a Record,
    ltx: String,
    fingerprints: String,
}

#[wasm_bindgen]
impl History {
    /// A history without backups.
    #[wasm_bindgen(constructor)]
    pub fn new() -> History {
        Self::default()
    }

    /// Looks at a key below the database's folder: the record to fetch and [`History::add`] when it is one.
    /// Other files of a backup are taken note of.
    pub fn see(&mut self, key: &str, layout: &str) -> JsResult<bool> {
        Ok(self.0.see(key, parse_layout(layout)?))
    }

    /// Adds the record stored under `key`.
    pub fn add(&mut self, key: &str, text: &str) -> JsResult<()> {
        self.0.add(names::parse_record_key(key).ok_or(ErrorKind::ObjectName)?, text);
        Ok(())
    }

    /// Adds a record that was stored just now.
    #[wasm_bindgen(js_name = addEncoded)]
    pub fn add_encoded(&mut self, encoded: EncodedRecord) {
        self.0.add_sound(encoded.record, encoded.digest);
    }

    /// Whether a sound record of a full backup was added.
    #[wasm_bindgen(getter, js_name = hasFull)]
    pub fn has_full(&self) -> bool {
        self.0.entries().any(|(_, entry)| entry.is_ok_and(|record| record.kind == Kind::Full))
    }

    /// Refuses what cannot be read though it looks like backups.
    #[wasm_bindgen(js_name = checkKind)]
    pub fn check_kind(&self) -> JsResult<()> {
        Ok(self.0.check_kind()?)
    }

    /// Every backup, oldest first, with the state of its chain, as JSON: `{ first, record, ltx, fingerprints }` or
    /// `{ first, damage }`.
    pub fn checked(&self, layout: &str) -> JsResult<String> {
        let layout = parse_layout(layout)?;
        let checked = self.0.checked().map(|(first, entry)| {
            let Link { ltx, fingerprints, .. } = match entry {
                Ok(record) => link(&self.0, record, layout),
                Err(_) => return listed(first, entry),
            };
            Listed { ltx: Some(ltx), fingerprints: Some(fingerprints), ..listed(first, entry) }
        });
        json(&checked.collect::<Vec<_>>())
    }

    /// Beginnings of the keys, below the database's folder, of all objects from those of the backup with the TXID `from`
    /// (hex) on; none where they would be too many.
    pub fn prefixes(&self, from: &str, layout: &str) -> JsResult<Vec<String>> {
        let next = self.0.next();
        Ok(names::prefixes_of(parse_layout(layout)?, parse_txid(from)?, next.txid))
    }

    /// Every backup, oldest first, as JSON: `{ first, record }` or `{ first, damage }`.
    pub fn list(&self) -> JsResult<String> {
        let listed: Vec<_> = self.0.entries().map(|(first, entry)| listed(first, entry)).collect();
        json(&listed)
    }

    /// The backup that `target` means, as JSON.
    pub fn find(&self, target: &str, now_ms: f64) -> JsResult<String> {
        json(self.0.find(&Target::parse(target, now_ms as i64)?)?)
    }

    /// The backup that a database is compared with, as JSON, `null` when there is none; see `catalog::History`.
    pub fn reference(&self, changes: Option<u32>) -> JsResult<String> {
        json(&self.0.reference(changes))
    }

    /// The record and the keys of the objects of the backup with that TXID (hex), as JSON.
    #[wasm_bindgen(js_name = linkOf)]
    pub fn link_of(&self, txid: &str, layout: &str) -> JsResult<String> {
        let record = self.0.find(&Target::Txid(parse_txid(txid)?))?;
        json(&link(&self.0, record, parse_layout(layout)?))
    }

    /// The chain of the backup with that TXID (hex) as JSON, oldest first: its records, and the LTX files' keys.
    pub fn chain(&self, txid: &str, layout: &str) -> JsResult<String> {
        let record = self.0.find(&Target::Txid(parse_txid(txid)?))?;
        links(&self.0, self.0.chain(record)?, layout)
    }

    /// The chain of fingerprint files of the backup with that TXID (hex), likewise.
    pub fn fingerprints(&self, txid: &str, layout: &str) -> JsResult<String> {
        let record = self.0.find(&Target::Txid(parse_txid(txid)?))?;
        links(&self.0, self.0.fingerprints(record)?, layout)
    }

    /// Whether a backup of `changed` pages on top of the one with that TXID (hex) writes all fingerprints.
    #[wasm_bindgen(js_name = wantsCompleteFingerprints)]
    pub fn wants_complete_fingerprints(&self, txid: &str, changed: u32) -> JsResult<bool> {
        let record = self.0.find(&Target::Txid(parse_txid(txid)?))?;
        Ok(self.0.wants_complete_fingerprints(record, changed))
    }

    /// What the next backup will be, as JSON.
    pub fn next(&self) -> JsResult<String> {
        let next = self.0.next();
        json(&NextBackup {
            first: next.first.to_string(),
            txid: next.txid.to_string(),
            previous: next.previous,
            lineage: next.lineage.map(|lineage| lineage.to_string()),
            full_because: next.full_because,
            damaged: next.damaged,
        })
    }
}

/// A file of a Litestream replica.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplicaFile {
    key: String,
    created_ms: f64,
}

/// What restores a replica, oldest first.
#[derive(Serialize)]
struct Replica<'a> {
    keys: Vec<&'a str>,
    /// The epoch it was taken from, of celld's; 0 elsewhere.
    epoch: u32,
    /// The epochs that were passed over.
    older: Vec<u32>,
}

/// The keys that restore a folder written by Litestream, or by celld, to `target`, as JSON; see [`Replica`]. `files` is
/// JSON: the keys below the database's folder, and when each was made.
#[wasm_bindgen(js_name = planReplica)]
pub fn plan_replica(files: &str, target: &str, now_ms: f64) -> JsResult<String> {
    let files: Vec<ReplicaFile> = serde_json::from_str(files).map_err(|_| Error::from(ErrorKind::Usage))?;
    let found = files.iter().filter_map(|file| Some((Found::parse(&file.key)?, file)));
    let found: Vec<_> = found.collect();
    let epoch = found.iter().map(|(found, _)| found.epoch).max().unwrap_or(0);
    let mut older: Vec<_> = found.iter().map(|(found, _)| found.epoch).filter(|&other| other != epoch).collect();
    older.sort_unstable();
    older.dedup();
    let newest = found.iter().filter(|(found, _)| found.epoch == epoch);
    let known = newest.clone();
    let known = known.map(|(found, file)| replica::File { name: found.name, created_ms: file.created_ms as i64 });
    let target = Target::parse(target, now_ms as i64)?;
    let plan = replica::plan(&known.collect::<Vec<_>>(), &target)?;
    let key_of = |name| newest.clone().find(|(found, _)| found.name == name).map(|(_, file)| file.key.as_str());
    json(&Replica { keys: plan.into_iter().filter_map(key_of).collect(), epoch, older })
}

fn listed(first: Txid, entry: Result<&Record, Error>) -> Listed<'_> {
    let damage = entry.err().map(|error| Damage {
        code: error.kind.code(),
        message: match error.at {
            // Named already.
            At::Txid(txid) if txid == first.0 => error.kind.message().to_owned(),
            At::Txid(txid) => format!("{} (TXID {})", error.kind.message(), Txid(txid)),
            _ => error.kind.message().to_owned(),
        },
    });
    Listed { first: first.to_string(), record: entry.ok(), ltx: None, fingerprints: None, damage }
}

fn links(history: &catalog::History, records: Vec<&Record>, layout: &str) -> JsResult<String> {
    let layout = parse_layout(layout)?;
    json(&records.into_iter().map(|record| link(history, record, layout)).collect::<Vec<_>>())
}

fn link<'a>(history: &catalog::History, record: &'a Record, layout: Layout) -> Link<'a> {
    let ltx = history.ltx_key(record, layout);
    Link { record, ltx, fingerprints: names::fingerprints_key(record.first, record.txid()) }
}

fn parse_layout(layout: &str) -> JsResult<Layout> {
    match layout {
        "folder" => Ok(Layout::Folder),
        "bucket" => Ok(Layout::Bucket),
        _ => Err(ErrorKind::Usage.into()),
    }
}

fn json(value: &impl Serialize) -> JsResult<String> {
    serde_json::to_string(value).map_err(|_| Error::from(ErrorKind::Usage).into())
}

//! Following a database's WAL, and what was stored of that.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::run::{KnownFolder, parse_layout};
use super::snapshot::parse_txid;
use super::told::Folder;
use super::{JsResult, structure};
use crate::bookmark::Bookmark;
use crate::catalog::levels::LEVEL_STATES;
use crate::catalog::{self, LtxName};
use crate::error::ErrorKind;
use crate::ltx;
use crate::page::wal::{WalMark, WalReader};
use crate::page::{PageSize, Txid};
use crate::snapshot::{self, tail};

/// The states between two backups; see the core's `snapshot::Tail`.
#[wasm_bindgen]
pub struct Tail {
    tail: snapshot::Tail,
    folder: catalog::Folder,
}

#[wasm_bindgen]
impl Tail {
    /// From the backup on that `bookmark` names, in the folder `segment` of a store of that layout.
    #[wasm_bindgen(constructor)]
    pub fn new(segment: &str, layout: &str, page_size: u32, bookmark: &str) -> JsResult<Tail> {
        let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
        let bookmark: Bookmark = bookmark.parse()?;
        let folder = catalog::Folder::new(segment, parse_layout(layout)?);
        Ok(Self { tail: snapshot::Tail::new(page_size, &bookmark), folder })
    }

    /// Adds the states of the next pages.
    pub fn load(&mut self, states: &[u8]) -> JsResult<()> {
        Ok(self.tail.load(states)?)
    }

    /// Takes the state after the last commit in `bytes`, which follow `mark` in the WAL that begins with `header`, as the one after
    /// the state `last`: `[key, file, mark, bookmark, txid]` to be stored; nothing when there is no commit.
    pub fn take(
        &mut self,
        header: &[u8],
        mark: &str,
        bytes: &[u8],
        last: &str,
        now_ms: f64,
    ) -> JsResult<Option<Array>> {
        let mark = WalMark::parse(mark).ok_or(ErrorKind::Usage)?;
        let txid = next(last)?;
        let taken = self.tail.take(tail::Frames { header, mark, bytes }, txid, now_ms as i64)?;
        Ok(taken.map(|taken| {
            let key = self.folder.ltx_key(LtxName { level: LEVEL_STATES, min: txid, max: txid });
            let file = js_sys::Uint8Array::from(taken.ltx.as_slice());
            let (mark, bookmark) = (taken.mark.format().into(), taken.bookmark.to_string().into());
            Array::of5(&key.into(), &file, &mark, &bookmark, &txid.to_string().into())
        }))
    }

    /// Key of the record of the backup that comes after the state `txid`.
    #[wasm_bindgen(js_name = recordKey)]
    pub fn record_key(&self, txid: &str) -> JsResult<String> {
        Ok(self.folder.record_key(next(txid)?))
    }
}

fn next(txid: &str) -> JsResult<Txid> {
    Ok(Txid(parse_txid(txid)?.0 + 1))
}

/// The place before the first frame of the WAL that begins with `header`; nothing where SQLite ignores it.
#[wasm_bindgen(js_name = walStart)]
pub fn wal_start(page_size: u32, header: &[u8]) -> JsResult<Option<String>> {
    let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
    Ok(WalReader::start(page_size, header)?.map(WalMark::format))
}

/// Makes one LTX file of several; see the core's `ltx::Compaction`.
#[wasm_bindgen]
pub struct Compaction(ltx::Compaction);

#[wasm_bindgen]
impl Compaction {
    /// A merge of so many files, oldest first.
    #[wasm_bindgen(constructor)]
    pub fn new(files: usize) -> Compaction {
        Self(ltx::Compaction::new(files))
    }

    /// Appends the next bytes of a file; empty ones mean that it ends.
    pub fn feed(&mut self, file: usize, bytes: &[u8]) -> JsResult<()> {
        Ok(self.0.feed(file, bytes)?)
    }

    /// What comes next: the number of the file that is needed, bytes that were put out, or nothing at the end.
    pub fn next(&mut self) -> JsResult<JsValue> {
        Ok(match self.0.poll()? {
            ltx::CompactionEvent::NeedInput(file) => JsValue::from(file as u32),
            ltx::CompactionEvent::Output => js_sys::Uint8Array::from(self.0.take_output().as_slice()).into(),
            ltx::CompactionEvent::End => JsValue::UNDEFINED,
        })
    }
}

#[wasm_bindgen]
impl KnownFolder {
    /// Takes note of the last state between backups that was stored.
    pub fn reach(&mut self, txid: &str) -> JsResult<()> {
        self.0.reach(parse_txid(txid)?);
        Ok(())
    }
}

#[wasm_bindgen]
impl Folder {
    /// Keys of the files of states between backups that can go, as they are older than `before_ms`.
    pub fn outdated(&self, before_ms: f64) -> Vec<String> {
        self.0.outdated(before_ms as i64)
    }

    /// Files that should be made of others: `[{ key, files, modifiedMs }]`, in this order.
    pub fn merges(&self) -> JsResult<JsValue> {
        structure(&self.0.merges())
    }
}

//! Packing, writing and restoring.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::error::ErrorKind;
use crate::ltx::encoder::Tail;
use crate::ltx::{Header, PageIndex as CorePageIndex};
use crate::page::{Checksum, PageSize, Pgno, Txid};
use crate::snapshot::fingerprint::{decode_states, encode_states};
use crate::snapshot::{self, RestoreEvent};

/// Packs batches of pages; see the core's `snapshot::Packer`.
#[wasm_bindgen]
pub struct Packer {
    packer: snapshot::Packer,
    /// Summary of the batch whose frames were taken last.
    summary: Vec<u8>,
}

#[wasm_bindgen]
impl Packer {
    /// For pages of that size.
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32) -> JsResult<Packer> {
        let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
        Ok(Self { packer: snapshot::Packer::new(page_size), summary: Vec::new() })
    }

    /// Adds runs of whole pages, one after the other in `pages`: `runs` has each one's first page and its count. Pages
    /// that are as in `previous` ([`Previous::states`]) are left out.
    pub fn add(&mut self, runs: &[u32], pages: &[u8], previous: Option<Vec<u8>>) -> JsResult<()> {
        let previous = previous.map(|states| decode_states(&states)).transpose()?;
        let (runs, rest) = runs.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(ErrorKind::Usage.into());
        }
        Ok(self.packer.add_runs(runs, pages, previous.as_deref())?)
    }

    /// Takes the frames of what was added since the last call, which go into the LTX file.
    #[wasm_bindgen(js_name = takeFrames)]
    pub fn take_frames(&mut self) -> Vec<u8> {
        let packed = self.packer.take();
        self.summary = packed.summary();
        packed.frames.bytes
    }

    /// Takes everything else of it, for [`Writer::append`].
    #[wasm_bindgen(js_name = takeSummary)]
    pub fn take_summary(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.summary)
    }
}

/// The states of the last backup's pages; see the core's `snapshot::Previous`.
#[wasm_bindgen]
pub struct Previous(snapshot::Previous);

#[wasm_bindgen]
impl Previous {
    /// The fingerprints of a backup with that database checksum (16 hex digits).
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32, page_count: u32, checksum: &str) -> JsResult<Previous> {
        let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
        Ok(Self(snapshot::Previous::new(page_size, page_count, parse_checksum(checksum)?)))
    }

    /// Adds a whole younger fingerprint file, in order of age.
    #[wasm_bindgen(js_name = addChanges)]
    pub fn add_changes(&mut self, file: &[u8]) -> JsResult<()> {
        Ok(self.0.add_changes(file)?)
    }

    /// Appends the next bytes of the oldest fingerprint file.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// The states of the next `count` pages, 24 bytes each; nothing: feed more first.
    pub fn states(&mut self, count: u32) -> JsResult<Option<Vec<u8>>> {
        Ok(self.0.states(count)?.map(|states| encode_states(&states)))
    }
}

/// Writes a backup's two files; see the core's `snapshot::Writer`.
#[wasm_bindgen]
pub struct Writer(Option<snapshot::Writer>);

/// The end of an LTX file.
#[wasm_bindgen]
pub struct LtxTail {
    tail: Tail,
    checksum: Checksum,
}

#[wasm_bindgen]
impl Writer {
    /// The writer of a backup that leads from TXID `min` to `max` (hex), on top of a state with checksum `before` (hex; nothing
    /// for a full backup).
    #[wasm_bindgen(constructor)]
    pub fn new(
        page_size: u32,
        page_count: u32,
        min: &str,
        max: &str,
        now_ms: f64,
        before: Option<String>,
    ) -> JsResult<Writer> {
        let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
        let header = Header::new(page_size, page_count, parse_txid(min)?, parse_txid(max)?, now_ms as i64);
        let before = before.map_or(Ok(Checksum::EMPTY), |before| parse_checksum(&before))?;
        Ok(Self(Some(snapshot::Writer::new(header, before))))
    }

    /// The first bytes of the LTX file.
    #[wasm_bindgen(js_name = ltxHeader)]
    pub fn ltx_header(&self) -> JsResult<Vec<u8>> {
        Ok(self.writer()?.ltx_header())
    }

    /// Takes note of a batch; returns what comes next in the fingerprint file.
    pub fn append(&mut self, summary: &[u8]) -> JsResult<Vec<u8>> {
        let packed = snapshot::Packed::from_summary(summary)?;
        Ok(self.0.as_mut().ok_or(ErrorKind::Usage)?.append(&packed)?)
    }

    /// Ends the LTX file.
    pub fn finish(&mut self) -> JsResult<LtxTail> {
        let (tail, checksum) = self.0.take().ok_or(ErrorKind::Usage)?.finish()?;
        Ok(LtxTail { tail, checksum })
    }

    fn writer(&self) -> JsResult<&snapshot::Writer> {
        Ok(self.0.as_ref().ok_or(ErrorKind::Usage)?)
    }
}

#[wasm_bindgen]
impl LtxTail {
    /// The next piece; nothing at the end.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        self.tail.next()
    }

    /// The database checksum, 16 hex digits.
    #[wasm_bindgen(getter)]
    pub fn checksum(&self) -> String {
        self.checksum.to_string()
    }
}

/// Restores a chain; see the core's `snapshot::Restore`.
#[wasm_bindgen]
pub struct Restore {
    restore: snapshot::Restore,
    file: usize,
    checksum: Option<Checksum>,
}

/// What comes next of a restore.
#[wasm_bindgen]
pub enum RestoreStep {
    /// Feed [`Restore::file`].
    Need = "need",
    /// Take output.
    Output = "output",
    /// Nothing: all of it was taken.
    End = "end",
}

#[wasm_bindgen]
impl Restore {
    /// From that many LTX files, oldest first; `is_proved` says that the caller proves the checksum.
    #[wasm_bindgen(constructor)]
    pub fn new(files: usize, is_proved: bool) -> Restore {
        Self { restore: snapshot::Restore::new(files, is_proved), file: 0, checksum: None }
    }

    /// Appends the next bytes of a file; empty ones mean that it ends.
    pub fn feed(&mut self, file: usize, bytes: &[u8]) -> JsResult<()> {
        Ok(self.restore.feed(file, bytes)?)
    }

    /// What comes next.
    pub fn poll(&mut self) -> JsResult<RestoreStep> {
        Ok(match self.restore.poll()? {
            RestoreEvent::NeedInput(file) => {
                self.file = file;
                RestoreStep::Need
            }
            RestoreEvent::Output => RestoreStep::Output,
            RestoreEvent::End(checksum) => {
                self.checksum = Some(checksum);
                RestoreStep::End
            }
        })
    }

    /// The file that is needed.
    #[wasm_bindgen(getter)]
    pub fn file(&self) -> usize {
        self.file
    }

    /// The next bytes of the database file.
    #[wasm_bindgen(js_name = takeOutput)]
    pub fn take_output(&mut self) -> Vec<u8> {
        self.restore.take_output()
    }

    /// Size of the database in bytes, once known.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> Option<f64> {
        self.restore.shape().map(|(page_size, page_count)| f64::from(page_size) * f64::from(page_count))
    }

    /// The database checksum, 16 hex digits, at the end.
    #[wasm_bindgen(getter)]
    pub fn checksum(&self) -> Option<String> {
        self.checksum.map(|checksum| checksum.to_string())
    }
}

/// A stored LTX file's page index.
#[wasm_bindgen]
pub struct PageIndex(CorePageIndex);

#[wasm_bindgen]
impl PageIndex {
    /// Offset and length of the index in a file of `file_size` bytes with those last 24 bytes.
    pub fn locate(tail: &[u8], file_size: f64) -> JsResult<Vec<f64>> {
        let (offset, len) = CorePageIndex::locate(tail, file_size as u64)?;
        Ok(vec![offset as f64, len as f64])
    }

    /// Reads the index.
    pub fn parse(triples: &[u8]) -> JsResult<PageIndex> {
        Ok(Self(CorePageIndex::parse(triples)?))
    }

    /// Offset and length of a page's frame; nothing when the file does not hold the page.
    pub fn find(&self, pgno: u32) -> Option<Vec<f64>> {
        let (offset, len) = self.0.find(Pgno::new(pgno)?)?;
        Some(vec![offset as f64, f64::from(len)])
    }
}

/// One page out of its frame.
#[wasm_bindgen(js_name = unpackFrame)]
pub fn unpack_frame(page_size: u32, pgno: u32, frame: &[u8]) -> JsResult<Vec<u8>> {
    let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
    Ok(crate::ltx::FrameUnpacker::new(page_size).unpack_one(pgno, frame)?)
}

/// SHA-256 of a stream, for hosts that have none, and where it is to be saved; see the core's `snapshot::Sha256`.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sha256(snapshot::Sha256);

#[wasm_bindgen]
impl Sha256 {
    /// The hash of nothing yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Sha256 {
        Self::default()
    }

    /// From [`Sha256::save`].
    pub fn resume(saved: &[u8]) -> JsResult<Sha256> {
        Ok(Self(snapshot::Sha256::resume(saved)?))
    }

    /// All there is to know, at most 112 bytes.
    pub fn save(&self) -> Vec<u8> {
        self.0.save()
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest as 64 hex digits; the hasher begins anew.
    pub fn digest(&mut self) -> String {
        snapshot::hex_digits(&core::mem::take(&mut self.0).finish())
    }
}

pub(super) fn parse_txid(text: &str) -> JsResult<Txid> {
    Ok(Txid::parse(text).ok_or(ErrorKind::Usage)?)
}

pub(super) fn parse_checksum(text: &str) -> JsResult<Checksum> {
    Ok(Checksum::new(parse_txid(text)?.0).ok_or(ErrorKind::Usage)?)
}

//! A backup under way, as its host keeps it.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PMBJ` |
//! | 4 | version, 1 |
//! | 8 | CRC-64 of all that follows |
//! | 4 + … | the database's name; before each text, and each run of bytes, its length |
//! | 4 + … | the machine: `run/saved.rs` |
//! | 4 + … | the log of its writer |
//! | 1, 4 + … | whether the pages to pack are known, and their numbers, 4 bytes each |
//! | 1 | whether the fingerprint file is stored |
//! | 4 | the last number that an object was begun under |
//! | 1 | how many objects there are, and for each: |
//! | 1 | its file: 0 LTX, 1 fingerprints |
//! | … | the object: `upload.rs` |
//!
//! Integers are big-endian.

use super::ask::Lender;
use super::upload::{Uploaded, put_bytes, take_bytes};
use crate::bytes::{Reader, Writer as _};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Crc64;
use crate::run::{Backup, File};

const MAGIC: &[u8; 4] = b"PMBJ";
const VERSION: u32 = 1;

/// What another process goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SavedJob {
    pub(super) name: String,
    /// Empty until the job was saved.
    run: Vec<u8>,
    /// Grows only.
    index: Vec<u8>,
    changed: Option<Vec<u32>>,
    pub(super) has_name: bool,
    pub(super) last_upload: u32,
    /// Each file, and its object as it was saved.
    files: Vec<(File, Vec<u8>)>,
}

impl SavedJob {
    /// Takes note of a backup that says that it can be saved.
    pub(super) fn note(&mut self, backup: &Backup, files: &[(File, Uploaded)]) {
        self.run = backup.save();
        let grown = backup.log_from(self.index.len());
        self.index.extend_from_slice(&grown);
        if self.changed.is_none() {
            self.changed = backup.changed();
        }
        self.files = files.iter().map(|(file, object)| (*file, object.save())).collect();
    }

    /// The backup as its machine goes on.
    pub(super) fn resume(&self) -> Result<Backup> {
        Backup::resume(&self.run, self.index.clone(), self.changed.clone())
    }

    /// The objects that were begun.
    pub(super) fn files(&self, lender: &Lender) -> Result<Vec<(File, Uploaded)>> {
        let resumed = self.files.iter().map(|(file, saved)| Ok((*file, Uploaded::resume(lender, saved)?)));
        resumed.collect()
    }

    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        if self.run.is_empty() {
            return None;
        }
        let mut body = Vec::new();
        put_bytes(&mut body, self.name.as_bytes());
        put_bytes(&mut body, &self.run);
        put_bytes(&mut body, &self.index);
        body.push(self.changed.is_some().into());
        let changed = self.changed.iter().flatten().flat_map(|page| page.to_be_bytes()).collect::<Vec<_>>();
        put_bytes(&mut body, &changed);
        body.push(self.has_name.into());
        body.put_u32(self.last_upload);
        body.push(self.files.len() as u8);
        for (file, object) in &self.files {
            body.push((*file == File::Fingerprints).into());
            put_bytes(&mut body, object);
        }
        let mut out = MAGIC.to_vec();
        out.put_u32(VERSION);
        out.put_u64(Crc64::of(&body).value());
        out.extend_from_slice(&body);
        Some(out)
    }

    /// Reads what [`SavedJob::encode`] wrote.
    ///
    /// # Errors
    /// `SAVED_STATE` for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = Error::from(ErrorKind::SavedState);
        let mut reader = Reader::new(bytes, 0, ErrorKind::SavedState);
        if reader.take(MAGIC.len())? != MAGIC || reader.u32()? != VERSION {
            return Err(damaged);
        }
        if reader.u64()? != Crc64::of(reader.rest()).value() {
            return Err(damaged);
        }
        let name = String::from_utf8(take_bytes(&mut reader)?.to_vec()).map_err(|_| damaged)?;
        let run = take_bytes(&mut reader)?.to_vec();
        let index = take_bytes(&mut reader)?.to_vec();
        let knows_changed = reader.u8()? != 0;
        let (pages, _) = take_bytes(&mut reader)?.as_chunks::<4>();
        let changed = knows_changed.then(|| pages.iter().map(|page| u32::from_be_bytes(*page)).collect());
        let (has_name, last_upload) = (reader.u8()? != 0, reader.u32()?);
        let mut files = Vec::new();
        for _ in 0..reader.u8()? {
            let file = if reader.u8()? == 0 { File::Ltx } else { File::Fingerprints };
            files.push((file, take_bytes(&mut reader)?.to_vec()));
        }
        Ok(Self { name, run, index, changed, has_name, last_upload, files })
    }
}

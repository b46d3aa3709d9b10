//! A backup between two steps, as its host keeps it.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PMBR` |
//! | 4 | version, 2 |
//! | 8 | CRC-64 of all that follows |
//! | 4, 8 | first page that was not looked at, and bytes read so far |
//! | 4 | length of the JSON |
//! | … | [`Saved`] as JSON, then [`Writer::save`] |
//!
//! Integers are big-endian. Two parts are kept beside it, as they are long and only grow or stay: the writer's log,
//! and the numbers of the pages to pack, 4 bytes each, little-endian.

use serde::Serialize;

use super::draft::Draft;
use super::pages::Position;
use crate::bytes::{Reader, Writer as _};
use crate::catalog::record::Object;
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::page::Crc64;
use crate::snapshot::Writer;

const MAGIC: &[u8; 4] = b"PMBR";
const VERSION: u32 = 2;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Pages are packed.
    Pages,
    /// The fingerprint file is stored.
    Fingerprints,
    /// The LTX file is stored.
    Ltx,
    /// The record is stored, which makes the backup.
    Record,
    /// What runs that died have left is deleted.
    Sweep,
}

impl Phase {
    /// Its name for TypeScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Fingerprints => "fingerprints",
            Self::Ltx => "ltx",
            Self::Record => "record",
            Self::Sweep => "sweep",
        }
    }
}

/// All there is to know of a backup under way but its writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Saved {
    /// What comes next.
    pub(super) phase: Phase,
    /// Settled before the pages are read.
    pub(super) draft: Draft,
    /// The source's name for the state that is backed up, by which it is held again.
    pub(super) at: Option<String>,
    /// The source's mark at the backup before.
    pub(super) since: Option<String>,
    /// Whether it is made on top of another backup.
    pub(super) full_because: Option<String>,
    /// Whether it is a full one because something stored is damaged.
    pub(super) damaged: bool,
    /// Tables that the database's header leaves out, and how many pages follow behind its end.
    pub(super) lack: Option<Lack>,
    /// The fingerprint files to compare with, oldest first; none where nothing is compared.
    pub(super) base: Vec<(String, Object)>,
    /// Size of the database at the backup before, in pages.
    pub(super) base_pages: u32,
    /// Database checksum of the backup before, where it is compared with.
    pub(super) base_checksum: u64,
    /// The database checksum, where the source tells it together with all that changed.
    pub(super) told_checksum: Option<u64>,
    /// Pages in the LTX file, once all are in it.
    pub(super) pages: u32,
    /// Database checksum, once all pages were read.
    pub(super) checksum: u64,
    /// The fingerprint file, once it is stored.
    pub(super) fingerprints: Option<Object>,
    /// The record's text, once it is to be stored.
    pub(super) record: Option<String>,
    /// What others left, to be deleted in this order once the record is stored.
    pub(super) leftovers: Vec<String>,
    /// Whether nothing else was left.
    pub(super) is_tidy: bool,
    /// How many pages a batch may have.
    pub(super) most_pages: Option<u32>,
}

/// What a database lacks whose header says that it ends before its tables do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lack {
    /// Tables that go on behind the end.
    pub tables: Vec<String>,
    /// Size of the database by its header, in pages.
    pub page_count: u32,
    /// Pages that follow in the file.
    pub beyond: u32,
}

impl Saved {
    /// As bytes, with how far the pages are, and with the writer where some are still to come.
    ///
    /// # Errors
    /// `SavedState`, which does not happen.
    pub(super) fn encode(&self, position: Position, writer: Option<&Writer>, log: &[u8]) -> Result<Vec<u8>> {
        let json = serde_json::to_string(self).map_err(|_| ErrorKind::SavedState)?;
        let mut body = Vec::with_capacity(json.len() + 256);
        body.put_u32(position.next);
        body.put_u64(position.bytes);
        body.put_u32(json.len() as u32);
        body.extend_from_slice(json.as_bytes());
        body.extend(writer.into_iter().flat_map(|writer| writer.save(log)));
        let mut out = MAGIC.to_vec();
        out.put_u32(VERSION);
        out.put_u64(Crc64::of(&body).value());
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Reads what [`Saved::encode`] wrote, with the writer's whole log.
    ///
    /// # Errors
    /// `SavedState` for anything else.
    pub(super) fn decode(bytes: &[u8], log: &[u8]) -> Result<(Self, Position, Option<Writer>)> {
        let damaged = Error::from(ErrorKind::SavedState);
        let mut reader = Reader::new(bytes, 0, ErrorKind::SavedState);
        if reader.take(MAGIC.len())? != MAGIC || reader.u32()? != VERSION {
            return Err(damaged);
        }
        let crc = reader.u64()?;
        let mut body = reader.clone();
        if Crc64::of(body.take(body.remaining())?).value() != crc {
            return Err(damaged);
        }
        let position = Position { next: reader.u32()?, bytes: reader.u64()? };
        let len = reader.u32()? as usize;
        let text = core::str::from_utf8(reader.take(len)?).map_err(|_| damaged)?;
        let saved: Self = json::read(text).map_err(|_| damaged)?;
        let writer = reader.take(reader.remaining())?;
        let has_writer = saved.phase == Phase::Pages;
        if has_writer == writer.is_empty() {
            return Err(damaged);
        }
        let writer = has_writer.then(|| Writer::resume(writer, log)).transpose()?;
        Ok((saved, position, writer))
    }
}

impl json::Read for Saved {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self {
            phase: members.take("phase")?,
            draft: members.take("draft")?,
            at: members.take("at")?,
            since: members.take("since")?,
            full_because: members.take("fullBecause")?,
            damaged: members.take("damaged")?,
            lack: members.take("lack")?,
            base: members.take("base")?,
            base_pages: members.take("basePages")?,
            base_checksum: members.take("baseChecksum")?,
            told_checksum: members.take("toldChecksum")?,
            pages: members.take("pages")?,
            checksum: members.take("checksum")?,
            fingerprints: members.take("fingerprints")?,
            record: members.take("record")?,
            leftovers: members.take("leftovers")?,
            is_tidy: members.take("isTidy")?,
            most_pages: members.take("mostPages")?,
        })
    }
}

impl json::Read for Phase {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let phases = [Self::Pages, Self::Fingerprints, Self::Ltx, Self::Record, Self::Sweep];
        value.word(&phases.map(|phase| (phase.name(), phase)))
    }
}

impl json::Read for Lack {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self {
            tables: members.take("tables")?,
            page_count: members.take("pageCount")?,
            beyond: members.take("beyond")?,
        })
    }
}

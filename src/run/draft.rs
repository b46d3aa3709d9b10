//! What of a backup is settled before its pages are read, and the record that it becomes.

use serde::Serialize;

use super::request::Pinned;
use crate::bookmark::{Bookmark, Lineage};
use crate::catalog::record::{Kind, Object, Record};
use crate::catalog::{Folder, Identity, Label, LtxName, Next, when};
use crate::json;
use crate::ltx::Header;
use crate::page::{Checksum, PageSize, Txid};
use crate::snapshot::Writer;

/// A backup before its pages are read; plain data, the same however often the backup is begun again from a saved state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Draft {
    /// The record. What only the pages tell is not in it: the checksum in the bookmark, the files and how many pages.
    pub(super) record: Record,
    /// When the backup was begun, in milliseconds since 1970.
    pub(super) now_ms: i64,
    /// Key of the LTX file.
    pub(super) ltx_key: String,
    /// The same for a full backup.
    pub(super) full_ltx_key: String,
    /// Key of the fingerprint file.
    pub(super) fingerprints_key: String,
    /// Key of the record.
    pub(super) record_key: String,
}

/// What a draft is made of, beside the moment.
pub(super) struct About<'a> {
    /// Name of the database.
    pub(super) name: &'a str,
    /// 16 random bytes.
    pub(super) id: [u8; 16],
    /// Full or incremental.
    pub(super) kind: Kind,
    /// Whether the fingerprint file will hold every page.
    pub(super) complete: bool,
    /// Whether a restore makes it of what it is about to replace.
    pub(super) safety: bool,
    /// Why there is a backup.
    pub(super) label: &'a Label,
    /// User tables.
    pub(super) tables: u32,
    /// Pages that hold nothing.
    pub(super) free: u32,
    /// What tells the database from others.
    pub(super) identity: Identity,
    /// The database's.
    pub(super) lineage: Lineage,
}

impl Draft {
    /// The draft of the backup that comes `next` in the folder.
    pub(super) fn new(folder: &Folder, next: &Next, moment: &Pinned, about: About<'_>, now_ms: i64) -> Self {
        let nothing = || Object { sha256: "0".repeat(64), size: 0 };
        let record = Record {
            version: Record::VERSION,
            id: uuid(about.id),
            name: about.name.to_owned(),
            created_at: when::format_rfc3339(now_ms),
            kind: about.kind,
            bookmark: Bookmark::new(next.txid, now_ms, Checksum::EMPTY, about.lineage),
            first: next.first,
            previous: next.previous.clone(),
            page_size: moment.page_size,
            page_count: moment.page_count,
            tables: about.tables,
            taken: moment.taken,
            ltx: nothing(),
            changed: 0,
            fingerprints: nothing(),
            directory: None,
            complete: about.complete,
            safety: about.safety,
            mark: moment.mark.clone(),
            identity: Some(about.identity),
            free: Some(about.free),
            tag: about.label.tag.clone(),
            note: about.label.note.clone(),
            automatic: about.label.automatic,
            partial: about.label.partial.clone(),
        };
        Self {
            ltx_key: folder.ltx_key(record.ltx_name()),
            full_ltx_key: folder.ltx_key(LtxName::snapshot(record.txid())),
            fingerprints_key: folder.fingerprints_key(record.first, record.txid()),
            record_key: folder.record_key(record.first),
            record,
            now_ms,
        }
    }

    /// Makes it a full backup of the same moment.
    pub(super) fn become_full(&mut self) {
        (self.record.kind, self.record.complete) = (Kind::Full, true);
        self.ltx_key.clone_from(&self.full_ltx_key);
    }

    /// Writes its files, on top of a state with the database checksum `before`.
    pub(super) fn writer(&self, page_size: PageSize, before: Checksum) -> Writer {
        let min = if self.record.kind == Kind::Full { Txid(1) } else { self.record.first };
        Writer::new(Header::new(page_size, self.record.page_count, min, self.record.txid(), self.now_ms), before)
    }

    /// The record, once all is known.
    pub(super) fn finish(&self, checksum: Checksum, changed: u32, ltx: Object, fingerprints: Object) -> Record {
        let bookmark = Bookmark { checksum, ..self.record.bookmark };
        Record { bookmark, changed, ltx, fingerprints, ..self.record.clone() }
    }
}

impl json::Read for Draft {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self {
            record: members.take("record")?,
            now_ms: members.take("now_ms")?,
            ltx_key: members.take("ltx_key")?,
            full_ltx_key: members.take("full_ltx_key")?,
            fingerprints_key: members.take("fingerprints_key")?,
            record_key: members.take("record_key")?,
        })
    }
}

/// A UUID of version 4 (RFC 9562, section 5.4).
pub(super) fn uuid(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let hex = crate::snapshot::hex_digits(&random);
    let part = |range| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

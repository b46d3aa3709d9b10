//! A backup's record: its manifest, and the proof of everything that belongs to it.
//!
//! A JSON object of two members: `backup`, and `sha256` over the exact bytes of `backup`'s value. A backup exists
//! when its record does. Each record names the digest of the one before, so records cannot be swapped or replayed.

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::identity::Identity;
use super::names::{LEVEL_INCREMENTAL, LtxName};
use crate::bookmark::{Bookmark, Lineage};
use crate::error::{ErrorKind, Result};
use crate::json;
use crate::page::{Checksum, PageSize, Txid};
use crate::snapshot::hex_digits;

/// Everything known of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Version of the format: 1.
    pub version: u32,
    /// UUID.
    pub id: String,
    /// The database's name when it was made.
    pub name: String,
    /// RFC 3339 in UTC, with microseconds.
    pub created_at: String,
    /// Full or incremental.
    pub kind: Kind,
    /// The state it restores to.
    #[serde(serialize_with = "display")]
    pub bookmark: Bookmark,
    /// The TXID after the backup before.
    #[serde(serialize_with = "display")]
    pub first: Txid,
    /// The backup before; none for the first of all.
    pub previous: Option<Previous>,
    /// In bytes.
    pub page_size: u32,
    /// Pages of the database.
    pub page_count: u32,
    /// User tables in it.
    pub tables: u32,
    /// Whether the state is that of the start of the backup or of its end.
    pub taken: Taken,
    /// The LTX file.
    pub ltx: Object,
    /// Pages in the LTX file.
    pub changed: u32,
    /// The fingerprint file.
    pub fingerprints: Object,
    /// The page directory, which the fingerprint file ends with; records of before 2026-12 have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<Object>,
    /// Whether the fingerprint file holds every page, not only those of the LTX file.
    pub complete: bool,
    /// Whether a restore made it of what it then replaced.
    #[serde(skip_serializing_if = "is_false")]
    pub safety: bool,
    /// Where the source stood, in the source's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// What tells the database from others; records of before 2026-12 have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Pages of the database that hold nothing; older records do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u32>,
    /// What its user calls it. Retention keeps what has a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What its user says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether a schedule wanted it, and nobody by hand.
    #[serde(skip_serializing_if = "is_false")]
    pub automatic: bool,
    /// The tables and views that it holds alone, of a database that has others; all when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
}

/// Why there is a backup, and of what, in the words of whoever wanted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// See [`Record::tag`].
    pub tag: Option<String>,
    /// See [`Record::note`].
    pub note: Option<String>,
    /// See [`Record::automatic`].
    pub automatic: bool,
    /// See [`Record::partial`].
    pub partial: Vec<String>,
}

/// Whether a backup stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Every page.
    Full,
    /// What changed since the backup before.
    Incremental,
}

/// Which moment of a backup's run its state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    /// Its start.
    Start,
    /// Its end.
    End,
}

/// An object's proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    /// 64 hex digits.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// The record before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Previous {
    /// Its first TXID, which is in its name.
    #[serde(serialize_with = "display")]
    pub first: Txid,
    /// Its digest, 64 hex digits.
    pub sha256: String,
}

/// What is stored: a record, unless its digest or its version is another, and the digest.
struct Envelope {
    record: Result<Record>,
    digest: String,
}

impl json::Read for Envelope {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        let backup: json::Value<'_> = members.value("backup")?;
        let digest = digest(backup.text());
        let record = if digest != members.take::<String>("sha256")? {
            Err(ErrorKind::RecordDigest.into())
        } else if backup.members()?.take::<u32>("version")? > Record::VERSION {
            Err(ErrorKind::RecordVersion.into())
        } else {
            Ok(Record::read(backup)?)
        };
        Ok(Self { record, digest })
    }
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// What is stored.
    pub text: String,
    /// SHA-256 of the record in it, as 64 hex digits.
    pub digest: String,
}

impl Record {
    /// The format written today.
    pub const VERSION: u32 = 1;

    /// The record as it is stored.
    ///
    /// # Errors
    /// `RecordSyntax` when a field contradicts another.
    pub fn encode(&self) -> Result<Encoded> {
        self.validate()?;
        let json = serde_json::to_string(self).map_err(|_| ErrorKind::RecordSyntax)?;
        let digest = digest(&json);
        Ok(Encoded { text: format!("{{\"backup\":{json},\"sha256\":\"{digest}\"}}\n"), digest })
    }

    /// Reads a stored record, and its digest.
    ///
    /// # Errors
    /// `RecordSyntax`, `RecordDigest`, `RecordVersion`.
    pub fn decode(text: &str) -> Result<(Self, String)> {
        let Envelope { digest, record } = json::read(text).map_err(|fault| fault.error(ErrorKind::RecordSyntax))?;
        let record = record?;
        record.validate()?;
        Ok((record, digest))
    }

    /// The name of its LTX file.
    pub fn ltx_name(&self) -> LtxName {
        match self.kind {
            Kind::Full => LtxName::snapshot(self.txid()),
            Kind::Incremental => LtxName { level: LEVEL_INCREMENTAL, min: self.first, max: self.txid() },
        }
    }

    /// The number of the state it restores to.
    pub fn txid(&self) -> Txid {
        self.bookmark.txid
    }

    /// The database it belongs to.
    pub fn lineage(&self) -> Lineage {
        self.bookmark.lineage
    }

    /// The database checksum of the state it restores to.
    pub fn checksum(&self) -> Checksum {
        self.bookmark.checksum
    }

    fn validate(&self) -> Result<()> {
        let hex =
            |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        let sound = self.version == Self::VERSION
            && self.first.0 > 0
            && self.first <= self.txid()
            && PageSize::new(self.page_size).is_some()
            && self.page_count > 0
            && hex(&self.ltx.sha256)
            && hex(&self.fingerprints.sha256)
            && self.directory.as_ref().is_none_or(|part| part.size <= self.fingerprints.size && hex(&part.sha256))
            && self.previous.as_ref().is_none_or(|previous| previous.first < self.first && hex(&previous.sha256))
            && (self.previous.is_some() || self.kind == Kind::Full);
        if sound { Ok(()) } else { Err(ErrorKind::RecordSyntax.into()) }
    }
}

fn digest(text: &str) -> String {
    hex_digits(&Sha256::digest(text.as_bytes()))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn display<T: core::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl json::Read for Record {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self {
            version: members.take("version")?,
            id: members.take("id")?,
            name: members.take("name")?,
            created_at: members.take("createdAt")?,
            kind: members.take("kind")?,
            bookmark: members.take("bookmark")?,
            first: members.take("first")?,
            previous: members.take("previous")?,
            page_size: members.take("pageSize")?,
            page_count: members.take("pageCount")?,
            tables: members.take("tables")?,
            taken: members.take("taken")?,
            ltx: members.take("ltx")?,
            changed: members.take("changed")?,
            fingerprints: members.take("fingerprints")?,
            directory: members.take("directory")?,
            complete: members.take("complete")?,
            safety: members.take_or_default("safety")?,
            mark: members.take("mark")?,
            identity: members.take("identity")?,
            free: members.take("free")?,
            tag: members.take("tag")?,
            note: members.take("note")?,
            automatic: members.take_or_default("automatic")?,
            partial: members.take_or_default("partial")?,
        })
    }
}

impl json::Read for Kind {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        value.word(&[("full", Self::Full), ("incremental", Self::Incremental)])
    }
}

impl json::Read for Taken {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        value.word(&[("start", Self::Start), ("end", Self::End)])
    }
}

impl json::Read for Object {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self { sha256: members.take("sha256")?, size: members.take("size")? })
    }
}

impl json::Read for Previous {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self { first: members.take("first")?, sha256: members.take("sha256")? })
    }
}

impl json::Read for Txid {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        Self::parse(&String::read(value)?).ok_or(value.fault())
    }
}

impl json::Read for Bookmark {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        String::read(value)?.parse().map_err(|_| value.fault())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::catalog) fn record(first: u64, txid: u64, kind: Kind, previous: Option<(u64, &str)>) -> Record {
        let bookmark = Bookmark::new(Txid(txid), txid as i64 * 3_600_000, Checksum::EMPTY, Lineage(7));
        let object = || Object { sha256: "0".repeat(64), size: 1 };
        Record {
            version: Record::VERSION,
            id: format!("{txid:08x}-0000-4000-8000-000000000000"),
            name: "app".into(),
            created_at: format!("2026-11-21T{txid:02}:00:00.000000Z"),
            kind,
            bookmark,
            first: Txid(first),
            previous: previous.map(|(first, sha256)| Previous { first: Txid(first), sha256: sha256.into() }),
            page_size: 4096,
            page_count: 3,
            tables: 1,
            taken: Taken::Start,
            ltx: object(),
            changed: 3,
            fingerprints: object(),
            directory: None,
            complete: kind == Kind::Full,
            safety: false,
            mark: None,
            identity: None,
            free: None,
            tag: None,
            note: None,
            automatic: false,
            partial: Vec::new(),
        }
    }

    #[test]
    fn round_trips() {
        let record = record(1, 1, Kind::Full, None);
        let Encoded { text, digest } = record.encode().unwrap();
        assert_eq!(Record::decode(&text).unwrap(), (record, digest));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let Encoded { text, .. } = record(1, 1, Kind::Full, None).encode().unwrap();
        // The closing newline is no part of it.
        for position in 0..text.len() - 1 {
            for replacement in [b'0', b'1', b'x', b'"', b' ', 0x80] {
                let mut bytes = text.clone().into_bytes();
                if bytes[position] == replacement {
                    continue;
                }
                bytes[position] = replacement;
                let read = String::from_utf8(bytes).ok().and_then(|text| Record::decode(&text).ok());
                assert!(read.is_none(), "byte {position} as {replacement:?}");
            }
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let newer = Record { version: 2, ..record(1, 1, Kind::Full, None) };
        let json = serde_json::to_string(&newer).unwrap();
        let text = format!("{{\"backup\":{json},\"sha256\":\"{}\"}}", digest(&json));
        assert_eq!(Record::decode(&text).unwrap_err().kind, ErrorKind::RecordVersion);
    }
}

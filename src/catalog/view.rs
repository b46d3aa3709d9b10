//! What users, and those who read stored backups, are told of a folder.

use serde::Serialize;

use super::folder::{Folder, Link};
use super::names::Found;
use super::record::{Kind, Record, Taken};
use super::replica;
use super::stored::StoredFile;
use super::when::Target;
use crate::error::{At, Error, ErrorKind, Result};
use crate::page::Txid;

/// What is said of a backup that has the name of the newest one, but another lineage.
const FOREIGN: &str = "this backup is not of the same database as the newest one (its lineage differs): it was copied here, or that one was \
    made while the records were damaged";

/// A backup, as users see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupView {
    /// UUID.
    pub id: String,
    /// Names the state it restores to.
    pub bookmark: String,
    /// Number of that state, 16 hex digits.
    pub txid: String,
    /// RFC 3339 in UTC, with microseconds.
    pub created_at: String,
    /// Full or incremental.
    pub kind: Kind,
    /// User tables.
    pub tables: u32,
    /// Size of the database, in bytes.
    pub size: u64,
    /// What was stored for it, in bytes.
    pub stored_size: u64,
    /// `damaged` when its record cannot be read; `error` says why.
    pub state: &'static str,
    /// In bytes.
    pub page_size: u32,
    /// Size of the database, in pages.
    pub page_count: u32,
    /// Pages of the database that hold nothing, where the record says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_pages: Option<u32>,
    /// Pages stored.
    pub changed_pages: u32,
    /// Whether its state is that of the start of the run, or of the end.
    pub taken: Taken,
    /// Whether a restore made it of what it then replaced.
    pub safety: bool,
    /// What its user calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What its user says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether a schedule wanted it.
    pub automatic: bool,
    /// The tables and views that it holds alone; all when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
    /// Why the record cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// Something wrong with what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The error's code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Key of the object, or first TXID of the record; missing where it is said beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A chain that was found whole: what a restore reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// LTX files, oldest first.
    pub files: Vec<StoredFile>,
    /// The backup; missing, as all that follows, for a folder without records, which Litestream wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Restorable>,
    /// The state after the backup that it is instead, the last of its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// What a user should know of what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A state after a backup, as `watch` stores them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct After {
    /// Its number, 16 hex digits.
    pub txid: String,
    /// When it was taken, in milliseconds since 1970.
    pub created_ms: i64,
}

/// What is known of a backup that has a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restorable {
    /// The database's name when it was made.
    pub name: String,
    /// Itself.
    pub view: BackupView,
    /// The backups it is made of, oldest first; the last is itself.
    pub chain: Vec<BackupView>,
    /// The files that together tell every page's fingerprint, oldest first; none when one of their records is lost.
    pub fingerprints: Vec<StoredFile>,
    /// Database checksum, 16 hex digits.
    pub checksum: String,
}

impl From<&Record> for BackupView {
    fn from(record: &Record) -> Self {
        Self {
            id: record.id.clone(),
            bookmark: record.bookmark.to_string(),
            txid: record.txid().to_string(),
            created_at: record.created_at.clone(),
            kind: record.kind,
            tables: record.tables,
            size: u64::from(record.page_size) * u64::from(record.page_count),
            stored_size: record.ltx.size.saturating_add(record.fingerprints.size),
            state: "done",
            page_size: record.page_size,
            page_count: record.page_count,
            free_pages: record.free,
            changed_pages: record.changed,
            taken: record.taken,
            safety: record.safety,
            tag: record.tag.clone(),
            note: record.note.clone(),
            automatic: record.automatic,
            partial: record.partial.clone(),
            error: None,
        }
    }
}

impl BackupView {
    /// One whose record, named `first`, cannot be read.
    fn damaged(first: Txid, error: Error) -> Self {
        Self {
            id: String::new(),
            bookmark: String::new(),
            txid: first.to_string(),
            created_at: String::new(),
            kind: Kind::Full,
            tables: 0,
            size: 0,
            stored_size: 0,
            state: "damaged",
            page_size: 0,
            page_count: 0,
            free_pages: None,
            changed_pages: 0,
            taken: Taken::Start,
            safety: false,
            tag: None,
            note: None,
            automatic: false,
            partial: Vec::new(),
            error: Some(Problem::of_record(first, error)),
        }
    }
}

impl Problem {
    /// What is wrong with the record named `first`, where that is said beside it.
    pub fn of_record(first: Txid, error: Error) -> Self {
        let message = match error.at {
            At::Txid(txid) if txid != first.0 => format!("{} (TXID {})", error.kind.message(), Txid(txid)),
            _ => error.kind.message().to_owned(),
        };
        Self { code: error.kind.code(), message, name: None }
    }
}

impl Folder {
    /// Every backup, oldest first; one whose record is damaged is listed as such.
    ///
    /// # Errors
    /// `ReplicaOld`.
    pub fn list(&self) -> Result<Vec<BackupView>> {
        self.history.check_kind()?;
        let entries = self.history.entries();
        let view = |(first, entry): (Txid, Result<&Record>)| {
            entry.map_or_else(|error| BackupView::damaged(first, error), BackupView::from)
        };
        Ok(entries.map(view).collect())
    }

    /// The files that restore to `target`, all of which are there. A folder without records is taken as one that
    /// Litestream wrote, or celld.
    ///
    /// # Errors
    /// What [`super::History::find`], [`super::History::chain`] and [`replica::plan`] refuse; `Lost` for a file that is
    /// missing or has another size.
    pub fn plan(&self, target: &Target) -> Result<Plan, PlanError> {
        if self.history.entries().next().is_none() && self.objects().iter().any(|(key, _)| key.ends_with(".ltx")) {
            return Ok(self.plan_replica(target)?);
        }
        let (record, followed) = match self.history.find(target) {
            Ok(record) if matches!(target, Target::Txid(_) | Target::Bookmark(_)) => (record, None),
            Ok(record) => (record, self.followed(record, target)?),
            Err(error) => match self.before(target) {
                Some(record) => (record, Some(self.followed(record, target)?.ok_or(error)?)),
                None => return Err(error.into()),
            },
        };
        let chain = self.chain(record)?;
        let view = |link: &Link<'_>| BackupView::from(link.record);
        let mut files = self.shortest(&chain);
        files.iter().try_for_each(|file| self.check_presence(file))?;
        let mut fingerprints = self.fingerprints(record).unwrap_or_default();
        let mut followed = followed;
        if let Some(followed) = &mut followed {
            files.append(&mut followed.files);
            // They are of the backup.
            fingerprints.clear();
        }
        let backup = Restorable {
            name: record.name.clone(),
            view: BackupView::from(record),
            chain: chain.iter().map(view).collect(),
            fingerprints: fingerprints.iter().map(StoredFile::fingerprints).collect(),
            checksum: record.checksum().to_string(),
        };
        let reached = followed.as_ref().map_or(record.txid(), |state| state.txid);
        let after = followed.map(|state| After { txid: state.txid.to_string(), created_ms: state.created_ms });
        let is_foreign = self.history.lineage().is_some_and(|newest| newest != record.lineage());
        let note = is_foreign.then(|| FOREIGN.to_owned()).or_else(|| self.left_out(record, reached, target));
        Ok(Plan { files, backup: Some(backup), after, note })
    }

    /// Checks that a file is there and as long as it must be.
    ///
    /// # Errors
    /// `Lost`.
    pub fn check_presence(&self, file: &StoredFile) -> Result<(), PlanError> {
        let size = self.object(&file.key).map(|listed| listed.size);
        if size == Some(file.size) {
            return Ok(());
        }
        Err(PlanError::Lost { key: file.key.clone(), size, wanted: file.size })
    }

    /// The keys of all that belongs to the backups `ids`, in the order in which they can be deleted: records first, newest
    /// first, so that none is ever listed without what it needs. Whoever deletes them notes them down before: without its
    /// record a file is not found again.
    ///
    /// # Errors
    /// `BackupUnknown`; `Needed` when another backup is made of one of them.
    pub fn removal(&self, ids: &[&str]) -> Result<Vec<String>, PlanError> {
        let records: Vec<&Record> = self.history.entries().filter_map(|(_, record)| record.ok()).collect();
        let is_gone = |record: &&Record| ids.contains(&record.id.as_str());
        let gone: Vec<&Record> = records.iter().copied().rev().filter(is_gone).collect();
        if gone.len() < ids.len() {
            return Err(Error::from(ErrorKind::BackupUnknown).into());
        }
        for kept in records.iter().filter(|record| !is_gone(record) && record.kind == Kind::Incremental) {
            let chain = self.history.chain(kept)?;
            if let Some(needed) = chain.iter().find(|record| is_gone(record)) {
                let (needed, by, txid) = (needed.id.clone(), kept.id.clone(), kept.txid());
                return Err(PlanError::Needed { needed, by, txid });
            }
        }
        let keys = gone.iter().map(|record| self.record_key(record.first));
        // The fingerprints last: they tell an LTX file from one that Litestream wrote.
        let files = gone.iter().flat_map(|record| {
            let Link { ltx, fingerprints, .. } = self.link(record);
            [ltx, fingerprints]
        });
        let merged = self.unused(|record| is_gone(&record));
        Ok(keys.chain(merged).chain(files).collect())
    }

    /// When the oldest backup was made, RFC 3339; in a folder without records, its oldest file.
    pub fn oldest(&self) -> Option<String> {
        let record = self.history.entries().find_map(|(_, record)| record.ok());
        let file =
            self.objects().iter().filter(|(key, _)| key.ends_with(".ltx")).map(|(_, file)| file.modified_ms).min();
        record.map(|record| record.created_at.clone()).or_else(|| file.map(super::when::format_rfc3339))
    }

    fn plan_replica(&self, target: &Target) -> Result<Plan> {
        let found = self
            .objects()
            .iter()
            .filter_map(|(key, listed)| Some((Found::parse(key.strip_prefix(self.prefix())?)?, key, listed)));
        let found: Vec<_> = found.collect();
        let epoch = found.iter().map(|(found, ..)| found.epoch).max().unwrap_or(0);
        let mut older: Vec<_> = found.iter().map(|(found, ..)| found.epoch).filter(|&other| other != epoch).collect();
        older.sort_unstable();
        older.dedup();
        let newest = || found.iter().filter(|(found, ..)| found.epoch == epoch);
        let files: Vec<_> = newest()
            .map(|(found, _, listed)| replica::File { name: found.name, created_ms: listed.modified_ms })
            .collect();
        let names = replica::plan(&files, target)?;
        let file_of = |name| {
            let (_, key, listed) = newest().find(|(found, ..)| found.name == name)?;
            Some(StoredFile::unproved((*key).clone(), listed.size))
        };
        let older: Vec<String> = older.iter().map(u32::to_string).collect();
        let note = (!older.is_empty()).then(|| {
            let older = older.join(", ");
            format!("a cell of celld: this is of its newest epoch, {epoch}; there are older ones: {older}")
        });
        let note = note.or_else(|| self.dateless_after(names.last()?.max, target));
        Ok(Plan { files: names.into_iter().filter_map(file_of).collect(), backup: None, after: None, note })
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// What the history says.
    Refused(Error),
    /// A file of the chain is not there, or has `size` bytes instead of `wanted`.
    Lost {
        /// The file's key.
        key: String,
        /// In bytes; `None` when it is not there.
        size: Option<u64>,
        /// In bytes.
        wanted: u64,
    },
    /// A backup that is to be removed is part of another.
    Needed {
        /// Id of the one to be removed.
        needed: String,
        /// Id of the other.
        by: String,
        /// Its state.
        txid: Txid,
    },
}

impl From<Error> for PlanError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

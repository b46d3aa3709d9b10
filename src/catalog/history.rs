//! All backups of one database: which there are, which one a user means, and what comes next.

use std::collections::BTreeMap;

use super::names::{self, Layout, LtxName};
use super::record::{Kind, Previous, Record};
use super::when::{Target, rfc3339};
use crate::bookmark::Lineage;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Txid;
use crate::snapshot;

/// A chain is not made longer than this: a restore reads all its files side by side.
const LONGEST_CHAIN: usize = 168;

/// The records of one database, sound and damaged.
#[derive(Default)]
pub struct History {
    entries: BTreeMap<Txid, Result<Entry>>,
    /// The highest TXID that any file claims, with or without a record.
    highest: Txid0,
    /// The highest TXID of a state between backups.
    between: Txid0,
    /// LTX files that lie in the layout that is not the store's own.
    copied: Vec<LtxName>,
    /// Whether a file of a replica of Litestream 0.3 was seen.
    has_old_replica: bool,
}

/// A TXID, or 0 for none yet.
type Txid0 = u64;

struct Entry {
    record: Record,
    digest: String,
}

/// What the next backup will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The record's name: whoever stores it first wins.
    pub first: Txid,
    /// The state's number. Above `first` where a file of a run that died already has that name.
    pub txid: Txid,
    /// The record before.
    pub previous: Option<Previous>,
    /// The database's lineage; `None` when it must be drawn.
    pub lineage: Option<Lineage>,
    /// Why it cannot be incremental; `None` when it can.
    pub full_because: Option<&'static str>,
    /// Whether that is because something stored is damaged.
    pub damaged: bool,
}

impl History {
    /// Adds the record stored under the name of `first`; a damaged one stays an entry of its own.
    pub fn add(&mut self, first: Txid, text: &str) {
        match Record::decode(text) {
            Ok((record, digest)) if record.first == first => self.add_sound(record, digest),
            decoded => {
                let kind = decoded.err().map_or(ErrorKind::RecordChain, |error| error.kind);
                self.highest = self.highest.max(first.0);
                self.entries.insert(first, Err(Error::at_txid(kind, first.0)));
            }
        }
    }

    /// Adds a record, stored under its name, with the digest that it has when it is encoded.
    pub fn add_sound(&mut self, record: Record, digest: String) {
        self.highest = self.highest.max(record.txid().0);
        self.entries.insert(record.first, Ok(Entry { record, digest }));
    }

    /// Tells records of the database that `is_named` knows by its name from those of others, which were copied here: those
    /// become damaged entries. The database's are those that bear its name, and all of their lineages: it may have had another
    /// name before. Where there is none, all are another's: the name in the newest record.
    pub fn settle(&mut self, is_named: impl Fn(&str) -> bool) -> Option<String> {
        let sound = || self.entries.values().flatten().map(|entry| &entry.record);
        let own: Vec<Lineage> =
            sound().filter(|record| is_named(&record.name)).map(|record| record.lineage()).collect();
        if own.is_empty() {
            return sound().next_back().map(|record| record.name.clone());
        }
        for (first, entry) in &mut self.entries {
            if entry.as_ref().is_ok_and(|Entry { record, .. }| !own.contains(&record.lineage())) {
                *entry = Err(Error::at_txid(ErrorKind::ChainLineage, first.0));
            }
        }
        None
    }

    /// The lineage of the newest sound record.
    pub fn lineage(&self) -> Option<Lineage> {
        self.entries.values().rev().flatten().next().map(|entry| entry.record.lineage())
    }

    /// Takes note of a file in the store, of a backup or of a run that died, that covers TXIDs up to `max`.
    pub fn add_file(&mut self, max: Txid) {
        self.highest = self.highest.max(max.0);
    }

    /// Takes note of a state between backups.
    pub fn reach(&mut self, max: Txid) {
        self.add_file(max);
        self.between = self.between.max(max.0);
    }

    /// Whether there are states after the newest backup: somebody watches the database, perhaps.
    pub fn is_followed(&self) -> bool {
        self.entries
            .values()
            .next_back()
            .is_some_and(|head| matches!(head, Ok(head) if head.record.txid().0 < self.between))
    }

    /// Takes note of an object by its key below the database's folder, in a store of that layout; whether it is a record,
    /// to be read and given to [`History::add`].
    pub fn see(&mut self, key: &str, layout: Layout) -> bool {
        if let Some(name) = LtxName::parse(key, layout) {
            self.add_file(name.max);
            if name.is_between() {
                self.reach(name.max);
            }
        } else if let Some(name) = LtxName::parse(key, layout.other()) {
            self.add_file(name.max);
            self.copied.push(name);
        } else if let Some((_, max)) = names::parse_fingerprints_key(key) {
            self.add_file(max);
        }
        self.has_old_replica |= names::is_of_old_replica(key);
        names::parse_record_key(key).is_some()
    }

    /// Key of the LTX file of a backup, below the database's folder.
    pub fn ltx_key(&self, record: &Record, layout: Layout) -> String {
        let name = record.ltx_name();
        name.key(if self.copied.contains(&name) { layout.other() } else { layout })
    }

    /// Refuses what cannot be read though it looks like backups.
    ///
    /// # Errors
    /// `ReplicaOld`.
    pub fn check_kind(&self) -> Result<()> {
        let is_old = self.has_old_replica && self.entries.is_empty() && self.highest == 0;
        if is_old { Err(ErrorKind::ReplicaOld.into()) } else { Ok(()) }
    }

    /// Every backup, oldest first: its record, and what is wrong with its chain, if anything is. Takes no longer than
    /// reading them did, however long the chains are.
    pub fn checked(&self) -> impl Iterator<Item = (Txid, Result<&Record>)> {
        let mut damaged: Vec<(Txid, Error)> = Vec::new();
        self.entries.iter().map(move |(&first, entry)| {
            let checked = entry.as_ref().map_err(|&error| error).and_then(|Entry { record, .. }| {
                if record.kind == Kind::Full {
                    return Ok(record);
                }
                let before = self.before(record)?;
                match damaged.binary_search_by_key(&before.first, |&(first, _)| first) {
                    Ok(at) => Err(damaged.get(at).map_or(ErrorKind::RecordChain.into(), |&(_, error)| error)),
                    Err(_) => Ok(record),
                }
            });
            if let Err(error) = checked {
                damaged.push((first, error));
            }
            (first, checked)
        })
    }

    /// Every entry, oldest first: the record, or the name of a damaged one and what is wrong with it.
    pub fn entries(&self) -> impl Iterator<Item = (Txid, Result<&Record>)> {
        self.entries.iter().map(|(&first, entry)| (first, entry.as_ref().map(|e| &e.record).map_err(|&error| error)))
    }

    /// Whether there is a sound record of a full backup.
    pub fn has_full(&self) -> bool {
        self.entries().any(|(_, entry)| entry.is_ok_and(|record| record.kind == Kind::Full))
    }

    /// The backup that `target` means.
    ///
    /// # Errors
    /// `BackupNone`, `BackupUnknown`, `BackupAmbiguous`, `BookmarkUnknown`, `BookmarkLineage`, `TimeBeforeFirst`,
    /// and what is wrong with the newest record when that one is meant.
    pub fn find(&self, target: &Target) -> Result<&Record> {
        let sound = || self.entries.values().rev().filter_map(|entry| entry.as_ref().ok()).map(|entry| &entry.record);
        let newest = match self.entries.values().next_back() {
            None => return self.check_kind().and(Err(ErrorKind::BackupNone.into())),
            Some(newest) => newest.as_ref().map(|entry| &entry.record).map_err(|&error| error),
        };
        match target {
            Target::Latest => newest,
            Target::Unsaid => {
                let made_by_restore = newest.is_ok_and(|record| record.safety);
                let other = made_by_restore.then(|| sound().find(|record| !record.safety)).flatten();
                other.map_or(newest, Ok)
            }
            Target::Id(prefix) => {
                let mut found = sound().filter(|record| record.id.starts_with(prefix));
                match (found.next(), found.next()) {
                    (None, _) => Err(ErrorKind::BackupUnknown.into()),
                    (Some(record), None) => Ok(record),
                    (Some(_), Some(_)) => Err(ErrorKind::BackupAmbiguous.into()),
                }
            }
            Target::Bookmark(bookmark) => {
                let same_state = |record: &&Record| record.txid() == bookmark.txid;
                let record = sound().find(same_state).ok_or(ErrorKind::BookmarkUnknown)?;
                bookmark.prove(record.lineage(), record.checksum())?;
                Ok(record)
            }
            Target::Txid(txid) => {
                sound().find(|record| record.txid() == *txid).ok_or(Error::at_txid(ErrorKind::BackupUnknown, txid.0))
            }
            Target::Time(ms) => {
                let taken = |record: &Record| rfc3339(&record.created_at).unwrap_or(i64::MAX);
                sound().find(|record| taken(record) <= *ms).ok_or_else(|| ErrorKind::TimeBeforeFirst.into())
            }
        }
    }

    /// The backup that a database is compared with to tell whether it is the one backed up here: the newest that no
    /// restore made of what it replaced. With `changes`, the change counter of a database that is perhaps an older state put
    /// back, the newest of those that are not ahead of it.
    pub fn reference(&self, changes: Option<u32>) -> Option<&Record> {
        let mut records = self.entries.values().rev().flatten().map(|entry| &entry.record).filter(|r| !r.safety);
        let newest = records.clone().next();
        let is_behind = |record: &&Record| record.identity.as_ref().is_some_and(|then| Some(then.changes) <= changes);
        changes.and_then(|_| records.find(is_behind)).or(newest)
    }

    /// The records from the snapshot to `record`, oldest first, each proved by the one after it.
    ///
    /// # Errors
    /// `ChainGap` with the missing TXID, `RecordChain`, `ChainLineage`, `ChainPageSize`, or what is wrong with a record.
    pub fn chain<'a>(&'a self, record: &'a Record) -> Result<Vec<&'a Record>> {
        self.back_to(record, |record| record.kind == Kind::Full)
    }

    /// The records whose fingerprint files together tell every page of `record`, oldest first.
    ///
    /// # Errors
    /// As [`History::chain`].
    pub fn fingerprints<'a>(&'a self, record: &'a Record) -> Result<Vec<&'a Record>> {
        self.back_to(record, |record| record.complete)
    }

    /// What the next backup will be.
    pub fn next(&self) -> Next {
        let lineage = self.lineage();
        let Some(Ok(head)) = self.entries.values().next_back() else {
            let txid = Txid(self.highest + 1);
            // What a damaged record belongs to is stepped over whole, in case the record comes back.
            let first = if self.entries.is_empty() { Txid(1) } else { txid };
            let damaged = !self.entries.is_empty();
            let full_because = Some(if damaged { "the newest record is damaged" } else { "it is the first" });
            return Next { first, txid, previous: None, lineage, full_because, damaged };
        };
        let first = Txid(head.record.txid().0 + 1);
        let previous = Some(Previous { first: head.record.first, sha256: head.digest.clone() });
        let txid = Txid(self.highest + 1).max(first);
        let lost = self.lost(&head.record);
        let full_because = lost.or_else(|| self.too_long(&head.record));
        Next { first, txid, previous, lineage, full_because, damaged: lost.is_some() }
    }

    /// Whether the fingerprint file of a backup with `changed` pages on top of `record` should hold every page.
    pub fn wants_complete_fingerprints(&self, record: &Record, changed: u32) -> bool {
        let since = self.fingerprints(record).unwrap_or_default();
        let changes = since.iter().skip(1).map(|record| u64::from(record.changed)).sum::<u64>() + u64::from(changed);
        // Half of what fits in memory, so that reading them never fails; and complete ones must not come too often.
        changes > snapshot::Previous::MOST_CHANGES as u64 / 2 && changes > u64::from(record.page_count) / 8
    }

    /// What an incremental backup on top of `head` would lack.
    fn lost(&self, head: &Record) -> Option<&'static str> {
        if self.chain(head).is_err() {
            return Some("the chain before it is damaged");
        }
        self.fingerprints(head).is_err().then_some("the fingerprints before it are damaged")
    }

    /// Why the chain to `head` should not grow.
    fn too_long(&self, head: &Record) -> Option<&'static str> {
        let chain = self.chain(head).unwrap_or_default();
        let sizes = chain.iter().map(|record| record.ltx.size);
        let (full, increments) = (sizes.clone().next().unwrap_or(0), sizes.skip(1).sum::<u64>());
        if chain.len() >= LONGEST_CHAIN {
            Some("the chain has become long")
        } else if increments > full && chain.len() > 8 {
            Some("the incrementals have become larger than the full backup")
        } else {
            None
        }
    }

    fn back_to<'a>(&'a self, record: &'a Record, is_base: impl Fn(&Record) -> bool) -> Result<Vec<&'a Record>> {
        let mut chain = vec![record];
        let mut current = record;
        while !is_base(current) {
            current = self.before(current)?;
            chain.push(current);
        }
        chain.reverse();
        Ok(chain)
    }

    /// The record that `record` is made on top of, proved by it.
    fn before(&self, record: &Record) -> Result<&Record> {
        let Some(link) = &record.previous else { return Err(ErrorKind::ChainNoSnapshot.into()) };
        let gap = Error::at_txid(ErrorKind::ChainGap, link.first.0);
        let before = self.entries.get(&link.first).ok_or(gap)?.as_ref().map_err(|&error| error)?;
        if before.digest != link.sha256 {
            return Err(Error::at_txid(ErrorKind::RecordChain, link.first.0));
        }
        let before = &before.record;
        if before.lineage() != record.lineage() {
            return Err(Error::at_txid(ErrorKind::ChainLineage, before.txid().0));
        }
        if before.txid().0 + 1 != record.first.0 {
            return Err(gap);
        }
        if before.page_size != record.page_size {
            return Err(Error::at_txid(ErrorKind::ChainPageSize, before.txid().0));
        }
        Ok(before)
    }
}

#[cfg(test)]
mod tests;

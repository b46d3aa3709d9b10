//! What `watch` stores between two backups: LTX files of the levels 1 to 8, which have no records and prove themselves.

use super::folder::{Folder, Listed};
use super::names::{Found, LEVEL_INCREMENTAL, LEVEL_SNAPSHOT, LtxName};
use super::record::Record;
use super::stored::StoredFile;
use super::view::Plan;
use super::when::{Target, format_rfc3339};
use crate::bookmark::Bookmark;
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::Header;
use crate::page::Txid;
use crate::snapshot::tail::bookmark_of;

/// What a backup's TXID is beyond the states that somebody watches: so many may come until they hear of it.
pub const APART: u64 = 1 << 20;

/// A state after a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The files that lead there from the backup, oldest first.
    pub files: Vec<StoredFile>,
    /// Its number.
    pub txid: Txid,
    /// When it was taken, in milliseconds since 1970.
    pub created_ms: i64,
}

impl LtxName {
    /// Whether no backup has a file of that level.
    pub fn is_between(&self) -> bool {
        self.level > LEVEL_INCREMENTAL && self.level < LEVEL_SNAPSHOT
    }
}

impl Plan {
    /// Makes its backup the state after it that `target` means, of which only the last of its files tells: by its first 100 bytes.
    ///
    /// # Errors
    /// As [`Header::decode`]; `ChainLineage` for a file of another database, `BookmarkUnknown` where no state has that bookmark.
    pub fn complete(&mut self, start: &[u8], target: &Target) -> Result<()> {
        let (Some(after), Some(backup)) = (&self.after, &mut self.backup) else { return Ok(()) };
        let header = Header::decode(start)?;
        let before: Bookmark = backup.view.bookmark.parse()?;
        let ours = bookmark_of(&header).filter(|found| found.lineage == before.lineage);
        let bookmark = ours.ok_or(ErrorKind::ChainLineage)?;
        if matches!(target, Target::Bookmark(wanted) if !wanted.has_pages_of(&bookmark)) {
            return Err(ErrorKind::BookmarkUnknown.into());
        }
        let view = &mut backup.view;
        backup.checksum = bookmark.checksum.to_string();
        view.bookmark = bookmark.to_string();
        view.txid.clone_from(&after.txid);
        view.created_at = format_rfc3339(header.timestamp_ms);
        view.page_count = header.commit;
        view.size = u64::from(header.commit) * u64::from(view.page_size);
        Ok(())
    }
}

impl Folder {
    /// The state that `target` means, where it is one after `record`, which is the newest backup that is not past it.
    ///
    /// # Errors
    /// `BackupUnknown` for the TXID or the bookmark of a state that no files lead to.
    pub fn followed(&self, record: &Record, target: &Target) -> Result<Option<Followed>> {
        let (most, last_ms) = match target {
            Target::Id(_) => return Ok(None),
            Target::Unsaid | Target::Latest => (u64::MAX, i64::MAX),
            Target::Time(ms) => (u64::MAX, *ms),
            Target::Txid(txid) => (txid.0, i64::MAX),
            Target::Bookmark(bookmark) => (bookmark.txid.0, i64::MAX),
        };
        let most = most.min(self.after(record).map_or(u64::MAX, |next| next.txid().0 - 1));
        let files: Vec<_> = self.files_between().filter(|(name, _)| name.max.0 <= most).collect();
        let mut found = Followed { files: Vec::new(), txid: record.txid(), created_ms: 0 };
        loop {
            // The one that reaches furthest without leaving a gap, as Litestream chooses.
            let mut best: Option<(LtxName, &str, Listed)> = None;
            for &(name, index) in &files {
                let Some((key, listed)) = self.objects().get(index) else { continue };
                let fits = name.min.0 <= found.txid.0 + 1 && listed.modified_ms <= last_ms;
                if fits && name.max > best.map_or(found.txid, |(best, ..)| best.max) {
                    best = Some((name, key, *listed));
                }
            }
            let Some((name, key, listed)) = best else { break };
            found.files.push(StoredFile::unproved(key.to_owned(), listed.size));
            (found.txid, found.created_ms) = (name.max, listed.modified_ms);
        }
        match target {
            Target::Txid(txid) if found.txid != *txid => Err(Error::at_txid(ErrorKind::BackupUnknown, txid.0)),
            Target::Bookmark(of) if found.txid != of.txid => Err(ErrorKind::BookmarkUnknown.into()),
            _ => Ok(Some(found).filter(|found| !found.files.is_empty())),
        }
    }

    /// The backup that was made after `record`.
    fn after(&self, record: &Record) -> Option<&Record> {
        self.history.entries().filter_map(|(_, entry)| entry.ok()).find(|other| other.first > record.first)
    }

    /// Keys of the files with states that a time may mean: those after the backup it means; in Litestream's folder all.
    pub fn undated(&self, target: &Target) -> Vec<String> {
        let keys = |index: usize| self.objects().get(index).map(|(key, _)| key.clone());
        if self.history.entries().next().is_none() {
            return (0..self.objects().len()).filter_map(keys).filter(|key| key.ends_with(".ltx")).collect();
        }
        let Ok(record) = self.history.find(target) else { return Vec::new() };
        let between = record.txid().0 + 1..self.after(record).map_or(u64::MAX, |next| next.first.0);
        self.files_between()
            .filter(|(name, _)| between.contains(&name.max.0))
            .filter_map(|(_, index)| keys(index))
            .collect()
    }

    /// Takes from a file's first 100 bytes when its state was taken. What does not say so keeps the store's time; see
    /// `Folder::left_out`.
    pub fn date(&mut self, key: &str, start: &[u8]) {
        let Some(listed) = self.object(key) else { return };
        match Header::decode(start) {
            Ok(Header { timestamp_ms, .. }) if timestamp_ms > 0 => {
                self.see(key, Listed { modified_ms: timestamp_ms, ..listed });
            }
            _ => self.dateless.push(key.to_owned()),
        }
    }

    /// What a user should know of a plan for `target` that ends at `reached`, after `record`: that there are later states it may mean.
    pub(super) fn left_out(&self, record: &Record, reached: Txid, target: &Target) -> Option<String> {
        let last_ms = match target {
            Target::Time(ms) => *ms,
            Target::Unsaid | Target::Latest => i64::MAX,
            Target::Id(_) | Target::Txid(_) | Target::Bookmark(_) => return None,
        };
        let most = self.after(record).map_or(u64::MAX, |next| next.txid().0 - 1);
        let is_cut = self.files_between().any(|(name, index)| {
            let is_meant = self.objects().get(index).is_some_and(|(_, listed)| listed.modified_ms <= last_ms);
            is_meant && name.max > reached && name.max.0 <= most
        });
        self.dateless_after(reached, target).or_else(|| {
            is_cut.then(|| {
                format!("the file that follows state {reached} is missing or damaged: there are later states, which cannot be restored")
            })
        })
    }

    /// Tells of a file after `reached` that is no part of a plan for `target` for its time in the store alone, which may be
    /// that of a copy.
    pub(super) fn dateless_after(&self, reached: Txid, target: &Target) -> Option<String> {
        let Target::Time(ms) = target else { return None };
        let left_out = self.dateless.iter().find(|key| {
            let name = key.strip_prefix(self.prefix()).and_then(Found::parse).map(|found| found.name);
            let is_later = self.object(key).is_some_and(|listed| listed.modified_ms > *ms);
            is_later && name.is_some_and(|name| name.min.0 <= reached.0 + 1 && name.max > reached)
        })?;
        Some(format!(
            "{left_out} is left out: it was stored later, and when its state was taken it does not say, as its header is damaged"
        ))
    }

    /// The newest backup that is not past the state which `target` names by its number.
    pub(super) fn before(&self, target: &Target) -> Option<&Record> {
        let txid = match target {
            Target::Txid(txid) => *txid,
            Target::Bookmark(bookmark) => bookmark.txid,
            _ => return None,
        };
        let records = self.history.entries().filter_map(|(_, entry)| entry.ok());
        records.take_while(|record| record.txid() < txid).last()
    }

    /// Keys of the files whose states can go: those before the newest backup that is older than `before_ms`. Whole
    /// stretches between two backups go at once, as what leads nowhere is of no use. And of merged files whose backups are gone.
    pub fn outdated(&self, before_ms: i64) -> Vec<String> {
        let old = |record: &&Record| super::when::rfc3339(&record.created_at).is_some_and(|ms| ms < before_ms);
        let records = self.history.entries().filter_map(|(_, entry)| entry.ok());
        let reached = records.filter(old).last().map_or(0, |record| record.txid().0);
        let files = self.files_between().filter(|(name, _)| name.max.0 <= reached && !name.is_merged());
        let states = files.filter_map(|(_, index)| self.objects().get(index)).map(|(key, _)| key.clone());
        states.chain(self.unused(|_| false)).collect()
    }

    /// Whether files lie behind a gap after the state `reached`.
    pub fn is_cut(&self, reached: Txid) -> bool {
        self.files_between().any(|(name, _)| name.max > reached)
    }

    /// Each of the files and its place among the objects.
    fn files_between(&self) -> impl Iterator<Item = (LtxName, usize)> {
        let named = |(index, (key, _)): (usize, &(String, _))| Some((self.ltx_name(key)?, index));
        self.objects().iter().enumerate().filter_map(named).filter(|(name, _)| name.is_between())
    }
}

#[cfg(test)]
mod tests;

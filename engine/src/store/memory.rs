//! Page versions in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use pagemark::page::{Pgno, Txid};

use super::{Commit, CommitRecord, Keep, PageStore, StoreError, StoreState, prune};

/// How many pages share a note of when any of them was last written.
const GROUP: usize = 32;

/// Keeps everything in memory; what no kept state shows is dropped with the commit that replaces it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: StoreState,
    /// The versions of page N at index N - 1, the oldest first.
    pages: Vec<Vec<Version>>,
    /// The newest TXID that ever wrote page N, at index N - 1: what changed since a backup is told by this alone.
    written: Vec<Txid>,
    /// The newest in each [`GROUP`] of these: what did not change is passed over by the group.
    groups: Vec<Txid>,
    /// Versions that a later commit replaced or shrank away, by the TXID that did so. Only these can ever be dropped,
    /// and each is looked at once when its time has come, not at every commit.
    replaced: BTreeMap<Txid, Vec<(Pgno, Txid)>>,
    /// What `replaced` holds up to here is held by a pin.
    swept: Option<Txid>,
    /// See [`prune`].
    prune_at: usize,
    bytes: u64,
    limit: Option<u64>,
}

#[derive(Debug)]
struct Version {
    txid: Txid,
    page: Box<[u8]>,
}

impl MemoryStore {
    /// Refuses with `Full` a commit after which it would hold more than `limit` bytes of pages. History is to take half
    /// of what the newest state leaves of them.
    pub fn with_limit(limit: u64) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    fn newest(&self) -> Option<CommitRecord> {
        self.state.commits.last().copied()
    }

    /// The newest version at or before `txid`.
    fn version(&self, pgno: Pgno, txid: Txid) -> Option<&Version> {
        let versions = self.pages.get(index(pgno))?;
        let at = versions.partition_point(|version| version.txid <= txid);
        versions.get(at.checked_sub(1)?)
    }

    /// How many bytes of pages there are once the commit has dropped what it replaces.
    fn bytes_after(&self, commit: &Commit) -> u64 {
        let Commit { record, pages, keep, .. } = commit;
        let before = self.newest().map_or(0, |newest| newest.page_count);
        let gone = (record.page_count..before).filter_map(|last| Pgno::new(last + 1));
        let replaced = pages.iter().map(|&(pgno, _)| pgno).filter(|pgno| pgno.value() <= before);
        let dropped = gone.chain(replaced).filter_map(|pgno| self.pages.get(index(pgno))?.last());
        let dropped = dropped.filter(|version| !keep.needs(version.txid, record.txid));
        let dropped: u64 = dropped.map(|version| version.page.len() as u64).sum();
        let added: u64 = pages.iter().map(|(_, page)| page.len() as u64).sum();
        (self.bytes + added).saturating_sub(dropped)
    }

    /// Reserves whatever memory the commit needs, so that nothing can fail once it has begun.
    fn prepare(&mut self, commit: &Commit) -> Result<(), StoreError> {
        if let Some(limit) = self.limit.filter(|&limit| self.bytes_after(commit) > limit) {
            return Err(StoreError::Full(format!("{limit} bytes are the limit of this store").into()));
        }
        let slots = commit.record.page_count as usize;
        self.pages.try_reserve(slots.saturating_sub(self.pages.len()))?;
        if self.pages.len() < slots {
            self.pages.resize_with(slots, Vec::new);
        }
        for (notes, len) in [(&mut self.written, slots), (&mut self.groups, slots.div_ceil(GROUP))] {
            notes.try_reserve(len.saturating_sub(notes.len()))?;
            notes.resize(len.max(notes.len()), Txid(0));
        }
        for (pgno, _) in &commit.pages {
            if let Some(versions) = self.pages.get_mut(index(*pgno)) {
                versions.try_reserve(1)?;
            }
        }
        self.state.commits.try_reserve(1)?;
        Ok(())
    }

    /// Drops the versions among those replaced at `range` that `keep` does not need.
    fn sweep(&mut self, range: (Bound<Txid>, Bound<Txid>), keep: &Keep) {
        let mut emptied = Vec::new();
        for (&replaced, versions) in self.replaced.range_mut(range) {
            versions.retain(|&(pgno, from)| {
                let needed = keep.needs(from, replaced);
                if !needed
                    && let Some(slot) = self.pages.get_mut(index(pgno))
                    && let Ok(at) = slot.binary_search_by_key(&from, |version| version.txid)
                {
                    self.bytes -= slot.remove(at).page.len() as u64;
                }
                needed
            });
            if versions.is_empty() {
                emptied.push(replaced);
            }
        }
        for replaced in emptied {
            self.replaced.remove(&replaced);
        }
    }
}

impl PageStore for MemoryStore {
    fn open(&mut self) -> Result<StoreState, StoreError> {
        Ok(self.state.clone())
    }

    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        match self.version(pgno, txid) {
            Some(version) if version.page.len() == page.len() => {
                page.copy_from_slice(&version.page);
                Ok(())
            }
            _ => Err(StoreError::Damaged(format!("page {pgno} of TXID {txid}").into())),
        }
    }

    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        self.prepare(commit)?;
        let &mut Commit { record, lineage, ref mut pages, ref keep } = commit;
        let before = self.newest().map_or(0, |newest| newest.page_count);
        let mut replaced = Vec::new();
        replaced.try_reserve(pages.len() + before.saturating_sub(record.page_count) as usize)?;
        // What an earlier commit shrank away has been noted then.
        let replaces = |pgno: Pgno| pgno.value() <= before;
        for pgno in (record.page_count..before).filter_map(|last| Pgno::new(last + 1)) {
            let gone = self.pages.get(index(pgno)).and_then(|versions| versions.last());
            replaced.extend(gone.map(|version| (pgno, version.txid)));
        }
        for (pgno, page) in core::mem::take(pages) {
            let Some(versions) = self.pages.get_mut(index(pgno)) else { continue };
            if let Some(last) = versions.last().filter(|_| replaces(pgno)) {
                replaced.push((pgno, last.txid));
            }
            self.bytes += page.len() as u64;
            versions.push(Version { txid: record.txid, page });
            let notes = [self.written.get_mut(index(pgno)), self.groups.get_mut(index(pgno) / GROUP)];
            notes.into_iter().flatten().for_each(|note| *note = record.txid);
        }
        self.replaced.insert(record.txid, replaced);
        self.state.lineage = Some(lineage);
        self.state.commits.push(record);
        self.retain(keep)
    }

    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError> {
        // As long as the pins are the same, what was looked at once need not be again.
        let unchanged = self.swept.filter(|_| self.state.keep.pins == keep.pins);
        if unchanged.is_none_or(|swept| swept < keep.from) {
            let start = unchanged.map_or(Bound::Unbounded, Bound::Excluded);
            let end = self.swept.map_or(keep.from, |swept| swept.max(keep.from));
            self.sweep((start, Bound::Included(end)), keep);
            self.swept = Some(end);
        }
        prune(&mut self.state.commits, keep, &mut self.prune_at);
        self.state.keep = keep.clone();
        Ok(())
    }

    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        let mut changed = Vec::new();
        let groups = (1..).step_by(GROUP).zip(self.written.chunks(GROUP)).zip(&self.groups);
        for ((first, group), _) in groups.filter(|&(_, &newest)| newest > after) {
            let written = (first..).zip(group).filter(|&(_, &newest)| newest > after);
            for (pgno, &newest) in written.filter_map(|(number, newest)| Some((Pgno::new(number)?, newest))) {
                // Its newest version may be one that came after.
                if newest <= upto || self.version(pgno, upto).is_some_and(|version| version.txid > after) {
                    changed.try_reserve(1)?;
                    changed.push(pgno);
                }
            }
        }
        Ok(changed)
    }

    fn size(&self) -> u64 {
        self.bytes
    }

    fn is_crowded(&mut self) -> Result<bool, StoreError> {
        let newest =
            self.newest().map_or(0, |newest| u64::from(newest.page_count) * u64::from(newest.page_size.value()));
        let history = self.bytes.saturating_sub(newest);
        Ok(self.limit.is_some_and(|limit| history > limit.saturating_sub(newest) / 2))
    }
}

fn index(pgno: Pgno) -> usize {
    pgno.value() as usize - 1
}

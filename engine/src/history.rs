//! Which states of a database are kept, by whom, and how they are found.
//!
//! A state is kept while it is the newest, while the history window covers it, or while a pin holds it. A pin has a
//! lease, so that a client that died cannot hold history for ever. As states age they are thinned (see `thinning`).

mod thinning;

use std::collections::BTreeMap;

use pagemark::bookmark::{Bookmark, Lineage};
use pagemark::catalog::Target;
use pagemark::error::{Error as CoreError, ErrorKind as CoreErrorKind};
use pagemark::page::Txid;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{CommitRecord, Keep, StoreState, prune};

/// How far back states are kept without a pin; a state is kept when either says so. The default keeps the newest only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// This many commits before the newest.
    pub commits: u32,
    /// The states that the database was in during this time, in milliseconds: every one for an hour, then the newest of
    /// each minute, after thirty days the newest of each hour.
    pub age_ms: i64,
}

/// A hold on one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinId(pub u32);

#[derive(Clone, Copy, Debug)]
struct Pin {
    txid: Txid,
    /// In milliseconds since 1970; from then on it holds nothing.
    expires_ms: i64,
}

/// The states of one database.
#[derive(Debug)]
pub struct History {
    lineage: Lineage,
    /// Ascending; those kept and the one after each, which says until when it lasted. Also some that are not kept.
    commits: Vec<CommitRecord>,
    /// See [`prune`].
    prune_at: usize,
    /// What the store was told last: a state outside of it may be gone.
    kept: Keep,
    window: Window,
    pins: BTreeMap<PinId, Pin>,
    next_pin: u32,
    /// For what [`Self::shed`] let go: every state is kept from this one on, and others from the second one on.
    whole_from: Txid,
    thinned_from: Txid,
    /// Since when there is nothing new to say about what has to be kept, as [`Self::tick`] counts; `None` when there is.
    settled: Option<i64>,
    /// In which minute it was last measured what room it takes.
    measured: i64,
}

impl History {
    /// The history that a store has; `new_lineage` is used if it has none.
    pub fn new(state: StoreState, new_lineage: Lineage, window: Window) -> Self {
        let StoreState { lineage, commits, keep } = state;
        let lineage = lineage.unwrap_or(new_lineage);
        Self {
            lineage,
            commits,
            prune_at: 0,
            kept: keep,
            window,
            pins: BTreeMap::new(),
            next_pin: 1,
            whole_from: Txid(0),
            thinned_from: Txid(0),
            settled: None,
            measured: 0,
        }
    }

    /// Which database this is.
    pub fn lineage(&self) -> Lineage {
        self.lineage
    }

    /// The newest state; `None` before the first commit.
    pub fn newest(&self) -> Option<CommitRecord> {
        self.commits.last().copied()
    }

    /// The states that can be read, ascending.
    pub fn readable(&self) -> impl DoubleEndedIterator<Item = CommitRecord> + '_ {
        self.commits.iter().copied().filter(|record| self.is_readable(record.txid))
    }

    /// The bookmark of a state.
    pub fn bookmark(&self, record: &CommitRecord) -> Bookmark {
        Bookmark::new(record.txid, record.time_ms, record.checksum, self.lineage)
    }

    /// What a commit has to keep that makes `next` the newest.
    pub fn keep_after(&self, next: &CommitRecord, now_ms: i64) -> Keep {
        self.keep_of(Some(next), now_ms)
    }

    /// What has to be kept now.
    pub fn keep(&self, now_ms: i64) -> Keep {
        self.keep_of(None, now_ms)
    }

    /// Takes note of a commit that the store made, keeping `keep`.
    pub fn committed(&mut self, record: CommitRecord, keep: Keep, now_ms: i64) {
        self.commits.push(record);
        self.retained(keep, now_ms);
    }

    /// Takes note that the store was told to keep `keep`, which was said of `now_ms`.
    pub fn retained(&mut self, keep: Keep, now_ms: i64) {
        prune(&mut self.commits, &keep, &mut self.prune_at);
        self.kept = keep;
        self.settled = Some(self.tick(now_ms));
    }

    /// Whether what has to be kept may be less than the store was told last. With a window by age alone that is so once
    /// in a sixtieth of it, or once a minute: a commit has better things to do.
    fn is_due(&self, now_ms: i64) -> bool {
        self.window.commits > 0 || self.window.age_ms <= 0 || self.settled != Some(self.tick(now_ms))
    }

    /// The state with that number.
    ///
    /// # Errors
    /// `HistoryGone`, `HistoryUnknown`.
    pub fn at_txid(&self, txid: Txid) -> Result<CommitRecord> {
        if self.newest().is_none_or(|newest| txid > newest.txid) || txid == Txid(0) {
            return Err(ErrorKind::HistoryUnknown.into());
        }
        let found = self.commits.binary_search_by_key(&txid, |record| record.txid);
        found
            .ok()
            .and_then(|at| self.commits.get(at))
            .filter(|record| self.is_readable(record.txid))
            .copied()
            .ok_or_else(|| ErrorKind::HistoryGone.into())
    }

    /// The state that the database was in at `time_ms`.
    ///
    /// # Errors
    /// `TimeBeforeFirst`, `TimeAfterLast` when that is later than `now_ms`, `HistoryGone`. Of a time whose state was
    /// thinned away it is the state before, with which that minute (or hour) began.
    pub fn at_time(&self, time_ms: i64, now_ms: i64) -> Result<CommitRecord> {
        let newest = self.newest().ok_or(ErrorKind::TimeBeforeFirst)?;
        if time_ms > now_ms.max(newest.time_ms) {
            return Err(ErrorKind::TimeAfterLast.into());
        }
        let after = self.commits.partition_point(|record| record.time_ms <= time_ms);
        let found = after.checked_sub(1).and_then(|at| self.commits.get(at)).ok_or(ErrorKind::TimeBeforeFirst)?;
        // Until when it lasted is only known from the very next commit.
        let lasted = match self.commits.get(after) {
            Some(next) => next.txid.0 == found.txid.0 + 1,
            None => true,
        };
        if lasted && self.is_readable(found.txid) {
            return Ok(*found);
        }
        self.before_thinned(after, now_ms).ok_or_else(|| ErrorKind::HistoryGone.into())
    }

    /// The state that a bookmark names.
    ///
    /// # Errors
    /// `BookmarkLineage`, `HistoryGone`, `HistoryUnknown`, `ChainChecksum` when the state is another one than named.
    pub fn at_bookmark(&self, bookmark: &Bookmark) -> Result<CommitRecord> {
        if bookmark.lineage != self.lineage {
            return Err(CoreError::at_txid(CoreErrorKind::BookmarkLineage, bookmark.txid.0).into());
        }
        let record = self.at_txid(bookmark.txid)?;
        bookmark.prove(self.lineage, record.checksum)?;
        Ok(record)
    }

    /// The state that a user's words name: a bookmark, a TXID of 16 hex digits, a time, an age; nothing or `latest`.
    /// Unless `exact`, a bookmark or TXID of a state that was thinned away is the state before, as a time is.
    ///
    /// # Errors
    /// `AtSyntax`, and those of the functions above.
    pub fn resolve(&self, text: &str, exact: bool, now_ms: i64) -> Result<CommitRecord> {
        let (found, txid) = match Target::parse(text, now_ms)? {
            Target::Unsaid | Target::Latest => return self.newest().ok_or_else(|| CoreErrorKind::DatabaseEmpty.into()),
            Target::Bookmark(bookmark) => (self.at_bookmark(&bookmark), bookmark.txid),
            Target::Txid(txid) => (self.at_txid(txid), txid),
            Target::Time(time_ms) => return self.at_time(time_ms, now_ms),
            // Ids name backups, not states.
            _ => return Err(CoreErrorKind::AtSyntax.into()),
        };
        found.or_else(|error| {
            let is_gone = !exact && error.kind == ErrorKind::HistoryGone;
            let after = self.commits.partition_point(|record| record.txid <= txid);
            is_gone.then(|| self.before_thinned(after, now_ms)).flatten().ok_or(error)
        })
    }

    /// Holds a state that can be read now, until `now_ms + lease_ms` unless renewed.
    ///
    /// # Errors
    /// Errors of [`History::at_txid`].
    pub fn pin(&mut self, txid: Txid, lease_ms: i64, now_ms: i64) -> Result<PinId> {
        self.at_txid(txid)?;
        self.expire(now_ms);
        let id = PinId(self.next_pin);
        self.next_pin = self.next_pin.wrapping_add(1);
        self.pins.insert(id, Pin { txid, expires_ms: now_ms.saturating_add(lease_ms) });
        self.settled = None;
        Ok(id)
    }

    /// Prolongs a pin to `now_ms + lease_ms`.
    ///
    /// # Errors
    /// `PinUnknown` when it was released or its lease ran out: the state may be gone.
    pub fn renew(&mut self, id: PinId, lease_ms: i64, now_ms: i64) -> Result<()> {
        self.expire(now_ms);
        let pin = self.pins.get_mut(&id).ok_or(ErrorKind::PinUnknown)?;
        pin.expires_ms = now_ms.saturating_add(lease_ms);
        Ok(())
    }

    /// Ends a pin; whether it was still there.
    pub fn release(&mut self, id: PinId) -> bool {
        let held = self.pins.remove(&id).is_some();
        if held {
            self.settled = None;
        }
        held
    }

    /// The state that a pin holds.
    ///
    /// # Errors
    /// `PinUnknown` when it was released or its lease ran out.
    pub fn pinned(&self, id: PinId, now_ms: i64) -> Result<CommitRecord> {
        let pin = self.pins.get(&id).filter(|pin| pin.expires_ms > now_ms);
        let pin: &Pin = pin.ok_or(Error::from(ErrorKind::PinUnknown))?;
        self.at_txid(pin.txid)
    }

    /// Ends the pins whose lease ran out.
    pub fn expire(&mut self, now_ms: i64) {
        let before = self.pins.len();
        self.pins.retain(|_, pin| pin.expires_ms > now_ms);
        if self.pins.len() < before {
            self.settled = None;
        }
    }

    fn is_readable(&self, txid: Txid) -> bool {
        self.kept.holds(txid) || self.newest().is_some_and(|newest| newest.txid == txid)
    }

    fn keep_of(&self, next: Option<&CommitRecord>, now_ms: i64) -> Keep {
        if !self.is_due(now_ms) {
            return self.kept.clone();
        }
        let newest = next.or(self.commits.last()).map_or(Txid(1), |newest| newest.txid);
        let mut from = Txid(newest.0.saturating_sub(u64::from(self.window.commits)).max(1));
        if let Some(oldest) = self.oldest_whole(now_ms) {
            from = from.min(oldest);
        }
        // What is gone does not come back by asking for more.
        from = from.max(self.kept.from).max(self.whole_from.min(newest));
        let live = self.pins.values().filter(|pin| pin.expires_ms > now_ms && pin.txid < from);
        let mut pins: Vec<Txid> = live.map(|pin| pin.txid).collect();
        self.add_thinned(from, now_ms, &mut pins);
        pins.sort_unstable();
        pins.dedup();
        Keep { from, pins }
    }
}

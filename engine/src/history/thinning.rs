//! As states age fewer of them are kept, and fewer still where history takes too much room.
//!
//! A state that is thinned away is one between the first and the newest of its minute (or hour). The newest is kept, and
//! so is the one before that minute: whoever asks for a state that is gone gets that one, which is at most a minute older.

use pagemark::page::Txid;

use super::{History, Window};
use crate::store::CommitRecord;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Time for which every state is kept.
const WHOLE_MS: i64 = HOUR_MS;
/// Time for which one state a minute is kept, then one an hour.
const MINUTES_MS: i64 = 30 * 24 * HOUR_MS;

impl History {
    /// In which step of time `now_ms` is: what has to be kept changes from one to the next.
    pub(super) fn tick(&self, now_ms: i64) -> i64 {
        now_ms.div_euclid(self.step_ms())
    }

    fn step_ms(&self) -> i64 {
        (self.window.age_ms / 60).clamp(1, MINUTE_MS)
    }

    /// Whether to look now if history takes too much room: once a minute.
    pub fn is_to_be_measured(&mut self, now_ms: i64) -> bool {
        let minute = now_ms.div_euclid(MINUTE_MS);
        self.window != Window::default() && core::mem::replace(&mut self.measured, minute) != minute
    }

    /// The oldest state for which the window by age holds every one after it.
    pub(super) fn oldest_whole(&self, now_ms: i64) -> Option<Txid> {
        let age_ms = Some(self.window.age_ms).filter(|&age_ms| age_ms > 0)?;
        // The state of that time was made by the newest commit before it.
        let after = self.since(age_ms.min(WHOLE_MS), now_ms);
        self.commits.get(after.saturating_sub(1)).map(|record| record.txid)
    }

    /// Adds those before `from` that stay of what the window by age holds.
    pub(super) fn add_thinned(&self, from: Txid, now_ms: i64, states: &mut Vec<Txid>) {
        if self.window.age_ms <= 0 {
            return;
        }
        let oldest = self.since(self.window.age_ms, now_ms);
        let end = self.commits.partition_point(|record| record.txid < from);
        // The last state before the window was the state when the window began, unless that is `from`.
        let mut first = None;
        for (at, pair) in self.commits.windows(2).take(end).enumerate() {
            let [record, next] = pair else { continue };
            let is_newest = slot(record, now_ms) != slot_beside(next, record, now_ms);
            if !is_newest || record.txid < self.thinned_from || !self.kept.holds(record.txid) {
                continue;
            }
            if at < oldest {
                first = Some(record.txid);
            } else {
                states.push(record.txid);
            }
        }
        states.extend(first.filter(|_| end >= oldest));
    }

    /// Lets go of half of what the window holds: of the states since when every one is kept, of which the older half is
    /// thinned, or of those that were thinned, once these are more.
    pub fn shed(&mut self) {
        let whole_from = self.kept.from.max(self.whole_from);
        let whole = self.commits.partition_point(|record| record.txid < whole_from);
        let span = self.commits.get(whole..).unwrap_or_default();
        let thinned: Vec<Txid> = self.readable().map(|record| record.txid).filter(|&txid| txid < whole_from).collect();
        if span.len() > thinned.len() {
            self.whole_from = span.get(span.len() / 2).map_or(whole_from, |middle| middle.txid);
        } else {
            self.thinned_from = thinned.get(thinned.len() / 2 + 1).map_or(whole_from, |middle| *middle);
        }
        self.settled = None;
    }

    /// Lets go of everything but the newest state and what is pinned.
    pub fn shed_all(&mut self) {
        let newest = self.newest().map_or(Txid(0), |newest| newest.txid);
        (self.whole_from, self.thinned_from) = (newest, newest);
        self.settled = None;
    }

    /// The state before those of a minute (or hour) that were thinned away, `after` being the index of the first record
    /// after one of these. Nothing when more than that is gone.
    pub(super) fn before_thinned(&self, after: usize, now_ms: i64) -> Option<CommitRecord> {
        if self.window.age_ms <= 0 {
            return None;
        }
        let (older, newer) = self.commits.split_at_checked(after)?;
        let at = older.iter().rposition(|record| self.is_readable(record.txid))?;
        let (found, first_gone) = (self.commits.get(at)?, self.commits.get(at + 1)?);
        let kept = newer.iter().find(|record| self.is_readable(record.txid))?;
        let is_all =
            first_gone.txid.0 == found.txid.0 + 1 && slot(first_gone, now_ms) == slot_beside(kept, first_gone, now_ms);
        is_all.then_some(*found)
    }

    /// How many commits are older than `age_ms`, to the step.
    fn since(&self, age_ms: i64, now_ms: i64) -> usize {
        let oldest_ms = (self.tick(now_ms) * self.step_ms()).saturating_sub(age_ms);
        self.commits.partition_point(|record| record.time_ms <= oldest_ms)
    }
}

/// The minute or the hour for which one state is kept.
fn slot(record: &CommitRecord, now_ms: i64) -> i64 {
    slot_beside(record, record, now_ms)
}

/// The same, of the length that goes for `other`.
fn slot_beside(record: &CommitRecord, other: &CommitRecord, now_ms: i64) -> i64 {
    let length = if now_ms - other.time_ms > MINUTES_MS { HOUR_MS } else { MINUTE_MS };
    record.time_ms.div_euclid(length)
}

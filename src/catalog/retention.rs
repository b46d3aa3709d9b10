//! Which backups are kept. It decides; it deletes nothing.
//!
//! Backups are told apart by their order in the chain and never by a clock: clocks jump. The newest is always kept, as the
//! next one is made on top of it, and so is whatever a kept one is made of.

use super::record::Kind;
use super::when::date_of;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A backup, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Full or incremental.
    pub kind: Kind,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// What a clock on the wall showed then, as if it were UTC: hours and days are those of the user.
    pub local_ms: i64,
    /// Whether it stays until somebody deletes it.
    pub pinned: bool,
    /// Whether somebody deleted it.
    pub deleted: bool,
}

/// How many are kept. Rules add up: a backup stays that any of them keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// So many of the newest.
    pub last: u32,
    /// The newest of each of the last so many hours, days, weeks (which begin on Monday), months and years that have one.
    pub periods: [u32; 5],
    /// Those that are not older, in milliseconds.
    pub within_ms: Option<i64>,
    /// Whether the database was deleted: even the newest can go.
    pub is_over: bool,
}

/// What becomes of a backup, and why: bits, of which those below [`Fate::NEWEST`] are the rules in the order of [`Policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate(pub u32);

impl Fate {
    /// One of the last.
    pub const LAST: u32 = 1;
    /// The newest of an hour; those of a day and so on follow.
    pub const HOURLY: u32 = 1 << 1;
    /// Not too old.
    pub const WITHIN: u32 = 1 << 6;
    /// It stays until it is deleted.
    pub const PINNED: u32 = 1 << 7;
    /// The newest of all.
    pub const NEWEST: u32 = 1 << 8;
    /// No rule keeps it, but one that is kept is made of it.
    pub const NEEDED: u32 = 1 << 9;

    /// Whether a rule keeps it.
    pub fn is_kept(self) -> bool {
        self.0 & !Self::NEEDED != 0
    }

    /// Whether nothing keeps its objects.
    pub fn is_removable(self) -> bool {
        self.0 == 0
    }
}

/// The fate of each backup. They come oldest first; a chain is a full one and the incrementals after it.
pub fn retain(backups: &[Candidate], policy: &Policy, now_ms: i64) -> Vec<Fate> {
    let mut fates = vec![Fate::default(); backups.len()];
    let mut last = 0;
    let mut seen: [Vec<i64>; 5] = Default::default();
    let mut is_needed = false;
    for (at, (backup, fate)) in backups.iter().zip(&mut fates).enumerate().rev() {
        let mut note = |bit: u32, holds: bool| fate.0 |= if holds { bit } else { 0 };
        note(Fate::NEWEST, at + 1 == backups.len() && !policy.is_over);
        if !backup.deleted {
            note(Fate::PINNED, backup.pinned);
            note(
                Fate::WITHIN,
                policy.within_ms.is_some_and(|within| now_ms.saturating_sub(backup.created_ms) <= within),
            );
            note(Fate::LAST, last < policy.last);
            last = last.saturating_add(1);
            for (rule, (period, seen)) in periods(backup.local_ms).into_iter().zip(&mut seen).enumerate() {
                let most = policy.periods.get(rule).copied().unwrap_or(0) as usize;
                if seen.len() < most && !seen.contains(&period) {
                    seen.push(period);
                    note(Fate::HOURLY << rule, true);
                }
            }
        }
        note(Fate::NEEDED, is_needed);
        is_needed = (is_needed || fate.is_kept()) && backup.kind == Kind::Incremental;
    }
    fates
}

/// The numbers of the hour, day, week, month and year that a time on the wall is in.
fn periods(local_ms: i64) -> [i64; 5] {
    let day = local_ms.div_euclid(DAY_MS);
    let (year, month, _) = date_of(day);
    // 1970 began on a Thursday.
    [local_ms.div_euclid(HOUR_MS), day, (day + 3).div_euclid(7), year * 12 + month, year]
}

#[cfg(test)]
mod tests;

//! Rows of both sides, one by one.

use std::collections::BTreeMap;

use super::change::RowChanges;
use super::tree::Leaf;
use super::view::{Side, Stop, View};
use crate::btree::{BtreePage, Entry, Overflow, Payload};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::Sha256;

/// Most rows without rowids that are compared.
const MOST_KEYS: usize = 1 << 17;
/// How many leaves are asked for at once.
const AHEAD: usize = 64;

/// Compares the rows on two lists of leaves, each in the order of its keys.
pub(super) struct RowDiff {
    has_rowids: bool,
    lists: [List; 2],
    found: RowChanges,
    /// Long values under comparison.
    streams: Option<[Stream; 2]>,
    /// What is left of the overflow pages of a row as it is now, which are noted to be its own.
    claiming: Option<Overflow>,
    /// Whether that was done for the row at hand.
    is_claimed: bool,
    /// Rows without rowids: how many there are more of now than then, by their hashes.
    keys: BTreeMap<[u8; 32], i32>,
    hash: Option<(Side, Sha256, Stream)>,
    /// Whether both lists are the same: only what goes on in overflow pages is looked at.
    is_common: bool,
}

struct List {
    leaves: Vec<Leaf>,
    leaf: usize,
    cell: usize,
}

/// A payload, piece by piece.
struct Stream {
    bytes: Vec<u8>,
    at: usize,
    rest: Option<Overflow>,
}

enum Stand<'p> {
    On(Entry<'p>),
    End,
}

impl RowDiff {
    pub(super) fn new(has_rowids: bool, now: Vec<Leaf>, then: Vec<Leaf>) -> Self {
        let lists = [now, then].map(|leaves| List { leaves, leaf: 0, cell: 0 });
        Self {
            has_rowids,
            lists,
            found: RowChanges::default(),
            streams: None,
            claiming: None,
            is_claimed: false,
            keys: BTreeMap::new(),
            hash: None,
            is_common: false,
        }
    }

    /// The long values on leaves that are the same.
    pub(super) fn of_common(has_rowids: bool, leaves: Vec<Leaf>) -> Self {
        Self { is_common: true, ..Self::new(has_rowids, leaves.clone(), leaves) }
    }

    /// How they differ; `None` when to find out takes more than `budget` bytes.
    pub(super) fn go(&mut self, view: &mut View, budget: &mut u64) -> Result<Option<RowChanges>, Stop> {
        let gone = match self.run(view, *budget) {
            Err(Stop::Need(side, ranges)) => {
                let pages: u32 = ranges.iter().map(|range| range.count).sum();
                *budget = budget.saturating_sub(u64::from(pages) * view.layout(side).page_size() as u64);
                return Err(Stop::Need(side, ranges));
            }
            gone => gone?,
        };
        if !gone || self.keys.len() > MOST_KEYS {
            return Ok(None);
        }
        for count in self.keys.values() {
            let place = if *count > 0 { &mut self.found.gone } else { &mut self.found.back };
            *place += u64::from(count.unsigned_abs());
        }
        self.keys.clear();
        Ok(Some(self.found))
    }

    /// `false` when it was too much.
    fn run(&mut self, view: &mut View, budget: u64) -> Result<bool, Stop> {
        loop {
            if let Some(rest) = self.claiming {
                let Some(page) = view.page(Side::Now, rest.next) else {
                    return Err(view.need(Side::Now, rest.next, []));
                };
                let (_, after) = rest.step(page, view.layout(Side::Now))?;
                if view.is_claimed(rest.next.value()) {
                    // They lead in a circle, or into pages of others.
                    return Err(Error::at_page(ErrorKind::BtreePage, rest.next.value()).into());
                }
                view.claim(rest.next.value());
                self.claiming = after;
                continue;
            }
            if let Some([now, then]) = &mut self.streams {
                let are_equal = Stream::are_equal(now, then, view)?;
                self.found.updated += u64::from(!are_equal);
                self.streams = None;
                self.lists.iter_mut().for_each(List::step);
                self.is_claimed = false;
            }
            if let Some((side, hasher, stream)) = &mut self.hash {
                while stream.fill(view, *side)? {
                    hasher.update(stream.rest());
                    stream.at = stream.bytes.len();
                }
                let key = core::mem::take(hasher).finish();
                let count = self.keys.entry(key).or_default();
                *count += if *side == Side::Now { 1 } else { -1 };
                if *count == 0 {
                    self.keys.remove(&key);
                }
                let side = *side;
                self.hash = None;
                self.lists[side as usize].step();
                self.is_claimed = false;
            }
            // The answer to a question that was asked is taken, and no other is asked.
            if budget == 0 || self.keys.len() > MOST_KEYS {
                return Ok(false);
            }
            if !self.next(view)? {
                return Ok(true);
            }
        }
    }

    /// Goes on with the next row, or two of the same rowid; `false` at the end.
    fn next(&mut self, view: &View) -> Result<bool, Stop> {
        let now = self.lists[0].stand(view, Side::Now)?;
        if let Stand::On(entry) = &now
            && let (Some(overflow), false, false) = (entry.payload.overflow, self.is_claimed, self.is_common)
        {
            (self.claiming, self.is_claimed) = (Some(overflow), true);
            return Ok(true);
        }
        if !self.has_rowids && !self.is_common {
            let (side, entry) = match now {
                Stand::On(entry) => (Side::Now, entry),
                Stand::End => match self.lists[1].stand(view, Side::Then)? {
                    Stand::On(entry) => (Side::Then, entry),
                    Stand::End => return Ok(false),
                },
            };
            self.hash = Some((side, Sha256::default(), Stream::of(entry.payload)));
            return Ok(true);
        }
        let then = self.lists[1].stand(view, Side::Then)?;
        let (of_now, of_then) = match (now, then) {
            (Stand::End, Stand::End) => return Ok(false),
            (Stand::On(_), Stand::End) => (true, false),
            (Stand::End, Stand::On(_)) => (false, true),
            (Stand::On(a), Stand::On(b)) if a.rowid == b.rowid => {
                let is_short = a.payload.overflow.is_none() && b.payload.overflow.is_none();
                if is_short {
                    self.found.updated += u64::from(a.payload.local != b.payload.local);
                } else if a.payload.size == b.payload.size {
                    self.streams = Some([Stream::of(a.payload), Stream::of(b.payload)]);
                    return Ok(true);
                } else {
                    self.found.updated += 1;
                }
                (true, true)
            }
            (Stand::On(a), Stand::On(b)) => (a.rowid < b.rowid, a.rowid > b.rowid),
        };
        self.found.gone += u64::from(of_now && !of_then);
        self.found.back += u64::from(of_then && !of_now);
        for (list, steps) in self.lists.iter_mut().zip([of_now, of_then]) {
            if steps {
                list.step();
            }
        }
        self.is_claimed &= !of_now;
        Ok(true)
    }
}

impl List {
    fn stand<'p>(&mut self, view: &'p View, side: Side) -> Result<Stand<'p>, Stop> {
        while let Some(leaf) = self.leaves.get(self.leaf) {
            let Some(page) = view.page(side, leaf.pgno) else {
                let others = self.leaves.iter().skip(self.leaf + 1).take(AHEAD).map(|leaf| leaf.pgno);
                return Err(view.need(side, leaf.pgno, others));
            };
            let page = BtreePage::parse(page, leaf.pgno, view.layout(side))?;
            if self.cell < page.cell_count() {
                return Ok(Stand::On(Entry::read(&page, self.cell)?));
            }
            (self.leaf, self.cell) = (self.leaf + 1, 0);
        }
        Ok(Stand::End)
    }

    fn step(&mut self) {
        self.cell += 1;
    }
}

impl Stream {
    fn of(payload: Payload<'_>) -> Self {
        Self { bytes: payload.local.to_vec(), at: 0, rest: payload.overflow }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether there are bytes, after those of the next page were taken in where there were none.
    fn fill(&mut self, view: &View, side: Side) -> Result<bool, Stop> {
        if self.at < self.bytes.len() {
            return Ok(true);
        }
        let Some(rest) = self.rest else { return Ok(false) };
        let Some(page) = view.page(side, rest.next) else { return Err(view.need(side, rest.next, [])) };
        let (bytes, after) = rest.step(page, view.layout(side))?;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        (self.at, self.rest) = (0, after);
        Ok(true)
    }

    fn are_equal(now: &mut Self, then: &mut Self, view: &View) -> Result<bool, Stop> {
        loop {
            let (more_now, more_then) = (now.fill(view, Side::Now)?, then.fill(view, Side::Then)?);
            if !more_now || !more_then {
                return Ok(more_now == more_then);
            }
            let count = now.rest().len().min(then.rest().len());
            if now.rest().get(..count) != then.rest().get(..count) {
                return Ok(false);
            }
            (now.at, then.at) = (now.at + count, then.at + count);
        }
    }
}

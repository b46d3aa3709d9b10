//! Pages of both sides: those that are the same are read from the database as it is now.

use super::heads::{Head, PageSet};
use super::seek::Sought;
use crate::btree::{BtreePage, Layout, PageRange, Pages};
use crate::error::{Error, ErrorKind, Result};
use crate::page::order::ascending;
use crate::page::{AutoVacuum, DatabaseHeader, Pgno};

/// How many of the pages that differ are asked for at once.
const AHEAD: usize = 64;
/// Offset in page 1 of the number of the freelist's first page; the count of free pages follows it.
const FREELIST: usize = 32;

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// As it is now.
    Now,
    /// As it was backed up.
    Then,
}

/// What stops a step.
pub(crate) enum Stop {
    Need(Side, Vec<PageRange>),
    Damage(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Damage(error)
    }
}

pub(super) struct View {
    layouts: [Layout; 2],
    pub(super) headers: [DatabaseHeader; 2],
    pages: [Pages; 2],
    /// Pages of the same number and content on both sides.
    same: PageSet,
    /// How the pages begin as they are now, by page number; none where only numbers of pages were told.
    heads: Vec<Head>,
    /// Pages with a cell that goes on in overflow pages; any may have one where no heads are known.
    long: PageSet,
    /// Pages as they are now that are known to be no overflow page of a row on a leaf that is the same.
    claimed: PageSet,
    /// Pages that differ, by their numbers now, where they were told and are few.
    differing: Vec<u32>,
    sought: Option<Sought>,
}

impl View {
    pub(super) fn new(now: (&DatabaseHeader, u32), then: (&DatabaseHeader, u32)) -> Self {
        let sides = [now, then];
        let layouts = sides.map(|(header, count)| Layout::new(header, count));
        Self {
            layouts,
            headers: sides.map(|(header, _)| *header),
            pages: sides.map(|(header, _)| Pages::new(header.page_size)),
            same: PageSet::none(now.1),
            heads: vec![Head::OTHER; now.1 as usize],
            long: PageSet::none(now.1),
            claimed: PageSet::none(now.1),
            differing: Vec::new(),
            sought: None,
        }
    }

    pub(super) fn shares_pages(&self) -> bool {
        let [now, then] = self.layouts;
        (now.page_size(), now.usable()) == (then.page_size(), then.usable())
    }

    pub(super) fn layout(&self, side: Side) -> Layout {
        self.layouts[side as usize]
    }

    pub(super) fn digest(&mut self, first: Pgno, pages: &[u8], is_same: impl Fn(usize, &[u8]) -> bool) -> Result<()> {
        let layout = self.layout(Side::Now);
        let chunks = pages.chunks_exact(layout.page_size());
        if !chunks.remainder().is_empty() {
            return Err(usage());
        }
        for (at, page) in chunks.enumerate() {
            let pgno = first.value().checked_add(at as u32).and_then(Pgno::new).ok_or(usage())?;
            let head = self.heads.get_mut(pgno.value() as usize - 1).ok_or(usage())?;
            let is_long;
            (*head, is_long) = Head::of(page, pgno, layout);
            if is_long {
                self.long.add(pgno.value());
            }
            if self.shares_pages() && is_same(at, page) {
                self.same.add(pgno.value());
            }
        }
        Ok(())
    }

    /// Tells which of the pages that both have may differ; how pages begin is found out when they are read.
    pub(super) fn tell(&mut self, differing: &[u32]) {
        self.heads.clear();
        if !self.shares_pages() {
            return;
        }
        let [now, then] = self.layouts;
        let of_now = differing.partition_point(|&pgno| pgno <= now.page_count());
        if Sought::is_for(of_now, now.page_size()) {
            self.differing.extend(differing.iter().take(of_now));
            self.sought = Some(Sought::default());
        }
        let mut differing = differing.iter().copied().peekable();
        for pgno in 1..=now.page_count().min(then.page_count()) {
            match differing.peek() {
                Some(&next) if next == pgno => _ = differing.next(),
                _ => self.same.add(pgno),
            }
        }
    }

    /// Finds out where the pages that differ lie, if they were told and are few.
    pub(super) fn seek(&mut self) -> Result<(), Stop> {
        let Some(sought) = &mut self.sought else { return Ok(()) };
        let layout = self.layouts[Side::Now as usize];
        let mut numbers = self.differing.iter().filter_map(|&number| Pgno::new(number));
        if let Some(missing) = numbers.find(|&pgno| self.pages[Side::Now as usize].page(pgno).is_none()) {
            let others: Vec<_> = numbers.take(AHEAD).collect();
            return Err(self.need(Side::Now, missing, others));
        }
        for pgno in self.differing.iter().filter_map(|&number| Pgno::new(number)) {
            let page = self.pages[Side::Now as usize].page(pgno).unwrap_or_default();
            if sought.add(page, pgno, layout) {
                self.claimed.add(pgno.value());
            }
        }
        sought.sort();
        Ok(())
    }

    /// Forgets it, and what is claimed; whether there was anything to forget.
    pub(super) fn stop_seeking(&mut self) -> bool {
        self.claimed = PageSet::none(self.layout(Side::Now).page_count());
        self.sought.take().is_some()
    }

    /// Where the pages that differ lie; nothing where every tree must be gone through.
    pub(super) fn sought(&self) -> Option<&Sought> {
        self.sought.as_ref()
    }

    pub(super) fn add(&mut self, side: Side, first: Pgno, pages: Vec<u8>) {
        self.pages[side as usize].add(first, pages);
    }

    /// Whether a cell of a page goes on in overflow pages.
    pub(super) fn is_long(&self, pgno: u32) -> bool {
        self.heads.is_empty() || self.long.has(pgno)
    }

    pub(super) fn is_same(&self, pgno: u32) -> bool {
        self.same.has(pgno)
    }

    /// Where to read a page of a side: one that is the same, from the other.
    pub(super) fn source(&self, side: Side, pgno: Pgno) -> Side {
        if self.same.has(pgno.value()) { Side::Now } else { side }
    }

    /// How a page begins, if that is known without reading it.
    pub(super) fn head(&self, side: Side, pgno: Pgno) -> Option<Head> {
        let known = !self.heads.is_empty() && self.source(side, pgno) == Side::Now;
        known.then(|| self.heads.get(pgno.value() as usize - 1).copied().unwrap_or(Head::OTHER))
    }

    pub(super) fn page(&self, side: Side, pgno: Pgno) -> Option<&[u8]> {
        self.pages[self.source(side, pgno) as usize].page(pgno)
    }

    /// The pages that a side's own reader holds, whatever is the same.
    pub(super) fn pages(&self, side: Side) -> &Pages {
        &self.pages[side as usize]
    }

    /// Asks for a page, and for others that will be needed from the same place.
    pub(super) fn need(&self, side: Side, pgno: Pgno, others: impl IntoIterator<Item = Pgno>) -> Stop {
        let from = self.source(side, pgno);
        let others = others.into_iter().filter(|&other| self.source(side, other) == from);
        let others = others.filter(|&other| self.page(side, other).is_none());
        let mut numbers = ascending(core::iter::once(pgno).chain(others).map(Pgno::value));
        numbers.dedup();
        let mut ranges: Vec<PageRange> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some(range) if range.first.value() + range.count == number => range.count += 1,
                _ => ranges.extend(Pgno::new(number).map(|first| PageRange { first, count: 1 })),
            }
        }
        Stop::Need(from, ranges)
    }

    /// How many cells a page has; `None` for one that is damaged.
    pub(super) fn cells(
        &self,
        side: Side,
        pgno: Pgno,
        ahead: Vec<Pgno>,
        budget: &mut u64,
    ) -> Result<Option<u16>, Stop> {
        let Some(page) = self.page(side, pgno) else {
            *budget = budget.saturating_sub((ahead.len() * self.layout(side).page_size()) as u64);
            return Err(self.need(side, pgno, ahead));
        };
        Ok(BtreePage::parse(page, pgno, self.layout(side)).ok().map(|page| page.cell_count() as u16))
    }

    pub(super) fn claim(&mut self, pgno: u32) {
        self.claimed.add(pgno);
    }

    pub(super) fn is_claimed(&self, pgno: u32) -> bool {
        self.claimed.has(pgno)
    }

    /// Claims a page of the list of free ones, and what it lists; gives the next, and how many may follow.
    pub(super) fn claim_trunk(&mut self, trunk: u32, left: u32) -> Result<Option<(u32, u32)>, Stop> {
        let count = self.layout(Side::Now).page_count();
        if count == 0 {
            return Ok(None);
        }
        let number = if trunk == 0 { 1 } else { trunk };
        let Some(pgno) = Pgno::new(number).filter(|_| number <= count) else { return Ok(None) };
        let Some(page) = self.page(Side::Now, pgno) else { return Err(self.need(Side::Now, pgno, [])) };
        let word = |at: usize| page.get(at..at + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_be_bytes);
        if trunk == 0 {
            return Ok((word(FREELIST) != 0).then_some((word(FREELIST), count)));
        }
        let listed: Vec<u32> = (0..(word(4) as usize).min(page.len() / 4)).map(|at| word(8 + at * 4)).collect();
        let next = word(0);
        self.claim(trunk);
        listed.into_iter().for_each(|pgno| self.claim(pgno));
        // One that leads in a circle ends.
        Ok((next != 0 && left > 1).then(|| (next, left - 1)))
    }

    /// Whether a page differs that may be an overflow page of a row on a leaf that does not.
    pub(super) fn has_unclaimed(&self) -> bool {
        let [now, then] = self.layouts;
        let lock_page = self.headers[0].page_size.lock_page().value();
        let is_map = |pgno: u32| {
            // Pages that say what the others are for: one, and as many after it as it has room for.
            let each = (now.usable() / 5 + 1) as u32;
            self.headers[0].auto_vacuum != AutoVacuum::None && pgno >= 2 && (pgno - 2).is_multiple_of(each)
        };
        let mut pages = 1..=now.page_count().min(then.page_count());
        pages.any(|p| !self.is_same(p) && !self.is_claimed(p) && p != lock_page && !is_map(p))
    }
}

/// A call that the caller must not make.
fn usage() -> Error {
    ErrorKind::Usage.into()
}

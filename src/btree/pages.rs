//! Pages that were read ahead.

use core::cell::Cell;
use std::collections::VecDeque;

use crate::page::{PageSize, Pgno};

/// What is kept at most, in bytes. Enough that pages a b-tree visits in its own order come in long reads.
pub const CAPACITY: usize = 4 << 20;

/// Runs of consecutive pages, each kept until newer ones need its room: a page that is asked for again was lost.
#[derive(Clone, Debug)]
pub struct Pages {
    page_size: PageSize,
    /// In the order in which they came.
    runs: VecDeque<Run>,
    /// How many came before the first of them. So many more than its place here is what a run goes by.
    gone: usize,
    /// The first page of each run, and what it goes by, in the order of pages; without those whose pages a later run has
    /// all.
    starts: Vec<(u32, usize)>,
    /// Which of them had the last page that was asked for.
    recent: Cell<usize>,
    /// Bytes of all runs,
    held: usize,
    /// and how many they may be.
    capacity: usize,
}

#[derive(Clone, Debug)]
struct Run {
    first: u32,
    bytes: Vec<u8>,
}

/// Consecutive pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRange {
    /// The first of them.
    pub first: Pgno,
    /// How many, at least 1.
    pub count: u32,
}

impl Pages {
    /// Holds none.
    pub fn new(page_size: PageSize) -> Self {
        Self::with_capacity(page_size, CAPACITY)
    }

    /// Holds none, and later at most so many bytes.
    pub fn with_capacity(page_size: PageSize, capacity: usize) -> Self {
        let (runs, starts) = (VecDeque::new(), Vec::new());
        Self { page_size, runs, gone: 0, starts, recent: Cell::new(0), held: 0, capacity }
    }

    /// Takes the pages from `first` on, whole ones; bytes behind the last whole one are ignored.
    pub fn add(&mut self, first: Pgno, bytes: Vec<u8>) {
        let run = Run { first: first.value(), bytes };
        let end = self.end(&run);
        if self.reaching(run.first).is_some_and(|(_, before)| self.end(before) >= end) {
            return;
        }
        // Those that lie within the new one would hide it.
        let from = self.starts.partition_point(|&(first, _)| first < run.first);
        let to = self.starts.partition_point(|&(first, _)| u64::from(first) < end).max(from);
        let reach_on = |&(_, id): &(u32, usize)| self.run(id).is_some_and(|other| self.end(other) > end);
        let inside = self.starts.get(from..to).unwrap_or_default();
        let kept: Vec<_> = inside.iter().copied().filter(reach_on).collect();
        let new = (run.first, self.gone + self.runs.len());
        self.starts.splice(from..to, core::iter::once(new).chain(kept));
        self.held += run.bytes.len();
        self.runs.push_back(run);
        while self.held > self.capacity && self.runs.len() > 1 {
            self.forget();
        }
    }

    /// A page, whole, if it is here.
    pub fn page(&self, pgno: Pgno) -> Option<&[u8]> {
        // Each row of a page asks for it.
        let recent = self.run(self.recent.get()).and_then(|run| self.page_of(run, pgno));
        recent.or_else(|| {
            let (id, run) = self.reaching(pgno.value())?;
            let page = self.page_of(run, pgno)?;
            self.recent.set(id);
            Some(page)
        })
    }

    /// Lets the oldest run go.
    fn forget(&mut self) {
        let Some(run) = self.runs.pop_front() else { return };
        self.held -= run.bytes.len();
        let at = self.starts.partition_point(|&(first, _)| first < run.first);
        if self.starts.get(at).is_some_and(|&(_, id)| id == self.gone) {
            self.starts.remove(at);
        }
        self.gone += 1;
    }

    fn run(&self, id: usize) -> Option<&Run> {
        self.runs.get(id.checked_sub(self.gone)?)
    }

    /// The last run that begins at a page or before it. No other has the page if this has not.
    fn reaching(&self, pgno: u32) -> Option<(usize, &Run)> {
        let behind = self.starts.partition_point(|&(first, _)| first <= pgno);
        let &(_, id) = self.starts.get(behind.checked_sub(1)?)?;
        Some((id, self.run(id)?))
    }

    fn page_of<'a>(&self, run: &'a Run, pgno: Pgno) -> Option<&'a [u8]> {
        let size = self.page_size.bytes();
        // Checked: behind page 2^32 / `size` it would begin at 0 again where usize has 32 bits, as it does in wasm.
        let start = (pgno.value().checked_sub(run.first)? as usize).checked_mul(size)?;
        run.bytes.get(start..start.checked_add(size)?)
    }

    /// The page behind its last.
    fn end(&self, run: &Run) -> u64 {
        u64::from(run.first) + (run.bytes.len() / self.page_size.bytes()) as u64
    }
}

#[cfg(test)]
mod tests;

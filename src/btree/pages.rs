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
    runs: VecDeque<Run>,
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
        Self { page_size, runs: VecDeque::new(), recent: Cell::new(0), held: 0, capacity }
    }

    /// Takes the pages from `first` on, whole ones; bytes behind the last whole one are ignored.
    pub fn add(&mut self, first: Pgno, bytes: Vec<u8>) {
        self.held += bytes.len();
        self.runs.push_front(Run { first: first.value(), bytes });
        while self.held > self.capacity && self.runs.len() > 1 {
            self.held -= self.runs.pop_back().map_or(0, |run| run.bytes.len());
        }
    }

    /// A page, whole, if it is here.
    pub fn page(&self, pgno: Pgno) -> Option<&[u8]> {
        let size = self.page_size.bytes();
        // Checked: behind page 2^32 / `size` it would begin at 0 again where usize has 32 bits, as it does in wasm.
        let page_of = |run: &Run| {
            let start = (pgno.value().checked_sub(run.first)? as usize).checked_mul(size)?;
            Some(start..start.checked_add(size)?)
        };
        // Each row of a page asks for it.
        let recent = self.runs.get(self.recent.get()).and_then(|run| run.bytes.get(page_of(run)?));
        recent.or_else(|| {
            let (index, page) =
                (0..).zip(&self.runs).find_map(|(index, run)| Some((index, run.bytes.get(page_of(run)?)?)))?;
            self.recent.set(index);
            Some(page)
        })
    }
}

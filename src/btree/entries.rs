//! The entries of one b-tree with their whole payloads, in key order, as a step machine.

use core::mem;

use super::cursor::{Cursor, Entry, Stand};
use super::pages::{PageRange, Pages};
use super::payload::Overflow;
use super::{Layout, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// What is asked for at once, in bytes: a request to a remote store should be worth its time.
const READ_AHEAD: usize = 1 << 20;
/// Pages between two wanted ones that are read along with them rather than skipped.
const LARGEST_GAP: u32 = 16;

/// The longest payload that is handed out whole, in bytes.
pub const MAX_WHOLE: usize = 8 << 20;

/// Goes through a b-tree.
#[derive(Clone, Debug)]
pub struct Entries {
    layout: Layout,
    cursor: Cursor,
    /// The payload of the entry it stands on, as far as it has come.
    payload: Vec<u8>,
    held: Option<Held>,
    /// Whether `payload` is a whole one that has been handed out.
    is_done: bool,
}

/// An entry whose payload goes on in overflow pages.
#[derive(Clone, Copy, Debug)]
struct Held {
    pgno: Pgno,
    rowid: Option<i64>,
    size: usize,
    rest: Option<Overflow>,
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// An entry with all of its payload.
    Row(Row<'a>),
    /// Pages have to be added first.
    Need(Vec<PageRange>),
    /// There are no more.
    End,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// The page it is on.
    pub pgno: Pgno,
    /// Its key in a table.
    pub rowid: Option<i64>,
    /// Its record: whole, or with `rest` only its start.
    pub record: &'a [u8],
    /// What is left of a payload that is longer than [`MAX_WHOLE`], for the caller to read on.
    pub rest: Option<Overflow>,
}

/// How many pages may still be visited, in all b-trees together. In a sound database each is visited once; twice that
/// leaves room for trees that share pages by mistake, and no room for trees that refer to themselves.
#[derive(Clone, Copy, Debug)]
pub struct Budget(u64);

impl Budget {
    /// For a whole database.
    pub fn new(layout: Layout) -> Self {
        Self(u64::from(layout.page_count()) * 2)
    }

    /// How many were visited.
    pub fn spent(self, layout: Layout) -> u64 {
        u64::from(layout.page_count()) * 2 - self.0
    }

    /// Counts a visit of `pgno`.
    ///
    /// # Errors
    /// `BtreeDepth` when too many were visited.
    pub fn spend(&mut self, pgno: Pgno) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(Error::at_page(ErrorKind::BtreeDepth, pgno.value()))?;
        Ok(())
    }
}

impl Entries {
    /// Before the first entry of the b-tree with this root.
    pub fn new(root: Pgno, layout: Layout) -> Self {
        Self { layout, cursor: Cursor::new(root, layout), payload: Vec::new(), held: None, is_done: false }
    }

    /// The next entry, or what is needed to get there.
    ///
    /// # Errors
    /// `BtreePage` or `BtreeDepth`, naming a page. Asked again it goes on behind what is damaged: an entry, or a page
    /// with all below it.
    pub fn next(&mut self, pages: &Pages, budget: &mut Budget) -> Result<Next<'_>> {
        if mem::take(&mut self.is_done) {
            self.payload.clear();
        }
        if self.held.is_none() {
            let layout = self.layout;
            match self.cursor.stand(pages, |pgno| budget.spend(pgno))? {
                Stand::End => return Ok(Next::End),
                Stand::Before(pgno) => return Ok(Next::Need(self.tree_pages(pgno, pages))),
                Stand::On { page, cell, .. } => {
                    let entry = Entry::read(&page, cell);
                    // Whatever comes of it, the next one is another.
                    let entry = match entry {
                        Ok(Entry { pgno, rowid, payload }) => {
                            let rest = payload.overflow;
                            self.payload.extend_from_slice(payload.local);
                            Ok(Held { pgno, rowid, size: payload.size, rest })
                        }
                        Err(error) => Err(error),
                    };
                    self.cursor.advance(1);
                    let held = entry?;
                    if held.size > layout.largest_payload() {
                        self.payload.clear();
                        return Err(damaged(held.pgno));
                    }
                    self.held = Some(held);
                }
            }
        }
        self.gather(pages, budget)
    }

    fn gather(&mut self, pages: &Pages, budget: &mut Budget) -> Result<Next<'_>> {
        let Some(mut held) = self.held.take() else { return Ok(Next::End) };
        while let Some(rest) = held.rest
            && held.size <= MAX_WHOLE
        {
            let Some(page) = pages.page(rest.next) else {
                self.held = Some(held);
                return Ok(Next::Need(chain_pages(rest, self.layout)));
            };
            let step = budget.spend(rest.next).and_then(|()| rest.step(page, self.layout));
            match step {
                Ok((bytes, after)) => {
                    self.payload.extend_from_slice(bytes);
                    held.rest = after;
                }
                Err(error) => {
                    self.payload.clear();
                    return Err(error);
                }
            }
        }
        self.is_done = true;
        Ok(Next::Row(Row { pgno: held.pgno, rowid: held.rowid, record: &self.payload, rest: held.rest }))
    }

    /// The page it stands before, and what it will need after it.
    fn tree_pages(&self, first: Pgno, pages: &Pages) -> Vec<PageRange> {
        let most = (READ_AHEAD / self.layout.page_size()).max(1);
        let ahead = self.cursor.ahead(most - 1).filter(|&pgno| pages.page(pgno).is_none());
        ranges(core::iter::once(first).chain(ahead).collect(), most)
    }
}

/// The pages that the rest of a payload is on if it was written in one go, which is mostly so.
pub fn chain_pages(rest: Overflow, layout: Layout) -> Vec<PageRange> {
    let most = (READ_AHEAD / layout.page_size()).max(1);
    let count = rest.remaining.div_ceil(layout.usable() - 4).min(most) as u32;
    let last = layout.page_count().max(rest.next.value());
    vec![PageRange { first: rest.next, count: count.min(last - rest.next.value() + 1) }]
}

/// Few ranges that cover `pages`, of no more than twice `most` pages together.
fn ranges(mut pages: Vec<Pgno>, most: usize) -> Vec<PageRange> {
    let wanted = pages.first().copied();
    pages.sort_unstable();
    let mut ranges: Vec<PageRange> = Vec::new();
    for pgno in pages {
        match ranges.last_mut() {
            Some(range) if pgno.value() < range.first.value() + range.count => {}
            Some(range) if pgno.value() - (range.first.value() + range.count) < LARGEST_GAP => {
                range.count = pgno.value() - range.first.value() + 1;
            }
            _ => ranges.push(PageRange { first: pgno, count: 1 }),
        }
    }
    let total: usize = ranges.iter().map(|range| range.count as usize).sum();
    match wanted {
        // Scattered so widely that it would push out of memory what it reads.
        Some(first) if total > most * 2 => vec![PageRange { first, count: 1 }],
        _ => ranges,
    }
}

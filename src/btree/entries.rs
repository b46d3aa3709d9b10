//! The entries of one b-tree with their whole payloads, in key order, as a step machine.

use super::ahead::{pages_at_once, ranges};
use super::cursor::{Cursor, Entry, Stand};
use super::layout::{Layout, damaged};
use super::pages::{PageRange, Pages};
use super::parts::Part;
use super::payload::Overflow;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// The longest payload that is handed out whole, in bytes.
pub const MAX_WHOLE: usize = 8 << 20;

/// Goes through a b-tree.
#[derive(Clone, Debug)]
pub struct Entries {
    layout: Layout,
    cursor: Cursor,
    /// The payload of an entry that goes on in overflow pages, as far as it has come.
    payload: Vec<u8>,
    held: Option<Held>,
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
    /// Entries were given away: [`Entries::resume`] gets it behind them.
    Given,
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
    /// A budget for a whole database.
    pub fn new(layout: Layout) -> Self {
        Self(u64::from(layout.page_count()) * 2)
    }

    /// How many were visited.
    pub fn spent(self, layout: Layout) -> u64 {
        u64::from(layout.page_count()) * 2 - self.0
    }

    /// Counts visits of so many pages; `false` when there are not as many left.
    pub fn spend_many(&mut self, count: u64) -> bool {
        let left = self.0.checked_sub(count);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
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
        Self { layout, cursor: Cursor::new(root, layout), payload: Vec::new(), held: None }
    }

    /// Before the first entry of a part.
    pub fn of_part(part: &Part, layout: Layout) -> Self {
        let cursor = Cursor::of_part(part, layout);
        Self { layout, cursor, payload: Vec::new(), held: None }
    }

    /// See [`Cursor::give`].
    pub fn give(&mut self, between: usize, leaves: usize) -> Option<Part> {
        self.cursor.give(between, leaves)
    }

    /// See [`Cursor::skip`].
    pub fn skip(&mut self, done: Option<usize>) {
        self.cursor.skip(done);
    }

    /// See [`Cursor::is_ending`].
    pub fn is_ending(&self) -> bool {
        self.cursor.is_ending()
    }

    /// See [`Cursor::is_deep`].
    pub fn is_deep(&self) -> bool {
        self.cursor.is_deep()
    }

    /// How many leaves were entered so far.
    pub fn leaves(&self) -> u64 {
        self.cursor.leaves
    }

    /// See [`Cursor::resume`].
    ///
    /// # Errors
    /// As going through the entries itself.
    pub fn resume(&mut self, done: Option<usize>) -> Result<()> {
        self.cursor.resume(done)
    }

    /// See [`Cursor::begun`].
    pub fn begun(&self) -> usize {
        self.cursor.begun()
    }

    /// The next entry, or what is needed to get there.
    ///
    /// # Errors
    /// `BtreePage` or `BtreeDepth`, naming a page. Asked again it goes on behind what is damaged: an entry, or a page
    /// with all below it.
    pub fn next<'p>(&'p mut self, pages: &'p Pages, budget: &mut Budget) -> Result<Next<'p>> {
        if self.held.is_none() {
            let layout = self.layout;
            match self.cursor.stand(pages, |pgno| budget.spend(pgno))? {
                Stand::End => return Ok(Next::End),
                Stand::Given => return Ok(Next::Given),
                Stand::Before(pages) => return Ok(Next::Need(ranges(pages, layout))),
                Stand::On(entry) => {
                    let Entry { pgno, rowid, payload } = entry?;
                    if payload.size > layout.largest_payload() {
                        return Err(damaged(pgno));
                    }
                    let Some(rest) = payload.overflow else {
                        return Ok(Next::Row(Row { pgno, rowid, record: payload.local, rest: None }));
                    };
                    self.payload.clear();
                    self.payload.reserve_exact(payload.size.min(MAX_WHOLE));
                    self.payload.extend_from_slice(payload.local);
                    self.held = Some(Held { pgno, rowid, size: payload.size, rest: Some(rest) });
                }
            }
        }
        // The entry in hand goes on in overflow pages.
        let Some(mut held) = self.held.take() else { return Ok(Next::End) };
        while let Some(rest) = held.rest
            && held.size <= MAX_WHOLE
        {
            let Some(page) = pages.page(rest.next) else {
                self.held = Some(held);
                return Ok(Next::Need(chain_pages(rest, self.layout)));
            };
            budget.spend(rest.next)?;
            let (bytes, after) = rest.step(page, self.layout)?;
            self.payload.extend_from_slice(bytes);
            held.rest = after;
        }
        Ok(Next::Row(Row { pgno: held.pgno, rowid: held.rowid, record: &self.payload, rest: held.rest }))
    }

    /// What it will need that is not in hand, probably, and in no order: worth reading while it goes on.
    pub fn ahead(&self, pages: &Pages) -> Vec<PageRange> {
        ranges(self.cursor.ahead(pages), self.layout)
    }
}

/// The pages that the rest of a payload is on if it was written in one go, which is mostly so.
pub fn chain_pages(rest: Overflow, layout: Layout) -> Vec<PageRange> {
    let most = pages_at_once(layout);
    let count = rest.remaining.div_ceil(layout.usable() - 4).min(most) as u32;
    let last = layout.page_count().max(rest.next.value());
    vec![PageRange { first: rest.next, count: count.min(last - rest.next.value() + 1) }]
}

#[cfg(test)]
mod tests;

//! A record that may be longer than memory: read on through its overflow pages, no more at once than is asked for.

use core::ops::Range;

use crate::btree::entries::{Budget, Row, chain_pages};
use crate::btree::{Layout, Overflow, PageRange, Pages, Slot, record};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// The longest header of a record: SQLite has at most 32,767 columns, whose types take 9 bytes at most. In bytes.
const MAX_HEADER: usize = 32_767 * 9 + 9;

/// A record, from which any part can be read again.
#[derive(Clone, Debug)]
pub(super) struct LongRecord {
    pgno: Pgno,
    layout: Layout,
    size: usize,
    /// Where it begins: its bytes in the cell, and where it goes on.
    start: (Vec<u8>, Option<Overflow>),
    /// The bytes in hand.
    held: Vec<u8>,
    /// Offset in the record of the first of them.
    from: usize,
    next: Option<Overflow>,
    /// How much was left when it was read farthest: pages count as visited once.
    least: usize,
}

/// Bytes, or what has to be handed in for them.
#[derive(Debug)]
pub(super) enum Got<'a> {
    Bytes(&'a [u8]),
    Need(Vec<PageRange>),
}

impl LongRecord {
    pub(super) fn new(row: Row<'_>, layout: Layout) -> Self {
        let Row { pgno, record, rest, .. } = row;
        let left = rest.map_or(0, |rest| rest.remaining);
        let held = record.to_vec();
        // What is whole stays, and needs no way back.
        let start = if rest.is_some() { (held.clone(), rest) } else { (Vec::new(), None) };
        Self { pgno, layout, size: record.len() + left, start, held, from: 0, next: rest, least: left + 1 }
    }

    /// Length, in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Reads the header into `slots`; gives what is needed for it.
    ///
    /// # Errors
    /// `BtreePage`, naming a page, when it does not fit to the length of the record, or its pages are damaged.
    pub(super) fn header(
        &mut self,
        pages: &Pages,
        budget: &mut Budget,
        slots: &mut Vec<Slot>,
    ) -> Result<Option<Vec<PageRange>>> {
        let (pgno, size) = (self.pgno, self.size);
        let damaged = Error::at_page(ErrorKind::BtreePage, pgno.value());
        let length = record::bytes_needed(&self.held, 0, pgno)?;
        if length > size.min(MAX_HEADER) {
            return Err(damaged);
        }
        let header = match self.bytes(0..length, pages, budget)? {
            Got::Bytes(header) => header,
            Got::Need(pages) => return Ok(Some(pages)),
        };
        Slot::read_all(header, pgno, slots)?;
        match slots.last() {
            Some(last) if last.range().end > size => Err(damaged),
            _ => Ok(None),
        }
    }

    /// The bytes in hand, if they are the first ones.
    pub(super) fn held(&self) -> &[u8] {
        if self.from == 0 { &self.held } else { &[] }
    }

    /// The bytes in `range`.
    ///
    /// # Errors
    /// `BtreePage` or `BtreeDepth`, naming a page, when its pages are damaged.
    pub(super) fn bytes(&mut self, range: Range<usize>, pages: &Pages, budget: &mut Budget) -> Result<Got<'_>> {
        if range.start < self.from {
            self.held.clone_from(&self.start.0);
            (self.from, self.next) = (0, self.start.1);
        }
        while self.from + self.held.len() < range.end {
            let Some(next) = self.next else {
                return Err(Error::at_page(ErrorKind::BtreePage, self.pgno.value()));
            };
            self.forget(range.start);
            let Some(page) = pages.page(next.next) else { return Ok(Got::Need(chain_pages(next, self.layout))) };
            if next.remaining < self.least {
                budget.spend(next.next)?;
                self.least = next.remaining;
            }
            let (bytes, after) = next.step(page, self.layout)?;
            self.held.extend_from_slice(bytes);
            self.next = after;
        }
        let (from, pgno) = (self.from, self.pgno);
        let bytes = self.held.get(range.start - from..range.end - from);
        bytes.map(Got::Bytes).ok_or(Error::at_page(ErrorKind::BtreePage, pgno.value()))
    }

    /// Lets go of what is before offset `start`.
    fn forget(&mut self, start: usize) {
        let before = (start - self.from).min(self.held.len());
        self.held.drain(..before);
        self.from += before;
    }
}

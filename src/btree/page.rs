//! One page of a b-tree: its header, its cell pointers and its cells (file format, section 1.6).

use core::ops::Range;

use super::layout::{Kind, Layout, damaged};
use super::payload::{Overflow, Payload};
use crate::bytes::Reader;
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;
use crate::page::header::HEADER_SIZE;

/// Length of the number of an overflow page at the end of a cell, in bytes.
const OVERFLOW_SIZE: usize = 4;
/// Size of a free block's head, which tells of the next one and of itself, in bytes.
const FREE_BLOCK_SIZE: usize = 4;

/// A b-tree page. Parsing looks at the page header only; cells are checked when they are read.
#[derive(Clone, Debug)]
pub struct BtreePage<'a> {
    pgno: Pgno,
    layout: Layout,
    kind: Kind,
    right_most: Option<Pgno>,
    /// The usable part of the page: cell pointers count from its start, on page 1 too.
    content: &'a [u8],
    /// Two bytes a cell, in key order.
    pointers: &'a [[u8; 2]],
    /// The lowest offset that a cell can have: behind the pointers.
    cells_start: usize,
}

impl<'a> BtreePage<'a> {
    /// Reads page `pgno`, given whole.
    ///
    /// # Errors
    /// `Usage` when `page` is not one page long; `BtreePage` when it is not a b-tree page.
    pub fn parse(page: &'a [u8], pgno: Pgno, layout: Layout) -> Result<Self> {
        let content = layout.content(page)?;
        Self::read(content, pgno, layout).map_err(|_| damaged(pgno))
    }

    fn read(content: &'a [u8], pgno: Pgno, layout: Layout) -> Result<Self> {
        let mut reader = Reader::new(content, 0, ErrorKind::BtreePage);
        if pgno == Pgno::FIRST {
            reader.take(HEADER_SIZE)?;
        }
        let kind = Kind::new(reader.u8()?).ok_or(damaged(pgno))?;
        // The first free block; the start of the cells and the fragmented bytes come after the count.
        // They matter to those who write the page.
        reader.take(2)?;
        let cell_count = usize::from(reader.u16()?);
        reader.take(3)?;
        let right_most = if kind.is_leaf() { None } else { Some(layout.pointer(reader.u32()?, pgno)?) };
        let (pointers, _) = reader.take(cell_count * 2)?.as_chunks();
        let cells_start = content.len() - reader.remaining();
        // A cell takes 4 bytes or more (so that it can become a free block). SQLite has the same limit.
        if reader.remaining() < cell_count * 4 {
            return Err(damaged(pgno));
        }
        Ok(Self { pgno, layout, kind, right_most, content, pointers, cells_start })
    }

    /// The page's number.
    pub fn pgno(&self) -> Pgno {
        self.pgno
    }

    /// Which of the four kinds of page it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many cells it has.
    pub fn cell_count(&self) -> usize {
        self.pointers.len()
    }

    /// The child with the largest keys; `None` on a leaf.
    pub fn right_most(&self) -> Option<Pgno> {
        self.right_most
    }

    /// The children in key order, the right-most last; none on a leaf. Each is a page of the database.
    ///
    /// # Errors
    /// `BtreePage`, naming this page, for a pointer to outside the page or the database.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = Result<Pgno>> {
        let cells = if self.kind.is_leaf() { &[] } else { self.pointers };
        cells.iter().map(|&pointer| self.left_child(pointer)).chain(self.right_most.map(Ok))
    }

    /// The child `index`, which counts from 0 in key order; the one after the last cell is the right-most.
    ///
    /// # Errors
    /// `BtreePage`, naming this page, when there is no such child, or no such page in the database.
    pub fn child(&self, index: usize) -> Result<Pgno> {
        match self.pointers.get(index) {
            Some(&pointer) if !self.kind.is_leaf() => self.left_child(pointer),
            None if index == self.pointers.len() => self.right_most.ok_or(damaged(self.pgno)),
            _ => Err(damaged(self.pgno)),
        }
    }

    /// The cells in key order.
    ///
    /// # Errors
    /// As [`BtreePage::cell`].
    pub fn cells(&self) -> impl DoubleEndedIterator<Item = Result<Cell<'a>>> {
        self.pointers.iter().map(|&pointer| self.cell_at(pointer))
    }

    /// The cell `index`, which counts from 0 in key order.
    ///
    /// # Errors
    /// `Usage` when there is no such cell; `BtreePage` when it does not lie within the page.
    pub fn cell(&self, index: usize) -> Result<Cell<'a>> {
        let pointer = self.pointers.get(index).ok_or(ErrorKind::Usage)?;
        self.cell_at(*pointer)
    }

    /// Where payloads go on in overflow pages, in the order of the cells.
    ///
    /// # Errors
    /// As [`BtreePage::cell`].
    pub fn overflows(&self) -> impl Iterator<Item = Result<Overflow>> {
        let cells = if self.kind == Kind::TableInterior { &[] } else { self.pointers };
        let overflow = |cell: Cell<'_>| match cell {
            Cell::TableInterior { .. } => None,
            Cell::TableLeaf { payload, .. } | Cell::IndexInterior { payload, .. } | Cell::IndexLeaf { payload } => {
                payload.overflow
            }
        };
        cells.iter().filter_map(move |&pointer| self.cell_at(pointer).map(overflow).transpose())
    }

    /// Where in the page the numbers of other pages are, in bytes: those of children and of overflow pages.
    ///
    /// # Errors
    /// As [`BtreePage::cell`].
    pub fn pointers(&self) -> Result<Vec<usize>> {
        let start = if self.pgno == Pgno::FIRST { HEADER_SIZE } else { 0 };
        // The right-most child is the last of the page's own header.
        let mut offsets: Vec<usize> = self.right_most.map(|_| start + 8).into_iter().collect();
        for &pointer in self.pointers {
            let (cell, overflows) = self.extent(pointer)?;
            if !self.kind.is_leaf() {
                offsets.push(cell.start);
            }
            if overflows {
                offsets.push(cell.end - OVERFLOW_SIZE);
            }
        }
        Ok(offsets)
    }

    /// Where in the page nothing is stored, in bytes: before, between and behind the cells, and in free blocks. What is there was
    /// left by rows that are gone, perhaps of other tables.
    ///
    /// # Errors
    /// As [`BtreePage::cell`].
    pub fn unused(&self) -> Result<Vec<Range<usize>>> {
        let mut used = self.pointers.iter().map(|&pointer| Ok(self.extent(pointer)?.0)).collect::<Result<Vec<_>>>()?;
        used.push(0..self.cells_start);
        // Free blocks lie in ascending order, each with the place of the next one and its own size.
        let start = if self.pgno == Pgno::FIRST { HEADER_SIZE } else { 0 };
        let number = |at: usize| {
            self.content.get(at..at + 2).map_or(0, |bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
        };
        let (mut before, mut block) = (0, number(start + 1));
        while block > before && block + FREE_BLOCK_SIZE <= self.content.len() {
            used.push(block..block + FREE_BLOCK_SIZE);
            (before, block) = (block, number(block));
        }
        used.push(self.content.len()..self.content.len());
        used.sort_unstable_by_key(|range| range.start);
        let mut end = 0;
        let gaps = used.into_iter().filter_map(|range| {
            let gap = end..range.start;
            end = end.max(range.end);
            Some(gap).filter(|gap| !gap.is_empty())
        });
        Ok(gaps.collect())
    }

    /// Where a cell lies, and whether it goes on in overflow pages, whose first it then names at its end.
    fn extent(&self, pointer: [u8; 2]) -> Result<(Range<usize>, bool)> {
        let mut reader = self.reader(pointer)?;
        let start = self.content.len() - reader.remaining();
        if !self.kind.is_leaf() {
            reader.u32()?;
        }
        reader.sqlite_varint()?;
        if self.kind == Kind::TableLeaf {
            reader.sqlite_varint()?;
        }
        let head = self.content.len() - reader.remaining();
        Ok(match self.cell_at(pointer)? {
            Cell::TableInterior { .. } => (start..head, false),
            Cell::TableLeaf { payload, .. } | Cell::IndexInterior { payload, .. } | Cell::IndexLeaf { payload } => {
                let overflows = payload.overflow.is_some();
                let end = head + payload.local.len() + if overflows { OVERFLOW_SIZE } else { 0 };
                (start..end, overflows)
            }
        })
    }

    fn left_child(&self, pointer: [u8; 2]) -> Result<Pgno> {
        let child = self.reader(pointer)?.u32().map_err(|_| damaged(self.pgno))?;
        self.layout.pointer(child, self.pgno)
    }

    fn cell_at(&self, pointer: [u8; 2]) -> Result<Cell<'a>> {
        self.read_cell(self.reader(pointer)?).map_err(|_| damaged(self.pgno))
    }

    fn read_cell(&self, mut reader: Reader<'a>) -> Result<Cell<'a>> {
        let child = |reader: &mut Reader<'a>| self.layout.pointer(reader.u32()?, self.pgno);
        let payload = |reader, size| Payload::read(reader, self.kind, size, self.layout, self.pgno);
        Ok(match self.kind {
            Kind::TableInterior => Cell::TableInterior { child: child(&mut reader)?, key: reader.sqlite_varint()? },
            Kind::TableLeaf => {
                let size = reader.sqlite_varint()?;
                Cell::TableLeaf { rowid: reader.sqlite_varint()?, payload: payload(reader, size)? }
            }
            Kind::IndexInterior => {
                let child = child(&mut reader)?;
                let size = reader.sqlite_varint()?;
                Cell::IndexInterior { child, payload: payload(reader, size)? }
            }
            Kind::IndexLeaf => {
                let size = reader.sqlite_varint()?;
                Cell::IndexLeaf { payload: payload(reader, size)? }
            }
        })
    }

    /// From the start of a cell to the end of the page.
    fn reader(&self, pointer: [u8; 2]) -> Result<Reader<'a>> {
        let offset = usize::from(u16::from_be_bytes(pointer));
        let bytes = self.content.get(offset..).filter(|_| offset >= self.cells_start).ok_or(damaged(self.pgno))?;
        Ok(Reader::new(bytes, 0, ErrorKind::BtreePage))
    }
}

/// One cell of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// A cell of an interior page of a table.
    TableInterior {
        /// The page with the rowids up to and including `key`.
        child: Pgno,
        /// A rowid, not necessarily one of a row that still exists.
        key: i64,
    },
    /// A row of a table.
    TableLeaf {
        /// The row's rowid.
        rowid: i64,
        /// The row's record.
        payload: Payload<'a>,
    },
    /// A cell of an interior page of an index or a table WITHOUT ROWID: it is an entry, as those of the leaves are.
    IndexInterior {
        /// The page with the entries before this one.
        child: Pgno,
        /// The entry's record.
        payload: Payload<'a>,
    },
    /// An entry of an index, or a row of a table WITHOUT ROWID.
    IndexLeaf {
        /// The entry's record.
        payload: Payload<'a>,
    },
}

#[cfg(test)]
mod tests;

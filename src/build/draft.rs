//! A page of a b-tree that is being filled with cells, in key order (file format, section 1.6).

use crate::btree::Kind;
use crate::bytes::{Reader, Writer};
use crate::error::{ErrorKind, Result};
use crate::page::header::HEADER_SIZE;
use crate::page::{PageSize, Pgno};

/// What a cell takes besides its bytes: a pointer to it.
const POINTER: usize = 2;
/// A cell takes so many bytes at least, so that it can become a free block.
const SMALLEST: usize = 4;

/// As numbers, in what is saved.
const KINDS: [Kind; 4] = [Kind::TableLeaf, Kind::TableInterior, Kind::IndexLeaf, Kind::IndexInterior];

/// The page. Cells lie at its end, the first one last, as SQLite lays them.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    kind: Kind,
    cells: usize,
    /// Where the last cell begins.
    start: usize,
    /// Length of the last cell, in bytes, without what fills it up.
    last: usize,
}

impl Draft {
    /// An empty one.
    pub(super) fn new(page_size: PageSize, kind: Kind) -> Self {
        Self { bytes: vec![0; page_size.bytes()], kind, cells: 0, start: page_size.bytes(), last: 0 }
    }

    /// Whether there are no cells.
    pub(super) fn is_empty(&self) -> bool {
        self.cells == 0
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds a cell whose bytes are those of `parts`, one after the other; `false` when there is no room.
    #[inline]
    pub(super) fn push(&mut self, parts: [&[u8]; 3]) -> bool {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let needed = length.max(SMALLEST);
        let pointer = self.pointers_end(0);
        if self.start < pointer + POINTER + needed {
            return false;
        }
        let start = self.start - needed;
        let mut rest = self.bytes.get_mut(start..).unwrap_or_default();
        for part in parts {
            let Some((here, after)) = rest.split_at_mut_checked(part.len()) else { return false };
            here.copy_from_slice(part);
            rest = after;
        }
        self.start = start;
        self.last = length;
        self.cells += 1;
        self.write(pointer, &offset(start));
        true
    }

    /// Takes the last cell away.
    pub(super) fn pop(&mut self) -> Vec<u8> {
        let end = self.start + self.last.max(SMALLEST);
        let bytes = self.bytes.get_mut(self.start..end).unwrap_or_default();
        let cell = bytes.get(..self.last).unwrap_or_default().to_vec();
        bytes.fill(0);
        self.cells = self.cells.saturating_sub(1);
        self.write(self.pointers_end(0), &[0; POINTER]);
        self.start = end;
        cell
    }

    /// Appends it as it is; see [`super::saved`].
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        out.push(KINDS.iter().position(|kind| *kind == self.kind).unwrap_or_default() as u8);
        [self.cells, self.start, self.last].into_iter().for_each(|number| out.put_u32(number as u32));
        out.extend_from_slice(&self.bytes);
    }

    /// What [`Draft::write_to`] has written.
    ///
    /// # Errors
    /// `SavedState`.
    pub(super) fn read(reader: &mut Reader<'_>, page_size: PageSize) -> Result<Self> {
        let kind = *KINDS.get(reader.u8()? as usize).ok_or(ErrorKind::SavedState)?;
        let [cells, start, last] = [reader.u32()?, reader.u32()?, reader.u32()?].map(|number| number as usize);
        let draft = Self { bytes: reader.take(page_size.bytes())?.to_vec(), kind, cells, start, last };
        let has_room = cells <= page_size.bytes() && draft.pointers_end(0) <= start && start <= page_size.bytes();
        if has_room && last <= page_size.bytes() - start { Ok(draft) } else { Err(ErrorKind::SavedState.into()) }
    }

    /// The page, whole; `right` is its right-most child.
    pub(super) fn finish(&mut self, right: Option<Pgno>) -> &[u8] {
        self.write_header(0, right);
        &self.bytes
    }

    /// The page as page 1, where the database header comes before; gives itself back when that takes too much room.
    pub(super) fn finish_first(mut self, right: Option<Pgno>) -> core::result::Result<Vec<u8>, Self> {
        if self.pointers_end(HEADER_SIZE) > self.start {
            return Err(self);
        }
        let from = self.pointers_end(0) - self.cells * POINTER;
        self.bytes.copy_within(from..from + self.cells * POINTER, from + HEADER_SIZE);
        self.write_header(HEADER_SIZE, right);
        Ok(self.bytes)
    }

    /// Makes it empty again.
    pub(super) fn clear(&mut self) {
        self.bytes.fill(0);
        (self.cells, self.start, self.last) = (0, self.bytes.len(), 0);
    }

    /// Where the next cell's pointer goes, on a page whose own header is at `header`.
    fn pointers_end(&self, header: usize) -> usize {
        header + if self.kind.is_leaf() { 8 } else { 12 } + self.cells * POINTER
    }

    fn write_header(&mut self, at: usize, right: Option<Pgno>) {
        let flag = match self.kind {
            Kind::IndexInterior => 2,
            Kind::TableInterior => 5,
            Kind::IndexLeaf => 10,
            Kind::TableLeaf => 13,
        };
        self.write(at, &[flag, 0, 0]);
        self.write(at + 3, &offset(self.cells));
        self.write(at + 5, &offset(self.start));
        self.write(at + 7, &[0]);
        if !self.kind.is_leaf() {
            self.write(at + 8, &right.map_or(0, Pgno::value).to_be_bytes());
        }
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        if let Some(to) = self.bytes.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
    }
}

/// As pages store it: 65,536 is 0.
fn offset(value: usize) -> [u8; 2] {
    (value as u16).to_be_bytes()
}

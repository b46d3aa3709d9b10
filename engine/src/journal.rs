//! The rollback journal of the database, as a file.
//!
//! SQLite copies every page into its journal before it changes it first. While the transaction lasts, the store has that
//! page anyway, so the journal only says which it is: a large transaction then needs neither memory nor storage for
//! what it replaces. The format is SQLite's (<https://sqlite.org/fileformat2.html#the_rollback_journal>, section 3): a
//! header, then the number of a page in four bytes, the page, and a checksum of four bytes; again for every page.

use pagemark::page::Pgno;

use crate::scratch::ScratchFile;
use crate::store::{StoreError, zeroed};
use crate::volume::Volume;

/// Length of a page's number in front of it, in bytes.
const NUMBER: u64 = 4;
/// What lies between a page and the next one: its checksum, and the number of that.
const BETWEEN: u64 = 4 + NUMBER;

/// A journal: its pages are those of the newest commit where they can be.
pub(crate) struct Journal {
    /// All but these pages, one after the other.
    rest: ScratchFile,
    /// Where these pages are, ascending.
    runs: Vec<Run>,
    /// Their size, in bytes.
    page_size: u64,
    /// The page whose number was written last, and where that ended.
    announced: Option<(u64, Pgno)>,
}

/// Pages at equal distances: a transaction that nothing interrupts is one run.
#[derive(Clone, Copy)]
struct Run {
    /// Where the first one is.
    start: u64,
    count: u64,
    /// How many pages are in the runs before.
    before: u64,
}

/// What is at a byte, and the bytes after it up to `end`.
enum Piece {
    /// The page at `start`, before which there are so many.
    Page { start: u64, before: u64, end: u64 },
    /// Something else, behind so many pages.
    Rest { before: u64, end: u64 },
}

impl Journal {
    /// An empty one; `rest` must be so, too.
    pub(crate) fn new(rest: ScratchFile) -> Self {
        Self { rest, runs: Vec::new(), page_size: 0, announced: None }
    }

    /// In bytes.
    pub(crate) fn len(&self) -> u64 {
        self.rest.len() + self.pages() * self.page_size
    }

    /// Fills `buffer` from byte `offset`; beyond the end with zeros. Whether all of it was there.
    pub(crate) fn read(&self, volume: &mut Volume, offset: u64, buffer: &mut [u8]) -> Result<bool, StoreError> {
        let whole = offset.checked_add(buffer.len() as u64).is_some_and(|end| end <= self.len());
        let mut at = offset;
        let mut left = buffer;
        while !left.is_empty() {
            let piece = self.piece(at);
            let (Piece::Page { end, .. } | Piece::Rest { end, .. }) = piece;
            let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(left.len());
            let (into, after) = left.split_at_mut(count);
            match piece {
                Piece::Page { start, before, .. } => self.read_page(volume, start, before, at, into)?,
                Piece::Rest { before, .. } => {
                    self.rest.read(at - before * self.page_size, into)?;
                }
            }
            at += count as u64;
            left = after;
        }
        Ok(whole)
    }

    /// Writes `bytes` at byte `offset`.
    pub(crate) fn write(&mut self, volume: &mut Volume, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let announced = self.announced.take().filter(|&(end, _)| end == offset && end == self.len());
        if let Some((_, pgno)) = announced
            && (self.runs.is_empty() || self.page_size == bytes.len() as u64)
            && volume.is_committed(pgno, bytes)
        {
            self.page_size = bytes.len() as u64;
            return self.add_page(offset);
        }
        if offset == 0 && bytes.iter().all(|&byte| byte == 0) {
            // What SQLite keeps for the next transaction (`journal_mode = PERSIST`), but no pages of the last one.
            self.truncate(0)?;
        }
        let end = offset + bytes.len() as u64;
        if self.first_page_after(offset).is_some_and(|start| start - NUMBER < end) {
            // SQLite writes no page of a transaction again: this one is another's, and so is all that follows.
            self.truncate(offset)?;
        }
        let (Piece::Page { before, .. } | Piece::Rest { before, .. }) = self.piece(offset);
        self.rest.write(offset - before * self.page_size, bytes)?;
        let number = bytes.first_chunk().filter(|_| bytes.len() == 4);
        self.announced = number.and_then(|&number| Some((end, Pgno::new(u32::from_be_bytes(number))?)));
        Ok(())
    }

    /// Cuts it, or a page and its number before that if `len` is in the middle of them; a longer one grows when it is
    /// written.
    pub(crate) fn truncate(&mut self, len: u64) -> Result<(), StoreError> {
        let cut = self.first_page_after(len).map_or(len, |start| (start - NUMBER).min(len));
        self.runs.truncate(self.runs.partition_point(|run| run.start < cut));
        let distance = self.page_size + BETWEEN;
        if let Some(last) = self.runs.last_mut() {
            last.count = last.count.min((cut - last.start).div_ceil(distance));
        }
        self.rest.truncate(cut - self.pages() * self.page_size)
    }

    fn add_page(&mut self, offset: u64) -> Result<(), StoreError> {
        let (distance, before) = (self.page_size + BETWEEN, self.pages());
        match self.runs.last_mut().filter(|last| last.start + last.count * distance == offset) {
            Some(last) => last.count += 1,
            None => {
                self.runs.try_reserve(1)?;
                self.runs.push(Run { start: offset, count: 1, before });
            }
        }
        Ok(())
    }

    /// How many pages there are.
    fn pages(&self) -> u64 {
        self.runs.last().map_or(0, |last| last.before + last.count)
    }

    fn piece(&self, at: u64) -> Piece {
        let next = self.runs.partition_point(|run| run.start <= at);
        let end = self.runs.get(next).map_or(u64::MAX, |run| run.start);
        let Some(run) = next.checked_sub(1).and_then(|last| self.runs.get(last)) else {
            return Piece::Rest { before: 0, end };
        };
        let distance = self.page_size + BETWEEN;
        let index = ((at - run.start) / distance).min(run.count - 1);
        let start = run.start + index * distance;
        let before = run.before + index;
        if at < start + self.page_size {
            return Piece::Page { start, before, end: start + self.page_size };
        }
        let end = if index + 1 < run.count { start + distance } else { end };
        Piece::Rest { before: before + 1, end }
    }

    /// Where the first page begins that ends after byte `at`.
    fn first_page_after(&self, at: u64) -> Option<u64> {
        match self.piece(at) {
            Piece::Page { start, .. } => Some(start),
            Piece::Rest { end, .. } => (end != u64::MAX).then_some(end),
        }
    }

    /// From byte `at` on what is in the page at `start`, whose number is in front of it.
    fn read_page(
        &self,
        volume: &mut Volume,
        start: u64,
        before: u64,
        at: u64,
        into: &mut [u8],
    ) -> Result<(), StoreError> {
        let mut number = [0; NUMBER as usize];
        self.rest.read(start - NUMBER - before * self.page_size, &mut number)?;
        let pgno = Pgno::new(u32::from_be_bytes(number)).ok_or_else(|| StoreError::Damaged("a journal".into()))?;
        if into.len() as u64 == self.page_size {
            return volume.read_committed(pgno, into);
        }
        let skip = usize::try_from(at - start).unwrap_or(0);
        let mut page = zeroed(usize::try_from(self.page_size).unwrap_or(0))?;
        volume.read_committed(pgno, &mut page)?;
        into.copy_from_slice(page.get(skip..skip + into.len()).unwrap_or_default());
        Ok(())
    }
}

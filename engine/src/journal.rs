//! The rollback journal of the database, as a file.
//!
//! SQLite copies every page into its journal before it changes it first. While the transaction lasts, the store has that
//! page anyway, so the journal only says which it is: a large transaction then needs neither memory nor storage for
//! what it replaces. The format is SQLite's (<https://sqlite.org/fileformat2.html#the_rollback_journal>, section 3): a
//! header, then the number of a page in four bytes, the page, and a checksum; again for every page.

use pagemark::page::Pgno;

use crate::scratch::ScratchFile;
use crate::store::{StoreError, zeroed};
use crate::volume::Volume;

/// A journal: its pages are those of the newest commit where they can be.
pub(crate) struct Journal {
    /// All but these pages, one after the other.
    rest: ScratchFile,
    /// Where these pages are and which, ascending.
    pages: Vec<(u64, Pgno)>,
    /// Their size, in bytes.
    page_size: usize,
    /// The page whose number was written last, and where that ended.
    announced: Option<(u64, Pgno)>,
}

impl Journal {
    /// An empty one; `rest` must be so, too.
    pub(crate) fn new(rest: ScratchFile) -> Self {
        Self { rest, pages: Vec::new(), page_size: 0, announced: None }
    }

    /// In bytes.
    pub(crate) fn len(&self) -> u64 {
        self.rest.len() + self.before(self.pages.len())
    }

    /// Fills `buffer` from byte `offset`; beyond the end with zeros. Whether all of it was there.
    pub(crate) fn read(&self, volume: &mut Volume, offset: u64, buffer: &mut [u8]) -> Result<bool, StoreError> {
        let whole = offset.checked_add(buffer.len() as u64).is_some_and(|end| end <= self.len());
        let mut at = offset;
        let mut left = buffer;
        while !left.is_empty() {
            let next = self.pages.partition_point(|&(start, _)| start <= at);
            let page = next.checked_sub(1).and_then(|last| self.pages.get(last));
            let page = page.filter(|&&(start, _)| at < start + self.page_size as u64);
            let end = match page {
                Some(&(start, _)) => start + self.page_size as u64,
                None => self.pages.get(next).map_or(u64::MAX, |&(start, _)| start),
            };
            let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(left.len());
            let (piece, after) = left.split_at_mut(count);
            match page {
                Some(&(_, pgno)) if piece.len() == self.page_size => volume.read_committed(pgno, piece)?,
                Some(&(start, pgno)) => {
                    let mut page = zeroed(self.page_size)?;
                    volume.read_committed(pgno, &mut page)?;
                    let skip = usize::try_from(at - start).unwrap_or(0);
                    piece.copy_from_slice(page.get(skip..skip + piece.len()).unwrap_or_default());
                }
                None => {
                    self.rest.read(at - self.before(next), piece)?;
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
            && (self.pages.is_empty() || self.page_size == bytes.len())
            && volume.is_committed(pgno, bytes)
        {
            self.pages.try_reserve(1)?;
            self.pages.push((offset, pgno));
            self.page_size = bytes.len();
            return Ok(());
        }
        if offset == 0 && bytes.iter().all(|&byte| byte == 0) {
            // What SQLite keeps for the next transaction (`journal_mode = PERSIST`), but no pages of the last one.
            self.truncate(0)?;
        }
        let end = offset + bytes.len() as u64;
        let next = self.pages.partition_point(|&(start, _)| start + self.page_size as u64 <= offset);
        if self.pages.get(next).is_some_and(|&(start, _)| start < end) {
            // SQLite writes no page of a transaction again: this one is another's, and so is all that follows.
            self.truncate(offset)?;
        }
        self.rest.write(offset - self.before(next), bytes)?;
        let number = bytes.first_chunk().filter(|_| bytes.len() == 4);
        self.announced = number.and_then(|&number| Some((end, Pgno::new(u32::from_be_bytes(number))?)));
        Ok(())
    }

    /// Cuts it, or a page before that if `len` is in the middle of one; a longer one grows when it is written.
    pub(crate) fn truncate(&mut self, len: u64) -> Result<(), StoreError> {
        let kept = self.pages.partition_point(|&(start, _)| start + self.page_size as u64 <= len);
        let cut = self.pages.get(kept).map_or(len, |&(start, _)| start.min(len));
        self.pages.truncate(kept);
        self.rest.truncate(cut - self.before(kept))
    }

    /// How many bytes the first so many pages take.
    fn before(&self, count: usize) -> u64 {
        count as u64 * self.page_size as u64
    }
}

//! The rollback journal: which pages a transaction that never finished has to give back.
//!
//! Follows the [file format, section 3](https://www.sqlite.org/fileformat2.html#rollbackjournal) and, where that is
//! silent, what SQLite's recovery does with the same bytes (`hasHotJournal`, `pager_playback` and what it calls in
//! `pager.c`): whatever does not look like a synced part of a journal ends the playback without an error, because the
//! main file is not written before the journal is synced.
//!
//! Whether a journal is hot also depends on what only the caller can see. SQLite ignores a journal when the main file
//! is empty, when another process holds a RESERVED lock (the transaction is still running), and when the super-journal
//! that it names is gone (the transaction was committed).

#[cfg(test)]
mod tests;

use core::ops::RangeInclusive;

use super::{Overlay, PageSize, Pgno};
use crate::bytes::{Gather, Reader};
use crate::error::{Error, ErrorKind, Result};

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Length of the fields at the start of the first header, in bytes.
const FIRST_HEADER_SIZE: usize = 28;

/// Length of the fields that count in a later header, in bytes.
const HEADER_SIZE: usize = 16;

/// SQLite takes its own sector size for the first header's before it has read it, and that is 512 bytes wherever a write
/// leaves neighbouring bytes alone. A shorter journal has no header that was synced.
const SHORTEST: u64 = 512;

/// Sector sizes that SQLite accepts, in bytes.
const SECTOR_SIZES: RangeInclusive<u32> = 32..=65536;

/// Length of what follows a super-journal's name: its length, its checksum and the magic number again.
const SUPER_TRAILER_SIZE: usize = 16;

/// SQLite takes a longer name than its platform's longest path for none. The longest of those in use, in bytes: Windows
/// 1040, OPFS 1024, Unix 512.
const LONGEST_NAME: usize = 1040;

/// Reads a `-journal` file from its first byte to its last, in chunks of any size.
#[derive(Clone, Debug)]
pub struct JournalReader {
    gather: Gather,
    playback: Playback,
    /// Bytes fed.
    len: u64,
    /// The last bytes fed, where a super-journal's name would be.
    tail: Vec<u8>,
}

/// Reads unit after unit of the journal.
#[derive(Clone, Debug)]
struct Playback {
    /// The database's, until the first header states another.
    page_size: PageSize,
    stage: Stage,
    /// Byte offset of the next unit. What lies between the last one and it is padding.
    next: u64,
    start: Option<Start>,
    entries: Vec<(Pgno, u64)>,
    /// Whether the last header counts its records, which it does not with `PRAGMA synchronous=OFF`.
    is_counted: bool,
    /// Byte offset past the last of the records that the last header counts, once they are played back.
    end: Option<u64>,
}

/// What comes next in the file.
#[derive(Clone, Copy, Debug)]
enum Stage {
    FirstHeader,
    Header,
    /// A page record, of `left` more; `nonce` begins its checksum. With `PRAGMA synchronous=OFF`, SQLite writes the
    /// largest number for all records to the end of the file, and so many would take two terabytes.
    Record {
        left: u32,
        nonce: u32,
    },
    /// Bytes that do not count, but for the name of a super-journal.
    End,
}

/// What only the first header says.
#[derive(Clone, Copy, Debug)]
struct Start {
    page_count: u32,
    sector_size: u32,
}

/// What a hot journal makes of the main file: the state before its transaction began.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Size of the database before the transaction, in pages. The main file is cut to it, or extended with zeros: a page
    /// that was free before a transaction which shortened the file may lie nowhere. Nothing proves the number, so a
    /// caller bounds it before working through that many pages.
    pub page_count: u32,
    /// In bytes. It overrides the main file's header, which a `VACUUM` to another page size may just have overwritten.
    pub page_size: PageSize,
    /// The pages to put back: byte offsets, in the journal, of the page itself. Without pages past `page_count`, and
    /// without the lock page. Where a page comes more than once, which SQLite never writes, the last wins as it does
    /// when SQLite plays the records back.
    pub overlay: Overlay,
    /// Path of the super-journal of a transaction over several files. While that file exists the journal is hot; when it
    /// is gone the transaction was committed, and this journal must be ignored.
    pub super_journal: Option<String>,
    /// Whether the last header counts all records up to the end of the file. SQLite completes a header as it syncs the
    /// journal, when a transaction commits; when it syncs earlier, to free memory, another one follows that is not complete
    /// (`syncJournal`). So a journal like this, when it is gone, was not one of a transaction that was rolled back. Never
    /// with `PRAGMA synchronous=OFF`, nor for a transaction over several files.
    pub is_committing: bool,
}

impl JournalReader {
    /// A reader for the journal of a database with pages of `database_page_size`. That matters only for a journal written before
    /// SQLite 3.5.8, so where the main file's header cannot be read any size will do.
    pub fn new(database_page_size: PageSize) -> Self {
        let playback = Playback {
            page_size: database_page_size,
            stage: Stage::FirstHeader,
            next: 0,
            start: None,
            entries: Vec::new(),
            is_counted: false,
            end: None,
        };
        Self { gather: Gather::default(), playback, len: 0, tail: Vec::new() }
    }

    /// Takes the file's next bytes. Copies at most one record of them, and the end of each chunk.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.keep_tail(bytes);
        let mut rest = bytes;
        while let Some(len) = self.playback.unit_len() {
            let padding = self.playback.next.saturating_sub(self.len - rest.len() as u64);
            rest = usize::try_from(padding).ok().and_then(|padding| rest.get(padding..)).unwrap_or_default();
            let Some(unit) = self.gather.next(&mut rest, len) else { return };
            self.playback.read(unit);
        }
    }

    /// Whether further bytes cannot matter, because the journal is not hot.
    pub fn is_finished(&self) -> bool {
        self.playback.start.is_none() && self.playback.unit_len().is_none()
    }

    /// What the journal undoes; `None` when it is not hot: empty, of `PRAGMA journal_mode=PERSIST` and zeroed, or without
    /// a header that was synced. Call it at the end of the file only.
    ///
    /// # Errors
    /// `JournalHeader` when a super-journal is named whose name is not text, so that nobody can tell whether it exists.
    pub fn finish(self) -> Result<Option<Journal>> {
        let Some(start) = self.playback.start.filter(|_| self.len >= SHORTEST) else { return Ok(None) };
        let super_journal = super_journal(&self.tail)
            .map(|name| String::from_utf8(name.to_vec()))
            .transpose()
            .map_err(|_| Error::at_offset(ErrorKind::JournalHeader, self.len))?;
        let Playback { page_size, entries, end, .. } = self.playback;
        let overlay = Overlay::newest(entries);
        let is_committing = end == Some(self.len);
        Ok(Some(Journal { page_count: start.page_count, page_size, overlay, super_journal, is_committing }))
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        const LEN: usize = LONGEST_NAME + SUPER_TRAILER_SIZE;
        let new = bytes.get(bytes.len().saturating_sub(LEN)..).unwrap_or_default();
        let excess = (self.tail.len() + new.len()).saturating_sub(LEN);
        self.tail.drain(..excess);
        self.tail.extend_from_slice(new);
    }
}

impl Playback {
    /// Length of the next unit, in bytes; `None` when there is none.
    fn unit_len(&self) -> Option<usize> {
        match self.stage {
            Stage::FirstHeader => Some(FIRST_HEADER_SIZE),
            Stage::Header => Some(HEADER_SIZE),
            Stage::Record { .. } => Some(self.page_size.bytes() + 8),
            Stage::End => None,
        }
    }

    /// Takes the unit at `next`.
    fn read(&mut self, unit: &[u8]) {
        self.stage = self.after(unit).unwrap_or(Stage::End);
    }

    /// What comes after `unit`; `None` when it ends the playback.
    fn after(&mut self, unit: &[u8]) -> Option<Stage> {
        let mut reader = Reader::new(unit, self.next, ErrorKind::JournalHeader);
        match self.stage {
            Stage::FirstHeader => {
                let (records, nonce) = self.read_header(&mut reader)?;
                let page_count = reader.u32().ok()?;
                let sector_size = reader.u32().ok()?;
                let page_size = reader.u32().ok()?;
                if page_size != 0 {
                    self.page_size = PageSize::new(page_size)?;
                }
                if !SECTOR_SIZES.contains(&sector_size) || !sector_size.is_power_of_two() {
                    return None;
                }
                self.start = Some(Start { page_count, sector_size });
                Some(self.records(records, nonce, u64::from(sector_size)))
            }
            Stage::Header => {
                let (records, nonce) = self.read_header(&mut reader)?;
                let sector_size = self.start?.sector_size;
                Some(self.records(records, nonce, self.next + u64::from(sector_size)))
            }
            Stage::Record { left, nonce } => {
                let pgno = Pgno::new(reader.u32().ok()?)?;
                let page = reader.take(self.page_size.bytes()).ok()?;
                let stated = reader.u32().ok()?;
                if pgno == self.page_size.lock_page() {
                    return None;
                }
                if pgno.value() <= self.start?.page_count {
                    if checksum(nonce, page) != stated {
                        return None;
                    }
                    self.entries.push((pgno, self.next + 4));
                }
                Some(self.records(left.saturating_sub(1), nonce, reader.offset()))
            }
            Stage::End => None,
        }
    }

    /// The number of records and the nonce, which every header has (section 3, offsets 8 and 12).
    fn read_header(&mut self, reader: &mut Reader<'_>) -> Option<(u32, u32)> {
        (reader.array().ok()? == MAGIC).then_some(())?;
        let records = reader.u32().ok()?;
        self.is_counted = records != u32::MAX;
        self.end = None;
        Some((records, reader.u32().ok()?))
    }

    /// What comes at byte offset `next`, when `left` records of a segment are left there.
    fn records(&mut self, left: u32, nonce: u32, next: u64) -> Stage {
        if left != 0 {
            self.next = next;
            return Stage::Record { left, nonce };
        }
        self.end = self.is_counted.then_some(next);
        self.next = next.next_multiple_of(self.start.map_or(1, |start| u64::from(start.sector_size)));
        Stage::Header
    }
}

/// The nonce and every 200th byte of the page, counted from its end, without byte 0 (`pager_cksum`).
fn checksum(nonce: u32, page: &[u8]) -> u32 {
    // No page size is a multiple of 200, so a full chunk never begins at byte 0.
    let bytes = page.rchunks_exact(200).filter_map(<[u8]>::first);
    bytes.fold(nonce, |sum, &byte| sum.wrapping_add(u32::from(byte)))
}

/// The name of the super-journal, which stands at the end of the file, in `tail`, as in `readSuperJournal`. A longer
/// name than `tail` holds is none.
fn super_journal(tail: &[u8]) -> Option<&[u8]> {
    let (rest, trailer) = tail.split_last_chunk::<SUPER_TRAILER_SIZE>()?;
    let mut reader = Reader::new(trailer, 0, ErrorKind::JournalHeader);
    let len = reader.u32().ok()? as usize;
    let stated = reader.u32().ok()?;
    if reader.array().ok()? != MAGIC {
        return None;
    }
    let name = rest.get(rest.len().checked_sub(len)?..)?;

    // The sum of the bytes as C's `char`, which has a sign on some processors only. The journal may come from either.
    let sum = name.iter().fold(0u32, |sum, &byte| sum.wrapping_add(u32::from(byte)));
    let negative = name.iter().filter(|byte| !byte.is_ascii()).count() as u32;
    if stated != sum && stated != sum.wrapping_sub(negative << 8) {
        return None;
    }
    let name = name.split(|&byte| byte == 0).next()?;
    is_super_journal_name(name).then_some(name)
}

/// Whether the name ends in one of the two ways SQLite ends it (`pagerIsSuperJrnlName`): `-mj` with nine digits of which
/// the seventh is a 9, or with 8.3 names `.9` and two digits.
fn is_super_journal_name(name: &[u8]) -> bool {
    let are_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let long = match name.last_chunk::<12>() {
        Some([b'-', b'm', b'j', digits @ ..]) => are_hex(digits) && digits.get(6) == Some(&b'9'),
        _ => false,
    };
    let short = match name.last_chunk::<4>() {
        Some([b'.', b'9', digits @ ..]) => are_hex(digits),
        _ => false,
    };
    long || short
}

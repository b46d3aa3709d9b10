//! The write-ahead log: which of its frames are committed, and where they hold which page.
//!
//! Follows the [file format, section 4](https://www.sqlite.org/fileformat2.html#walformat) and, where that is silent,
//! what SQLite's recovery does with the same bytes (`walIndexRecover` and `walDecodeFrame` in `wal.c`):
//!
//! | the file | is taken as |
//! | --- | --- |
//! | shorter than its header of 32 bytes | empty |
//! | other magic, a page size that is none, a header checksum that does not match | empty |
//! | header valid, format other than 3007000 | `WalHeader` (SQLite: `SQLITE_CANTOPEN`) |
//! | header valid, page size not the database's | `WalPageSize` (SQLite would mix up two files) |
//! | frame with other salts, page 0, a checksum that does not match, or cut off | the end of the log |
//! | frames after the last commit frame | not there |

mod mark;
mod newest;
#[cfg(test)]
pub(in crate::page) mod oracle;
#[cfg(test)]
pub(crate) mod tests;

pub use mark::WalMark;
use newest::Newest;

use super::{Overlay, PageSize, Pgno};
use crate::bytes::{Gather, Reader, words};
use crate::error::{Error, ErrorKind, Result};

/// Length of the file's header, in bytes.
const HEADER_SIZE: usize = 32;

/// Length of the header before each frame's page, in bytes.
const FRAME_HEADER_SIZE: usize = 24;

/// The magic number without its lowest bit, which says whether checksums read words big-endian.
const MAGIC: u32 = 0x377f_0682;

/// The only format version there is.
const FORMAT: u32 = 3_007_000;

/// Reads a `-wal` file from its first byte on, in chunks of any size.
#[derive(Clone, Debug)]
pub struct WalReader {
    page_size: PageSize,
    limit: Option<u32>,
    since: Option<WalMark>,
    gather: Gather,
    stage: Stage,
    /// The last commit, or the header while there is none.
    mark: Option<WalMark>,
    /// Size of the database, as the last commit frame states it.
    page_count: Option<u32>,
    committed: Newest,
    /// Frames after the last commit frame: they count if another one follows.
    pending: Newest,
    /// Whether the log leads through `since`.
    continues: bool,
    failure: Option<Error>,
}

/// What comes next in the file.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Header,
    /// A frame, after the one at `last`.
    Frame {
        last: WalMark,
        big_endian: bool,
    },
    /// Bytes that do not count.
    End,
}

/// What a WAL adds to the main file: the state after its last commit.
#[derive(Clone, Debug)]
pub struct Wal {
    /// Size of the database after the last commit, in pages, as the commit frame states it; `None` when there is no
    /// commit and the main file alone is the database. Nothing proves that so many pages exist: SQLite takes a size
    /// that exceeds the main file and the frames together for corruption when it checkpoints.
    pub page_count: Option<u32>,
    /// Where the last commit lies; `None` when the file has no valid header, so that no later one can continue it.
    pub mark: Option<WalMark>,
    /// The newest frame of each page up to the last commit: byte offsets, in the WAL, of the page itself. Without
    /// pages past `page_count`, and without the lock page.
    pub overlay: Overlay,
    /// Which pages changed since the mark given to [`WalReader::since`], ascending, without pages past `page_count`.
    /// `Some` exactly when this WAL provably continues the one the mark was taken from.
    pub changed_since: Option<Vec<Pgno>>,
}

impl WalReader {
    /// A reader for the WAL of a database with pages of `page_size`.
    pub fn new(page_size: PageSize) -> Self {
        Self {
            page_size,
            limit: None,
            since: None,
            gather: Gather::default(),
            stage: Stage::Header,
            mark: None,
            page_count: None,
            committed: Newest::default(),
            pending: Newest::default(),
            continues: false,
            failure: None,
        }
    }

    /// A reader for what follows `mark` in the WAL that begins with `header`: it is fed the frame after the mark first.
    /// `None` when that WAL is another one by now.
    ///
    /// # Errors
    /// `WalHeader`, `WalPageSize`.
    pub fn resume(page_size: PageSize, header: &[u8], mark: WalMark) -> Result<Option<Self>> {
        let start = parse_header(header, page_size)?.filter(|(start, _)| start.salts == mark.salts);
        Ok(start.map(|(_, big_endian)| Self {
            mark: Some(mark),
            stage: Stage::Frame { last: mark, big_endian },
            ..Self::new(page_size)
        }))
    }

    /// The place before the first frame of the WAL that begins with `header`; `None` where SQLite ignores it.
    ///
    /// # Errors
    /// `WalHeader`, `WalPageSize`.
    pub fn start(page_size: PageSize, header: &[u8]) -> Result<Option<WalMark>> {
        Ok(parse_header(header, page_size)?.map(|(start, _)| start))
    }

    /// Takes the first `frames` frames only: the `mxFrame` that a read transaction pinned. 0 takes none.
    pub fn with_limit(self, frames: u32) -> Self {
        Self { limit: Some(frames), ..self }
    }

    /// Asks for [`Wal::changed_since`], against the mark of an earlier backup.
    pub fn since(self, mark: WalMark) -> Self {
        Self { since: Some(mark), ..self }
    }

    /// Takes the file's next bytes. Copies at most one frame of them, and none once [`WalReader::is_finished`].
    ///
    /// # Errors
    /// `WalHeader`, `WalPageSize`: a valid header, but not for this database. Later calls repeat the error.
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        loop {
            self.stage = match self.stage {
                Stage::Header => {
                    let Some(unit) = self.gather.next(&mut bytes, HEADER_SIZE) else { return Ok(()) };
                    let header = parse_header(unit, self.page_size).inspect_err(|&error| self.failure = Some(error))?;
                    header.map_or(Stage::End, |(mark, big_endian)| {
                        self.mark = Some(mark);
                        self.passed(mark, big_endian)
                    })
                }
                Stage::Frame { last, big_endian } => {
                    let len = FRAME_HEADER_SIZE + self.page_size.bytes();
                    let Some(unit) = self.gather.next(&mut bytes, len) else { return Ok(()) };
                    parse_frame(unit, last, big_endian).map_or(Stage::End, |frame| {
                        self.take(&frame);
                        self.passed(frame.mark, big_endian)
                    })
                }
                Stage::End => return Ok(()),
            }
        }
    }

    /// Whether further bytes cannot matter: a frame was not valid, or the limit is reached.
    pub fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::End)
    }

    /// What the bytes so far amount to, as if the file ended here.
    ///
    /// # Errors
    /// `WalFrameMissing` when there is no valid commit exactly at the limit, and the errors of [`WalReader::feed`].
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn finish(self) -> Result<Wal> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let Self { page_size, mark, page_count, .. } = self;
        let frames = mark.map_or(0, |mark| mark.frames);
        if let Some(limit) = self.limit
            && limit != frames
        {
            return Err(Error::at_offset(ErrorKind::WalFrameMissing, frame_offset(limit, page_size)));
        }
        let mut entries = self.committed.into_entries();
        let count = page_count.unwrap_or(0);
        entries.retain(|&(pgno, _)| pgno.value() <= count && pgno != page_size.lock_page());

        // A page is in some frame after the mark exactly when its newest frame is.
        let changed_since = self
            .since
            .filter(|since| self.continues && since.frames <= frames)
            .map(|since| entries.iter().filter(|&&(_, frame)| frame > since.frames).map(|&(pgno, _)| pgno).collect());
        let page_offset = |frame| frame_offset(frame, page_size) + FRAME_HEADER_SIZE as u64;
        let overlay = Overlay::newest(entries.into_iter().map(|(pgno, frame)| (pgno, page_offset(frame))).collect());
        Ok(Wal { page_count, mark, overlay, changed_since })
    }

    /// What comes after `mark`.
    fn passed(&mut self, mark: WalMark, big_endian: bool) -> Stage {
        self.continues |= self.since == Some(mark);
        let more = mark.frames < self.limit.unwrap_or(u32::MAX);
        if more { Stage::Frame { last: mark, big_endian } } else { Stage::End }
    }

    fn take(&mut self, frame: &Frame) {
        self.pending.push(frame.pgno, frame.mark.frames);
        if frame.commit_size != 0 {
            self.committed.append(&mut self.pending);
            self.mark = Some(frame.mark);
            self.page_count = Some(frame.commit_size);
        }
    }
}

/// A valid frame.
struct Frame {
    pgno: Pgno,
    /// Size of the database in pages after the commit; 0 in any frame but a transaction's last.
    commit_size: u32,
    /// The place after it.
    mark: WalMark,
}

/// The place where the frames begin, and whether checksums read big-endian words; `None` when SQLite ignores the file.
#[inline(never)] // Once, and not wherever it is called: it is large.
fn parse_header(unit: &[u8], page_size: PageSize) -> Result<Option<(WalMark, bool)>> {
    let mut reader = Reader::new(unit, 0, ErrorKind::WalHeader);
    let magic = reader.u32()?;
    let format = reader.u32()?;
    let stated_size = PageSize::new(reader.u32()?);
    let _checkpoints = reader.u32()?;
    let salts = (reader.u32()?, reader.u32()?);
    let stated = (reader.u32()?, reader.u32()?);
    let big_endian = magic & 1 == 1;
    let checksum = checksum((0, 0), unit.split_last_chunk::<8>().map_or(unit, |(summed, _)| summed), big_endian);
    let Some(stated_size) = stated_size else { return Ok(None) };
    if magic & !1 != MAGIC || checksum != stated {
        return Ok(None);
    }
    if format != FORMAT {
        return Err(Error::at_offset(ErrorKind::WalHeader, 4));
    }
    if stated_size != page_size {
        return Err(Error::at_offset(ErrorKind::WalPageSize, 8));
    }
    Ok(Some((WalMark { salts, frames: 0, checksum }, big_endian)))
}

/// `None` when the frame is not valid after `last`, as in `walDecodeFrame`.
fn parse_frame(unit: &[u8], last: WalMark, big_endian: bool) -> Option<Frame> {
    let (summed, _) = unit.split_at_checked(8)?;
    let (header, page) = unit.split_at_checked(FRAME_HEADER_SIZE)?;
    let mut reader = Reader::new(header, 0, ErrorKind::WalHeader);
    let pgno = Pgno::new(reader.u32().ok()?)?;
    let commit_size = reader.u32().ok()?;
    let salts = (reader.u32().ok()?, reader.u32().ok()?);
    let stated = (reader.u32().ok()?, reader.u32().ok()?);
    if salts != last.salts {
        return None;
    }
    let frames = last.frames.checked_add(1)?;
    let checksum = checksum(checksum(last.checksum, summed, big_endian), page, big_endian);
    (checksum == stated).then_some(Frame { pgno, commit_size, mark: WalMark { salts, frames, checksum } })
}

/// Continues `sums` over `bytes`, whose length is a multiple of 8 (section 4.2).
fn checksum(sums: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    // Decided outside the loop, which is bound by the two additions that depend on each other.
    if big_endian { sum_words(sums, bytes, u32::swap_bytes) } else { sum_words(sums, bytes, |word| word) }
}

fn sum_words((mut s1, mut s2): (u32, u32), bytes: &[u8], order: impl Fn(u32) -> u32) -> (u32, u32) {
    let (pairs, _) = words(bytes);
    for pair in pairs {
        s1 = s1.wrapping_add(order(pair as u32)).wrapping_add(s2);
        s2 = s2.wrapping_add(order((pair >> 32) as u32)).wrapping_add(s1);
    }
    (s1, s2)
}

/// Byte offset of the header of frame `frame`, which count from 1.
fn frame_offset(frame: u32, page_size: PageSize) -> u64 {
    let size = FRAME_HEADER_SIZE as u64 + u64::from(page_size.value());
    HEADER_SIZE as u64 + u64::from(frame.saturating_sub(1)) * size
}

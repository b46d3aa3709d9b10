//! Page fingerprints: what is kept of every page of the last backup, so that the next one sees what changed.
//!
//! Stored beside each LTX file, for the pages in that file:
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PMFP` |
//! | 4 | version, 1 |
//! | 4 | page size |
//! | 4 | page count of the database |
//! | … | runs: first page u32, number of pages u32, then for each page its checksum u64 and its fingerprint, 16 bytes |
//! | 8 | end: a run of zero pages from page 0 |
//! | … | [the page directory](super::directory), which older versions did not write |
//!
//! Integers are big-endian. What proves the file is its SHA-256 in the backup's record.

use std::collections::BTreeMap;

use crate::bytes::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Checksum, PageSize};

const MAGIC: &[u8; 4] = b"PMFP";
const VERSION: u32 = 1;
const HEADER_SIZE: usize = 16;
/// Size of an encoded [`PageState`], in bytes.
pub const STATE_SIZE: usize = 24;

/// The first half of a page's BLAKE3. A CRC would not do: whoever writes rows can forge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of a page.
    pub fn of(page: &[u8]) -> Self {
        let mut half = [0; 16];
        half.iter_mut().zip(blake3::hash(page).as_bytes()).for_each(|(to, from)| *to = *from);
        Self(half)
    }

    /// Its first 32 bits.
    pub(super) fn head(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// What is kept of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageState {
    /// Its part of the database checksum.
    pub checksum: Checksum,
    /// Tells whether it changed.
    pub fingerprint: Fingerprint,
}

impl PageState {
    /// Whether `page` is the page that it was kept of.
    pub fn is_of(&self, page: &[u8]) -> bool {
        self.fingerprint == Fingerprint::of(page)
    }

    /// Appends the state to `out`, [`STATE_SIZE`] bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.checksum.value());
        out.extend_from_slice(&self.fingerprint.0);
    }

    /// Reads one state.
    ///
    /// # Errors
    /// `Fingerprints`.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let at = reader.offset();
        let checksum = Checksum::new(reader.u64()?).ok_or(Error::at_offset(ErrorKind::Fingerprints, at))?;
        Ok(Self { checksum, fingerprint: Fingerprint(reader.array()?) })
    }
}

/// States one after the other, [`STATE_SIZE`] bytes each. A page that the last backup did not have is a state of zeros.
pub fn encode_states(states: &[Option<PageState>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(states.len() * STATE_SIZE);
    for state in states {
        match state {
            Some(state) => state.encode(&mut out),
            None => out.extend_from_slice(&[0; STATE_SIZE]),
        }
    }
    out
}

/// Reads [`encode_states`].
///
/// # Errors
/// `Fingerprints`; `Usage` for bytes that are not whole states.
pub fn decode_states(bytes: &[u8]) -> Result<Vec<Option<PageState>>> {
    let states = bytes.chunks(STATE_SIZE).map(|chunk| match chunk.iter().all(|&byte| byte == 0) {
        true => Ok(None),
        false => PageState::decode(&mut Reader::new(chunk, 0, ErrorKind::Usage)).map(Some),
    });
    states.collect()
}

/// The first bytes of a fingerprint file.
pub(super) fn file_header(page_size: PageSize, page_count: u32) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.put_u32(VERSION);
    header.put_u32(page_size.value());
    header.put_u32(page_count);
    header
}

/// The last bytes of a fingerprint file.
pub(super) const FILE_END: [u8; 8] = [0; 8];

/// The states of every page of the last backup, read from its chain's fingerprint files.
///
/// The oldest file, which holds every page, is streamed; the younger ones, which hold what changed since, are kept
/// in memory (about 50 bytes a page): callers write a complete file before those grow past [`Previous::MOST_CHANGES`].
pub struct Previous {
    page_size: PageSize,
    page_count: u32,
    changed: BTreeMap<u32, PageState>,
    base: Vec<u8>,
    /// Bytes of `base` already used.
    used: usize,
    /// Offset in the file of the first byte of `base`.
    offset: u64,
    header_read: bool,
    /// The next page of `base`, and how many its run still has.
    run: (u32, u32),
    checksum: Checksum,
    /// The next page that [`Previous::states`] gives.
    next: u32,
}

impl Previous {
    /// How many changed pages are kept in memory at most.
    pub const MOST_CHANGES: usize = 1 << 18;

    /// The fingerprints of a backup of `page_count` pages with the database checksum `checksum`.
    pub fn new(page_size: PageSize, page_count: u32, checksum: Checksum) -> Self {
        Self {
            page_size,
            page_count,
            changed: BTreeMap::new(),
            base: Vec::new(),
            used: 0,
            offset: 0,
            header_read: false,
            run: (0, 0),
            checksum,
            next: 1,
        }
    }

    /// Its database checksum.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Its size, in pages.
    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// How many pages the younger files hold.
    pub fn changes(&self) -> usize {
        self.changed.len()
    }

    /// Adds a whole fingerprint file of the chain, in order of age, all but the oldest.
    ///
    /// # Errors
    /// `Fingerprints`.
    pub fn add_changes(&mut self, file: &[u8]) -> Result<()> {
        let mut reader = Reader::new(file, 0, ErrorKind::Fingerprints);
        self.check_header(&mut reader)?;
        loop {
            let (first, count) = (reader.u32()?, reader.u32()?);
            if first == 0 {
                break;
            }
            for pgno in run(first, count)? {
                self.changed.insert(pgno, PageState::decode(&mut reader)?);
                if self.changed.len() > Self::MOST_CHANGES {
                    return Err(ErrorKind::Fingerprints.into());
                }
            }
        }
        Ok(())
    }

    /// Appends the next bytes of the oldest file.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.base.drain(..self.used);
        self.offset += self.used as u64;
        self.used = 0;
        self.base.extend_from_slice(bytes);
    }

    /// The states of the next `count` pages, beginning with page 1. A page that the last backup did not have, and the
    /// lock page, has none. `Ok(None)`: feed more first.
    ///
    /// # Errors
    /// `Fingerprints` when a page is missing.
    pub fn states(&mut self, count: u32) -> Result<Option<Vec<Option<PageState>>>> {
        if !self.read_header()? {
            return Ok(None);
        }
        let pages = run(self.next, count)?;
        // A run header before each page is the most there can be.
        let most = count as usize * (STATE_SIZE + 8) + FILE_END.len();
        if self.reader().remaining() < most && !self.ends_within(pages.end)? {
            return Ok(None);
        }
        let mut states = Vec::with_capacity(count as usize);
        for pgno in pages.clone() {
            let base = self.base_state(pgno)?;
            let state = self.changed.get(&pgno).copied().or(base).filter(|_| pgno <= self.page_count);
            if state.is_none() && pgno <= self.page_count && pgno != self.page_size.lock_page().value() {
                return Err(Error::at_page(ErrorKind::Fingerprints, pgno));
            }
            states.push(state);
        }
        self.next = pages.end;
        Ok(Some(states))
    }

    fn read_header(&mut self) -> Result<bool> {
        if self.header_read {
            return Ok(true);
        }
        let mut reader = self.reader();
        if reader.remaining() < HEADER_SIZE {
            return Ok(false);
        }
        self.check_header(&mut reader)?;
        self.used = HEADER_SIZE;
        self.header_read = true;
        Ok(true)
    }

    /// Whether what was fed has every page of the base file before `end`, by walking its runs.
    fn ends_within(&self, end: u32) -> Result<bool> {
        let mut reader = self.reader();
        let (mut next, mut left) = self.run;
        loop {
            let wanted = left.min(end.saturating_sub(next));
            if reader.remaining() < wanted as usize * STATE_SIZE {
                return Ok(false);
            }
            reader.take(wanted as usize * STATE_SIZE)?;
            if wanted < left {
                return Ok(true);
            }
            if reader.remaining() < FILE_END.len() {
                return Ok(false);
            }
            (next, left) = (reader.u32()?, reader.u32()?);
            if next == 0 || next >= end {
                return Ok(true);
            }
        }
    }

    fn base_state(&mut self, pgno: u32) -> Result<Option<PageState>> {
        let (mut next, mut left) = self.run;
        let mut reader = self.reader();
        if left == 0 && reader.remaining() >= 8 {
            let mut ahead = reader.clone();
            (next, left) = (ahead.u32()?, ahead.u32()?);
            if next == 0 {
                // The end: stay before it.
                return Ok(None);
            }
            run(next, left)?;
            reader = ahead;
        }
        let state = if left > 0 && next == pgno {
            let state = PageState::decode(&mut reader)?;
            (next, left) = (next.saturating_add(1), left - 1);
            Some(state)
        } else if left > 0 && next < pgno {
            return Err(Error::at_page(ErrorKind::Fingerprints, next));
        } else {
            None
        };
        self.used = (reader.offset() - self.offset) as usize;
        self.run = (next, left);
        Ok(state)
    }

    fn reader(&self) -> Reader<'_> {
        let rest = self.base.get(self.used..).unwrap_or_default();
        Reader::new(rest, self.offset + self.used as u64, ErrorKind::Fingerprints)
    }

    fn check_header(&self, reader: &mut Reader<'_>) -> Result<()> {
        let bad = Error::at_offset(ErrorKind::Fingerprints, 0);
        let known = reader.take(MAGIC.len())? == MAGIC && reader.u32()? == VERSION;
        let fits = reader.u32()? == self.page_size.value();
        reader.u32()?;
        if known && fits { Ok(()) } else { Err(bad) }
    }
}

fn run(first: u32, count: u32) -> Result<core::ops::Range<u32>> {
    let end = first.checked_add(count).ok_or(Error::at_page(ErrorKind::Fingerprints, first))?;
    Ok(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_lead_back_to_themselves() {
        let checksum = Checksum::new((1 << 63) | 5).unwrap();
        let state = PageState { checksum, fingerprint: Fingerprint::of(b"a page") };
        let states = [Some(state), None, Some(PageState { fingerprint: Fingerprint::of(b""), ..state })];
        let bytes = encode_states(&states);
        assert_eq!(bytes.len(), 3 * STATE_SIZE);
        assert_eq!(decode_states(&bytes).unwrap(), states);
        assert_eq!(decode_states(&[]).unwrap(), []);
    }

    #[test]
    fn part_of_a_state_is_refused() {
        let refused = decode_states(&[1; STATE_SIZE + 7]).unwrap_err();
        assert!(matches!(refused.kind, ErrorKind::Usage | ErrorKind::Fingerprints), "{refused}");
    }
}

//! The page directory, the end of a fingerprint file: what lies where in a backup's two files, so that whoever wants a few
//! pages reads a few kilobytes, and proves them.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PMPD` |
//! | 4 | version, 1 |
//! | 8 | where the page index begins in the LTX file, in bytes |
//! | … | blocks |
//!
//! A block is at most 32 pages, beyond the 8,192nd block at most 128, whose runs lie one after the other in the fingerprint file, the first block's behind the
//! header, and whose entries lie one after the other in the page index:
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | first page |
//! | 4 | length of its runs, in bytes |
//! | 4 | length of its entries in the page index, in bytes |
//! | 16 | first half of the SHA-256 of its runs |
//!
//! Integers are big-endian. What proves the directory is its SHA-256 in the backup's record. Those who do not know it
//! stop reading at the run of zeros before it.

use super::fingerprint::STATE_SIZE;
use super::sha256::Sha256;
use crate::bytes::{Reader, Writer as _};
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::{END_OF_PAGES, HEADER_SIZE, IndexBuilder, triple_len};

const MAGIC: &[u8; 4] = b"PMPD";
const VERSION: u32 = 1;
/// Pages of a block: whoever wants one page reads the block's, and whoever wants any reads the directory.
const SMALL: usize = 32;
/// The same behind this many blocks, where the directory is large (1 GiB in pages of 4 KiB).
const LARGE: usize = 128;
const MOST_SMALL: usize = 8192;
const DIGEST: usize = 16;
/// Size of a whole block's entry, in bytes, until the page index is known: first page, length of its runs, digest.
const CLOSED: usize = 8 + DIGEST;

/// Writes the runs of a fingerprint file, and then their directory. It keeps 24 bytes for each block.
#[derive(Clone, Debug, Default)]
pub struct DirectoryBuilder {
    closed: Vec<u8>,
    /// The runs of the last block, to which more may be added.
    open: Vec<u8>,
    /// How many pages it has.
    pages: usize,
}

impl DirectoryBuilder {
    /// Takes the states of ascending pages; returns them as runs, which come next in the file.
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn append(&mut self, pages: &[u32], states: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(states.len() + 64);
        let mut given = self.open.len();
        // Where the run that can go on begins in the block, and the page that comes next in it.
        let mut run: Option<(usize, u32)> = None;
        for (&pgno, state) in pages.iter().zip(states.chunks_exact(STATE_SIZE)) {
            if self.pages >= self.most() {
                out.extend_from_slice(self.open.get(given..).unwrap_or_default());
                self.close();
                (given, run) = (0, None);
            }
            let begun = run.filter(|&(_, next)| next == pgno).map(|(at, _)| at);
            let at = begun.unwrap_or_else(|| {
                let at = self.open.len();
                self.open.put_u32(pgno);
                self.open.put_u32(0);
                at
            });
            // A block has far fewer pages than a byte can count.
            if let Some(count) = self.open.get_mut(at + 7) {
                *count += 1;
            }
            self.open.extend_from_slice(state);
            self.pages += 1;
            run = Some((at, pgno.wrapping_add(1)));
        }
        out.extend_from_slice(self.open.get(given..).unwrap_or_default());
        out
    }

    /// The directory, once all is written; `index` is that of the LTX file.
    pub fn finish(mut self, index: &IndexBuilder) -> Vec<u8> {
        self.close();
        let frames: u64 = index.iter().map(|(_, size)| u64::from(size)).sum();
        let mut out = MAGIC.to_vec();
        out.put_u32(VERSION);
        out.put_u64(HEADER_SIZE as u64 + frames + END_OF_PAGES as u64);
        let (mut index, mut offset) = (index.iter().peekable(), HEADER_SIZE as u64);
        let (blocks, _) = self.closed.as_chunks::<CLOSED>();
        for (at, block) in blocks.iter().enumerate() {
            let after = blocks.get(at + 1).and_then(|next| next.first_chunk().copied()).map(u32::from_be_bytes);
            let mut entries = 0;
            while let Some((pgno, size)) = index.next_if(|&(pgno, _)| after.is_none_or(|after| pgno < after)) {
                entries += triple_len(pgno, offset, size);
                offset += u64::from(size);
            }
            let (place, digest) = block.split_at(CLOSED - DIGEST);
            out.extend_from_slice(place);
            out.put_u32(entries);
            out.extend_from_slice(digest);
        }
        out
    }

    /// The blocks that are whole, which only grow at their end.
    pub(super) fn closed(&self) -> &[u8] {
        &self.closed
    }

    /// The runs of the last block.
    pub(super) fn open(&self) -> &[u8] {
        &self.open
    }

    /// Goes on with what [`DirectoryBuilder::closed`] and [`DirectoryBuilder::open`] gave.
    ///
    /// # Errors
    /// `SavedState`.
    pub(super) fn resume(closed: Vec<u8>, open: Vec<u8>) -> Result<Self> {
        let mut reader = Reader::new(&open, 0, ErrorKind::SavedState);
        let mut pages = 0;
        while reader.remaining() > 0 {
            let (_, count) = (reader.u32()?, reader.u32()? as usize);
            reader.take(count.saturating_mul(STATE_SIZE))?;
            pages += count;
        }
        let is_sound = pages <= LARGE && closed.len().is_multiple_of(CLOSED);
        if is_sound { Ok(Self { closed, open, pages }) } else { Err(Error::from(ErrorKind::SavedState)) }
    }

    /// How many pages the last block may have.
    fn most(&self) -> usize {
        if self.closed.len() < MOST_SMALL * CLOSED { SMALL } else { LARGE }
    }

    fn close(&mut self) {
        let Some(first) = self.open.first_chunk::<4>() else { return };
        self.closed.extend_from_slice(first);
        self.closed.put_u32(self.open.len() as u32);
        self.closed.extend(Sha256::of(&self.open).iter().take(DIGEST));
        self.open.clear();
        self.pages = 0;
    }
}

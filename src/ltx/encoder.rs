//! Writes an LTX file: header, frames as they come, then index and trailer.

use super::frame::PackedFrames;
use super::header::{HEADER_SIZE, Header};
use super::index::{Cursor, IndexBuilder, write_triple};
use crate::bytes::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Crc64, Pgno};

/// How large the pieces of the index are, in bytes.
const PIECE: usize = 64 * 1024;
/// Length of what ends the frames, in bytes: a frame header of zeros. The page index follows.
pub const END_OF_PAGES: usize = 6;
const CHECKSUM_FLAG: u64 = 1 << 63;

/// Encodes one file. Single pass, nothing is written back; keeps about three bytes a page.
///
/// Give out [`Encoder::header`], then the bytes of every [`PackedFrames`] handed to [`Encoder::append`], then what
/// [`Encoder::finish`] yields.
pub struct Encoder {
    header: Header,
    index: IndexBuilder,
    crc: Crc64,
}

impl Encoder {
    /// Begins a file.
    pub fn new(header: Header) -> Self {
        Self { header, index: IndexBuilder::default(), crc: Crc64::of(&header.encode()) }
    }

    /// Continues a file to which these frames were appended, and whose CRC-64 so far is `crc`.
    ///
    /// # Errors
    /// `LtxPageOrder`.
    pub fn resume(header: Header, index: IndexBuilder, crc: Crc64) -> Result<Self> {
        let mut encoder = Self::new(header);
        encoder.append(&PackedFrames { bytes: Vec::new(), index, crc: Crc64::default() })?;
        Ok(Self { crc, ..encoder })
    }

    /// The frames so far, for [`Encoder::resume`].
    pub fn index(&self) -> &IndexBuilder {
        &self.index
    }

    /// CRC-64 of the file so far, with the pages uncompressed.
    pub fn crc(&self) -> Crc64 {
        self.crc
    }

    /// The file's first bytes.
    pub fn header(&self) -> [u8; HEADER_SIZE] {
        self.header.encode()
    }

    /// Takes note of frames, whose bytes come next in the file. Only their `index` and `crc` are looked at.
    ///
    /// # Errors
    /// `LtxPageOrder` unless pages ascend and lie within the database.
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn append(&mut self, frames: &PackedFrames) -> Result<()> {
        if let Some(last) = frames.index.last().filter(|last| last.value() > self.header.commit) {
            return Err(Error::at_page(ErrorKind::LtxPageOrder, last.value()));
        }
        self.index.append(&frames.index)?;
        self.crc.join(frames.crc);
        Ok(())
    }

    /// How many pages were appended.
    pub fn pages(&self) -> u32 {
        self.index.len()
    }

    /// Ends the file: yields the rest of it in pieces of about 64 KiB.
    ///
    /// # Errors
    /// `LtxPageMissing` when a snapshot does not hold every page.
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn finish(self) -> Result<Tail> {
        if self.header.is_snapshot() {
            let expected = self.header.page_size.data_pages(self.header.commit);
            if self.index.len() != expected {
                return Err(Error::at_page(ErrorKind::LtxPageMissing, self.index.last().map_or(0, Pgno::value) + 1));
            }
        }
        Ok(Tail { crc: self.crc, index: self.index, state: State::EndOfPages, offset: HEADER_SIZE as u64, len: 0 })
    }
}

/// The end of the file, an iterator over its pieces.
pub struct Tail {
    crc: Crc64,
    index: IndexBuilder,
    state: State,
    /// Offset of the next frame in the file, in bytes.
    offset: u64,
    /// Length of the index so far, in bytes.
    len: u64,
}

#[derive(Clone, Copy)]
enum State {
    EndOfPages,
    Index(Cursor),
    Done,
}

impl Iterator for Tail {
    type Item = Vec<u8>;

    #[inline(never)] // Once, and not wherever it is called: it is large.
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut cursor = match self.state {
            State::EndOfPages => {
                self.state = State::Index(Cursor::default());
                let end = vec![0; END_OF_PAGES];
                self.crc.update(&end);
                return Some(end);
            }
            State::Index(cursor) => cursor,
            State::Done => return None,
        };
        let mut piece = Vec::with_capacity(PIECE + 64);
        while piece.len() < PIECE {
            let Some((pgno, size)) = self.index.next(&mut cursor) else {
                piece.put_uvarint(0);
                self.len += piece.len() as u64;
                piece.put_u64(self.len);
                // No database checksum afterwards: see `Header::tracked`.
                piece.put_u64(0);
                self.crc.update(&piece);
                piece.put_u64(self.crc.value() | CHECKSUM_FLAG);
                self.state = State::Done;
                return Some(piece);
            };
            write_triple(&mut piece, pgno, self.offset, size);
            self.offset += u64::from(size);
        }
        self.len += piece.len() as u64;
        self.crc.update(&piece);
        self.state = State::Index(cursor);
        Some(piece)
    }
}

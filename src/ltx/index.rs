//! The page index: where in the file each page's frame lies, as triples of LEB128 integers.

use super::header::{HEADER_SIZE, TRAILER_SIZE};
use crate::bytes::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// Page numbers and frame sizes in the order written, about three bytes a page.
///
/// Offsets are left out: they follow from the sizes.
#[derive(Clone, Debug, Default)]
pub struct IndexBuilder {
    /// LEB128 pairs: distance to the page before, frame size.
    pairs: Vec<u8>,
    first: Option<Pgno>,
    last: Option<Pgno>,
    len: u32,
}

/// A place in an [`IndexBuilder`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    position: usize,
    pgno: u32,
}

impl IndexBuilder {
    /// Appends a frame of `size` bytes.
    ///
    /// # Errors
    /// `LtxPageOrder` unless pages ascend.
    pub fn push(&mut self, pgno: Pgno, size: u32) -> Result<()> {
        let before = self.last.map_or(0, Pgno::value);
        if pgno.value() <= before {
            return Err(Error::at_page(ErrorKind::LtxPageOrder, pgno.value()));
        }
        self.pairs.put_uvarint(u64::from(pgno.value() - before));
        self.pairs.put_uvarint(u64::from(size));
        self.first = self.first.or(Some(pgno));
        self.last = Some(pgno);
        self.len += 1;
        Ok(())
    }

    /// Appends another's frames.
    ///
    /// # Errors
    /// `LtxPageOrder` unless its pages follow these.
    pub fn append(&mut self, next: &Self) -> Result<()> {
        let (Some(first), Some(_)) = (next.first, next.last) else { return Ok(()) };
        if self.last.is_some_and(|last| first <= last) {
            return Err(Error::at_page(ErrorKind::LtxPageOrder, first.value()));
        }
        // The first distance of `next` counts from page 0; all others stay.
        let mut reader = Reader::new(&next.pairs, 0, ErrorKind::LtxIndex);
        reader.uvarint()?;
        self.pairs.put_uvarint(u64::from(first.value() - self.last.map_or(0, Pgno::value)));
        self.pairs.extend_from_slice(reader.take(reader.remaining())?);
        self.first = self.first.or(next.first);
        self.last = next.last;
        self.len += next.len;
        Ok(())
    }

    /// Page number and frame size of each frame, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut cursor = Cursor::default();
        core::iter::from_fn(move || self.next(&mut cursor))
    }

    /// The entry at `cursor`, which moves on.
    pub(super) fn next(&self, cursor: &mut Cursor) -> Option<(u32, u32)> {
        let rest = self.pairs.get(cursor.position..).filter(|rest| !rest.is_empty())?;
        let mut reader = Reader::new(rest, 0, ErrorKind::LtxIndex);
        // What `push` wrote always parses.
        cursor.pgno += reader.uvarint().ok()? as u32;
        let size = reader.uvarint().ok()? as u32;
        cursor.position += reader.offset() as usize;
        Some((cursor.pgno, size))
    }

    /// The pairs as bytes, to hand them to another process or worker.
    pub fn as_bytes(&self) -> &[u8] {
        &self.pairs
    }

    /// Reads [`IndexBuilder::as_bytes`].
    ///
    /// # Errors
    /// `LtxIndex`, `LtxPageOrder`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, 0, ErrorKind::LtxIndex);
        let mut index = Self::default();
        let bad = Error::from(ErrorKind::LtxIndex);
        let mut pgno = 0u32;
        while reader.remaining() > 0 {
            let distance = u32::try_from(reader.uvarint()?).map_err(|_| bad)?;
            pgno = pgno.checked_add(distance).ok_or(bad)?;
            let size = u32::try_from(reader.uvarint()?).map_err(|_| bad)?;
            index.push(Pgno::new(pgno).ok_or(bad)?, size)?;
        }
        Ok(index)
    }

    /// The last page.
    pub fn last(&self) -> Option<Pgno> {
        self.last
    }

    /// How many frames.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Writes the index of `entries` in pieces: triples, a zero. The length follows from what was written.
pub(super) fn write_triple(out: &mut Vec<u8>, pgno: u32, offset: u64, size: u32) {
    out.put_uvarint(u64::from(pgno));
    out.put_uvarint(offset);
    out.put_uvarint(u64::from(size));
}

/// How many bytes `write_triple` writes.
pub fn triple_len(pgno: u32, offset: u64, size: u32) -> u32 {
    let digits = |value: u64| (u64::BITS - (value | 1).leading_zeros()).div_ceil(7);
    digits(pgno.into()) + digits(offset) + digits(size.into())
}

/// A stored file's index in memory, for reading single pages: about three bytes a page.
///
/// Only for files whose frames follow each other without holes, as every known writer makes them.
#[derive(Clone, Debug)]
pub struct PageIndex {
    sizes: IndexBuilder,
    /// Every 256th entry: page, offset of its frame, position in `sizes`' pairs.
    anchors: Vec<(u32, u64, usize)>,
}

impl PageIndex {
    /// How many bytes the index's length, its trailer and everything behind the triples take.
    pub const TAIL_SIZE: usize = 8 + TRAILER_SIZE;

    /// Where the triples lie in a file of `file_size` bytes: offset and length.
    /// `tail` are its last [`Self::TAIL_SIZE`] bytes.
    ///
    /// # Errors
    /// `LtxTruncated`, `LtxIndex`.
    pub fn locate(tail: &[u8], file_size: u64) -> Result<(u64, u64)> {
        let end = file_size.checked_sub(Self::TAIL_SIZE as u64).ok_or(ErrorKind::LtxTruncated)?;
        let len = Reader::new(tail, end, ErrorKind::LtxTruncated).u64()?;
        let start = end.checked_sub(len).filter(|&start| start >= HEADER_SIZE as u64);
        Ok((start.ok_or(Error::at_offset(ErrorKind::LtxIndex, end))?, len))
    }

    /// Reads the triples.
    ///
    /// # Errors
    /// `LtxIndex`, `LtxPageOrder`.
    pub fn parse(triples: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(triples, 0, ErrorKind::LtxIndex);
        let (mut sizes, mut anchors) = (IndexBuilder::default(), Vec::new());
        let mut expected = HEADER_SIZE as u64;
        loop {
            let at = Error::at_offset(ErrorKind::LtxIndex, reader.offset());
            let pgno = u32::try_from(reader.uvarint()?).map_err(|_| at)?;
            let Some(pgno) = Pgno::new(pgno) else { break };
            let (offset, size) = (reader.uvarint()?, u32::try_from(reader.uvarint()?).map_err(|_| at)?);
            if offset != expected {
                return Err(at);
            }
            if sizes.len() % 256 == 0 {
                anchors.push((pgno.value(), offset, sizes.as_bytes().len()));
            }
            sizes.push(pgno, size)?;
            expected += u64::from(size);
        }
        if reader.remaining() > 0 {
            return Err(Error::at_offset(ErrorKind::LtxIndex, reader.offset()));
        }
        Ok(Self { sizes, anchors })
    }

    /// Offset and length of the page's frame.
    pub fn find(&self, wanted: Pgno) -> Option<(u64, u32)> {
        let after = self.anchors.partition_point(|&(pgno, ..)| pgno <= wanted.value());
        let &(first, mut offset, position) = self.anchors.get(after.checked_sub(1)?)?;
        let pairs = self.sizes.as_bytes().get(position..)?;
        let mut reader = Reader::new(pairs, 0, ErrorKind::LtxIndex);
        reader.uvarint().ok()?;
        let (mut pgno, mut size) = (first, reader.uvarint().ok()? as u32);
        while pgno < wanted.value() && reader.remaining() > 0 {
            offset += u64::from(size);
            pgno += reader.uvarint().ok()? as u32;
            size = reader.uvarint().ok()? as u32;
        }
        (pgno == wanted.value()).then_some((offset, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_page_and_no_other() {
        let mut triples = Vec::new();
        let mut offset = HEADER_SIZE as u64;
        for pgno in (1..3000).filter(|p| p % 3 == 1) {
            let before = triples.len();
            write_triple(&mut triples, pgno, offset, pgno % 50 + 10);
            assert_eq!(triples.len() - before, triple_len(pgno, offset, pgno % 50 + 10) as usize);
            offset += u64::from(pgno % 50 + 10);
        }
        triples.put_uvarint(0);
        let index = PageIndex::parse(&triples).unwrap();
        let mut expected = HEADER_SIZE as u64;
        for pgno in 1..3010 {
            let found = index.find(Pgno::new(pgno).unwrap());
            if pgno % 3 == 1 && pgno < 3000 {
                assert_eq!(found, Some((expected, pgno % 50 + 10)));
                expected += u64::from(pgno % 50 + 10);
            } else {
                assert_eq!(found, None);
            }
        }
    }

    #[test]
    fn builders_append_only_upwards() {
        let pair = |pgno, size| {
            let mut index = IndexBuilder::default();
            index.push(Pgno::new(pgno).unwrap(), size).unwrap();
            index
        };
        let mut index = pair(3, 100);
        index.append(&pair(9, 200)).unwrap();
        index.append(&IndexBuilder::default()).unwrap();
        assert_eq!(index.iter().collect::<Vec<_>>(), [(3, 100), (9, 200)]);
        assert_eq!(IndexBuilder::from_bytes(index.as_bytes()).unwrap().as_bytes(), index.as_bytes());
        assert!(index.append(&pair(9, 1)).is_err());
    }
}

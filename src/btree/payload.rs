//! The payload of a cell: the part in the cell, and the overflow pages that hold the rest (file format, section 1.6).

use super::layout::{Kind, Layout, damaged};
use crate::bytes::Reader;
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

/// The longest payload SQLite can write, in bytes (its lengths are signed 32-bit numbers).
const MAX_SIZE: usize = i32::MAX as usize;

/// A cell's payload as far as its own page goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The first bytes.
    pub local: &'a [u8],
    /// Length of the whole payload, in bytes.
    pub size: usize,
    /// Where the bytes after `local` are; `None` when there are none.
    pub overflow: Option<Overflow>,
}

impl<'a> Payload<'a> {
    /// Reads the payload of `size` bytes that starts at `reader`, in a cell of page `pgno`.
    ///
    /// # Errors
    /// `BtreePage` when the length is not one that SQLite writes, or the page ends too early.
    pub(super) fn read(mut reader: Reader<'a>, kind: Kind, size: i64, layout: Layout, pgno: Pgno) -> Result<Self> {
        let size = usize::try_from(size).ok().filter(|&size| size <= MAX_SIZE).ok_or(damaged(pgno))?;
        let local = reader.take(local_size(kind, size, layout.usable()))?;
        let overflow = match size - local.len() {
            0 => None,
            remaining => Some(Overflow { next: layout.pointer(reader.u32()?, pgno)?, remaining }),
        };
        Ok(Self { local, size, overflow })
    }
}

/// The part of a payload that has not been read yet. It costs nothing to stop before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The overflow page with the next bytes.
    pub next: Pgno,
    /// How many bytes are left, at least 1.
    pub remaining: usize,
}

impl Overflow {
    /// The bytes that `page`, which is page `next` and whole, adds to the payload, and what is left after it.
    ///
    /// Pages that point in a circle do not end before `remaining` does: the caller bounds how many it hands in.
    ///
    /// # Errors
    /// `Usage` when `page` is not one page long; `BtreePage` when more is left and no page follows.
    pub fn step<'a>(&self, page: &'a [u8], layout: Layout) -> Result<(&'a [u8], Option<Self>)> {
        let mut reader = Reader::new(layout.content(page)?, 0, ErrorKind::BtreePage);
        let next = reader.u32()?;
        let bytes = reader.take(self.remaining.min(reader.remaining()))?;
        let rest = match self.remaining - bytes.len() {
            0 => None,
            remaining => Some(Self { next: layout.pointer(next, self.next)?, remaining }),
        };
        Ok((bytes, rest))
    }
}

/// How many bytes of a payload of `size` bytes are in the cell itself, on pages of `usable` bytes (257 or more).
pub fn local_size(kind: Kind, size: usize, usable: usize) -> usize {
    // U, X, M and K of section 1.6.
    let max = if kind.is_table() { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if size <= max {
        return size;
    }
    let min = (usable - 12) * 32 / 255 - 23;
    // The page keeps so much of the rest that the overflow pages are full.
    let filling = min + (size - min) % (usable - 4);
    if filling <= max { filling } else { min }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds that section 1.6 gives for its smallest and its largest page.
    #[test]
    fn local_size_is_as_the_format_says() {
        assert_eq!(local_size(Kind::TableLeaf, 477, 512), 477);
        assert_eq!(local_size(Kind::TableLeaf, 478, 512), 39);
        assert_eq!(local_size(Kind::TableLeaf, 39 + 508, 512), 39);
        assert_eq!(local_size(Kind::TableLeaf, 40 + 508, 512), 40);
        assert_eq!(local_size(Kind::IndexLeaf, 102, 512), 102);
        assert_eq!(local_size(Kind::IndexLeaf, 103, 512), 39);
        assert_eq!(local_size(Kind::IndexInterior, 16_422, 65_536), 16_422);
        assert_eq!(local_size(Kind::IndexInterior, 16_423, 65_536), 8_199);
    }

    #[test]
    fn local_size_is_defined_for_every_reserve() {
        for usable in 512 - 255..=512 {
            for size in 0..4096 {
                assert!(local_size(Kind::TableLeaf, size, usable) <= size.min(usable - 35));
                assert!(local_size(Kind::IndexLeaf, size, usable) <= size.min(usable / 4));
            }
        }
    }
}

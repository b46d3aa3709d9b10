//! Bounds-checked reading and writing of integers: the only file that indexes raw bytes. Units of a known length out of
//! chunks of any length.
//!
//! SQLite and LTX write fixed integers big-endian. Variable-length integers come in two kinds:
//! LTX's page index uses LEB128 ([`Reader::uvarint`]), SQLite's records use its own
//! ([`Reader::sqlite_varint`], file format section 1.6).

use core::mem;

use crate::error::{Error, ErrorKind, Result};

/// What compressed files and archives begin with.
const PACKED: [(&[u8], &str); 7] = [
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
];

/// By which program a file was compressed or packed that begins with `head`; `None` if by none.
pub fn packed_by(head: &[u8]) -> Option<&'static str> {
    let is_tar = head.get(257..262) == Some(b"ustar");
    let packed = PACKED.iter().find(|(signature, _)| head.starts_with(signature)).map(|&(_, name)| name);
    packed.or(is_tar.then_some("tar"))
}

/// Reads from the front of a slice. Running out raises `short` with the offset in the file.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    base: u64,
    short: ErrorKind,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which begin at byte `base` of their file; `short` is the error when they run out.
    pub fn new(bytes: &'a [u8], base: u64, short: ErrorKind) -> Self {
        Self { bytes, position: 0, base, short }
    }

    /// Offset in the file of the next byte.
    pub fn offset(&self) -> u64 {
        self.base + self.position as u64
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// All bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.position.checked_add(n);
        let slice = end.and_then(|end| self.bytes.get(self.position..end));
        let slice = slice.ok_or(Error::at_offset(self.short, self.offset()))?;
        self.position += n;
        Ok(slice)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A big-endian u16.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// A big-endian u32.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A big-endian u64.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A big-endian i64.
    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An LEB128 unsigned integer of at most 64 bits (LTX page index).
    pub fn uvarint(&mut self) -> Result<u64> {
        let start = self.offset();
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::at_offset(self.short, start))
    }

    /// SQLite's variable-length integer: one to nine bytes, seven bits each, the ninth has eight.
    #[inline]
    pub fn sqlite_varint(&mut self) -> Result<i64> {
        // Most are one byte long.
        match self.bytes.get(self.position) {
            Some(&byte @ ..0x80) => {
                self.position += 1;
                Ok(i64::from(byte))
            }
            _ => self.long_sqlite_varint(),
        }
    }

    fn long_sqlite_varint(&mut self) -> Result<i64> {
        let mut value = 0u64;
        for _ in 0..8 {
            let byte = self.u8()?;
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value as i64);
            }
        }
        Ok((value << 8 | u64::from(self.u8()?)) as i64)
    }
}

/// Appends integers to a byte vector.
pub trait Writer {
    /// A big-endian u16.
    fn put_u16(&mut self, value: u16);
    /// A big-endian u32.
    fn put_u32(&mut self, value: u32);
    /// A big-endian u64.
    fn put_u64(&mut self, value: u64);
    /// An LEB128 unsigned integer (LTX page index).
    fn put_uvarint(&mut self, value: u64);
    /// SQLite's variable-length integer; a negative one takes nine bytes.
    fn put_sqlite_varint(&mut self, value: i64);
}

impl Writer for Vec<u8> {
    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_sqlite_varint(&mut self, value: i64) {
        let value = value as u64;
        match value {
            ..0x80 => self.push(value as u8),
            0x80..0x4000 => self.extend_from_slice(&[(value >> 7) as u8 | 0x80, value as u8 & 0x7f]),
            0x4000..0x0100_0000_0000_0000 => {
                let groups = (u64::BITS - value.leading_zeros()).div_ceil(7);
                for group in (1..groups).rev() {
                    self.push((value >> (7 * group)) as u8 | 0x80);
                }
                self.push(value as u8 & 0x7f);
            }
            _ => {
                for group in (0..8).rev() {
                    self.push((value >> (7 * group + 8)) as u8 | 0x80);
                }
                self.push(value as u8);
            }
        }
    }
}

/// The 64-bit little-endian words of `bytes`, and the tail of fewer than eight bytes.
pub fn words(bytes: &[u8]) -> (impl Iterator<Item = u64>, &[u8]) {
    let (chunks, tail) = bytes.as_chunks::<8>();
    (chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)), tail)
}

/// Holds the part of a unit that has come so far; copies nothing when a whole unit lies in one chunk.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    /// Shorter than a unit, except from the return of a gathered unit until the next call.
    held: Vec<u8>,
    /// Whether `held` is a unit that has been returned.
    returned: bool,
}

impl Gather {
    /// The next `len` bytes, taken from the front of `input`; `None` when they have not all come, and then `input` is
    /// used up. Ask for the same `len` until it is there.
    pub fn next<'g, 'i: 'g>(&'g mut self, input: &mut &'i [u8], len: usize) -> Option<&'g [u8]> {
        if mem::take(&mut self.returned) {
            self.held.clear();
        }
        if self.held.is_empty()
            && let Some((unit, rest)) = input.split_at_checked(len)
        {
            *input = rest;
            return Some(unit);
        }
        let missing = len.saturating_sub(self.held.len());
        let (more, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        self.held.extend_from_slice(more);
        *input = rest;
        self.returned = self.held.len() == len;
        self.returned.then_some(&self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_names_the_offset() {
        let mut reader = Reader::new(&[1, 2, 3], 100, ErrorKind::LtxTruncated);
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u16(), Err(Error::at_offset(ErrorKind::LtxTruncated, 102)));
    }

    #[test]
    fn uvarint_round_trips_and_refuses_more_than_64_bits() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            bytes.put_uvarint(value);
            assert_eq!(Reader::new(&bytes, 0, ErrorKind::LtxIndex).uvarint(), Ok(value));
        }
        let long = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(Reader::new(&long, 0, ErrorKind::LtxIndex).uvarint().is_err());
    }

    #[test]
    fn sqlite_varints_come_back_in_as_few_bytes_as_there_can_be() {
        let edges = (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits]);
        for value in edges.chain([u64::MAX]) {
            let mut bytes = Vec::new();
            bytes.put_sqlite_varint(value as i64);
            let mut reader = Reader::new(&bytes, 0, ErrorKind::BtreePage);
            assert_eq!((reader.sqlite_varint(), reader.remaining()), (Ok(value as i64), 0));
            let bits = (u64::BITS - value.leading_zeros()).max(1) as usize;
            assert_eq!(bytes.len(), bits.div_ceil(7).min(9), "{value}");
        }
    }

    #[test]
    fn sqlite_varint_of_nine_bytes_has_64_bits() {
        assert_eq!(Reader::new(&[0x81, 0x00], 0, ErrorKind::BtreePage).sqlite_varint(), Ok(128));
        assert_eq!(Reader::new(&[0xff; 9], 0, ErrorKind::BtreePage).sqlite_varint(), Ok(-1));
    }
}

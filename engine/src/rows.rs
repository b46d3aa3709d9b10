//! How rows and parameters cross the boundary to JavaScript: as bytes, many values at a time.
//!
//! A value is one byte that names its type and then, little-endian:
//!
//! | byte | type | then |
//! | --- | --- | --- |
//! | 0 | NULL | nothing |
//! | 1 | INTEGER that fits 32 bits | 4 bytes |
//! | 2 | INTEGER | 8 bytes |
//! | 3 | REAL | 8 bytes |
//! | 4 | TEXT | its length in bytes, 4 bytes; the text, in UTF-8 unless the database holds invalid text |
//! | 5 | BLOB | its length in bytes, 4 bytes; the bytes |
//!
//! Values follow each other without padding, and so do rows: how many columns a row has is known of its statement.

use std::collections::TryReserveError;

/// A value, borrowed from SQLite or from encoded bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT; a database may hold text that is not UTF-8.
    Text(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

/// Appends a value to `out`.
///
/// # Errors
/// When memory runs out.
pub fn encode(out: &mut Vec<u8>, value: Value<'_>) -> Result<(), TryReserveError> {
    let (tag, bytes) = match value {
        Value::Null => (0, [].as_slice()),
        Value::Integer(value) => return encode_integer(out, value),
        Value::Real(value) => return put(out, 3, &value.to_le_bytes(), &[]),
        Value::Text(bytes) => (4, bytes),
        Value::Blob(bytes) => (5, bytes),
    };
    if tag == 0 {
        return put(out, 0, &[], &[]);
    }
    // SQLite's own limit is 2^31 - 1 bytes.
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    put(out, tag, &len.to_le_bytes(), bytes)
}

fn encode_integer(out: &mut Vec<u8>, value: i64) -> Result<(), TryReserveError> {
    match i32::try_from(value) {
        Ok(short) => put(out, 1, &short.to_le_bytes(), &[]),
        Err(_) => put(out, 2, &value.to_le_bytes(), &[]),
    }
}

fn put(out: &mut Vec<u8>, tag: u8, fixed: &[u8], bytes: &[u8]) -> Result<(), TryReserveError> {
    out.try_reserve(1 + fixed.len() + bytes.len())?;
    out.push(tag);
    out.extend_from_slice(fixed);
    out.extend_from_slice(bytes);
    Ok(())
}

/// Reads encoded values one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// Values in encoded bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all were read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value; `None` when the bytes are not an encoded value.
    pub fn read(&mut self) -> Option<Value<'a>> {
        Some(match self.take(1)? {
            [0] => Value::Null,
            [1] => Value::Integer(i64::from(i32::from_le_bytes(self.array()?))),
            [2] => Value::Integer(i64::from_le_bytes(self.array()?)),
            [3] => Value::Real(f64::from_le_bytes(self.array()?)),
            [4] => Value::Text(self.bytes()?),
            [5] => Value::Blob(self.bytes()?),
            _ => return None,
        })
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(len).ok()?)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_round_trip_and_broken_ones_are_refused() {
        let values = [
            Value::Null,
            Value::Integer(-7),
            Value::Integer(i64::MIN),
            Value::Real(0.5),
            Value::Text(b"a\0\xff"),
            Value::Blob(b""),
        ];
        let mut bytes = Vec::new();
        values.iter().for_each(|&value| encode(&mut bytes, value).unwrap());
        let mut read = Values::new(&bytes);
        values.iter().for_each(|&value| assert_eq!(read.read(), Some(value)));
        assert!(read.is_empty());
        for cut in 1..bytes.len() {
            let mut read = Values::new(bytes.get(..cut).unwrap());
            let whole = std::iter::from_fn(|| read.read()).count();
            assert!(whole < values.len());
        }
        assert_eq!(Values::new(&[9]).read(), None);
    }
}

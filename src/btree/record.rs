//! Records: a header of serial types, then the values (file format, section 2.1), and the encodings of text.

use std::borrow::Cow;

use super::layout::damaged;
use crate::bytes::Reader;
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

/// More values than any record has: SQLite can be built for 32,767 columns, and a key may name each of them again.
const MAX_VALUES: usize = 1 << 16;

/// A value as it is stored. Text is in the database's [`Encoding`], and need not be valid in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL, or a stored NaN, which SQLite reads as NULL.
    Null,
    /// An integer. A whole number in a REAL column can be stored as one, too.
    Integer(i64),
    /// A floating-point number, never NaN.
    Real(f64),
    /// Text, encoded.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// NULL.
    Null,
    /// An integer.
    Integer,
    /// A floating-point number; or a stored NaN, which SQLite reads as NULL.
    Real,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

/// A record, or as many of its first bytes as hold the header.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    types: &'a [u8],
    body: &'a [u8],
    pgno: Pgno,
}

impl<'a> Record<'a> {
    /// Reads the record in `payload`. Errors name `pgno`, the page of its cell.
    ///
    /// # Errors
    /// `BtreePage` when the header is not whole.
    pub fn parse(payload: &'a [u8], pgno: Pgno) -> Result<Self> {
        let (header_size, size_size) = header_size(payload, pgno)?;
        let (header, body) = payload.split_at_checked(header_size).ok_or(damaged(pgno))?;
        let types = header.get(size_size..).ok_or(damaged(pgno))?;
        Ok(Self { types, body, pgno })
    }

    /// The values in order, up to the last one or the first error. A row written before
    /// `ALTER TABLE … ADD COLUMN` has fewer values than its table has columns.
    ///
    /// # Errors
    /// `BtreePage` for a serial type that SQLite does not store, or when the payload ends within a value.
    pub fn values(&self) -> impl Iterator<Item = Result<Value<'a>>> {
        let mut types = reader(self.types);
        let mut body = reader(self.body);
        let pgno = self.pgno;
        core::iter::from_fn(move || {
            if types.remaining() == 0 {
                return None;
            }
            let value = SerialType::read(&mut types).and_then(|serial_type| serial_type.value(&mut body));
            if value.is_err() {
                types = reader(&[]);
            }
            Some(value.map_err(|_| damaged(pgno)))
        })
    }
}

/// A value's place in its record, for readers that look at a row's values in another order than theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    serial_type: SerialType,
    /// Offset in the record, and behind it.
    start: usize,
    end: usize,
}

impl Slot {
    /// Fills `slots` with those of the record that starts with `prefix`, as far as its header goes; the values
    /// themselves need not be in hand yet. Gives the length of the header, in bytes.
    ///
    /// # Errors
    /// `BtreePage`, naming `pgno`, when the header is not whole or has a serial type that SQLite does not store.
    pub fn read_all(prefix: &[u8], pgno: Pgno, slots: &mut Vec<Self>) -> Result<usize> {
        slots.clear();
        let record = Record::parse(prefix, pgno)?;
        let header_size = prefix.len() - record.body.len();
        let mut types = record.types;
        let mut start = header_size;
        slots.reserve(types.len().min(MAX_VALUES));
        while let Some((&first, rest)) = types.split_first() {
            let serial_type = if first < 0x80 {
                types = rest;
                SerialType(first.into())
            } else {
                let mut reader = reader(types);
                let read = SerialType::read(&mut reader).map_err(|_| damaged(pgno))?;
                types = reader.rest();
                read
            };
            let size = serial_type.size().map_err(|_| damaged(pgno))?;
            // One more for each byte of a header of megabytes would take hundreds.
            if slots.len() == MAX_VALUES {
                return Err(damaged(pgno));
            }
            let end = start.checked_add(size).ok_or(damaged(pgno))?;
            slots.push(Self { serial_type, start, end });
            start = end;
        }
        Ok(header_size)
    }

    /// Where it is in the record.
    pub fn range(self) -> core::ops::Range<usize> {
        self.start..self.end
    }

    /// Whether it is text (`true`), a blob (`false`) or neither.
    pub fn is_text(self) -> Option<bool> {
        (self.serial_type.0 >= 12).then_some(self.serial_type.0 % 2 == 1)
    }

    /// The type of its value, as far as that is known without it.
    pub fn storage(self) -> Storage {
        match self.serial_type.0 {
            0 => Storage::Null,
            7 => Storage::Real,
            ..12 => Storage::Integer,
            serial_type if serial_type % 2 == 0 => Storage::Blob,
            _ => Storage::Text,
        }
    }

    /// The value in `record`, whole.
    ///
    /// # Errors
    /// `BtreePage`, naming `pgno`, when the record ends within it.
    #[inline]
    pub fn value(self, record: &[u8], pgno: Pgno) -> Result<Value<'_>> {
        let bytes = record.get(self.range()).ok_or(damaged(pgno))?;
        self.serial_type.value_of(bytes).map_err(|_| damaged(pgno))
    }

    /// The value that `bytes`, those at [`Slot::range`], are.
    ///
    /// # Errors
    /// `BtreePage`, naming `pgno`, when there are not as many.
    pub fn value_of(self, bytes: &[u8], pgno: Pgno) -> Result<Value<'_>> {
        let bytes = bytes.get(..self.range().len()).ok_or(damaged(pgno))?;
        self.serial_type.value_of(bytes).map_err(|_| damaged(pgno))
    }
}

/// How many of a payload's bytes hold the first `columns` values, as far as `prefix` tells: when it is longer than
/// `prefix`, ask again with that many bytes. So a reader can leave the rest of a long record where it is.
///
/// # Errors
/// `BtreePage`, naming `pgno`, when the header is not one that SQLite writes.
pub fn bytes_needed(prefix: &[u8], columns: usize, pgno: Pgno) -> Result<usize> {
    let (header_size, _) = header_size(prefix, pgno)?;
    if prefix.len() < header_size {
        return Ok(header_size);
    }
    let mut types = reader(Record::parse(prefix, pgno)?.types);
    let mut needed = header_size;
    for _ in 0..columns {
        if types.remaining() == 0 {
            break;
        }
        let size = SerialType::read(&mut types).and_then(SerialType::size).map_err(|_| damaged(pgno))?;
        needed = needed.checked_add(size).ok_or(damaged(pgno))?;
    }
    Ok(needed)
}

/// Length of a record's header, and of the number that says so, in bytes. The local part of a payload always holds
/// that number: it is the whole payload, or at least 7 bytes of it, while a header of 2^31 bytes takes 5 to say.
fn header_size(payload: &[u8], pgno: Pgno) -> Result<(usize, usize)> {
    let mut reader = reader(payload);
    let size = reader.sqlite_varint().map_err(|_| damaged(pgno))?;
    let size = usize::try_from(size).map_err(|_| damaged(pgno))?;
    Ok((size, payload.len() - reader.remaining()))
}

/// Its errors carry no page number yet.
fn reader(bytes: &[u8]) -> Reader<'_> {
    Reader::new(bytes, 0, ErrorKind::BtreePage)
}

/// The type and the length of a value, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SerialType(i64);

impl SerialType {
    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        reader.sqlite_varint().map(Self)
    }

    /// Length of the value, in bytes.
    fn size(self) -> Result<usize> {
        let size = match self.0 {
            0 | 8 | 9 => 0,
            1..=4 => self.0,
            5 => 6,
            6 | 7 => 8,
            12.. => (self.0 - 12) / 2,
            // 10 and 11 are for SQLite's own use in memory; negative ones do not exist.
            _ => return Err(ErrorKind::BtreePage.into()),
        };
        usize::try_from(size).map_err(|_| ErrorKind::BtreePage.into())
    }

    fn value<'a>(self, body: &mut Reader<'a>) -> Result<Value<'a>> {
        self.value_of(body.take(self.size()?)?)
    }

    /// The value that all of `bytes` are.
    #[inline]
    fn value_of(self, bytes: &[u8]) -> Result<Value<'_>> {
        Ok(match self.0 {
            0 => Value::Null,
            7 => match bytes.try_into().map(f64::from_be_bytes).map_err(|_| ErrorKind::BtreePage)? {
                real if real.is_nan() => Value::Null,
                real => Value::Real(real),
            },
            9 => Value::Integer(1),
            ..=8 => Value::Integer(integer(bytes)),
            _ if self.0 % 2 == 0 => Value::Blob(bytes),
            _ => Value::Text(bytes),
        })
    }
}

/// A big-endian two's-complement integer of up to 8 bytes; 0 when there are none.
fn integer(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => return i64::from(a as i8),
        [a, b] => return i64::from(i16::from_be_bytes([a, b])),
        [a, b, c, d] => return i64::from(i32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => return i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => {}
    }
    let sign = if bytes.first().is_some_and(|&first| first >= 0x80) { -1 } else { 0 };
    bytes.iter().fold(sign, |value, &byte| value << 8 | i64::from(byte))
}

/// How a database stores text (section 1.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
}

impl Encoding {
    /// Reads the header's field. SQLite looks at its two lowest bits; 0, in a database that never had a table, is UTF-8.
    pub fn new(encoding: u32) -> Self {
        match encoding & 3 {
            2 => Self::Utf16Le,
            3 => Self::Utf16Be,
            _ => Self::Utf8,
        }
    }

    /// The text in `bytes`; `None` when some of it is not text, as SQLite lets anyone store.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        if self == Self::Utf8 {
            return str::from_utf8(bytes).ok().map(Cow::Borrowed);
        }
        self.utf16_to_utf8(bytes).and_then(|text| String::from_utf8(text).ok()).map(Cow::Owned)
    }

    /// The text in `bytes`, which is UTF-16, as UTF-8; `None` when some of it is not text.
    pub fn utf16_to_utf8(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (units, tail) = bytes.as_chunks();
        if !tail.is_empty() {
            return None;
        }
        let mut text = Vec::with_capacity(units.len() + units.len() / 2);
        let mut rest = units;
        while !rest.is_empty() {
            while let Some((block, after)) = rest.split_first_chunk::<8>() {
                let units = block.map(|unit| self.unit(unit));
                if units.iter().any(|&unit| unit >= 0x80) {
                    break;
                }
                text.extend_from_slice(&units.map(|unit| unit as u8));
                rest = after;
            }
            // What is not ASCII comes mostly with more of its kind.
            let (some, after) = rest.split_at(rest.len().min(8));
            rest = after;
            let mut some = some.iter().map(|&unit| self.unit(unit));
            while let Some(unit) = some.next() {
                let six = |char: u32, shift: u32| 0x80 | (char >> shift & 0x3f) as u8;
                let char = u32::from(unit);
                match unit {
                    ..0x80 => text.push(unit as u8),
                    0x80..0x800 => text.extend_from_slice(&[0xc0 | (char >> 6) as u8, six(char, 0)]),
                    0xd800..0xdc00 => {
                        let low = match some.next() {
                            Some(low) => low,
                            None => {
                                let (&low, after) = rest.split_first()?;
                                rest = after;
                                self.unit(low)
                            }
                        };
                        if !(0xdc00..0xe000).contains(&low) {
                            return None;
                        }
                        let char = 0x10000 + ((char & 0x3ff) << 10) + u32::from(low & 0x3ff);
                        text.extend_from_slice(&[0xf0 | (char >> 18) as u8, six(char, 12), six(char, 6), six(char, 0)]);
                    }
                    0xdc00..0xe000 => return None,
                    _ => text.extend_from_slice(&[0xe0 | (char >> 12) as u8, six(char, 6), six(char, 0)]),
                }
            }
        }
        Some(text)
    }

    /// The text in `bytes`, with U+FFFD for each part of it that is not text.
    pub fn decode_lossy(self, bytes: &[u8]) -> Cow<'_, str> {
        if self == Self::Utf8 {
            return String::from_utf8_lossy(bytes);
        }
        let (units, tail) = bytes.as_chunks();
        let decoded = char::decode_utf16(units.iter().map(|&unit| self.unit(unit)));
        let half = (!tail.is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        decoded.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).chain(half).collect()
    }

    /// The text in `bytes`, which is UTF-16 and not valid, as SQLite turns it into what is nearly UTF-8: any two units of
    /// which the first is a surrogate are one character, and one at the end is a character of its own.
    pub fn decode_as_sqlite(self, bytes: &[u8]) -> Vec<u8> {
        let mut units = bytes.as_chunks().0.iter().map(|&unit| u32::from(self.unit(unit)));
        let mut text = Vec::with_capacity(bytes.len());
        while let Some(unit) = units.next() {
            let mut char = unit;
            if (0xd800..0xe000).contains(&unit)
                && let Some(second) = units.next()
            {
                char = (second & 0x3ff) + ((unit & 0x3f) << 10) + (((unit & 0x3c0) + 0x40) << 10);
            }
            let six = |shift: u32| 0x80 | (char >> shift & 0x3f) as u8;
            match char {
                ..0x80 => text.push(char as u8),
                0x80..0x800 => text.extend([0xc0 | (char >> 6) as u8, six(0)]),
                0x800..0x10000 => text.extend([0xe0 | (char >> 12) as u8, six(6), six(0)]),
                _ => text.extend([0xf0 | (char >> 18 & 7) as u8, six(12), six(6), six(0)]),
            }
        }
        text
    }

    fn unit(self, bytes: [u8; 2]) -> u16 {
        if self == Self::Utf16Le { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }
}

#[cfg(test)]
mod tests;

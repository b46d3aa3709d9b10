//! Rows as bytes, for the way from JavaScript into wasm.
//!
//! A batch holds whole rows, one after the other: in a table the rowid (i64), then the values of the columns but the
//! one that is the rowid. Integers are big-endian. A value is a tag and what follows it:
//!
//! | tag | value | bytes after it |
//! | --- | --- | --- |
//! | 0 | NULL | |
//! | 1 | integer | i32 |
//! | 2 | integer | i64 |
//! | 3 | REAL | f64 |
//! | 4 | integer that JavaScript has as a number | f64 |
//! | 5 | TEXT | length u32, its bytes |
//! | 6 | BLOB | length u32, its bytes |
//! | 7 | TEXT that comes in pieces after the batch | length u32 |
//! | 8 | BLOB that comes in pieces after the batch | length u32 |
//! | 9 | the rest of the row: it is not stored, as in rows older than their last columns | |
//!
//! A row with a 7 or 8 is the last of its batch.

use crate::btree::Value;
use crate::bytes::{Reader, Writer};
use crate::error::{ErrorKind, Result};

/// All integers up to here are numbers in JavaScript.
const SAFE: f64 = 9_007_199_254_740_991.0;

/// A value, or how long it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Value(Value<'a>),
    Long {
        is_text: bool,
        length: u32,
    },
    /// The row has no more.
    End,
}

impl<'a> Field<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// `Usage`.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        Ok(Self::Value(match reader.u8()? {
            0 => Value::Null,
            1 => Value::Integer(i64::from(reader.u32()? as i32)),
            2 => Value::Integer(reader.i64()?),
            3 => Value::Real(f64::from_bits(reader.u64()?)),
            4 => {
                let number = f64::from_bits(reader.u64()?);
                if number.trunc() != number || number.abs() > SAFE {
                    return Err(ErrorKind::Usage.into());
                }
                Value::Integer(number as i64)
            }
            5 => Value::Text(bytes(reader)?),
            6 => Value::Blob(bytes(reader)?),
            tag @ 7..=8 => return Ok(Self::Long { is_text: tag == 7, length: reader.u32()? }),
            9 => return Ok(Self::End),
            _ => return Err(ErrorKind::Usage.into()),
        }))
    }
}

fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let length = reader.u32()?;
    reader.take(length as usize)
}

/// Writes a batch.
#[derive(Clone, Debug, Default)]
pub struct Batch(Vec<u8>);

impl Batch {
    /// Begins a row of a table.
    pub fn rowid(&mut self, rowid: i64) {
        self.0.put_u64(rowid as u64);
    }

    /// Adds a value of up to 4 GiB.
    pub fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Null => self.0.push(0),
            Value::Integer(integer) => {
                self.0.push(2);
                self.0.put_u64(integer as u64);
            }
            Value::Real(real) => {
                self.0.push(3);
                self.0.put_u64(real.to_bits());
            }
            Value::Text(bytes) => self.bytes(5, bytes),
            Value::Blob(bytes) => self.bytes(6, bytes),
        }
    }

    /// Adds a text or blob of `length` bytes, which come in pieces after the batch.
    pub fn long(&mut self, is_text: bool, length: u32) {
        self.0.push(if is_text { 7 } else { 8 });
        self.0.put_u32(length);
    }

    /// Ends a row that has fewer values than there are columns.
    pub fn end_row(&mut self) {
        self.0.push(9);
    }

    /// The batch; a new one begins.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.0)
    }

    fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.put_u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }
}

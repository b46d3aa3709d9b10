//! A row's record, put together as SQLite does: the shortest serial type for each value (file format, section 2.1).

use crate::btree::Value;
use crate::bytes::Writer;
use crate::error::{ErrorKind, Result};

/// The longest row that SQLite takes unless it is told otherwise, in bytes.
const LONGEST: u64 = 1_000_000_000;
/// Whole numbers of a REAL column are stored as integers when that takes 6 bytes or fewer.
const WHOLE: f64 = (1i64 << 47) as f64;

/// What a value's column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Stores every value as it is.
    Value,
    /// REAL affinity: whole numbers are stored as integers.
    Real,
    /// The INTEGER PRIMARY KEY of a table with rowids: NULL is stored, and no value is given.
    Rowid,
}

/// The record of one row.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordDraft {
    types: Vec<u8>,
    body: Vec<u8>,
    longs: Vec<Long>,
    /// Length of all long values, in bytes.
    long_bytes: u64,
}

/// A value whose bytes are not there yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long {
    /// Where in the bytes that are there it belongs.
    pub(super) at: usize,
    /// In bytes.
    pub(super) length: u32,
}

impl RecordDraft {
    pub(super) fn clear(&mut self) {
        self.types.clear();
        self.body.clear();
        self.longs.clear();
        self.long_bytes = 0;
    }

    /// Adds a value of a column.
    #[inline]
    pub(super) fn value(&mut self, value: Value<'_>, column: Column) {
        match value {
            Value::Null => self.types.push(0),
            Value::Integer(integer) => self.integer(integer),
            Value::Real(real) if real.is_nan() => self.types.push(0),
            Value::Real(real) if column == Column::Real && is_whole(real) => self.integer(real as i64),
            Value::Real(real) => {
                self.types.push(7);
                self.body.put_u64(real.to_bits());
            }
            Value::Text(bytes) => {
                self.types.put_sqlite_varint(serial_type(true, bytes.len()));
                self.body.extend_from_slice(bytes);
            }
            Value::Blob(bytes) => {
                self.types.put_sqlite_varint(serial_type(false, bytes.len()));
                self.body.extend_from_slice(bytes);
            }
        }
    }

    /// Adds a text or blob whose bytes come later.
    pub(super) fn long(&mut self, is_text: bool, length: u32) {
        self.types.put_sqlite_varint(serial_type(is_text, length as usize));
        self.longs.push(Long { at: self.body.len(), length });
        self.long_bytes += u64::from(length);
    }

    fn integer(&mut self, integer: i64) {
        let serial_type = match integer {
            0 => 8,
            1 => 9,
            -0x80..0x80 => 1,
            -0x8000..0x8000 => 2,
            -0x80_0000..0x80_0000 => 3,
            -0x8000_0000..0x8000_0000 => 4,
            -0x8000_0000_0000..0x8000_0000_0000 => 5,
            _ => 6,
        };
        self.types.push(serial_type);
        let length = [0, 1, 2, 3, 4, 6, 8].get(usize::from(serial_type)).copied().unwrap_or(0);
        let bytes = integer.to_be_bytes();
        self.body.extend_from_slice(bytes.get(8 - length..).unwrap_or_default());
    }

    /// Writes what comes before the values into `head`: the length of the record, the rowid if there is one, the
    /// record's header. Gives the length of the record, and how many of its bytes `head` has at its end.
    ///
    /// # Errors
    /// `BuildRow` when the record is too long.
    #[inline]
    pub(super) fn head(&self, rowid: Option<i64>, head: &mut Vec<u8>) -> Result<(usize, usize)> {
        // The header's length counts itself.
        let header = match self.types.len() {
            types @ ..0x7f => types + 1,
            types @ 0x7f..0x3ffe => types + 2,
            types => types + 3,
        };
        let size = header as u64 + self.body.len() as u64 + self.long_bytes;
        let size = usize::try_from(size).ok().filter(|&size| size as u64 <= LONGEST).ok_or(ErrorKind::BuildRow)?;
        head.clear();
        head.put_sqlite_varint(size as i64);
        if let Some(rowid) = rowid {
            head.put_sqlite_varint(rowid);
        }
        head.put_sqlite_varint(header as i64);
        head.extend_from_slice(&self.types);
        Ok((size, header))
    }

    /// The whole record; `head` is room for its header.
    ///
    /// # Errors
    /// `BuildRow` when it is too long; `Usage` when some of its values are not there.
    pub(super) fn whole(&self, head: &mut Vec<u8>) -> Result<Vec<u8>> {
        if !self.longs.is_empty() {
            return Err(ErrorKind::Usage.into());
        }
        let (_, header) = self.head(None, head)?;
        let header = head.len().checked_sub(header).and_then(|start| head.get(start..)).unwrap_or_default();
        Ok([header, &self.body].concat())
    }

    /// The bytes of all values that are there.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The values that are not there, in order.
    pub(super) fn longs(&self) -> &[Long] {
        &self.longs
    }
}

fn serial_type(is_text: bool, length: usize) -> i64 {
    length as i64 * 2 + if is_text { 13 } else { 12 }
}

/// Minus zero is no integer: it would lose its sign.
fn is_whole(real: f64) -> bool {
    (-WHOLE..WHOLE).contains(&real) && real.trunc() == real && (real != 0.0 || real.is_sign_positive())
}

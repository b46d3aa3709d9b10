//! A record whose end is lost.

use super::cell::{size_of, types};
use crate::bytes::Reader;
use crate::error::ErrorKind;

/// Repairs a record of which only `bytes` are left: the value in which they end is shortened, and those behind it are NULL.
/// `None` when not even its header is there.
pub(super) fn shorten(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = Reader::new(bytes, 0, ErrorKind::BtreePage).sqlite_varint().ok()?;
    let body = usize::try_from(header).ok().filter(|&header| header <= bytes.len())?;
    let (mut new_types, mut end, mut is_cut) = (Vec::new(), body, false);
    for serial_type in types(bytes) {
        let size = size_of(serial_type)?;
        let left = if is_cut { 0 } else { bytes.len() - end };
        if size <= left {
            new_types.push(serial_type);
            end += size;
            continue;
        }
        is_cut = true;
        // Part of a number is none.
        let has_part = serial_type >= 12 && left > 0;
        new_types.push(if has_part { 12 + serial_type % 2 + 2 * left as i64 } else { 0 });
        end += if has_part { left } else { 0 };
    }
    let mut header = Vec::new();
    new_types.iter().for_each(|&serial_type| put_varint(&mut header, serial_type as u64));
    // The length of the header counts itself.
    let own = |size: usize| {
        if size < 128 {
            1
        } else if size < 16_384 {
            2
        } else {
            3
        }
    };
    let mut size = header.len() + 1;
    while size != header.len() + own(size) {
        size = header.len() + own(size);
    }
    let mut record = Vec::new();
    put_varint(&mut record, size as u64);
    record.append(&mut header);
    record.extend_from_slice(bytes.get(body..end)?);
    Some(record)
}

/// Appends SQLite's variable-length integer, of up to 56 bits.
fn put_varint(out: &mut Vec<u8>, value: u64) {
    let bits = 64 - (value | 1).leading_zeros();
    for index in (0..bits.div_ceil(7)).rev() {
        let more = if index > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * index)) as u8 & 0x7f | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btree::{Record, Value};
    use crate::page::Pgno;

    #[test]
    fn what_is_left_of_a_record_is_a_record() {
        // An integer of two bytes, text of five, a blob of three, and NULL.
        let record = [5, 2, 23, 18, 0, 1, 2, b'h', b'e', b'l', b'l', b'o', 7, 8, 9];
        let values = |bytes: &[u8]| -> Vec<String> {
            let shortened = shorten(bytes).unwrap();
            let record = Record::parse(&shortened, Pgno::FIRST).unwrap();
            record
                .values()
                .map(|value| match value.unwrap() {
                    Value::Null => "NULL".to_owned(),
                    Value::Integer(integer) => integer.to_string(),
                    Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                })
                .collect()
        };
        assert_eq!(values(&record), ["258", "hello", "Blob([7, 8, 9])", "NULL"]);
        assert_eq!(values(&record[..13]), ["258", "hello", "Blob([7])", "NULL"]);
        assert_eq!(values(&record[..9]), ["258", "he", "NULL", "NULL"]);
        assert_eq!(values(&record[..6]), ["NULL", "NULL", "NULL", "NULL"]);
        assert_eq!(shorten(&record[..4]), None);
    }
}

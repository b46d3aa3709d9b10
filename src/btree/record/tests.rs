//! Every value of tables that SQLite wrote, and records made by hand.

use rusqlite::types::ValueRef;

use super::*;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random, Sample};
use crate::btree::{BtreePage, Cell, Payload};

#[test]
fn values_are_those_that_sqlite_reads() {
    for page_size in PAGE_SIZES {
        for encoding in ENCODINGS {
            for reserved in [0, 32] {
                check_values(&sample(page_size, reserved, encoding));
            }
        }
    }
}

/// Values of every serial type; text and blobs of every length that matters to overflow, up to three pages.
fn sample(page_size: u32, reserved: u8, encoding: &str) -> Sample {
    let integers = (0..63).flat_map(|bit| [1i64 << bit, -(1i64 << bit), (1i64 << bit) - 1, -(1i64 << bit) - 1]);
    let reals = [0.5, -1.5e300, 5e-324, f64::INFINITY, 3.0, f64::NAN];
    let random = &mut Random(u64::from(page_size) + 1);
    // Three pages of bytes at most: a character here takes about three.
    let long = (0..if page_size > 4096 { 10 } else { 40 }).map(|_| random.below(page_size as usize));
    let lengths = (0..20).chain(long);
    Sample::new(page_size, reserved, |db| {
        db.execute_batch(&format!(
            "PRAGMA encoding = '{encoding}';
             CREATE TABLE rows (a, b, c);
             CREATE TABLE keys (k INTEGER PRIMARY KEY, a, b, c) WITHOUT ROWID;
             BEGIN"
        ))
        .unwrap();
        let mut insert = db.prepare("INSERT INTO rows VALUES (?, ?, ?)").unwrap();
        for integer in integers.chain([i64::MIN, i64::MAX]) {
            insert.execute((integer, None::<i64>, integer.wrapping_neg())).unwrap();
        }
        for real in reals {
            insert.execute((real, 0, 1)).unwrap();
        }
        for length in lengths {
            let text: String = "aé漢😀".chars().cycle().take(length).collect();
            insert.execute((text, vec![length as u8; length], length as u32)).unwrap();
        }
        db.execute_batch("INSERT INTO keys SELECT rowid * 7 % 1009, * FROM rows; COMMIT").unwrap();
    })
}

fn check_values(sample: &Sample) {
    let encoding = Encoding::new(sample.header.encoding);
    for (table, columns) in [("rows", 3), ("keys", 4)] {
        let root = sample
            .db
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table], |row| row.get(0))
            .unwrap();
        let mut records = Vec::new();
        collect(sample, Pgno::new(root).unwrap(), &mut records);
        let mut select = sample.db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let mut rows = select.query([]).unwrap();
        for (payload, pgno) in &records {
            let row = rows.next().unwrap().unwrap();
            let values: Vec<_> = Record::parse(payload, *pgno).unwrap().values().collect::<Result<_>>().unwrap();
            assert_eq!(values.len(), columns);
            for (column, value) in values.iter().enumerate() {
                assert!(is_same(*value, row.get_ref(column).unwrap(), encoding), "{table}: {value:?}");
            }
        }
        assert!(rows.next().unwrap().is_none());
    }
}

/// The records of a b-tree in key order, with the pages they are on.
fn collect(sample: &Sample, pgno: Pgno, records: &mut Vec<(Vec<u8>, Pgno)>) {
    let page = BtreePage::parse(sample.page(pgno), pgno, sample.layout()).unwrap();
    for cell in page.cells() {
        match cell.unwrap() {
            Cell::TableInterior { child, .. } => collect(sample, child, records),
            Cell::TableLeaf { payload, .. } | Cell::IndexLeaf { payload } => {
                records.push((whole(sample, payload), pgno));
            }
            Cell::IndexInterior { child, payload } => {
                collect(sample, child, records);
                records.push((whole(sample, payload), pgno));
            }
        }
    }
    if let Some(child) = page.right_most() {
        collect(sample, child, records);
    }
}

fn whole(sample: &Sample, payload: Payload<'_>) -> Vec<u8> {
    let mut bytes = payload.local.to_vec();
    let mut overflow = payload.overflow;
    while let Some(rest) = overflow {
        let (more, rest) = rest.step(sample.page(rest.next), sample.layout()).unwrap();
        bytes.extend_from_slice(more);
        overflow = rest;
    }
    assert_eq!(bytes.len(), payload.size);
    bytes
}

fn is_same(ours: Value<'_>, sqlites: ValueRef<'_>, encoding: Encoding) -> bool {
    match (ours, sqlites) {
        (Value::Null, ValueRef::Null) => true,
        (Value::Integer(ours), ValueRef::Integer(sqlites)) => ours == sqlites,
        (Value::Real(ours), ValueRef::Real(sqlites)) => ours.to_bits() == sqlites.to_bits(),
        (Value::Text(ours), ValueRef::Text(sqlites)) => {
            let text = encoding.decode(ours).unwrap();
            text == encoding.decode_lossy(ours) && text.as_bytes() == sqlites
        }
        (Value::Blob(ours), ValueRef::Blob(sqlites)) => ours == sqlites,
        _ => false,
    }
}

fn values(payload: &[u8]) -> Result<Vec<Value<'_>>> {
    Record::parse(payload, Pgno::FIRST)?.values().collect()
}

#[test]
fn a_stored_nan_reads_as_null() {
    assert_eq!(values(&[2, 7, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1]), Ok(vec![Value::Null]));
}

#[test]
fn a_header_of_more_than_127_bytes_says_so_in_two() {
    let payload = [&[0x81, 0x02][..], &[9; 128]].concat();
    assert_eq!(values(&payload), Ok(vec![Value::Integer(1); 128]));
}

#[test]
fn an_empty_record_has_no_values() {
    assert_eq!(values(&[1]), Ok(vec![]));
}

#[test]
fn damaged_records_are_refused_after_the_values_before() {
    let damaged = damaged(Pgno::FIRST);
    // No header, a header of 0 or of more than there is, reserved and negative types, a value or a varint cut off.
    let negative = [11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
    let cases: [&[u8]; 9] = [&[], &[0], &[3, 0], &[2, 10], &[2, 11], &negative, &[2, 1], &[2, 14], &[2, 0x80]];
    for payload in cases {
        assert_eq!(values(payload), Err(damaged), "{payload:?}");
    }
    let record = Record::parse(&[4, 9, 10, 9], Pgno::FIRST).unwrap();
    assert_eq!(record.values().collect::<Vec<_>>(), [Ok(Value::Integer(1)), Err(damaged)]);
}

#[test]
fn the_bytes_needed_are_told_from_the_header_alone() {
    let record = [5, 1, 0x81, 0x0d, 9, 7, 1, 2, 3];
    let needed = |length, columns| bytes_needed(&record[..length], columns, Pgno::FIRST);
    assert_eq!(needed(1, 1), Ok(5));
    assert_eq!(needed(5, 0), Ok(5));
    assert_eq!(needed(5, 1), Ok(6));
    assert_eq!(needed(5, 2), Ok(6 + 64));
    assert_eq!(needed(5, 9), Ok(6 + 64));
    assert!(needed(0, 1).is_err());
    let hostile = [10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(bytes_needed(&hostile, 1, Pgno::FIRST).is_err());
}

#[test]
fn what_is_not_text_is_told_and_replaced() {
    assert_eq!(Encoding::Utf8.decode(b"a\xffb"), None);
    assert_eq!(Encoding::Utf8.decode_lossy(b"a\xffb"), "a\u{fffd}b");
    // A surrogate alone, and half a unit.
    for (encoding, bytes) in [(Encoding::Utf16Le, b"a\0\0\xd8b\0c"), (Encoding::Utf16Be, b"\0a\xd8\0\0bc")] {
        assert_eq!(encoding.decode(bytes), None);
        assert_eq!(encoding.decode(&bytes[..3]), None);
        assert_eq!(encoding.decode_lossy(bytes), "a\u{fffd}b\u{fffd}");
    }
}

#[test]
fn an_encoding_is_what_sqlite_takes_it_for() {
    let of = |encoding: u32| Encoding::new(encoding);
    assert_eq!([0, 1, 4, 9].map(of), [Encoding::Utf8; 4]);
    assert_eq!(
        [2, 6, 3, u32::MAX].map(of),
        [Encoding::Utf16Le, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Utf16Be]
    );
}

//! Rows too long for a statement, in D1's dialect, and for memory, in all of them.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::against_the_shell::EVERYTHING;
use super::d1::{d1_options, round_trip};
use super::*;
use crate::btree::entries::MAX_WHOLE;
use crate::btree::sample::{ENCODINGS, Random, Sample};
use crate::error::{Error, ErrorKind};

/// Texts that are hard to cut or to quote, `size` characters and a bit.
fn texts(size: usize) -> Vec<String> {
    ["x", "'", "\r", "\\r\\015\r\n", "ä", "€", "😀", "a😀", "ab\0", "\n"]
        .iter()
        .map(|part| part.repeat(size / part.chars().count() + 1))
        .collect()
}

/// Puts long values of every kind into a table, alone and next to each other.
fn fill(db: &Connection, encoding: &str, size: usize) {
    db.execute_batch(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n REAL DEFAULT 5, b, CHECK (length(CAST(b AS BLOB)) > 100), UNIQUE (a, b));
         CREATE TABLE k (a TEXT, s ANY AS (substr(b, 1, 5)) STORED, b ANY, c ANY, PRIMARY KEY (c, a)) WITHOUT ROWID, STRICT;",
    )
    .unwrap();
    let mut random = Random(size as u64);
    let mut blob = |size: usize| Value::Blob((0..size).map(|_| random.next() as u8).collect());
    let mut values: Vec<Value> = texts(size).into_iter().map(Value::Text).collect();
    let text_count = values.len();
    values.extend([blob(size), blob(size + 1), blob(2 * size - 1)]);
    for (index, value) in values.iter().enumerate() {
        let other = &values[(index * 7 + 3) % text_count];
        let row = rusqlite::params!["short", 0.5, value];
        db.execute("INSERT INTO t (a, n, b) VALUES (?1 || ?2, ?2 + 1, ?3)", row).unwrap();
        db.execute("INSERT INTO t (a, n, b) VALUES (?1 || 'x', 3, ?2)", [other, value]).unwrap();
        db.execute("INSERT INTO k (a, b, c) VALUES ('key', ?2, ?1)", (index as i64, value)).unwrap();
    }
    // Not valid in their encoding.
    let broken = if encoding == "UTF-8" { "c3" } else { "00d8" };
    let broken = format!(
        "INSERT INTO t (a, b) VALUES ('broken', CAST(unhex(replace(hex(zeroblob({size})), '00', '{broken}')) AS TEXT))"
    );
    db.execute_batch(&broken).unwrap();
}

#[test]
fn b24_d1_gets_long_values_in_pieces() {
    for (encoding, sizes) in ENCODINGS.into_iter().zip([[49_871, 300_000], [30_000, 100_000], [20_000, 49_871]]) {
        for size in sizes {
            let sample = Sample::new(4096, 0, |db| {
                db.execute_batch(&format!("PRAGMA encoding = '{encoding}'")).unwrap();
                fill(db, "UTF-8", size);
                db.execute_batch("INSERT INTO t (a, b) VALUES ('longest', zeroblob(1900000))").unwrap();
            });
            let (statements, _) = round_trip(&sample);
            assert!(statements.iter().any(|sql| sql.starts_with("DROP TABLE \"pieces0\"")));
        }
    }
}

#[test]
fn b24_rows_too_long_for_memory_are_the_same_after_loading() {
    for (encoding, page_size) in ENCODINGS.into_iter().zip([512, 4096, 65536]) {
        let sample = Sample::new(page_size, 0, |db| {
            db.execute_batch(&format!("PRAGMA encoding = '{encoding}'")).unwrap();
            fill(db, encoding, 2000);
            let columns: Vec<String> = (0..900).map(|n| format!("c{n} DEFAULT 'd{n}'")).collect();
            db.execute_batch(&format!(
                "CREATE TABLE wide ({}); INSERT INTO wide (c0, c1, c899) VALUES (1.5, zeroblob({1}), 'end');
                 ALTER TABLE wide ADD COLUMN late DEFAULT 'late';
                 INSERT INTO t (a, b) VALUES ('33', randomblob({2})), ('text', hex(randomblob({1} / 2))), ('odd', randomblob({1} + 1));
                 INSERT INTO k (a, b, c) VALUES ('blobs', randomblob(5 << 20), randomblob(5000001)), (hex(randomblob({1} / 2)), 5, 5);
                 CREATE TABLE pieces0 (x); INSERT INTO pieces0 VALUES ('not ours');",
                columns.join(","),
                MAX_WHOLE,
                // More pieces than are put together at once.
                if page_size == 4096 { 33 << 20 } else { 9 << 20 },
            ))
            .unwrap();
        });
        let warnings = super::round_trip::round_trip(&sample, &format!("long-{page_size}"));
        assert_eq!(warnings, [""; 0]);
    }
}

#[test]
fn b24_the_shells_own_dialect_has_long_blobs_too() {
    let sample = Sample::of(
        4096,
        &format!(
            "CREATE TABLE t (a, b, c); INSERT INTO t VALUES ('before', randomblob({0}), 'after' || char(10)), (1, 2, 3);
             CREATE TABLE k (a, b, c PRIMARY KEY) WITHOUT ROWID; INSERT INTO k VALUES (randomblob({0}), 'x' || char(13), randomblob(2000000));",
            MAX_WHOLE + 1
        ),
    );
    for (shell, program) in shells() {
        let ours = dump(&sample.bytes, &shell_options(shell)).unwrap().0;
        assert_same(&ours, &shell_dump(&program, sample.path()), &format!("{shell:?}"));
    }
    let sample =
        Sample::of(4096, &format!("CREATE TABLE t (a); INSERT INTO t VALUES (hex(zeroblob({MAX_WHOLE} / 2 + 1)))"));
    let error = dump(&sample.bytes, &shell_options(Shell::V3_54)).unwrap_err();
    assert_eq!((error.kind, error.at), (ErrorKind::TextSize, Error::at_page(ErrorKind::TextSize, 2).at));
}

#[test]
fn b24_a_long_row_that_is_damaged_is_left_out_whole() {
    let sample = Sample::of(
        4096,
        &format!(
            "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'before'), (randomblob({0}), 'long'), (3, 'after'), (randomblob({0}), 'whole');",
            MAX_WHOLE + 100_000
        ),
    );
    // The first chain ends in page 1, which is none of it, after some pieces were written.
    let mut bytes = sample.bytes.clone();
    bytes[1000 * 4096..1000 * 4096 + 4].copy_from_slice(&0u32.to_be_bytes());
    let options = |dialect, salvage| Options { dialect, salvage, ..Options::default() };
    for dialect in [Dialect::Sqlite, Dialect::D1, Dialect::Shell(Shell::V3_40)] {
        let error = dump(&bytes, &options(dialect, false)).unwrap_err();
        assert_eq!(error, Error::at_page(ErrorKind::BtreePage, 1001));
        let (sql, warnings) = dump(&bytes, &options(dialect, true)).unwrap();
        assert_eq!(warnings[0], "t: page 1001 is damaged, and what it held is left out");
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(core::str::from_utf8(&sql).unwrap()).unwrap();
        let rows = |db: &Connection, from: &str| -> Vec<(String, Vec<u8>)> {
            let mut statement = db.prepare(&format!("SELECT b, CAST(a AS BLOB) FROM t {from}")).unwrap();
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(rows(&db, ""), rows(&sample.db, "WHERE b <> 'long'"), "{dialect:?}");
        let mut left = db.prepare("SELECT name FROM sqlite_schema").unwrap();
        let left: Vec<String> = left.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(left, ["t"]);
    }
}

#[test]
fn b24_pieces_come_only_where_they_are_needed() {
    let sample = Sample::of(4096, EVERYTHING);
    let (sql, _) = dump(&sample.bytes, &Options::default()).unwrap();
    assert!(!String::from_utf8_lossy(&sql).contains("pieces0"));
    let (sql, _) = dump(&sample.bytes, &d1_options()).unwrap();
    assert!(String::from_utf8_lossy(&sql).contains("pieces0"));
}

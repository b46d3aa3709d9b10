//! Two pages of a database, each in the place of the other: both are sound, so that no row may be lost.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::*;
use crate::btree::sample::Sample;

/// Rows with a marker each, which no index has.
fn sample(page_size: u32) -> Sample {
    Sample::new(page_size, 0, |db| {
        db.execute_batch(
            "CREATE TABLE plain (m TEXT, c REAL, b BLOB); CREATE INDEX of_plain ON plain (c);
             CREATE TABLE empty (m TEXT, c REAL, b BLOB); CREATE INDEX of_empty ON empty (b);
             CREATE TABLE alias (id INTEGER PRIMARY KEY, m TEXT, c TEXT); CREATE INDEX of_alias ON alias (c);
             CREATE TABLE one (id INTEGER PRIMARY KEY, m TEXT, c BLOB); CREATE INDEX of_one ON one (c);
             CREATE TABLE keys (k TEXT PRIMARY KEY, m TEXT, n INT) WITHOUT ROWID; CREATE INDEX of_keys ON keys (n);
             CREATE TABLE few (k TEXT PRIMARY KEY, m TEXT, c TEXT) WITHOUT ROWID; CREATE INDEX of_few ON few (c);
             WITH RECURSIVE of (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM of WHERE n < 60)
             INSERT INTO plain SELECT 'm' || n, n / 3.0, x'00ff' FROM of;
             INSERT INTO alias SELECT rowid * 3, 'm1' || m, 'text ' || m FROM plain;
             INSERT INTO one SELECT rowid, 'm2' || m, x'0102' FROM plain WHERE rowid < 6;
             INSERT INTO keys SELECT 'key ' || m, 'm3' || m, rowid * 1000 FROM plain;
             INSERT INTO few SELECT 'key ' || m, 'm4' || m, 'text' FROM plain WHERE rowid < 8;",
        )
        .unwrap();
    })
}

/// The markers in all columns of all tables.
fn markers(db: &Connection) -> BTreeSet<String> {
    let names = |sql: &str| -> Vec<String> {
        let mut statement = db.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let columns = tables.iter().flat_map(|table| {
        let columns = names(&format!("SELECT name FROM pragma_table_info('{table}')"));
        columns.into_iter().map(move |column| (table, column))
    });
    let of_column = |(table, column)| names(&format!("SELECT {column} FROM {table} WHERE {column} GLOB 'm[0-9]*'"));
    columns.flat_map(of_column).collect()
}

#[test]
fn with_two_pages_in_each_others_place_no_row_is_lost() {
    for page_size in [512, 1024] {
        swap_all(&sample(page_size));
    }
}

fn swap_all(sample: &Sample) {
    let (size, count) = (sample.header.page_size.bytes(), sample.page_count() as usize);
    let all = markers(&sample.db);
    assert_eq!(all.len(), 60 * 3 + 5 + 7);
    for one in 1..count {
        for other in one + 1..count {
            let mut bytes = sample.bytes.clone();
            let (before, after) = bytes.split_at_mut(other * size);
            before[one * size..][..size].swap_with_slice(&mut after[..size]);
            let what = format!("pages {} and {}", one + 1, other + 1);
            let ran = run(&bytes, &options(Dialect::Sqlite, true)).unwrap();
            ran.ended.unwrap();
            let db = Connection::open_in_memory().unwrap();
            db.execute_batch(&String::from_utf8(ran.sql).unwrap()).unwrap();
            let lost: Vec<_> = all.difference(&markers(&db)).cloned().collect();
            assert!(lost.is_empty(), "{what}: {lost:?}; {:?}", ran.warnings);
        }
    }
}

/// Entries of an index on a table WITHOUT ROWID end with the key, whose columns stand there twice where the index has another
/// collation for them.
#[test]
fn of_a_sound_database_nothing_is_taken_for_lost() {
    let indexes =
        ["k COLLATE NOCASE", "k", "a", "a, k COLLATE BINARY", "k COLLATE NOCASE, a", "a || k, k COLLATE RTRIM"];
    let keys =
        ["PRIMARY KEY (k)", "PRIMARY KEY (a, k COLLATE NOCASE)", "PRIMARY KEY (\"K\" COLLATE binary, a DESC, k)"];
    for (index, key) in indexes.iter().flat_map(|index| keys.map(|key| (index, key))) {
        let sample = Sample::new(512, 0, |db| {
            db.execute_batch(&format!(
                "CREATE TABLE t (k TEXT, a TEXT COLLATE NOCASE, b TEXT UNIQUE, c TEXT, {key}) WITHOUT ROWID; CREATE INDEX i ON t ({index});
                 WITH RECURSIVE of (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM of WHERE n < 99)
                 INSERT INTO t SELECT 'key ' || n, 'a' || n, 'b' || n, 'c' FROM of;"
            ))
            .unwrap();
        });
        let ran = run(&sample.bytes, &options(Dialect::Sqlite, true)).unwrap();
        ran.ended.unwrap();
        assert_eq!(ran.warnings, [""; 0], "{index}, {key}");
        assert!(!String::from_utf8(ran.sql).unwrap().contains("lost_and_found"), "{index}, {key}");
    }
}

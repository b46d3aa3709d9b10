//! Rows of a damaged database that the table that they belong to does not take: they are in `lost_and_found`.

use rusqlite::Connection;

use super::*;
use crate::btree::sample::Sample;

/// The root of `t`.
fn root(sample: &Sample) -> usize {
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 't'";
    sample.db.query_row(root, [], |row| row.get::<_, u32>(0)).unwrap() as usize
}

fn zero(bytes: &mut [u8], pgno: usize) {
    bytes[(pgno - 1) * 1024..][..1024].fill(0);
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// What `select` gives once the SQL of a salvage was loaded, and what was said.
fn salvaged(bytes: &[u8], dialect: Dialect, select: &str) -> (Vec<String>, Vec<String>) {
    let ran = run(bytes, &options(dialect, true)).unwrap();
    ran.ended.unwrap();
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
    let views = "SELECT count(*) FROM sqlite_schema WHERE type IN ('view', 'trigger')";
    assert_eq!(db.query_row(views, [], |row| row.get::<_, i64>(0)), Ok(0));
    let mut statement = db.prepare(select).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    (rows.map(Result::unwrap).collect(), ran.warnings)
}

#[test]
fn rows_of_lost_pages_that_break_a_constraint_are_kept() {
    let mut sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL CHECK (a <> 'n700'), u INT UNIQUE);
        PRAGMA ignore_check_constraints = ON; BEGIN;"
        .to_owned();
    (0..900).for_each(|row| sql += &format!("INSERT INTO t VALUES ({row}, 'n{row}', {row} + 10000);"));
    let sample = Sample::of(1024, &(sql + "COMMIT"));
    let mut bytes = sample.bytes.clone();
    // 'n500' becomes NULL, in as many bytes; 10600 becomes 10601.
    replace(&mut bytes, &[4, 0, 21, 2, b'n', b'5', b'0', b'0'], &[4, 0, 0, 5]);
    replace(&mut bytes, &[b'n', b'6', b'0', b'0', 41, 104], &[b'n', b'6', b'0', b'0', 41, 105]);
    // Without its root all rows are in pages that nothing points to.
    zero(&mut bytes, root(&sample));
    let lost = "SELECT id || ':' || quote(c1) || ':' || c2 FROM lost_and_found WHERE rootpgno = 2 ORDER BY id";
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let (rows, warnings) = salvaged(&bytes, dialect, lost);
        assert!(rows.contains(&"601:'n601':10601".to_owned()), "{dialect:?}: {rows:?}");
        // Over what was loaded before, too.
        let again = run(&bytes, &Options { drop: true, ..options(dialect, true) }).unwrap().sql;
        let db = Connection::open_in_memory().unwrap();
        (0..2).for_each(|_| db.execute_batch(core::str::from_utf8(&again).unwrap()).unwrap());
        let (count, _) = salvaged(
            &bytes,
            dialect,
            "SELECT '' || ((SELECT count(*) FROM t) + (SELECT count(*) FROM lost_and_found))",
        );
        assert_eq!(count, ["900"], "{dialect:?}: {warnings:?}");
        assert!(
            warnings.iter().any(|said| said.ends_with("those that the table refuses are in lost_and_found")),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_row_with_the_rowid_of_another_takes_its_place_from_none() {
    let mut sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a); BEGIN;".to_owned();
    (1..100).for_each(|row| sql += &format!("INSERT INTO t VALUES ({row}, 'n{row}');"));
    let sample = Sample::of(1024, &(sql + "COMMIT"));
    let mut bytes = sample.bytes.clone();
    // The rowid before the record of 'n30'.
    replace(&mut bytes, &[30, 3, 0, 19, b'n', b'3', b'0'], &[42]);
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let (rows, warnings) =
            salvaged(&bytes, dialect, "SELECT a FROM t WHERE id IN (30, 42) UNION ALL SELECT c1 FROM lost_and_found");
        assert_eq!(rows, ["n42", "n30"]);
        assert_eq!(
            warnings,
            [
                "t: 1 rows have rowids out of order, which may be wrong; those that another row has are in lost_and_found"
            ]
        );
    }
    // Where no row has it, it goes in.
    replace(&mut bytes, &[42, 3, 0, 19, b'n', b'3', b'0'], &[127]);
    assert_eq!(salvaged(&bytes, Dialect::Sqlite, "SELECT a || id FROM t WHERE id > 98").0, ["n9999", "n30127"]);
}

#[test]
fn free_pages_are_looked_through_where_single_rows_are_lost() {
    let mut sql =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE old (id INTEGER PRIMARY KEY, a); BEGIN;".to_owned();
    (1..400).for_each(|row| sql += &format!("INSERT INTO t VALUES ({row}, 'n{row}');"));
    let sample = Sample::of(1024, &(sql + "INSERT INTO old SELECT * FROM t; COMMIT; DROP TABLE old"));
    let mut bytes = sample.bytes.clone();
    // Its length in the record is another. Page 4 is the first leaf.
    replace(&mut bytes[3 * 1024..], &[3, 0, 19, b'n', b'3', b'0'], &[3, 0, 99]);
    let (rows, _) = salvaged(&bytes, Dialect::Sqlite, "SELECT count(*) || '' FROM lost_and_found");
    assert!(rows[0].parse::<u32>().unwrap() > 100, "{rows:?}");
}

#[test]
fn rows_with_the_key_of_another_are_kept_where_no_page_is_damaged() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, c1 TEXT UNIQUE, c2); CREATE TABLE p (k TEXT PRIMARY KEY, c2);
        CREATE TABLE w (k TEXT PRIMARY KEY, c2) WITHOUT ROWID; CREATE TABLE n (id INTEGER PRIMARY KEY, c1);
        INSERT INTO t VALUES (1, 'k111', 'one'), (2, 'k222', 'two'); INSERT INTO p VALUES ('p111', 'one'), ('p222', 'two');
        INSERT INTO w VALUES ('w111', 'one'), ('w222', 'two');";
    let mut bytes = Sample::of(1024, sql).bytes;
    for (from, to) in [(b"k222two", b"k111two"), (b"p222two", b"p111two"), (b"w222two", b"w111two")] {
        replace(&mut bytes, from, to);
    }
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let all = "SELECT c2 FROM t UNION ALL SELECT c2 FROM p UNION ALL SELECT c2 FROM w";
        assert_eq!(salvaged(&bytes, dialect, all).0, ["one", "one", "one"]);
        let lost = "SELECT concat_ws(',', nfield, id, c0, c1, c2) FROM lost_and_found ORDER BY 1";
        assert_eq!(salvaged(&bytes, dialect, lost).0, ["2,2,p111,two", "2,w111,two", "3,2,k111,two"]);
    }
}

#[test]
fn a_table_whose_types_were_edited_in_the_schema_keeps_its_rows() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, z INT); CREATE TABLE w (k INT PRIMARY KEY, v) WITHOUT ROWID;
        WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO t SELECT i, i * i FROM n;
        INSERT INTO w SELECT * FROM t; PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(replace(sql, 'INT)', 'TEXT)'), 'INT P', 'TEXT P');";
    let counts = "SELECT (SELECT count(*) FROM t) || ' ' || (SELECT count(*) FROM w)";
    let bytes = Sample::of(1024, sql).bytes;
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let (rows, warnings) = salvaged(&bytes, dialect, counts);
        assert_eq!(rows, ["900 900"], "{warnings:?}");
    }
}

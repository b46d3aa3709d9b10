//! Rows of a damaged database that the table that they belong to does not take: they are in `lost_and_found`.

use rusqlite::Connection;

use super::*;
use crate::btree::sample::{ENCODINGS, Sample};

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
        let (rows, warnings) = salvaged(&bytes, dialect, all);
        assert_eq!(rows, ["one", "one", "one"]);
        let said = |table| {
            format!(
                "{table}: at least 1 rows have a key that another row has, though it is UNIQUE: they are in lost_and_found"
            )
        };
        assert_eq!(warnings, ["t", "p", "w"].map(said));
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

#[test]
fn a_sound_database_gets_no_table_of_lost_rows() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b COLLATE NOCASE, c REAL, UNIQUE (b, c));
        CREATE TABLE w (k TEXT PRIMARY KEY COLLATE RTRIM, n INT, x AS (n + 1)) WITHOUT ROWID; CREATE TABLE p (k PRIMARY KEY, old);
        INSERT INTO t VALUES (1, 'a', 'x', 1), (2, 'A', 'X', 1.5), (3, 'a ', 'x', NULL), (4, NULL, 'x', NULL), (5, NULL, 'y', 2);
        INSERT INTO w VALUES ('k', 1), (' k', 1); INSERT INTO p VALUES (1, 1), ('1', 1), (x'31', 1), (1.5, 1), (NULL, 1), (NULL, 1);
        INSERT INTO p VALUES (9007199254740993, 1), (9007199254740992, 1), (hex(zeroblob(3000)), 1);
        ALTER TABLE p ADD COLUMN new; CREATE UNIQUE INDEX i ON p (new, k); CREATE UNIQUE INDEX j ON w (n) WHERE n > 5;
        CREATE UNIQUE INDEX e ON w (lower(k)); CREATE TABLE g (a, b AS (a + 1), UNIQUE (a)); INSERT INTO g VALUES (1), (2);";
    for encoding in ENCODINGS {
        let sample = Sample::of(1024, &format!("PRAGMA encoding = '{encoding}'; {sql}"));
        let schema = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL";
        let expected: Vec<String> = {
            let mut statement = sample.db.prepare(schema).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        for dialect in [Dialect::Sqlite, Dialect::D1] {
            let (objects, warnings) = salvaged(&sample.bytes, dialect, schema);
            assert_eq!(warnings, [""; 0], "{dialect:?} {encoding}");
            let sorted = |mut objects: Vec<String>| {
                objects.sort();
                objects
            };
            assert_eq!(sorted(objects), sorted(expected.clone()), "{dialect:?} {encoding}");
        }
    }
}

#[test]
fn rows_that_an_index_of_their_table_refuses_are_kept() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE TABLE n (k UNIQUE); CREATE UNIQUE INDEX i ON t (a);
        CREATE TABLE d (a, gone); CREATE UNIQUE INDEX j ON d (a) WHERE gone IS NULL; CREATE UNIQUE INDEX l ON d (lower(a) || '!', gone);
        INSERT INTO t VALUES (1, 'k111', 'one'), (2, 'k222', 'two'); INSERT INTO d VALUES ('d111', NULL), ('d222', 'yes');";
    let mut bytes = Sample::of(1024, sql).bytes;
    replace(&mut bytes, b"k222two", b"k111two");
    for dialect in [Dialect::Sqlite, Dialect::D1, Dialect::Shell(Shell::V3_54)] {
        assert_eq!(
            salvaged(&bytes, dialect, "SELECT b FROM t UNION ALL SELECT c2 FROM lost_and_found").0,
            ["one", "two"]
        );
        assert_eq!(
            salvaged(&bytes, dialect, "SELECT count(*) || '' FROM sqlite_schema WHERE name IN ('i', 'j', 'l')").0,
            ["3"]
        );
    }
}

#[test]
fn what_a_table_refuses_that_is_too_wide_for_a_table_of_lost_rows_is_said() {
    let columns = (0..98).map(|index| format!(", c{index}")).collect::<String>();
    let sql = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT UNIQUE{columns}); INSERT INTO t (k, c0) VALUES ('k111', 'one'), ('k222', 'two')"
    );
    let mut bytes = Sample::of(4096, &sql).bytes;
    assert_eq!(salvaged(&bytes, Dialect::D1, "SELECT k FROM t").1, [""; 0]);
    // With the NULLs behind them these are where the values are.
    replace(&mut bytes, b"k222two", b"k111two");
    let (rows, warnings) = salvaged(&bytes, Dialect::D1, "SELECT c0 FROM t");
    assert_eq!(rows, ["one"]);
    assert_eq!(
        warnings,
        [
            "t: at least 1 rows have a key that another row has, though it is UNIQUE: they are left out, as lost_and_found cannot have as many columns (1,995, in the d1 dialect 96)"
        ]
    );
    let all = "SELECT c0 FROM t UNION ALL SELECT c2 FROM lost_and_found";
    assert_eq!(salvaged(&bytes, Dialect::Sqlite, all).0, ["one", "two"]);
}

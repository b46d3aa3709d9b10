//! Tables that SQLite does not take, told from all that it takes; SQLite itself is the judge.

use super::schema_sql::{mutate, with_sql};
use super::*;
use crate::dump::malformed_table::{self, Fault};
use crate::dump::parser;
use crate::dump::schema::{Kind, Object};

fn fault_of(sql: &str) -> Option<Fault> {
    let (name, table) = ("t".to_owned(), "t".to_owned());
    malformed_table::fault_of(&Object { kind: Kind::Table, name, table, root: None, sql: None }, sql)
}

/// What SQLite says of the SQL of a table, and of a row with nothing in it.
fn refusal(sql: &str) -> Option<String> {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    let made = db
        .execute_batch("PRAGMA foreign_keys=OFF")
        .and_then(|()| db.execute_batch(sql))
        .and_then(|()| db.execute_batch("INSERT INTO t DEFAULT VALUES"));
    let said = made.err().map(|error| error.to_string());
    // What the row is refused for is another matter.
    said.filter(|said| !said.contains("constraint failed") && !said.contains("datatype mismatch"))
}

/// Tables of odd but valid SQL.
const VALID: [&str; 24] = [
    "CREATE TABLE t(a, b, CHECK (\"text\" <> a AND t.a > main.t.b AND rowid > 0 AND oid IS NOT _rowid_))",
    "CREATE TABLE t(key, \"order\" INT, CHECK (key > 1 AND [order] < 3 AND `key` NOT IN (1, 2)))",
    "CREATE TABLE t(a INTEGER, PRIMARY KEY (a AUTOINCREMENT))",
    "CREATE TABLE t(a \"INTEGER\" PRIMARY KEY AUTOINCREMENT, b)",
    "CREATE TABLE t(a INTEGER PRIMARY KEY ASC AUTOINCREMENT NOT NULL UNIQUE, b DEFAULT 1 DEFAULT 2)",
    "CREATE TABLE t(a INTEGER, b, PRIMARY KEY (a DESC), UNIQUE (a, a, b COLLATE nocase DESC))",
    "CREATE TABLE t(a, b, c AS (b) STORED, d AS (c || a) VIRTUAL, e AS (d), f GENERATED ALWAYS AS (e))",
    "CREATE TABLE t(a, b AS (CASE WHEN a THEN CAST(a AS big b (3)) ELSE 'b' COLLATE nocase END))",
    "CREATE TABLE t(b, c AS (CAST(b AS c)), d AS (b COLLATE binary), \"nocase\" AS (b COLLATE nocase))",
    "CREATE TABLE t(a, abs AS (abs(a)), e AS (\"a\" || 'e'), f AS (json_extract(a, '$.f') -> 'f'))",
    "CREATE TABLE t(a DEFAULT x, b DEFAULT \"y\", c DEFAULT [z], d DEFAULT TRUE, e DEFAULT (false), f DEFAULT CURRENT_TIME)",
    "CREATE TABLE t(a DEFAULT (random()), b DEFAULT (CAST(1 AS my type(3))), c DEFAULT ('x' COLLATE nocase), d DEFAULT (+-1))",
    "CREATE TABLE t(a DEFAULT (datetime('now', 'localtime')), b DEFAULT (CURRENT_TIMESTAMP), c DEFAULT (1 IN (1, 2)))",
    "CREATE TABLE t(a REFERENCES other(zz) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, b REFERENCES t, c REFERENCES nosuch)",
    "CREATE TABLE t(a, b, FOREIGN KEY (a, b) REFERENCES other, FOREIGN KEY (\"B\", [a]) REFERENCES other(x, y) MATCH FULL)",
    "CREATE TABLE t(a INT, b ANY, c \"TEXT\", d BLOB, e REAL, f integer PRIMARY KEY) STRICT",
    "CREATE TABLE t(a TEXT, b INT AS (a) STORED, PRIMARY KEY (a)) WITHOUT ROWID, STRICT",
    "CREATE TABLE t(a CONSTRAINT x, b CONSTRAINT y CONSTRAINT z NOT NULL ON CONFLICT REPLACE DEFAULT 3)",
    "CREATE TABLE t(a PRIMARY KEY ON CONFLICT IGNORE, b UNIQUE ON CONFLICT FAIL CHECK (b) CHECK (b > 1))",
    "CREATE TABLE t(a, CONSTRAINT c CHECK (a) CONSTRAINT d UNIQUE (a) CHECK (a ISNULL), CHECK (a LIKE 'x' ESCAPE 'y'))",
    "CREATE TABLE IF NOT EXISTS t(\"a b\" \"my (type)\" (1, 2), 'c d' 'text' CHECK ('c d' > 1), [e] VARCHAR(-5))",
    "CREATE TABLE t(a INTEGER GENERATED ALWAYS AS (1), b INTEGER PRIMARY KEY)",
    "CREATE TABLE t(a, b, PRIMARY KEY ('a', \"b\" COLLATE rtrim, (a)))",
    "CREATE TABLE t(rowid, oid TEXT, _rowid_ AS (rowid || oid), true, false CHECK (true <> false))",
];

/// Tables that SQLite refuses, or of which it computes no row.
const REFUSED: [&str; 33] = [
    "CREATE TABLE t(a, b",
    "CREATE TABLE t(a,, b)",
    "CREATE TABLE t(a, b, a)",
    "CREATE TABLE t(a, b) WITHOUT SENSE",
    "CREATE TABLE t(a, \"A\")",
    "CREATE TABLE t(a, b, PRIMARY KEY (nosuch))",
    "CREATE TABLE t(a, b, PRIMARY KEY (a + 1))",
    "CREATE TABLE t(a, b, UNIQUE (nosuch))",
    "CREATE TABLE t(a, b, UNIQUE (a NULLS LAST))",
    "CREATE TABLE t(a PRIMARY KEY, b PRIMARY KEY)",
    "CREATE TABLE t(a PRIMARY KEY, b, PRIMARY KEY (b))",
    "CREATE TABLE t(a PRIMARY KEY AUTOINCREMENT)",
    "CREATE TABLE t(a INTEGER PRIMARY KEY DESC AUTOINCREMENT)",
    "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT) WITHOUT ROWID",
    "CREATE TABLE t(a) WITHOUT ROWID",
    "CREATE TABLE t(a, b, FOREIGN KEY (nosuch) REFERENCES u)",
    "CREATE TABLE t(a, b, FOREIGN KEY (a, b) REFERENCES u (x))",
    "CREATE TABLE t(a REFERENCES u (x, y), b)",
    "CREATE TABLE t(a INT, b) STRICT",
    "CREATE TABLE t(a INT, b VARCHAR) STRICT",
    "CREATE TABLE t(a AS (1), b AS (2))",
    "CREATE TABLE t(a, b AS (a) PRIMARY KEY)",
    "CREATE TABLE t(a, b DEFAULT 1 AS (a))",
    "CREATE TABLE t(a, b AS (a) SOMEHOW)",
    // From here on only an expression is wrong.
    "CREATE TABLE t(a, b, CHECK (nosuch > 1 AND a), CHECK (b))",
    "CREATE TABLE t(a, b CONSTRAINT c CHECK (EXISTS (SELECT 1)))",
    "CREATE TABLE t(a, b CHECK (?1))",
    "CREATE TABLE t(a, b CHECK (u.a AND count(*)))",
    "CREATE TABLE t(a PRIMARY KEY, b CHECK (rowid)) WITHOUT ROWID",
    "CREATE TABLE t(a, b DEFAULT (a))",
    "CREATE TABLE t(a, b, c AS (nosuch), d AS (random()), e AS (rowid), f AS (t.a))",
    "CREATE TABLE t(a, b, c AS (c) STORED)",
    "CREATE TABLE t(a, b, c AS (d || a), d AS (\"e\" + 1), e AS (lower(C)))",
];

#[test]
fn tables_that_sqlite_refuses_are_told_from_those_that_it_takes() {
    for sql in VALID {
        assert_eq!((refusal(sql), fault_of(sql)), (None, None), "{sql}");
    }
    for (at, sql) in REFUSED.into_iter().enumerate() {
        assert!(refusal(sql).is_some(), "{sql}");
        match fault_of(sql) {
            Some(Fault::Expression(mended)) if at >= 24 => assert_eq!(refusal(&mended), None, "{mended}"),
            Some(Fault::Refused | Fault::Unparsed) if at < 24 => {}
            fault => panic!("{sql}: {fault:?}"),
        }
    }
}

#[test]
fn no_table_that_sqlite_takes_is_called_malformed() {
    let random = &mut Random(0x7a61e);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..if cfg!(debug_assertions) { 5_000 } else { 50_000 } {
        let sql = mutate(VALID[random.below(VALID.len())], random);
        if !parser::name_of(&sql).is_ok_and(|name| name.eq_ignore_ascii_case("t")) || sql.contains("main.t(") {
            continue;
        }
        match fault_of(&sql) {
            // Only one that is made another way: SQLite does not write that into its schema.
            Some(Fault::Unparsed) if sql.contains("SELECT") => {}
            Some(fault) => {
                assert!(refusal(&sql).is_some(), "{sql}: {fault:?}");
                refused += 1;
            }
            None => taken += 1,
        }
    }
    assert!(refused > 50 && taken > 200, "{refused} {taken}");
}

#[test]
fn what_is_wrong_in_a_table_is_said_and_the_rest_loads() {
    for (at, sql) in REFUSED.into_iter().enumerate().filter(|(_, sql)| !sql.ends_with("b CHECK (rowid)) WITHOUT ROWID"))
    {
        let sample = with_sql("t", sql);
        for dialect in [Dialect::Sqlite, Dialect::D1] {
            for salvage in [false, true] {
                let ran = run(&sample.bytes, &options(dialect, salvage)).unwrap();
                ran.ended.unwrap();
                assert!(ran.warnings.iter().any(|warning| warning.starts_with("t: ")), "{sql}: {:?}", ran.warnings);
                let db = rusqlite::Connection::open_in_memory().unwrap();
                db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
                let is_there = db.prepare("SELECT 1 FROM u, v").is_ok();
                assert!(is_there, "{sql}");
                let rows = db.query_row("SELECT a FROM t", [], |row| row.get::<_, i64>(0));
                assert_eq!(rows.ok(), (at >= 24).then_some(1), "{sql}: {:?}", String::from_utf8_lossy(&ran.sql));
            }
        }
    }
}

//! Names that SQLite itself would not make, and text that it does not carry from one encoding to another.

use super::d1::{d1_dump, d1_options, load as load_d1, rows};
use super::round_trip::round_trip;
use super::*;
use crate::btree::sample::{ENCODINGS, Sample};

#[test]
fn names_that_sqlite_keeps_for_itself_are_carried_where_they_can_be() {
    let sample = Sample::of(
        1024,
        "PRAGMA writable_schema = ON; CREATE TABLE sqlite_mine (a NOT NULL, b UNIQUE); CREATE TABLE SQLite_Too (a);
         INSERT INTO sqlite_mine VALUES (1, 2), ('x', NULL); INSERT INTO SQLite_Too VALUES (3);
         CREATE VIEW sqlite_v AS SELECT * FROM sqlite_mine; CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE INDEX sqlite_i ON t (a);
         CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT * FROM sqlite_v; END;",
    );
    assert_eq!(round_trip(&sample, "reserved"), [""; 0]);
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    let own = "a name that begins with sqlite_ is SQLite's own; it is left out";
    let expected = [
        format!("sqlite_mine: {own}"),
        format!("SQLite_Too: {own}"),
        format!("sqlite_v: {own}"),
        format!("sqlite_i: {own}"),
        "r: it needs sqlite_v, which is left out; so it is, too".into(),
    ];
    assert_eq!(warnings, expected);
    assert_eq!(rows(&load_d1(&statements), "SELECT name FROM sqlite_schema").len(), 1);
    let (_, warnings) = dump(&sample.bytes, &shell_options(Shell::V3_54)).unwrap();
    assert_eq!(warnings, ["sqlite_mine: the sqlite3 shell leaves such a name out"]);
}

#[test]
fn a_name_ends_where_sqlite_ends_it() {
    let sample = Sample::of(
        1024,
        "CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE INDEX i ON t (a); CREATE TABLE u (a); INSERT INTO u VALUES (2);
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET name = name || char(0) || 'x', tbl_name = tbl_name || char(0), sql = sql || char(0) || '(' WHERE tbl_name = 't'",
    );
    let (sql, warnings) = dump(&sample.bytes, &Options::default()).unwrap();
    assert!(!sql.contains(&0));
    let cut = "its name or its SQL has a NUL, behind which SQLite reads nothing; it is cut off there";
    assert_eq!(warnings, [format!("t: {cut}"), format!("i: {cut}")]);
    for (shell, program) in shells() {
        let loaded = super::round_trip::load(&program, &sql, &format!("nul-{shell:?}"));
        let db = rusqlite::Connection::open(&loaded.0).unwrap();
        assert_eq!(rows(&db, "SELECT a FROM t UNION SELECT a FROM u"), ["Integer(1)", "Integer(2)"]);
        assert_same(
            &dump(&sample.bytes, &shell_options(shell)).unwrap().0,
            &shell_dump(&program, sample.path()),
            "NUL",
        );
    }
}

#[test]
fn names_that_are_empty_or_not_valid_can_be_loaded() {
    for encoding in ENCODINGS {
        let sample = Sample::of(
            1024,
            &format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE \"\" (\"\", b UNIQUE); INSERT INTO \"\" VALUES (1, 2); CREATE VIEW \" \" AS SELECT * FROM \"\"; CREATE INDEX \"-\" ON \"\" (\"\")"
            ),
        );
        assert_eq!(round_trip(&sample, &format!("empty-{encoding}")), [""; 0]);
        for (shell, program) in shells() {
            assert_same(
                &dump(&sample.bytes, &shell_options(shell)).unwrap().0,
                &shell_dump(&program, sample.path()),
                encoding,
            );
        }
    }
    // Two names that are the same once they are valid.
    let sample = Sample::of(
        1024,
        "CREATE TABLE t1 (a); INSERT INTO t1 VALUES (1); CREATE TABLE t2 (a); INSERT INTO t2 VALUES (2); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET name = CAST(x'74ff' AS TEXT), tbl_name = CAST(x'74ff' AS TEXT), sql = CAST(x'435245415445205441424c452074ff286129' AS TEXT) WHERE name = 't1';
         UPDATE sqlite_schema SET name = CAST(x'74fe' AS TEXT), tbl_name = CAST(x'74fe' AS TEXT), sql = CAST(x'435245415445205441424c452074fe286129' AS TEXT) WHERE name = 't2'",
    );
    let (sql, warnings) = dump(&sample.bytes, &Options::default()).unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let loaded = super::round_trip::load("sqlite3", &sql, "invalid");
    assert_eq!(rows(&rusqlite::Connection::open(&loaded.0).unwrap(), "SELECT * FROM \"t\u{fffd}\""), ["Integer(1)"]);
}

#[test]
fn text_that_utf_16_loses_is_carried() {
    for encoding in ENCODINGS {
        let sample = Sample::of(
            1024,
            &format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a);
                 INSERT INTO t VALUES (CAST(x'feff' AS TEXT)), (CAST(x'fffe' AS TEXT)), (CAST(x'ffff6100' AS TEXT)), (CAST(x'00d8' AS TEXT)),
                 (CAST(x'd8000041' AS TEXT)), (CAST(x'00dc00dc' AS TEXT)), (CAST(x'3dd8' AS TEXT)), (CAST(x'dfffdfff' AS TEXT)),
                 (CAST(x'610000d8' AS TEXT)), (CAST(x'0061d800' AS TEXT)), (CAST(x'61' AS TEXT)), (char(0xfffd, 0x1fffe, 0x10ffff))"
            ),
        );
        assert_eq!(round_trip(&sample, &format!("units-{encoding}")), [""; 0]);
        for (shell, program) in shells() {
            assert_same(
                &dump(&sample.bytes, &shell_options(shell)).unwrap().0,
                &shell_dump(&program, sample.path()),
                encoding,
            );
        }
    }
}

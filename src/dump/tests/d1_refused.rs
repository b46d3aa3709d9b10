//! What D1 refuses: it is left out, as one refused statement undoes the whole import.

use rusqlite::Connection;

use super::d1::{d1_dump, d1_options, load, rows};
use super::*;
use crate::btree::sample::Sample;

#[test]
fn b24_what_d1_does_not_take_is_said_and_left_out() {
    let columns: Vec<String> = (0..101).map(|n| format!("c{n}")).collect();
    let union = |count: usize| vec!["SELECT a FROM t"; count].join(" UNION ");
    let long = "x".repeat(100_000);
    let mut sample = Sample::of(
        4096,
        &format!(
            "CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE TABLE wide ({}); CREATE INDEX of_wide ON wide (c1);
             CREATE TABLE long (id INTEGER PRIMARY KEY AUTOINCREMENT /* {long} */); INSERT INTO long VALUES (5);
             CREATE VIRTUAL TABLE ft USING fts5(c1, content = 'WIDE');
             CREATE VIEW five AS {}; CREATE VIEW six AS {}; CREATE VIEW of_six AS SELECT * FROM six; CREATE VIEW _CF_view AS SELECT 1;
             CREATE TRIGGER of_wide_t AFTER INSERT ON wide BEGIN SELECT 1; END;
             CREATE TRIGGER of_six_t INSTEAD OF INSERT ON six BEGIN SELECT 1; END;
             CREATE TRIGGER long_t AFTER UPDATE ON t BEGIN SELECT '{long}'; END;
             CREATE TRIGGER six_t INSTEAD OF INSERT ON five BEGIN {}; END;
             CREATE INDEX _cf_i ON t (a); CREATE TRIGGER _cf_t AFTER INSERT ON t BEGIN SELECT 1; END;",
            columns.join(","), union(5), union(6), union(6)
        ),
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    assert_eq!(
        warnings,
        [
            "wide: it has more than the 100 columns that D1 takes; it is left out",
            "long: its SQL is longer than the 100000 bytes that D1 takes; it is left out",
            "six: it puts together more than the 5 SELECTs that D1 takes; it is left out",
            "_CF_view: a name that begins with _cf_ is Cloudflare's own; it is left out",
            "of_six: it needs six, which is left out; so it is, too",
            "of_wide: it needs wide, which is left out; so it is, too",
            "of_wide_t: it needs wide, which is left out; so it is, too",
            "of_six_t: it needs six, which is left out; so it is, too",
            "long_t: its SQL is longer than the 100000 bytes that D1 takes; it is left out",
            "six_t: it puts together more than the 5 SELECTs that D1 takes; it is left out",
            "_cf_i: a name that begins with _cf_ is Cloudflare's own; it is left out",
            "_cf_t: a name that begins with _cf_ is Cloudflare's own; it is left out",
            "ft: its texts are those of WIDE, which is left out: it stays empty",
        ]
    );
    let db = load(&statements);
    let names = rows(&db, "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'ft_%'");
    assert_eq!(names.len(), ["t", "sqlite_sequence", "ft", "five"].len(), "{names:?}");

    sample = Sample::of(
        4096,
        "CREATE TABLE big (a, b); CREATE TABLE lost (a REFERENCES nowhere);
         INSERT INTO big VALUES (zeroblob(2000001), 1), (zeroblob(1999900), 2);",
    );
    let (_, warnings) = dump(&sample.bytes, &d1_options()).unwrap();
    assert_eq!(
        warnings,
        [
            "lost: D1 takes no more rows whose foreign key refers to nowhere, which does not exist",
            "big: a row is longer than the 2,000,000 bytes that D1 takes (1 times)"
        ]
    );
}

#[test]
fn an_empty_table_stands_in_for_a_parent_that_is_nowhere_while_rows_go_in() {
    let sample = Sample::of(
        4096,
        "PRAGMA foreign_keys = OFF; CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES Gone (Id) ON DELETE CASCADE, q REFERENCES gone);
         CREATE TABLE d (a, b, FOREIGN KEY (a, b) REFERENCES \"two \"\" words\"); CREATE TABLE e (a REFERENCES \"two \"\" words\" (x));
         INSERT INTO c VALUES (1, 7, 8), (2, NULL, NULL); INSERT INTO d VALUES (1, 2); INSERT INTO e VALUES (1);
         CREATE VIEW gone AS SELECT 1;",
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    let all = format!("PRAGMA foreign_keys = ON; BEGIN; {} COMMIT;", statements.concat());
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(&all).unwrap();
    assert_eq!(rows(&db, "SELECT * FROM c, d, e").len(), 2);
    assert_eq!(rows(&db, "SELECT name FROM sqlite_schema").len(), ["c", "d", "e", "gone"].len());
    let one = Options { tables: vec!["c".to_owned()], ..d1_options() };
    assert!(!d1_dump(&sample, &one).0.concat().contains("DROP TABLE"));
}

#[test]
fn b24_collations_of_other_programs_are_left_out() {
    // As a program with such a collation would have made it.
    let sample = Sample::of(
        4096,
        "CREATE TABLE g (a TEXT COLLATE nocase); CREATE TABLE c (a REFERENCES g); CREATE TABLE t (a);
         CREATE INDEX i ON t (a COLLATE nocase); CREATE INDEX j ON t (a COLLATE nocase); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'nocase', '\"german\"') WHERE name IN ('g', 'i')",
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    assert_eq!(
        warnings,
        [
            "g: D1 has no collation german; it is left out",
            "c: D1 takes no more rows whose foreign key refers to g, which is left out",
            "i: D1 has no collation german; it is left out",
        ]
    );
    assert_eq!(rows(&load(&statements), "SELECT name FROM sqlite_schema").len(), ["c", "t", "j"].len());
}

#[test]
fn b24_triggers_that_rows_alone_would_start_are_said() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE t (a); CREATE TABLE log (a); CREATE VIEW v AS SELECT 1;
         CREATE TRIGGER added AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;
         CREATE TRIGGER changed AFTER UPDATE ON t BEGIN INSERT INTO log VALUES (new.a); END;
         CREATE TRIGGER put INSTEAD OF INSERT ON v BEGIN SELECT 1; END;",
    );
    let only_rows = Options { no_schema: true, ..d1_options() };
    assert_eq!(
        d1_dump(&sample, &only_rows).1,
        ["t: where its trigger added is, it runs for every row; drop it before"]
    );
    for options in [d1_options(), Options { no_data: true, ..only_rows }] {
        assert_eq!(d1_dump(&sample, &options).1, [""; 0]);
    }
}

#[test]
fn b24_what_wrangler_would_take_out_of_the_sql_is_not_in_it() {
    for encoding in ["UTF-8", "UTF-16le"] {
        let long = "BEGIN TRANSACTION; COMMIT; ".repeat(10_000);
        let sample = Sample::of(
            4096,
            &format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a); CREATE TABLE s (a /* BEGIN TRANSACTION */);
                 INSERT INTO t VALUES ('BEGIN TRANSACTION;'), ('ä BEGIN TRANSACTION' || char(13, 10)), ('COMMIT;'), ('{long}')"
            ),
        );
        let (statements, warnings) = d1_dump(&sample, &d1_options());
        assert_eq!(warnings, ["s: its SQL says BEGIN and TRANSACTION, which wrangler takes out, or refuses"]);
        let found = statements.iter().filter(|sql| sql.contains("BEGIN TRANSACTION"));
        assert_eq!(found.collect::<Vec<_>>(), ["CREATE TABLE s (a /* BEGIN TRANSACTION */);"]);
        let query = "SELECT CAST(a AS TEXT) FROM t";
        assert_eq!(rows(&load(&statements), query), rows(&sample.db, query));
    }
}

#[test]
fn c14_text_that_newer_sqlites_take_for_a_number_is_said() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let sample = Sample::of(
            4096,
            &format!("PRAGMA encoding = '{encoding}'; CREATE TABLE t (a, b TEXT); CREATE TABLE n (a INT, b REAL);
             INSERT INTO t VALUES ('1' || char(0), '1' || char(0));
             INSERT INTO n VALUES ('5x', 'y' || char(0)), ('x1' || char(0), char(0) || '1');
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a NUMERIC, b TEXT)' WHERE name = 't'"),
        );
        assert_eq!(
            dump(&sample.bytes, &d1_options()).unwrap().1,
            ["t: a value is not of its column's type, which will change it when it is inserted (1 times)"]
        );
    }
}

//! What hangs on what D1 does not make, and full-text tables that do not hold what their texts' table does.

use super::d1::{d1_dump, d1_options, load, rows};
use super::*;
use crate::btree::sample::Sample;

#[test]
fn what_hangs_on_a_table_that_is_left_out_is_said_through_any_depth() {
    let columns: Vec<String> = (0..101).map(|n| format!("c{n}")).collect();
    let sample = Sample::of(
        4096,
        &format!(
            "CREATE TABLE wide ({}); CREATE TABLE t (a); CREATE TABLE u (a); CREATE VIRTUAL TABLE f4 USING fts4 (x);
             CREATE VIRTUAL TABLE f5 USING fts5 (x); CREATE VIRTUAL TABLE words USING fts5vocab (f5, row);
             CREATE VIEW v3 AS SELECT * FROM v2; CREATE VIEW v2 AS SELECT wide, 1 FROM (SELECT 1 AS wide), V1; CREATE VIEW v1 AS SELECT c0 FROM Wide;
             CREATE VIEW fine AS SELECT a AS wide FROM t;
             CREATE TRIGGER writes AFTER INSERT ON t BEGIN INSERT INTO wide (c0) VALUES (new.a); END;
             CREATE TRIGGER reads AFTER INSERT ON t WHEN new.a IN (SELECT c0 FROM v3) BEGIN SELECT 1; END;
             CREATE TRIGGER searches AFTER INSERT ON t BEGIN INSERT INTO f4 (x) VALUES (new.a); END;
             CREATE TRIGGER looks AFTER INSERT ON t BEGIN SELECT * FROM f4_content; END;
             CREATE TRIGGER instead INSTEAD OF INSERT ON v2 BEGIN SELECT 1; END;
             CREATE TRIGGER on_wide AFTER INSERT ON wide BEGIN SELECT 1; END; CREATE INDEX i ON wide (c1);
             CREATE TRIGGER kept AFTER INSERT ON t BEGIN INSERT INTO u VALUES (new.a); INSERT INTO f5 VALUES (new.a); END;",
            columns.join(",")
        ),
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    let hangs = |name: &str, on: &str| format!("{name}: it needs {on}, which is left out; so it is, too");
    let mut expected = vec![
        "wide: it has more than the 100 columns that D1 takes; it is left out".to_owned(),
        "f4: D1 has no module fts4, so that it is left out".to_owned(),
        hangs("v1", "wide"),
        hangs("v2", "v1"),
        hangs("v3", "v2"),
        hangs("writes", "wide"),
        hangs("reads", "v3"),
        hangs("searches", "f4"),
        hangs("looks", "f4_content"),
        hangs("instead", "v2"),
        hangs("on_wide", "wide"),
        hangs("i", "wide"),
    ];
    let mut warnings = warnings;
    warnings.sort();
    expected.sort();
    assert_eq!(warnings, expected);
    let db = load(&statements);
    db.execute_batch("INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM fine JOIN u JOIN words").len(), 1);
}

#[test]
fn full_text_tables_find_again_what_they_held_and_nothing_else() {
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000)";
    let sample = Sample::of(
        4096,
        &format!(
            "CREATE TABLE d (id INTEGER PRIMARY KEY, b, gone); {numbers} INSERT INTO d SELECT i, 'alpha ' || i, i % 3 = 0 FROM n;
             CREATE VIRTUAL TABLE some USING fts5 (b, content = 'd', content_rowid = 'id');
             INSERT INTO some (rowid, b) SELECT id, b FROM d WHERE NOT gone OR id BETWEEN 1000 AND 4000;
             CREATE VIRTUAL TABLE whole USING fts5 (b, content = d, content_rowid = ID); INSERT INTO whole (whole) VALUES ('rebuild');
             CREATE VIRTUAL TABLE none USING fts5 (b, content = d, content_rowid = id);
             CREATE VIRTUAL TABLE stale USING fts5 (b, content = d, content_rowid = id);
             INSERT INTO stale (rowid, b) VALUES (-5, 'alpha'), (2, 'alpha two'), (900000, 'alpha');
             CREATE VIEW shown AS SELECT id AS k, b FROM d WHERE gone; CREATE TABLE other (k INT, b, PRIMARY KEY (k)) WITHOUT ROWID;
             INSERT INTO other SELECT id, b FROM d WHERE id < 9;
             CREATE VIRTUAL TABLE of_view USING fts5 (b, content = shown, content_rowid = k); INSERT INTO of_view (rowid, b) VALUES (3, 'alpha');
             CREATE VIRTUAL TABLE of_keys USING fts5 (b, content = other, content_rowid = k); INSERT INTO of_keys (rowid, b) VALUES (4, 'alpha');
             CREATE VIRTUAL TABLE sizeless USING fts5 (b, content = d, content_rowid = id, columnsize = 0);
             CREATE VIRTUAL TABLE bare USING fts5 (b, content = '', contentless_delete = 1);
             CREATE VIRTUAL TABLE half USING fts5 (b, c UNINDEXED, content = '', contentless_unindexed = 1)"
        ),
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    let stays = "it keeps no texts, so that it stays empty; fill it from their source";
    assert_eq!(
        warnings,
        [
            format!("bare: {stays}"),
            format!("half: {stays}"),
            "stale: 2 of its rows are not in d, which has its texts; they are left out".to_owned(),
            "sizeless: which rows of d are in it is not known here; all of them will be".to_owned(),
        ]
    );
    assert_eq!(statements.iter().filter(|sql| sql.contains("'rebuild'")).count(), 2);
    let db = load(&statements);
    for table in ["some", "whole", "none", "of_view", "of_keys"] {
        let query = format!("SELECT rowid FROM {table}('alpha')");
        assert_eq!(rows(&db, &query), rows(&sample.db, &query), "{table}");
    }
    assert_eq!(rows(&db, "SELECT rowid FROM stale('alpha')"), ["Integer(2)"]);
}

#[test]
fn names_that_were_asked_for_are_told_apart() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE t (a); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT 1; CREATE TRIGGER r INSTEAD OF INSERT ON v BEGIN SELECT 1; END;
         CREATE VIRTUAL TABLE ft USING fts5 (x);",
    );
    let of = |tables: &[&str], dialect| Options {
        tables: tables.iter().map(|&name| name.to_owned()).collect(),
        dialect,
        ..Options::default()
    };
    for dialect in [Dialect::Sqlite, Dialect::D1, Dialect::Shell(Shell::V3_54)] {
        let sql = String::from_utf8(dump(&sample.bytes, &of(&["V"], dialect)).unwrap().0).unwrap();
        assert!(
            sql.contains("CREATE VIEW v") && sql.contains("CREATE TRIGGER r") && !sql.contains("CREATE TABLE t"),
            "{sql}"
        );
    }
    let shadow = of(&["ft_data"], Dialect::D1);
    assert_eq!(
        d1_dump(&sample, &shadow).1,
        ["ft_data: it is a part of ft, which D1 fills; it is left out, ask for that"]
    );
    assert_eq!(d1_dump(&sample, &of(&["ft_data", "FT"], Dialect::D1)).1, [""; 0]);
    let header = DatabaseHeader::parse(&sample.bytes).unwrap();
    let mut dump = Dump::new(header, sample.page_count(), of(&["I", "r", "no\"ne"], Dialect::D1));
    while let Ok(DumpStep::NeedPages(ranges)) = dump.poll() {
        for range in ranges {
            let start = (range.first.value() as usize - 1) * 4096;
            dump.feed(range.first, sample.bytes[start..start + range.count as usize * 4096].to_vec());
        }
    }
    let expected =
        ["\"I\" (an index, which comes with \"t\")", "\"r\" (a trigger, which comes with \"v\")", "\"no\\\"ne\""];
    assert_eq!(dump.unknown_tables(), expected);
}

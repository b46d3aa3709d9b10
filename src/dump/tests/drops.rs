//! `DROP … IF EXISTS` first: SQL that can be loaded over what is there.

use super::against_the_shell::EVERYTHING;
use super::d1::{contents as d1_contents, d1_dump, d1_options, load as load_d1, rows, run};
use super::round_trip::{Loaded, load, run as run_in};
use super::*;
use crate::btree::sample::Sample;
use crate::btree::sample::contents::contents;

/// The shells that have what makes full-text tables.
fn with_full_text() -> Vec<(Shell, String)> {
    let has = |program: &str| {
        let output = Command::new(program).args([":memory:", "CREATE VIRTUAL TABLE t USING fts5 (a)"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    shells().into_iter().filter(|(_, program)| has(program)).collect()
}

/// Where full-text tables are filled anew, what they store is no more the same.
fn contents_but_shadows(db: &rusqlite::Connection) -> Vec<String> {
    let is_shadow =
        |line: &&String| ["ft_", "of_texts_", "rt_"].iter().any(|name| line.starts_with(&format!("table {name}")));
    let mut skipping = false;
    let lines = contents(db);
    let kept = lines.iter().filter(|line| {
        if ["table ", "index ", "view ", "trigger "].iter().any(|kind| line.starts_with(kind)) {
            skipping = is_shadow(line);
        }
        !skipping
    });
    kept.cloned().collect()
}

/// Parents and children in a circle, and what gets in the way of dropping.
const FAMILY: &str = "
    CREATE TABLE hen (id INTEGER PRIMARY KEY, e REFERENCES egg); CREATE TABLE egg (id INTEGER PRIMARY KEY, h NOT NULL REFERENCES hen ON DELETE RESTRICT);
    CREATE TABLE chick (id INTEGER PRIMARY KEY, h REFERENCES hen (id) ON DELETE SET NULL, up REFERENCES chick, name REFERENCES names (name));
    CREATE TABLE names (name); CREATE UNIQUE INDEX by_name ON names (name); INSERT INTO names VALUES ('a');
    INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1); INSERT INTO chick VALUES (1, 1, 2, 'a'), (2, 1, 1, 'a');
    CREATE TRIGGER no BEFORE DELETE ON chick BEGIN SELECT raise(ABORT, 'no'); END;
    CREATE TABLE texts (id INTEGER PRIMARY KEY, t); INSERT INTO texts VALUES (1, 'word');
    CREATE VIRTUAL TABLE of_texts USING fts5 (t, content = texts, content_rowid = id); INSERT INTO of_texts (of_texts) VALUES ('rebuild');";

#[test]
fn a_dump_that_drops_is_loaded_twice_and_is_the_same() {
    // Not every SQLite has the tables of all statistics.
    let everything = EVERYTHING.replace("ANALYZE;", "");
    let sample = Sample::of(1024, &format!("{everything}{FAMILY}"));
    for dialect in [Dialect::Sqlite, Dialect::Shell(Shell::V3_40)] {
        let sql = dump(&sample.bytes, &Options { drop: true, dialect, ..Options::default() }).unwrap().0;
        for (shell, program) in with_full_text() {
            let once = load(&program, &sql, &format!("once-{dialect:?}-{shell:?}"));
            let of = |loaded: &Loaded| contents(&rusqlite::Connection::open(&loaded.0).unwrap());
            let first = of(&once);
            // Whatever else it needs, it says.
            let again = [&b".dbconfig defensive off\n"[..], &sql].concat();
            run_in(&program, &once.0, &again);
            let (once, twice) = (first, of(&once));
            assert_eq!(once, twice, "{dialect:?}, {shell:?}");
        }
    }
    let sample_without = Sample::of(1024, &format!("{everything}{FAMILY} DROP TABLE f4"));
    let (sql, warnings) = dump(&sample_without.bytes, &Options { drop: true, ..Options::default() }).unwrap();
    assert_eq!(warnings, [""; 0]);
    for (shell, program) in with_full_text() {
        let once = load(&program, &sql, &format!("sound-{shell:?}"));
        for _ in 0..2 {
            let db = rusqlite::Connection::open(&once.0).unwrap();
            assert_eq!(contents_but_shadows(&db), contents_but_shadows(&sample_without.db));
            let found =
                "SELECT t FROM ft('world') UNION SELECT t FROM of_texts('word') UNION SELECT e FROM rt WHERE a < 1";
            assert_eq!(rows(&db, found), rows(&sample_without.db, found));
            drop(db);
            run_in(&program, &once.0, &sql);
        }
    }
    let (statements, _) = d1_dump(&sample, &Options { drop: true, ..d1_options() });
    let db = load_d1(&statements);
    let once = d1_contents(&db);
    run(&db, &statements);
    assert_eq!(d1_contents(&db), once);
    let plain = load_d1(&d1_dump(&sample, &d1_options()).0);
    assert_eq!(d1_contents(&plain), once);
}

#[test]
fn what_there_is_in_circles_is_dropped_in_every_shell() {
    let family = FAMILY.split("CREATE TABLE texts").next().unwrap();
    let sample = Sample::of(1024, family);
    let sql = dump(&sample.bytes, &Options { drop: true, ..Options::default() }).unwrap().0;
    for (shell, program) in shells() {
        let loaded = load(&program, &sql, &format!("circle-{shell:?}"));
        run_in(&program, &loaded.0, &sql);
        assert_eq!(contents(&rusqlite::Connection::open(&loaded.0).unwrap()), contents(&sample.db), "{shell:?}");
    }
}

#[test]
fn only_what_is_made_is_dropped() {
    let sample = Sample::of(1024, EVERYTHING);
    let options = Options { drop: true, tables: vec!["PLAIN".into(), "ft".into()], ..Options::default() };
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let sql = String::from_utf8(dump(&sample.bytes, &Options { dialect, ..options.clone() }).unwrap().0).unwrap();
        let drops: Vec<&str> = sql
            .lines()
            .filter(|line| line.starts_with("DROP") && !line.contains("ft_") && !line.contains("pieces"))
            .collect();
        assert_eq!(
            drops,
            [
                "DROP TRIGGER IF EXISTS \"t1\";",
                "DROP TABLE IF EXISTS \"ft\";",
                "DROP TABLE IF EXISTS \"plain\";",
                "DROP INDEX IF EXISTS \"i1\";"
            ]
        );
    }
}

//! Rows that their own table refuses: they are there all the same, in files that others wrote.

use proptest::prelude::*;
use rusqlite::Connection;

use super::d1::{d1_dump, d1_options, load as load_d1, rows};
use super::random::{self, quote};
use super::round_trip::{cases, round_trip};
use super::*;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random, Sample};

/// What makes the schema say other SQL of a table than when its rows went in.
fn now(table: &str, sql: &str) -> String {
    format!(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = '{}' WHERE name = '{table}';
         PRAGMA writable_schema = RESET;",
        sql.replace('\'', "''")
    )
}

fn sample(encoding: &str) -> Sample {
    // Longer than what is read at once; once is enough.
    let long = if encoding == "UTF-8" { "9000000" } else { "90" };
    let sql = [
        format!("PRAGMA encoding = '{encoding}'; PRAGMA ignore_check_constraints = ON;"),
        "CREATE TABLE checked (id INTEGER PRIMARY KEY, a CHECK (a > 0), CONSTRAINT \"a b\" CHECK (id < 3));
         INSERT INTO checked VALUES (1, 1), (2, -1), (3, 3);
         CREATE TABLE nulls (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, c AS (b + 1) STORED, long);
         INSERT INTO nulls (a, b, long) VALUES ('x', 1, 1), (NULL, 2, 2), ('y', NULL, 3), (NULL, NULL, zeroblob(length)), ('z', 5, 5);
         CREATE TABLE strict (i INT, r REAL, t TEXT, b BLOB, a ANY, p INTEGER, PRIMARY KEY (p, t));
         INSERT INTO strict VALUES (1, 2, 'x', x'00', '5', 1), ('5', '5', x'01', 'text', '1', NULL), ('a', x'', 5, 1.5, 2, 3), (1.5, 'b', NULL, 1, 3, '3');
         CREATE TABLE rowless (k, v TEXT, PRIMARY KEY (k DESC)) WITHOUT ROWID; INSERT INTO rowless VALUES (1, NULL), (2, 'a');
         CREATE TABLE older (a); INSERT INTO older VALUES (1); ALTER TABLE older ADD COLUMN b; INSERT INTO older VALUES (2, 3);
         CREATE TABLE sound (a NOT NULL CHECK (a > 0)); INSERT INTO sound VALUES (1), (2);
         CREATE VIRTUAL TABLE ft USING fts5 (t); INSERT INTO ft VALUES ('word');
         CREATE TABLE behind (a); INSERT INTO behind VALUES (NULL), (1);
         CREATE VIRTUAL TABLE ft2 USING fts5 (t); INSERT INTO ft2 VALUES ('word');"
            .replace("length", long),
        now("nulls", "CREATE TABLE nulls (id INTEGER PRIMARY KEY, a TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'no' UNIQUE, b INT NOT NULL, c AS (b + 1) STORED, long)"),
        now("strict", "CREATE TABLE strict (i INT, r REAL, t TEXT, b BLOB, a ANY, p INTEGER, PRIMARY KEY (p, t)) STRICT -- typed"),
        now("rowless", "CREATE TABLE rowless (k, v TEXT NOT NULL, PRIMARY KEY (k DESC)) WITHOUT ROWID"),
        now("older", "CREATE TABLE older (a, b NOT NULL)"),
        now("behind", "CREATE TABLE behind (a NOT NULL ON CONFLICT IGNORE)"),
    ];
    Sample::of(1024, &sql.concat())
}

#[test]
fn rows_that_break_a_constraint_are_the_same_after_loading() {
    for encoding in ENCODINGS {
        let sample = sample(encoding);
        assert_eq!(round_trip(&sample, &format!("refused-{encoding}")), [""; 0]);
        let salvaged = dump(&sample.bytes, &Options { salvage: true, ..Options::default() }).unwrap().0;
        let whole = dump(&sample.bytes, &Options::default()).unwrap().0;
        let text = |sql: Vec<u8>| String::from_utf8(sql).unwrap();
        let loaded = Sample::of(1024, &text(salvaged));
        let again = dump(&loaded.bytes, &Options::default()).unwrap().0;
        assert_eq!(text(again), text(whole));
    }
}

#[test]
fn rows_alone_have_a_statement_for_each_that_a_table_refuses() {
    let sample = sample("UTF-8");
    let (sql, warnings) = dump(&sample.bytes, &Options { no_schema: true, ..Options::default() }).unwrap();
    let sql = String::from_utf8(sql).unwrap();
    assert!(sql.contains("INSERT INTO \"rowless\"(\"k\",\"v\") VALUES\n(2,'a');\nINSERT INTO \"rowless\"(\"k\",\"v\") VALUES\n(1,NULL);\n"));
    assert!(sql.contains("PRAGMA ignore_check_constraints=ON;\n") && !sql.contains("sqlite_schema"));
    let broken = |table: &str, count| {
        format!("{table}: a row breaks NOT NULL or STRICT, and only goes into a table without that ({count} times)")
    };
    let expected =
        [broken("nulls", 3), broken("strict", 3), broken("rowless", 1), broken("older", 1), broken("behind", 1)];
    assert_eq!(
        warnings.iter().filter(|warning| !warning.contains("type")).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
}

#[test]
fn d1_takes_all_rows_but_those_that_it_would_refuse_everything_for() {
    let sample = sample("UTF-8");
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    let left_out = |table: &str, count| {
        format!(
            "{table}: a row breaks NOT NULL or STRICT, so that D1 would refuse everything; it is left out ({count} times)"
        )
    };
    let expected = [
        left_out("nulls", 3),
        left_out("strict", 3),
        left_out("rowless", 1),
        left_out("older", 1),
        left_out("behind", 1),
    ];
    for warning in &expected {
        assert!(warnings.contains(warning), "{warning}: {warnings:?}");
    }
    let db = load_d1(&statements);
    assert_eq!(rows(&db, "SELECT * FROM checked"), rows(&sample.db, "SELECT * FROM checked"));
    let nulls = "SELECT * FROM nulls WHERE typeof(a) <> 'null' AND typeof(b) <> 'null'";
    assert_eq!(rows(&db, nulls), rows(&sample.db, nulls));
    assert_eq!(rows(&db, "PRAGMA ignore_check_constraints"), ["Integer(0)"]);
    assert!(db.execute_batch("INSERT INTO checked VALUES (9, -1)").is_err());
}

/// Tightens random tables behind their rows.
fn tighten(db: &Connection, random: &mut Random) {
    let mut statement =
        db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name LIKE 't%'").unwrap();
    let tables: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (name, sql) in tables {
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns: Vec<String> = columns.query_map([&name], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let column = quote(&columns[random.below(columns.len())]);
        let tight = match random.below(4) {
            0 => sql.replacen(&format!("{column} "), &format!("{column} NOT NULL "), 1),
            1 => sql.replacen(" DEFAULT", " NOT NULL DEFAULT", 1),
            2 if !sql.contains("STRICT") && !sql.contains(" AS (") => {
                sql.replacen(&format!("{column} "), &format!("{column} INT NOT NULL CHECK ({column} > 5) "), 1)
            }
            _ => continue,
        };
        let is_key = sql.contains("PRIMARY KEY");
        // Where a type would come twice, or what is stored would be read in another way.
        if is_key && tight.contains(" INT NOT NULL")
            || db.execute_batch(&tight.replacen("CREATE TABLE ", "CREATE TEMP TABLE ", 1)).is_err()
        {
            continue;
        }
        db.execute_batch(&format!("DROP TABLE temp.{}", quote(&name))).unwrap();
        db.execute_batch(&now(&name.replace('\'', "''"), &tight)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_random_tables_that_insist_on_more(seed in 1u64.., page_size in 0usize..8, encoding in 0usize..3) {
        let sample = Sample::new(PAGE_SIZES[page_size], 0, |db| {
            db.execute_batch(&format!("PRAGMA encoding = '{}'", ENCODINGS[encoding])).unwrap();
            let mut random = Random(seed);
            random::fill(db, &mut random, 20);
            tighten(db, &mut random);
        });
        round_trip(&sample, &format!("tight-{seed}"));
    }
}

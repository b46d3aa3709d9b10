//! Rows that repeat a key which the schema says is UNIQUE: they are there all the same, in files that others wrote.

use proptest::prelude::*;
use rusqlite::Connection;

use super::d1::{d1_dump, d1_options, load as load_d1, rows};
use super::round_trip::{cases, round_trip};
use super::*;
use crate::btree::sample::contents::contents;
use crate::btree::sample::{PAGE_SIZES, Random, Sample};

/// Runs `sql` while `table` and its indexes take any row, as `plain` says, and then has them say UNIQUE again.
fn unchecked(db: &Connection, table: &str, plain: &str, sql: &str) {
    db.execute_batch(&format!(
        "CREATE TEMP TABLE kept AS SELECT name, sql FROM main.sqlite_schema WHERE tbl_name = '{table}' AND type <> 'trigger';
         PRAGMA writable_schema = ON; UPDATE main.sqlite_schema SET sql = '{plain}' WHERE name = '{table}';
         UPDATE main.sqlite_schema SET sql = CASE WHEN sql IS NULL THEN
             (SELECT printf('CREATE INDEX \"%w\" ON {table}(%s)', main.sqlite_master.name, group_concat(printf('\"%w\" COLLATE %s', x.name, x.coll)))
              FROM pragma_index_xinfo(main.sqlite_master.name) x WHERE x.key)
             ELSE replace(sql, 'UNIQUE ', '') END WHERE tbl_name = '{table}' AND type = 'index';
         PRAGMA writable_schema = RESET; {sql}; PRAGMA writable_schema = ON;
         UPDATE main.sqlite_schema SET sql = (SELECT kept.sql FROM kept WHERE kept.name = main.sqlite_master.name) WHERE name IN (SELECT name FROM kept);
         PRAGMA writable_schema = RESET; DROP TABLE kept;"
    ))
    .unwrap();
}

fn sample() -> Sample {
    Sample::new(1024, 0, |db| {
        db.execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT); CREATE UNIQUE INDEX code ON parent (code);
             CREATE TABLE child (code REFERENCES parent (code)); INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES ('a');
             CREATE TABLE keys (a TEXT COLLATE nocase UNIQUE, b INT, c AS (b + 1) STORED, PRIMARY KEY (b, a), UNIQUE (a));
             INSERT INTO keys VALUES ('x', 1), (NULL, 2), (NULL, 3), ('y', 4);
             CREATE TABLE indexed (a, b); CREATE UNIQUE INDEX upper ON indexed (upper(a)); CREATE UNIQUE INDEX some ON indexed (b) WHERE b > 5;
             INSERT INTO indexed VALUES ('x', 6), ('y', 5), ('z', 5); CREATE UNIQUE INDEX sound ON indexed (a, b);
             CREATE TABLE rowless (a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO rowless VALUES (1, 1, NULL), (1, 2, 'x'), (2, 2, 'y');
             CREATE TABLE whole (a UNIQUE, b UNIQUE); INSERT INTO whole VALUES (1, 1), (NULL, NULL), (NULL, 2);",
        )
        .unwrap();
        unchecked(
            db,
            "parent",
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT)",
            "INSERT INTO parent VALUES (3, 'a')",
        );
        unchecked(
            db,
            "keys",
            "CREATE TABLE keys (a TEXT COLLATE nocase, b INT, c AS (b + 1) STORED)",
            "INSERT INTO keys VALUES ('X', 1), ('X', 1), ('y', 1)",
        );
        unchecked(db, "indexed", "CREATE TABLE indexed (a, b)", "INSERT INTO indexed VALUES ('X', 6), ('y', 8)");
    })
}

/// Two rows of one key, and one without, in a table WITHOUT ROWID.
const OTHER_KEY: &str = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE rowless (a, b, c, PRIMARY KEY (a)) WITHOUT ROWID' WHERE name = 'rowless';
    PRAGMA writable_schema = RESET";

#[test]
fn rows_that_repeat_a_key_are_the_same_after_loading() {
    let sample = sample();
    assert_eq!(round_trip(&sample, "repeats"), [""; 0]);
    // Indexes that lack entries, and a key without one.
    sample
        .db
        .execute_batch(
            "PRAGMA writable_schema = ON; CREATE TABLE lacks (a UNIQUE, b); INSERT INTO lacks VALUES (1, 1), (2, 2); CREATE TABLE none (a, b);
             INSERT INTO none VALUES (1, 2), (1, 3);
             CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'sqlite_autoindex_lacks_1'; DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_lacks_1';
             UPDATE sqlite_schema SET sql = 'CREATE TABLE lacks (a, b)' WHERE name = 'lacks'; PRAGMA writable_schema = RESET;
             INSERT INTO lacks VALUES (1, 3); PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept;
             UPDATE sqlite_schema SET sql = 'CREATE TABLE lacks (a UNIQUE, b)' WHERE name = 'lacks'; UPDATE sqlite_schema SET sql = 'CREATE TABLE none (a UNIQUE, b)' WHERE name = 'none';",
        )
        .unwrap();
    let bytes = std::fs::read(sample.path()).unwrap();
    let (sql, warnings) = dump(&bytes, &Options::default()).unwrap();
    assert_eq!(warnings, [""; 0]);
    for (shell, program) in shells() {
        let loaded = super::round_trip::load(&program, &sql, &format!("lacks-{shell:?}"));
        let db = Connection::open(&loaded.0).unwrap();
        assert_eq!(
            rows(&db, "SELECT a, b FROM lacks NOT INDEXED"),
            ["Integer(1), Integer(1)", "Integer(1), Integer(3)", "Integer(2), Integer(2)"]
        );
        assert_eq!(rows(&db, "SELECT a, b FROM none NOT INDEXED").len(), 2);
    }
}

#[test]
fn d1_gets_one_row_of_each_key_and_says_so() {
    let mut sample = sample();
    sample.db.execute_batch(OTHER_KEY).unwrap();
    sample.bytes = std::fs::read(sample.path()).unwrap();
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    let left_out = "rows that repeat a key are left out, as others would be refused with them";
    let of_rows = |table: &str, count| {
        format!("{table}: {count} rows have the PRIMARY KEY or a UNIQUE value of another; {left_out}")
    };
    let of_index = |index: &str, count| {
        format!("{index}: {count} rows share its key, so that D1 would refuse everything; it is left out")
    };
    let expected =
        [of_rows("parent", 1), of_rows("keys", 3), of_index("upper", 2), of_index("some", 1), of_rows("rowless", 1)];
    for warning in &expected {
        assert!(warnings.contains(warning), "{warning}: {warnings:?}");
    }
    let db = load_d1(&statements);
    assert_eq!(rows(&db, "SELECT count(*) FROM indexed"), ["Integer(5)"]);
    let unique = "SELECT group_concat(name) = 'code,sound' FROM (SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE UNIQUE%' ORDER BY name)";
    assert_eq!(rows(&db, unique), ["Integer(1)"]);
    assert_eq!(rows(&db, "SELECT * FROM whole"), rows(&sample.db, "SELECT * FROM whole"));
    assert_eq!(rows(&db, "SELECT count(*) FROM parent, keys, rowless WHERE rowless.a = 2").len(), 1);
}

#[test]
fn a_row_without_a_key_is_left_out_of_a_table_without_rowid() {
    let sql = "CREATE TABLE w (a, b, c, PRIMARY KEY (a)) WITHOUT ROWID; INSERT INTO w VALUES (1, NULL, 2), (2, 3, 4);
        PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE w (a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID'";
    let sample = Sample::of(1024, sql);
    for (options, is_written) in
        [(Options::default(), false), (d1_options(), false), (shell_options(Shell::V3_54), true)]
    {
        let (sql, warnings) = dump(&sample.bytes, &options).unwrap();
        assert_eq!(
            warnings,
            ["w: a row has NULL in a PRIMARY KEY WITHOUT ROWID, which SQLite refuses; it is lost (1 times)"]
        );
        assert_eq!(String::from_utf8(sql).unwrap().contains("1,NULL,2"), is_written);
    }
}

#[test]
fn the_shells_dump_says_what_its_loading_refuses() {
    let sample = sample();
    let (_, warnings) = dump(&sample.bytes, &shell_options(Shell::V3_54)).unwrap();
    for table in ["keys", "upper", "some", "code"] {
        assert!(warnings.iter().any(|warning| warning.starts_with(&format!("{table}: "))), "{table}: {warnings:?}");
    }
    let (sql, warnings) = dump(&sample.bytes, &Options { no_schema: true, ..Options::default() }).unwrap();
    assert!(String::from_utf8(sql).unwrap().contains("'X',1);\nINSERT INTO \"keys\""));
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn a_large_table_whose_index_lacks_entries_is_warned_of() {
    let sample = Sample::of(
        512,
        "CREATE TABLE t (a UNIQUE, b); WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, hex(zeroblob(30)) FROM n;
         PRAGMA writable_schema = ON; CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'sqlite_autoindex_t_1'; DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_t_1';
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a, b)' WHERE name = 't'; PRAGMA writable_schema = RESET;
         INSERT INTO t VALUES (1, 3); PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a UNIQUE, b)' WHERE name = 't';",
    );
    let (_, warnings) = dump(&sample.bytes, &Options::default()).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("t: an index of it has 3000 entries for 3001 rows"), "{warnings:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_rows_under_random_keys(seed in 1u64.., page_size in 0usize..4) {
        const KEYS: [&str; 5] = ["a TEXT UNIQUE, b, UNIQUE (b, a)", "a PRIMARY KEY, b UNIQUE", "a COLLATE rtrim, b TEXT COLLATE nocase UNIQUE, PRIMARY KEY (a DESC)", "id INTEGER PRIMARY KEY, a, b, UNIQUE (a), UNIQUE (A)", "a, b, CONSTRAINT c UNIQUE (b) ON CONFLICT REPLACE"];
        const INDEXES: [&str; 4] = ["(a)", "(b, a)", "(a || b)", "(b) WHERE a > 3"];
        let mut random = Random(seed);
        let sample = Sample::new(PAGE_SIZES[page_size], 0, |db| {
            for table in 0..4 {
                let keys = KEYS[random.below(KEYS.len())];
                let plain = if keys.starts_with("id") { "id INTEGER PRIMARY KEY, a, b" } else if keys.contains("b TEXT") { "a COLLATE rtrim, b TEXT COLLATE nocase" } else if keys.contains("TEXT") { "a TEXT, b" } else { "a, b" };
                let mut sql = format!("CREATE TABLE t{table} ({keys});");
                if random.below(2) == 0 {
                    sql.push_str(&format!("CREATE UNIQUE INDEX i{table} ON t{table} {};", INDEXES[random.below(INDEXES.len())]));
                }
                db.execute_batch(&sql).unwrap();
                let count = if random.below(6) == 0 { 300 } else { random.below(12) };
                let mut value = || ["NULL", "1", "1.0", "'x'", "'X'", "'x '", "x'78'", "2", "'1'"][random.below(9)].to_owned();
                let values: Vec<String> = (0..count).map(|_| format!("({}, {})", value(), value())).collect();
                let insert = if values.is_empty() { String::new() } else { format!("INSERT INTO t{table}(a, b) VALUES {}", values.join(",")) };
                unchecked(db, &format!("t{table}"), &format!("CREATE TABLE t{table} ({plain})"), &insert);
            }
        });
        prop_assert_eq!(round_trip(&sample, &format!("repeats-{seed}")), [""; 0]);
        // Each of them goes into D1 but for those that it refuses.
        let (statements, _) = d1_dump(&sample, &d1_options());
        prop_assert!(contents(&load_d1(&statements)).len() <= contents(&sample.db).len());
    }
}

//! SQL for D1, loaded into an SQLite that is as strict as D1 where it can be; a real D1 is asked in
//! `tests/peers/dump-d1.slow.test.ts`.

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::against_the_shell::EVERYTHING;
use super::random::{self, quote};
use super::*;
use crate::btree::sample::contents::show;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random, Sample};

pub(super) fn d1_options() -> Options {
    Options { dialect: Dialect::D1, ..Options::default() }
}

/// A dump of SQL's outcome, its statements and its warnings.
pub(super) fn d1_dump(sample: &Sample, options: &Options) -> (Vec<String>, Vec<String>) {
    let (sql, warnings) = dump(&sample.bytes, options).unwrap();
    let statements = statements(&String::from_utf8(sql).unwrap());
    for statement in &statements {
        assert!(statement.len() <= 100_000, "{} bytes: {}", statement.len(), &statement[..80]);
    }
    (statements, warnings)
}

/// SQL as single statements, as D1 runs them.
fn statements(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let (mut start, mut at) = (0, 0);
    let bytes = sql.as_bytes();
    let mut is_trigger = false;
    while at < bytes.len() {
        let rest = &sql[at..];
        at += match bytes[at] {
            quote @ (b'\'' | b'"' | b'`') => rest[1..].find(quote as char).unwrap() + 2,
            b'[' => rest.find(']').unwrap() + 1,
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap() + 1,
            b'/' if rest.starts_with("/*") => rest.find("*/").unwrap() + 2,
            b'C' if sql[start..at].trim().is_empty() && rest.starts_with("CREATE TRIGGER") => {
                is_trigger = true;
                14
            }
            b';' if !is_trigger || sql[start..at].trim_end().ends_with("END") => {
                statements.push(sql[start..=at].trim().to_owned());
                start = at + 1;
                is_trigger = false;
                1
            }
            first => core::str::from_utf8(&[first]).map_or_else(|_| rest.chars().next().unwrap().len_utf8(), |_| 1),
        };
    }
    assert_eq!(sql[start..].trim(), "");
    statements
}

/// Runs statements in one transaction, as D1's import does.
pub(super) fn run(db: &Connection, statements: &[String]) {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).unwrap();
    db.execute_batch("PRAGMA foreign_keys = ON; BEGIN").unwrap();
    for statement in statements {
        db.execute_batch(statement)
            .unwrap_or_else(|error| panic!("{error}: {}", &statement[..statement.len().min(300)]));
    }
    db.execute_batch("COMMIT").unwrap();
}

pub(super) fn load(statements: &[String]) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    run(&db, statements);
    db
}

/// What SQL can see of a database, without what virtual tables store.
pub(super) fn contents(db: &Connection) -> Vec<String> {
    let shadows = rows(db, "SELECT name FROM pragma_table_list WHERE type = 'shadow'");
    let mut statement = db
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE '%stat4' ORDER BY type, name")
        .unwrap();
    let objects: Vec<(String, String, String, Option<String>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut lines = Vec::new();
    for (kind, name, table, sql) in objects {
        let is_fts4 = name.starts_with("f4");
        if is_fts4
            || shadows.iter().any(|shadow| *shadow == format!("text {table:?}") + &format!("{:02x?}", table.as_bytes()))
        {
            continue;
        }
        lines.push(format!("{kind} {name} on {table}: {sql:?}"));
        if kind == "table" {
            let query = format!("SELECT rowid AS \"the rowid\", * FROM {}", quote(&name));
            let without = query.replace("rowid AS \"the rowid\", ", "");
            let query = if db.prepare(&query).is_ok() { query } else { without };
            lines.extend(rows(db, &query));
        }
    }
    lines
}

/// The rows of a query, sorted.
pub(super) fn rows(db: &Connection, query: &str) -> Vec<String> {
    let mut statement = db.prepare(query).unwrap();
    let count = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push((0..count).map(|index| show(row.get_ref(index).unwrap())).collect::<Vec<_>>().join(", "));
    }
    lines.sort();
    lines
}

/// Dumps, loads and compares; gives the statements and the warnings.
pub(super) fn round_trip(sample: &Sample) -> (Vec<String>, Vec<String>) {
    let (statements, warnings) = d1_dump(sample, &d1_options());
    let db = load(&statements);
    let (before, after) = (contents(&sample.db), contents(&db));
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old, new);
    }
    assert_eq!(before.len(), after.len());
    assert_eq!(rows(&db, "PRAGMA integrity_check"), [show(rusqlite::types::ValueRef::Text(b"ok"))]);
    (statements, warnings)
}

#[test]
fn b24_every_object_in_every_format_is_the_same_after_loading() {
    for (index, page_size) in PAGE_SIZES.into_iter().enumerate() {
        let encoding = ENCODINGS[index % 3];
        let sample = Sample::of(page_size, &format!("PRAGMA encoding = '{encoding}'; {EVERYTHING}"));
        let (_, warnings) = round_trip(&sample);
        assert_eq!(
            warnings,
            [
                "f4: D1 has no module fts4, so that it is left out",
                "sqlite_stat4: not every SQLite has such a table; run ANALYZE"
            ]
        );
    }
}

#[test]
fn b24_statements_come_in_the_order_that_d1_takes() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE child (a REFERENCES parent (code), b); CREATE TABLE egg (h INTEGER PRIMARY KEY REFERENCES hen);
         CREATE TABLE hen (id INTEGER PRIMARY KEY, e REFERENCES egg);
         CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, code, up REFERENCES parent);
         CREATE UNIQUE INDEX key ON parent (code); CREATE UNIQUE INDEX other ON child (b);
         CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
         CREATE TABLE _cf_METADATA (k); CREATE INDEX cf ON _cf_METADATA (k);
         CREATE VIEW v AS SELECT a FROM child;
         CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO child VALUES (new.a, 1); END;
         INSERT INTO parent VALUES (1, 'x', 2), (2, 'y', 1); INSERT INTO child VALUES ('x', 1);
         INSERT INTO egg VALUES (1); INSERT INTO hen VALUES (1, NULL);
         PRAGMA user_version = 3; PRAGMA application_id = -1",
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    let starts: Vec<&str> =
        statements.iter().map(|sql| sql.split('(').next().unwrap().trim().lines().last().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "PRAGMA defer_foreign_keys=TRUE;",
            "CREATE TABLE child",
            "CREATE TABLE egg",
            "CREATE TABLE hen",
            "CREATE TABLE parent",
            "CREATE UNIQUE INDEX key ON parent",
            "INSERT INTO \"parent\"",
            "INSERT INTO \"child\"",
            "INSERT INTO \"hen\"",
            "INSERT INTO \"egg\"",
            "DELETE FROM \"sqlite_sequence\";",
            "INSERT INTO \"sqlite_sequence\"",
            "CREATE VIEW v AS SELECT a FROM child;",
            "CREATE UNIQUE INDEX other ON child",
            "CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO child VALUES",
        ]
    );
    assert_eq!(
        warnings,
        [
            "PRAGMA user_version is 3: D1 has no place for it",
            "PRAGMA application_id is -1: D1 has no place for it",
            "_cf_KV: a name that begins with _cf_ is Cloudflare's own; it is left out"
        ]
    );
    let db = load(&statements);
    assert_eq!(rows(&db, "SELECT * FROM parent"), rows(&sample.db, "SELECT * FROM parent"));
    assert_eq!(rows(&db, "PRAGMA foreign_key_check"), [""; 0]);
}

#[test]
fn b24_what_only_looks_like_a_comment_ends_nothing() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE \"a -- b\" (c PRIMARY KEY) WITHOUT ROWID; CREATE TABLE \"a /* b\" (c INT) STRICT;
         CREATE TABLE last (a PRIMARY KEY) WITHOUT ROWID -- comment
         ; CREATE INDEX \"-- i\" ON last (a) WHERE a > '--'; CREATE VIEW \"/* v\" AS SELECT '/*'; CREATE VIEW w AS SELECT 1 -- /* open",
    );
    round_trip(&sample);
}

#[test]
fn b24_schema_and_rows_can_be_taken_apart() {
    let mut sample = Sample::of(4096, EVERYTHING);
    let whole = load(&d1_dump(&sample, &d1_options()).0);
    let schema = d1_dump(&sample, &Options { no_data: true, ..d1_options() }).0;
    let data = d1_dump(&sample, &Options { no_schema: true, ..d1_options() }).0;
    assert!(!schema.iter().any(|sql| sql.starts_with("INSERT")));
    let made: Vec<&String> = data.iter().filter(|sql| sql.starts_with("CREATE")).collect();
    assert_eq!(made, ["CREATE TABLE \"pieces0\"(id INTEGER PRIMARY KEY,value);"]);
    let db = load(&schema);
    db.execute_batch("DROP TRIGGER t1").unwrap();
    run(&db, &data);
    whole.execute_batch("DROP TRIGGER t1").unwrap();
    assert_eq!(contents(&db), contents(&whole));

    let some = Options { tables: vec!["PLAIN".into(), "ft".into()], ..d1_options() };
    let db = load(&d1_dump(&sample, &some).0);
    let names =
        rows(&db, "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'ft_%' AND name NOT LIKE '%stat4' ORDER BY 1");
    assert_eq!(names.len(), ["plain", "ft", "i1", "t1", "sqlite_sequence", "sqlite_stat1"].len());
    assert_eq!(
        rows(&db, "SELECT * FROM sqlite_sequence"),
        rows(&sample.db, "SELECT * FROM sqlite_sequence WHERE name = 'plain'")
    );

    // Sequences of other tables in the target stay.
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE mine (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO mine VALUES (7)").unwrap();
    run(&db, &d1_dump(&sample, &some).0);
    assert_eq!(rows(&db, "SELECT name FROM sqlite_sequence").len(), 2);

    // A sequence that no table has brought, and no rows.
    sample =
        Sample::of(4096, "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE a; CREATE TABLE b (x)");
    round_trip(&sample);
    assert_eq!(unknown(&sample, "nothing"), crate::error::ErrorKind::TableUnknown);
}

fn unknown(sample: &Sample, name: &str) -> crate::error::ErrorKind {
    dump(&sample.bytes, &Options { tables: vec![name.into()], ..d1_options() }).unwrap_err().kind
}

#[test]
fn b24_full_text_is_found_again() {
    let sample = Sample::of(
        4096,
        r#"CREATE TABLE notes (id INTEGER PRIMARY KEY, title, body);
           INSERT INTO notes VALUES (3, 'one', 'quick fox'), (9, 'two', 'lazy dog');
           CREATE VIEW shown AS SELECT id AS "key", title || '!' AS title FROM notes;
           CREATE VIRTUAL TABLE own USING fts5(a, "b c" UNINDEXED, tokenize = "porter unicode61 remove_diacritics 2", prefix = '2 3');
           INSERT INTO own(rowid, a, "b c") VALUES (-5, 'running ' || char(10) || 'away', 7), (1 << 40, NULL, x'00'), (2, 'ran''s', 1.0);
           INSERT INTO own(own, rank) VALUES ('pgsz', 1000), ('rank', 'bm25(10.0, 5.0)');
           CREATE VIRTUAL TABLE of_table USING fts5(title, body, content = 'notes', content_rowid = id);
           CREATE VIRTUAL TABLE of_view USING fts5(title, content = "shown", content_rowid = "key");
           INSERT INTO of_table(of_table) VALUES ('rebuild'); INSERT INTO of_view(of_view) VALUES ('rebuild');
           CREATE VIRTUAL TABLE bare USING fts5(x, content = ''); INSERT INTO bare (rowid, x) VALUES (1, 'word');
           CREATE VIRTUAL TABLE "it's ""odd""" USING fts5("c""d"); INSERT INTO "it's ""odd""" VALUES ('odd');
           CREATE VIRTUAL TABLE words USING fts5vocab(own, row);
           CREATE TABLE user_content (a); INSERT INTO user_content VALUES ('mine');
           CREATE VIRTUAL TABLE user USING fts5(a, content = 'user_content'); INSERT INTO user(user) VALUES ('rebuild');
           CREATE TRIGGER added AFTER INSERT ON notes BEGIN INSERT INTO of_table (rowid, title, body) VALUES (new.id, new.title, new.body); END;"#,
    );
    let (statements, warnings) = d1_dump(&sample, &d1_options());
    assert_eq!(warnings, ["bare: it keeps no texts, so that it stays empty; fill it from their source"]);
    let db = load(&statements);
    for query in [
        "SELECT rowid, * FROM own",
        "SELECT rowid, a FROM own WHERE own MATCH 'run'",
        "SELECT rowid, rank FROM own WHERE own MATCH 'ran'",
        "SELECT * FROM own_config",
        "SELECT rowid, * FROM of_table WHERE of_table MATCH 'dog'",
        "SELECT rowid, * FROM of_view WHERE of_view MATCH 'one'",
        "SELECT * FROM \"it's \"\"odd\"\"\" ('odd')",
        "SELECT * FROM words",
        "SELECT * FROM user_content",
    ] {
        let expected = rows(&sample.db, query);
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(rows(&db, query), expected, "{query}");
    }
    assert_eq!(rows(&db, "SELECT * FROM user('mine')").len(), 1);
    for name in ["own", "of_table", "of_view"] {
        db.execute_batch(&format!("INSERT INTO {name}({name}) VALUES ('integrity-check')")).unwrap();
    }
    let some = Options { tables: vec!["of_table".into()], ..d1_options() };
    let (statements, warnings) = d1_dump(&sample, &some);
    assert_eq!(warnings, ["of_table: its texts are those of notes, which is left out: it stays empty"]);
    load(&statements);
}

#[test]
fn b24_r_trees_have_the_same_rows() {
    let numbers =
        |count: u32| format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    for page_size in [512, 4096] {
        let sample = Sample::of(
            page_size,
            &format!(
                "CREATE VIRTUAL TABLE deep USING rtree(id, x0, x1, y0, y1);
                 {n} INSERT INTO deep SELECT i * 3 - 5000, i * 0.37, i * 0.37 + 1, -i / 7.0, i FROM n;
                 DELETE FROM deep WHERE id % 5 = 0;
                 CREATE VIRTUAL TABLE whole USING rtree_i32(id, a, b, +name, +[the blob]);
                 {n} INSERT INTO whole SELECT i, -i, i * 1000, 'n' || i, iif(i % 2, NULL, zeroblob(i % 90)) FROM n;
                 CREATE VIRTUAL TABLE ends USING rtree(id, a, b, +t);
                 INSERT INTO ends VALUES (1, -9e999, 9e999, NULL), (-9223372036854775808, 1e-40, 3.4e38, hex(zeroblob(60000)));
                 CREATE VIRTUAL TABLE vacant USING rtree(id, a, b);",
                n = numbers(3000)
            ),
        );
        let (statements, warnings) = d1_dump(&sample, &d1_options());
        assert_eq!(warnings, [""; 0]);
        let db = load(&statements);
        for name in ["deep", "whole", "ends", "vacant"] {
            let query = format!("SELECT * FROM {name}");
            assert_eq!(rows(&db, &query), rows(&sample.db, &query));
            assert_eq!(rows(&db, &format!("SELECT rtreecheck('{name}')")), rows(&db, "SELECT 'ok'"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b24_random_schemas_and_rows(seed in 1u64.., page_size in 0usize..8, encoding in 0usize..3) {
        let sample = Sample::new(PAGE_SIZES[page_size], 0, |db| {
            db.execute_batch(&format!("PRAGMA encoding = '{}'", ENCODINGS[encoding])).unwrap();
            random::fill(db, &mut Random(seed), 20);
        });
        round_trip(&sample);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12)
}

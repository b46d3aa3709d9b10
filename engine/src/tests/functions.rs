//! Functions that take the place of SQLite's own answer as these do; and who may only read changes nothing.

use super::support::{Owned, Random, T0, integer, open, options, query};
use crate::Database;
use crate::error::ErrorKind;

/// What few letters make, so that they are found in each other: of one, two and four bytes, and broken ones.
const PIECES: [&[u8]; 12] = [
    b"a",
    b"b",
    b"ab",
    b" ",
    "é".as_bytes(),
    "😀".as_bytes(),
    b"\xc3",
    b"\xa9",
    b"\x80",
    b"\xff",
    b"\xe9\xa9\xa9",
    b"\0",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as SQL, of whole units of the encoding: half a one SQLite takes for an empty text, and looks for its NUL.
fn value(random: &mut Random, longest: u64, is_utf16: bool) -> String {
    let count = random.below(longest + 1);
    let mut bytes: Vec<u8> =
        (0..count).flat_map(|_| PIECES[random.below(PIECES.len() as u64) as usize]).copied().collect();
    if is_utf16 {
        bytes.truncate(bytes.len() & !1);
    }
    match random.below(12) {
        0 => "NULL".into(),
        1 => random.below(300).to_string(),
        2 => "1.5".into(),
        3 => "zeroblob(4)".into(),
        4 | 5 => format!("x'{}'", hex(&bytes)),
        _ => format!("CAST(x'{}' AS TEXT)", hex(&bytes)),
    }
}

#[test]
fn functions_on_text_answer_as_sqlites_own_do() {
    for encoding in ["UTF-8", "UTF-16le"] {
        let mut ours = open(options());
        let theirs = rusqlite::Connection::open_in_memory().unwrap();
        let setting = format!("PRAGMA encoding = '{encoding}'; CREATE TABLE t(a)");
        ours.exec(&setting, T0).unwrap();
        theirs.execute_batch(&setting).unwrap();
        let mut random = Random(7);
        for _ in 0..4000 {
            let mut value = |longest| value(&mut random, longest, encoding != "UTF-8");
            let (hay, needle, by) = (value(12), value(3), value(2));
            let call = match random.below(8) {
                0..3 => format!("instr({hay}, {needle})"),
                3..5 => format!("replace({hay}, {needle}, {by})"),
                5 => format!("trim({hay}, {needle})"),
                6 => format!("ltrim({hay}, {needle}) || '|' || rtrim({hay}, {needle})"),
                _ => format!("trim({hay}) || ltrim({hay}) || '|' || rtrim({hay})"),
            };
            // As bytes: a text need not be valid.
            let sql = format!("SELECT typeof({call}) || ' ' || hex({call})");
            let expected: Option<String> = theirs.query_row(&sql, [], |row| row.get(0)).unwrap();
            let expected = expected.map_or(Owned::Null, |text| Owned::Text(text.into_bytes()));
            assert_eq!(query(&mut ours, &sql, T0).unwrap(), [[expected]], "{encoding}: {call}");
        }
    }
}

#[test]
fn a_replacement_that_would_be_too_long_is_refused_and_an_index_on_such_a_function_works() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a); CREATE INDEX i ON t(replace(a, 'x', 'y')); INSERT INTO t VALUES ('axb')", T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t WHERE replace(a, 'x', 'y') = 'ayb'"), 1);
    db.limit_steps(100_000_000, false).unwrap();
    let sql = "SELECT replace(printf('%100000d', 1), ' ', printf('%10000d', 1))";
    assert_eq!(query(&mut db, sql, T0).unwrap_err().sqlite, Some(18));
}

fn refused(db: &mut Database, sql: &str) -> String {
    query(db, sql, T0).map_or_else(|error| error.to_string(), |rows| format!("{rows:?}"))
}

#[test]
fn d13_who_may_only_read_is_not_authorized_to_anything_else() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE VIRTUAL TABLE f USING fts5(a); \
             INSERT INTO f VALUES ('word'); CREATE VIRTUAL TABLE r USING rtree(id, x, y); INSERT INTO r VALUES (1, 2, 3)", T0)
        .unwrap();
    let before = db.bookmark().unwrap();
    db.limit_steps(100_000_000, true).unwrap();
    for sql in [
        "SELECT * FROM pragma_optimize(0x10002)",
        "PRAGMA optimize(0x10002)",
        "ANALYZE",
        "PRAGMA user_version = 5",
        "INSERT INTO t VALUES (3)",
        "DELETE FROM t",
        "CREATE TABLE u(a)",
        "DROP TABLE t",
        "REINDEX",
        "VACUUM",
        "SAVEPOINT s",
        "PRAGMA query_only = 0",
        "INSERT INTO f(f) VALUES ('optimize')",
    ] {
        assert!(refused(&mut db, sql).contains("authoriz"), "{sql}: {}", refused(&mut db, sql));
    }
    // What may be compiled, as R-Tree does, is not committed.
    let error = query(&mut db, "INSERT INTO r_node VALUES (7, x'00')", T0).unwrap_err();
    assert!(error.kind == ErrorKind::ReadOnly || error.kind == ErrorKind::Sql, "{error}");
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t JOIN f('word') JOIN r ON r.id = t.a"), 1);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM pragma_table_info('t')"), 1);
    assert_eq!(refused(&mut db, "PRAGMA user_version"), "[[0]]");
    db.limit_steps(0, false).unwrap();
    assert_eq!(db.bookmark().unwrap(), before);
    db.exec("INSERT INTO t VALUES (3)", T0).unwrap();
}

#[test]
fn what_was_compiled_before_a_limit_is_looked_at_again() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    let insert = db.prepare("INSERT INTO t VALUES (1)", T0).unwrap().0.unwrap();
    for _ in 0..3 {
        db.limit_steps(100_000_000, true).unwrap();
        let error = db.run(insert, &[], T0).unwrap_err();
        assert!(error.to_string().contains("authoriz"), "{error}");
        db.limit_steps(0, false).unwrap();
        db.run(insert, &[], T0).unwrap();
        db.limit_steps(100_000_000, false).unwrap();
        db.run(insert, &[], T0).unwrap();
        assert!(db.exec("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema", T0).is_err());
        db.limit_steps(0, false).unwrap();
    }
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 6);
    db.exec("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql; PRAGMA writable_schema = OFF", T0)
        .unwrap();
}

#[test]
fn who_may_only_read_has_statements_of_100_000_bytes_in_texts_of_any_length() {
    let mut db = open(options());
    let spaces = |count: usize| " ".repeat(count);
    // A part of each of these is a statement, too.
    let long = [
        format!("SELECT 1{}+ 1", spaces(100_000)),
        format!(";SELECT 1 /*{}*/ + 1", spaces(99_988)),
        format!("SELECT 1 --{}\n + 1;", "x".repeat(100_000)),
        format!("--{}\nSELECT 1", ";SELECT 2".repeat(20_000)),
        format!("SELECT '{}'", "ü".repeat(50_000)),
    ];
    let short = [
        format!("SELECT 1{}+ 1", spaces(99_989)),
        format!("SELECT 1{}+ 1; SELECT 3", spaces(99_988)),
        format!("{}SELECT 1", ";".repeat(300_000)),
        format!("{}SELECT 1", spaces(300_000)),
        "SELECT ';' /* ; */ + 1;\n".repeat(10_000),
    ];
    for read_only in [true, false] {
        db.limit_steps(1_000_000_000, read_only).unwrap();
        for sql in &short {
            db.exec(sql, T0).unwrap();
        }
        for sql in &long {
            let error = db.exec(sql, T0).err();
            assert_eq!(error.and_then(|error| error.sqlite), read_only.then_some(18), "{}", &sql[..20]);
        }
    }
}

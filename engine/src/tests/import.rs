//! SQL from outside, in one transaction.

use std::process::Command;

use super::support::{Owned, T0, integer, open, options, query, with_history};
use crate::database::Import;
use crate::{Database, Options};

fn import(db: &mut Database, sql: &[u8], piece: usize) -> crate::Result<u64> {
    let mut import = Import::default();
    for piece in sql.chunks(piece) {
        db.import_feed(&mut import, piece, T0)?;
    }
    Ok(db.import(import, T0)?.statements)
}

fn strict() -> Options {
    Options { foreign_keys: true, ..options() }
}

/// What a `sqlite3` shell dumps of a database that `sql` makes.
fn dumped(shell: &str, sql: &str) -> Vec<u8> {
    let output = Command::new(shell).args([":memory:", sql, ".dump"]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const ALL: &str = "CREATE TABLE child(a REFERENCES parent(id), b TEXT); CREATE TABLE parent(id INTEGER PRIMARY KEY, c);
    INSERT INTO parent VALUES (1, 9007199254740993), (2, 'it''s; ' || char(10) || '-- no comment');
    INSERT INTO child VALUES (1, CAST(x'ff41' AS TEXT)), (2, 'x');
    CREATE INDEX by_b ON child(b); CREATE VIEW v AS SELECT * FROM child;
    CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN INSERT INTO child VALUES (NEW.a, NEW.b); SELECT 1; END;
    CREATE TABLE seq(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO seq VALUES (41); DELETE FROM seq;";

#[test]
fn b26_what_the_shell_dumps_is_imported_in_pieces_of_any_size() {
    for full_text in
        ["", "CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('some words'), ('other');"]
    {
        let dump = dumped("sqlite3", &format!("{ALL}{full_text}"));
        for piece in [1, 100, 1 << 20] {
            let mut db = open(strict());
            import(&mut db, &dump, piece).unwrap();
            assert_eq!(integer(&mut db, "SELECT c FROM parent WHERE id = 1"), 9_007_199_254_740_993);
            assert_eq!(integer(&mut db, "SELECT count(*) FROM child WHERE hex(b) IN ('FF41', '78')"), 2);
            db.exec("INSERT INTO v VALUES (2, 'by trigger'); INSERT INTO seq DEFAULT VALUES", T0).unwrap();
            assert_eq!(integer(&mut db, "SELECT id FROM seq"), 42);
            if !full_text.is_empty() {
                assert_eq!(integer(&mut db, "SELECT count(*) FROM docs WHERE docs MATCH 'words'"), 1);
            }
            assert_eq!(integer(&mut db, "PRAGMA foreign_keys"), 1);
            assert!(db.check(None, T0).unwrap().is_ok());
        }
    }
}

#[test]
fn c14_page_size_and_encoding_come_along_into_an_empty_database() {
    let sql = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n\
        COMMIT;PRAGMA page_size=1024;PRAGMA encoding='UTF-16le';PRAGMA auto_vacuum=2;BEGIN TRANSACTION;\n\
        PRAGMA user_version=7;\nCREATE TABLE t(a);\nINSERT INTO t VALUES('é');\nCOMMIT;\n";
    let mut db = open(strict());
    import(&mut db, sql.as_bytes(), 10).unwrap();
    let settings = ["page_size", "auto_vacuum", "user_version"].map(|name| integer(&mut db, &format!("PRAGMA {name}")));
    assert_eq!(settings, [1024, 2, 7]);
    assert_eq!(query(&mut db, "PRAGMA encoding", T0).unwrap(), [[Owned::Text("UTF-16le".into())]]);
    // It was all one commit.
    assert_eq!(db.bookmark().unwrap().txid.0, 1);
    // One that holds something keeps its own.
    let mut db = open(strict());
    db.exec("CREATE TABLE old(a)", T0).unwrap();
    import(&mut db, sql.as_bytes(), 1000).unwrap();
    assert_eq!(integer(&mut db, "PRAGMA page_size"), 4096);
}

#[test]
fn an_import_that_fails_leaves_nothing_and_names_the_line() {
    let cases = [
        (
            "CREATE TABLE t(a);\n\nINSERT INTO t\nVALUES(1);\nINSERT INTO nowhere VALUES(1);",
            "IMPORT_STATEMENT",
            Some(5),
            "nowhere",
        ),
        (
            "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1);\n INSERT INTO t\nVALUES(1);",
            "IMPORT_STATEMENT",
            Some(2),
            "UNIQUE",
        ),
        ("CREATE TABLE t(a);\nBEGIN;COMMIT;\nSELEC 1;", "IMPORT_STATEMENT", Some(3), "SELEC"),
        ("CREATE TABLE t(a);\nCOMMIT;", "IMPORT_STATEMENT", Some(2), "no transaction is active"),
        ("BEGIN;\nCREATE TABLE t(a);\nBEGIN;COMMIT;", "IMPORT_STATEMENT", Some(3), "within a transaction"),
        ("BEGIN;\nCREATE TABLE t(a);\nROLLBACK; -- due to errors", "IMPORT_ROLLBACK", Some(3), "ROLLBACK"),
        ("CREATE TABLE t(a);\nINSERT INTO t VALUES('cut of", "IMPORT_STATEMENT", Some(2), "unrecognized token"),
        ("CREATE TABLE t(a);\nATTACH 'other' AS b;", "IMPORT_STATEMENT", Some(2), "unable to open"),
        (
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a REFERENCES p); INSERT INTO t VALUES (3);",
            "IMPORT_FOREIGN_KEY",
            None,
            "",
        ),
        ("PRAGMA page_size = 512;\nsome nonsense;", "IMPORT_STATEMENT", Some(2), "nonsense"),
    ];
    for (sql, code, line, word) in cases {
        for piece in [3, 1000] {
            let mut db = open(Options { foreign_keys: true, ..with_history(5) });
            db.exec("CREATE TABLE kept(a); INSERT INTO kept VALUES (1)", T0).unwrap();
            let before = (db.bookmark().unwrap(), db.serialize().unwrap());
            let error = import(&mut db, sql.as_bytes(), piece).unwrap_err();
            assert_eq!((error.code(), error.line), (code, line), "{sql}: {error}");
            assert!(error.to_string().contains(word), "{error}");
            assert!(!db.is_busy());
            assert_eq!((db.bookmark().unwrap(), db.serialize().unwrap()), before);
            assert_eq!(integer(&mut db, "PRAGMA foreign_keys"), 1);
            db.exec("INSERT INTO kept VALUES (2)", T0).unwrap();
        }
    }
}

#[test]
fn an_import_given_up_leaves_nothing_and_one_waits_for_the_transaction_before_it() {
    let mut db = open(strict());
    let mut import = Import::default();
    db.import_feed(&mut import, b"CREATE TABLE t(a); INSERT INTO t", T0).unwrap();
    db.import_abort(import);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM sqlite_schema"), 0);
    db.exec("BEGIN", T0).unwrap();
    let error = db.import_feed(&mut Import::default(), b"SELECT 1;", T0).unwrap_err();
    assert_eq!(error.code(), "ENGINE_BUSY");
}

#[test]
fn hostile_text_is_an_error_and_never_more() {
    let mut state = 9u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let dump = dumped("sqlite3", ALL);
    for _ in 0..300 {
        let mut sql = dump.clone();
        for _ in 0..1 + random() % 4 {
            let at = random() as usize % sql.len();
            sql[at] = random() as u8;
        }
        sql.truncate(random() as usize % (sql.len() * 2));
        let mut db = open(strict());
        let imported = import(&mut db, &sql, 64);
        assert!(!db.is_busy());
        if imported.is_err() {
            assert_eq!(integer(&mut db, "SELECT count(*) FROM sqlite_schema"), 0);
        }
    }
}

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
        (
            "CREATE TABLE t(a);\nATTACH 'other' AS b;",
            "IMPORT_STATEMENT",
            Some(2),
            "line 2: ATTACH is for another database file, and an import opens none; leave it out, in: ATTACH 'other'",
        ),
        ("CREATE TABLE t(a);\nVACUUM main INTO 'x.db';", "IMPORT_STATEMENT", Some(2), "VACUUM INTO is for another"),
        (
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a REFERENCES p);\nINSERT INTO t VALUES (3);",
            "IMPORT_FOREIGN_KEY",
            Some(2),
            "row 1 of t refers to no row of p; line 2, in: INSERT INTO t VALUES (3);",
        ),
        (
            "PRAGMA foreign_keys=OFF;CREATE TABLE t(a REFERENCES p); INSERT INTO t VALUES (3);CREATE TABLE p(id PRIMARY KEY)",
            "IMPORT_FOREIGN_KEY",
            None,
            "row 1 of t refers to no row of p",
        ),
        (
            "CREATE TABLE t(a REFERENCES p);\nINSERT INTO t VALUES (3);",
            "IMPORT_FOREIGN_KEY",
            Some(2),
            "no such table: main.p",
        ),
        (
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a REFERENCES p); INSERT INTO p VALUES(8);
            INSERT INTO t VALUES (8);\nDELETE FROM p;",
            "IMPORT_FOREIGN_KEY",
            Some(3),
            "row 1 of t refers to no row of p",
        ),
        (
            "PRAGMA defer_foreign_keys=1;CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a REFERENCES p) ;\
            INSERT INTO t VALUES (8);\nBEGIN;COMMIT;",
            "IMPORT_FOREIGN_KEY",
            Some(2),
            "row 1 of t refers to no row of p",
        ),
        ("BEGIN;\nCREATE TABLE t(a);", "IMPORT_CUT_OFF", Some(1), "line 1"),
        ("CREATE TABLE t(a);\nSAVEPOINT \"x\";INSERT INTO t VALUES (1);", "IMPORT_CUT_OFF", Some(2), "line 2"),
        (
            "CREATE TABLE t(a);CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1;",
            "IMPORT_STATEMENT",
            Some(1),
            "incomplete",
        ),
        (".mode list\nCREATE TABLE t(a);", "IMPORT_STATEMENT", Some(1), ".mode is a command of the sqlite3 shell"),
        ("SQLite format 3\0", "IMPORT_FORMAT", None, "a SQLite database file"),
        ("\u{1f}\u{8b}", "IMPORT_FORMAT", None, ""),
        ("CREATE TABLE t(a); PRAGMA query_only=1;\nINSERT INTO t VALUES(1);", "IMPORT_STATEMENT", Some(2), "readonly"),
        (
            "CREATE TABLE t(a); PRAGMA max_page_count=2; INSERT INTO t VALUES(randomblob(90000));",
            "IMPORT_STATEMENT",
            Some(1),
            "full",
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
fn whatever_sql_sets_on_its_connection_ends_with_the_import() {
    let settings = "PRAGMA ignore_check_constraints=1;PRAGMA recursive_triggers=1;PRAGMA case_sensitive_like=1;\
        PRAGMA legacy_alter_table=1;PRAGMA reverse_unordered_selects=1;PRAGMA full_column_names=1;\
        PRAGMA short_column_names=0;PRAGMA max_page_count=9;PRAGMA foreign_keys=0;PRAGMA writable_schema=1;\
        PRAGMA page_size=512;PRAGMA auto_vacuum=1;CREATE TEMP TABLE t(x);ATTACH ':memory:' AS other;\
        PRAGMA temp_store_directory='/x';PRAGMA soft_heap_limit=9;PRAGMA hard_heap_limit=9;PRAGMA query_only=1;";
    for end in ["", "nonsense;"] {
        let mut db = open(strict());
        db.exec("CREATE TABLE t(a CHECK(a>0)); CREATE TEMP TABLE mine(a); PRAGMA recursive_triggers=1", T0).unwrap();
        let imported = import(&mut db, format!("{settings}{end}").as_bytes(), 100);
        assert_eq!(imported.is_ok(), end.is_empty(), "{imported:?}");
        assert_eq!(integer(&mut db, "SELECT 'a' LIKE 'A'"), 1);
        assert!(db.exec("INSERT INTO t VALUES(-1)", T0).is_err());
        db.exec(
            "INSERT INTO t VALUES(1); INSERT INTO mine SELECT randomblob(90000); INSERT INTO t SELECT 2; VACUUM",
            T0,
        )
        .unwrap();
        let left = ["foreign_keys", "recursive_triggers", "page_size", "auto_vacuum", "writable_schema"];
        let left = left.map(|name| integer(&mut db, &format!("PRAGMA {name}")));
        assert_eq!(left, [1, 1, 4096, 0, 0]);
        assert_eq!(integer(&mut db, "SELECT count(*) FROM pragma_database_list WHERE name = 'other'"), 0);
    }
}

#[test]
fn foreign_keys_do_what_they_do_in_the_database_and_old_faults_are_not_the_imports() {
    let tables = "CREATE TABLE p(id INTEGER PRIMARY KEY, v);CREATE TABLE c(a REFERENCES p ON DELETE CASCADE);";
    for (sql, left) in [
        ("DELETE FROM p WHERE id=1;", 1),
        ("REPLACE INTO p VALUES(1,'z');", 1),
        ("PRAGMA defer_foreign_keys=1;REPLACE INTO p VALUES(1,'z');", 1),
        (
            "PRAGMA foreign_keys=OFF;CREATE TABLE n(id INTEGER PRIMARY KEY,v,w);INSERT INTO n SELECT id,v,1 FROM p;\
            DROP TABLE p;ALTER TABLE n RENAME TO p;PRAGMA foreign_keys=ON;",
            2,
        ),
    ] {
        let mut db = open(strict());
        let rows = "INSERT INTO p VALUES(1,1),(2,2);INSERT INTO c VALUES(1),(2);";
        db.exec(&format!("{tables}{rows}"), T0).unwrap();
        import(&mut db, sql.as_bytes(), 50).unwrap();
        assert_eq!(integer(&mut db, "SELECT count(*) FROM c"), left, "{sql}");
    }
    let mut db = open(strict());
    db.exec(&format!("{tables} PRAGMA foreign_keys=0; INSERT INTO c VALUES(5); PRAGMA foreign_keys=1"), T0).unwrap();
    import(&mut db, b"PRAGMA foreign_keys=OFF; INSERT INTO p VALUES(6,6); INSERT INTO c VALUES(6);", 50).unwrap();
    let error = import(&mut db, b"PRAGMA foreign_keys=OFF; INSERT INTO c VALUES(7);", 50).unwrap_err();
    assert!(error.to_string().contains("row 3 of c refers to no row of p"), "{error}");
}

#[test]
fn a_strangers_sql_may_enter_virtual_tables_into_the_schema_and_nothing_else() {
    let dump =
        dumped("sqlite3", "CREATE VIRTUAL TABLE f USING fts5(a);INSERT INTO f VALUES('some words');CREATE TABLE t(a)");
    let limited = |db: &mut Database, sql: &[u8]| {
        let mut import = Import::limited(1 << 30);
        db.import_feed(&mut import, sql, T0)?;
        db.import(import, T0)
    };
    let mut db = open(strict());
    limited(&mut db, &dump).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM f WHERE f MATCH 'words'"), 1);
    db.exec("INSERT INTO f VALUES('other')", T0).unwrap();
    let entry = |kind: &str, root: &str, sql: &str| {
        format!("INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('{kind}','g','g',{root},'{sql}')")
    };
    for wrong in [
        entry("table", "2", "CREATE VIRTUAL TABLE g USING fts5(a)"),
        entry("table", "0", "CREATE TABLE g(a)"),
        entry("view", "0", "CREATE VIRTUAL TABLE g USING fts5(a)"),
        entry("table", "(SELECT 0)", "CREATE VIRTUAL TABLE g USING fts5(a)"),
        entry("table", "0", "CREATE VIRTUAL TABLE g USING fts5(a)") + " ON CONFLICT(rowid) DO UPDATE SET rootpage=1",
        "UPDATE sqlite_schema SET rootpage=1".into(),
        "DELETE FROM sqlite_master".into(),
        "WITH x AS (SELECT 1) DELETE FROM sqlite_master".into(),
        "INSERT INTO f_data VALUES(99,x'')".into(),
        "CREATE TEMP TABLE x(a)".into(),
        "ATTACH ':memory:' AS x".into(),
    ] {
        let error = limited(&mut db, format!("PRAGMA writable_schema=ON;{wrong};").as_bytes()).unwrap_err();
        assert_eq!(error.code(), "IMPORT_STATEMENT", "{wrong}");
        assert!(!error.to_string().contains("not authorized"), "{error}");
    }
    let twice = entry("table", "0", "CREATE VIRTUAL TABLE g USING fts5(a)").replace("'g'", "'t'");
    assert!(limited(&mut db, twice.as_bytes()).is_err());
    assert!(db.check(None, T0).unwrap().is_ok());
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

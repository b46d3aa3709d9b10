//! What of SQLite touches the VFS.

use super::support::{Owned, Shared, T0, file_at, integer, open, options, query};
use crate::{Database, Options};
use pagemark::page::PageSize;

fn text(db: &mut Database, sql: &str) -> String {
    match query(db, sql, T0).unwrap().remove(0).remove(0) {
        Owned::Text(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wal_and_exclusive_locking_are_refused_as_sqlite_refuses_them() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    assert_eq!(text(&mut db, "PRAGMA journal_mode = WAL"), "delete");
    assert_eq!(text(&mut db, "PRAGMA locking_mode = EXCLUSIVE"), "normal");
    assert_eq!(text(&mut db, "PRAGMA main.locking_mode"), "normal");
    assert_eq!(text(&mut db, "PRAGMA journal_mode = WAL"), "delete");
    db.exec("INSERT INTO t VALUES (1)", T0).unwrap();
}

#[test]
fn every_extension_that_is_promised_is_there() {
    let mut db = open(options());
    db.exec("CREATE VIRTUAL TABLE f USING fts5(x); CREATE VIRTUAL TABLE r USING rtree(id, a, b)", T0).unwrap();
    assert_eq!(text(&mut db, "SELECT json_extract('{\"a\": [1, \"x\"]}', '$.a[1]')"), "x");
    assert_eq!(integer(&mut db, "SELECT cast(round(100 * sin(pi() / 6)) AS INTEGER)"), 50);
    assert_eq!(
        integer(
            &mut db,
            "SELECT count(*) FROM pragma_compile_options WHERE compile_options = 'ENABLE_BATCH_ATOMIC_WRITE'"
        ),
        1
    );
}

#[test]
fn sql_sees_the_time_of_the_call() {
    let mut db = open(options());
    assert_eq!(text(&mut db, "SELECT datetime('now')"), "2026-01-01 00:00:00");
    let later = query(&mut db, "SELECT strftime('%s', 'now')", T0 + 5000).unwrap();
    assert_eq!(later, [[Owned::Text(b"1767225605".to_vec())]]);
}

#[test]
fn a_large_transaction_is_one_commit_whether_it_spills_or_not() {
    for settings in ["", "PRAGMA cache_size = 10; PRAGMA cache_spill = ON;"] {
        let mut db = open(options());
        db.exec(&format!("{settings} CREATE TABLE t(a INTEGER PRIMARY KEY, b)"), T0).unwrap();
        db.exec(
            "BEGIN; WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 5000) \
             INSERT INTO t SELECT i, zeroblob(1000) FROM r; UPDATE t SET b = a",
            T0,
        )
        .unwrap();
        assert_eq!(db.bookmark().unwrap().txid.0, 1);
        assert_eq!(db.serialize().unwrap().len(), 8192, "nothing of it shows yet");
        assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 5000);
        db.exec("COMMIT", T0).unwrap();
        assert_eq!(db.bookmark().unwrap().txid.0, 2);
        db.exec("BEGIN; DELETE FROM t; ROLLBACK", T0).unwrap();
        assert_eq!(integer(&mut db, "SELECT sum(b) FROM t"), 5000 * 5001 / 2);
        assert_eq!(db.bookmark().unwrap().txid.0, 2);
        file_at(&mut db, "latest", T0).unwrap();
    }
}

#[test]
fn without_a_journal_a_rollback_is_still_one() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)", T0).unwrap();
    assert_eq!(text(&mut db, "PRAGMA journal_mode = OFF"), "off");
    for settings in ["", "PRAGMA cache_size = 3; PRAGMA cache_spill = ON;"] {
        let before = db.bookmark().unwrap();
        db.exec(&format!("{settings} BEGIN; INSERT INTO t VALUES (zeroblob(100000)); ROLLBACK"), T0).unwrap();
        assert_eq!(db.bookmark().unwrap(), before);
        assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 1);
        assert!(db.check(None, T0).unwrap().is_ok());
    }
    db.exec("INSERT INTO t VALUES (2)", T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 2);
}

#[test]
fn what_was_not_committed_is_gone_after_closing() {
    let store = Shared::default();
    let mut db = Database::open(Box::new(store.clone()), options(), T0).unwrap();
    db.exec("PRAGMA cache_size = 5; PRAGMA cache_spill = ON; CREATE TABLE t(a)", T0).unwrap();
    db.exec("BEGIN; INSERT INTO t VALUES (zeroblob(500000))", T0).unwrap();
    drop(db);
    let mut db = Database::open(Box::new(store), options(), T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 0);
}

#[test]
fn statements_that_change_nothing_make_no_state() {
    let mut db = open(options());
    db.exec("SELECT 1; PRAGMA user_version; BEGIN; COMMIT; BEGIN IMMEDIATE; ROLLBACK", T0).unwrap();
    assert!(db.bookmark().is_err());
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    let before = db.bookmark().unwrap();
    db.exec("DELETE FROM t WHERE a = 1; UPDATE t SET a = 1; SELECT * FROM t; BEGIN IMMEDIATE; COMMIT", T0).unwrap();
    db.exec("CREATE TEMP TABLE x(a); INSERT INTO x VALUES (1)", T0).unwrap();
    assert_eq!(db.bookmark().unwrap(), before);
}

#[test]
fn a_new_database_takes_the_page_size_asked_for() {
    let page_size = PageSize::new(8192);
    let mut db = open(Options { page_size, ..options() });
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    assert_eq!(db.states()[0].page_size, page_size.unwrap());
    // 4096 is SQLite's default.
    let mut db = open(options());
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    assert_eq!(db.states()[0].page_size.value(), 4096);
}

#[test]
fn the_lock_page_holds_nothing() {
    // 2^30 bytes and more take a gigabyte, which only a large page size makes quick.
    if super::support::setting("ENGINE_LARGE", 0) == 0 {
        return;
    }
    let mut db = open(Options { page_size: PageSize::new(65536), ..options() });
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    for _ in 0..5 {
        db.exec("INSERT INTO t(b) VALUES (zeroblob(250000000))", T0).unwrap();
    }
    assert!(db.states()[0].page_count > 16385);
    assert!(db.check(None, T0).unwrap().is_ok());
    db.exec("DELETE FROM t WHERE a > 1; PRAGMA page_size = 32768; VACUUM", T0).unwrap();
    assert!(db.check(None, T0).unwrap().is_ok());
}

//! The database as a whole: out, in, compacted, checked.

use pagemark::page::DatabaseHeader;

use super::support::{Owned, Shared, T0, integer, open, options, query, rows_of_file, with_history};
use crate::Database;
use crate::database::Loading;

fn file(sql: &str) -> Vec<u8> {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute_batch(sql).unwrap();
    connection.serialize(rusqlite::MAIN_DB).unwrap().to_vec()
}

fn load(db: &mut Database, file: &[u8], piece: usize) -> crate::Result<()> {
    let mut loading = Loading::default();
    for piece in file.chunks(piece) {
        db.load_feed(&mut loading, piece, T0)?;
    }
    db.load(loading, T0)
}

#[test]
fn a15_a_loaded_file_is_one_commit_that_can_be_undone() {
    let source =
        file("PRAGMA page_size = 1024; CREATE TABLE t(a, b); INSERT INTO t VALUES (1, zeroblob(9000)), (2, 'x')");
    for piece in [1, 7, 99, 100, 1024, 1 << 20] {
        let mut db = open(with_history(5));
        db.exec("CREATE TABLE old(x); INSERT INTO old VALUES (5)", T0).unwrap();
        let (Some(select), _) = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 't'", T0).unwrap() else {
            panic!()
        };
        let before = db.bookmark().unwrap();
        load(&mut db, &source, piece).unwrap();
        assert_eq!(db.bookmark().unwrap().txid.0, before.txid.0 + 1);
        assert_eq!(integer(&mut db, "SELECT sum(length(b)) FROM t"), 9001);
        assert_eq!(integer(&mut db, "PRAGMA page_size"), 1024);
        let mut out = Vec::new();
        db.fetch(select, 1, 100, &mut out, T0).unwrap();
        assert_eq!(out, [1, 1, 0, 0, 0]);
        db.reset(select).unwrap();
        assert_eq!(db.serialize().unwrap()[100..], source[100..]);
        db.restore(&before.to_string(), 0, T0).unwrap();
        assert_eq!(integer(&mut db, "SELECT x FROM old"), 5);
    }
}

#[test]
fn a_loaded_file_writes_only_the_pages_that_differ() {
    let mut db = open(with_history(5));
    db.exec("CREATE TABLE t(a, b); CREATE TABLE u(c)", T0).unwrap();
    db.exec("WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO t SELECT i, zeroblob(500) FROM n", T0)
        .unwrap();
    let file = db.serialize().unwrap();
    let loaded_over = |db: &mut Database, sql: &str| {
        db.exec(sql, T0).unwrap();
        let before = db.bookmark().unwrap();
        load(db, &file, 10_000).unwrap();
        assert_eq!(db.serialize().unwrap()[100..], file[100..], "{sql}");
        let (pin, _) = db.pin("latest", 1000, T0).unwrap();
        let changed = db.changed_since(pin, before.txid, T0).unwrap();
        db.restore(&before.to_string(), 0, T0).unwrap();
        changed.len()
    };
    // Page 1 is always other: SQLite is to see that there is something new.
    assert_eq!(loaded_over(&mut db, "UPDATE u SET c = 1 WHERE 0"), 1);
    assert_eq!(loaded_over(&mut db, "INSERT INTO u VALUES (5)"), 2);
    assert!(loaded_over(&mut db, "UPDATE t SET a = -1 WHERE a = 450") <= 3);
    assert!(loaded_over(&mut db, "DELETE FROM t WHERE a > 100; VACUUM") > 50);
}

#[test]
fn a_commit_while_a_file_comes_in_whose_pages_stayed_makes_it_fail() {
    let mut db = open(with_history(5));
    db.exec("CREATE TABLE t(a); CREATE TABLE u(b); INSERT INTO t VALUES (1)", T0).unwrap();
    let file = db.serialize().unwrap();
    let mut loading = Loading::default();
    let (start, end) = file.split_at(file.len() - 10);
    db.load_feed(&mut loading, start, T0).unwrap();
    db.exec("INSERT INTO t VALUES (2)", T0).unwrap();
    let failed = db.load_feed(&mut loading, end, T0).and_then(|()| db.load(loading, T0));
    assert_eq!(failed.unwrap_err().code(), "LOAD_STALE");
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 2);
}

#[test]
fn a15_a_file_in_wal_mode_or_of_another_encoding_loads() {
    let mut wal = file("CREATE TABLE t(a); INSERT INTO t VALUES (7)");
    wal[18..20].copy_from_slice(&[2, 2]);
    let mut db = open(options());
    load(&mut db, &wal, 4096).unwrap();
    assert_eq!(integer(&mut db, "SELECT a FROM t"), 7);
    db.exec("INSERT INTO t VALUES (8)", T0).unwrap();
    let utf16 = file("PRAGMA encoding = 'UTF-16le'; CREATE TABLE u(a); INSERT INTO u VALUES ('é')");
    let (Some(select), _) = db.prepare("SELECT name FROM sqlite_schema", T0).unwrap() else { panic!() };
    load(&mut db, &utf16, 4096).unwrap();
    assert_eq!(query(&mut db, "SELECT a FROM u", T0).unwrap(), [[Owned::Text("é".into())]]);
    let rows = super::support::fetch_all(&mut db, select, T0).unwrap();
    assert_eq!(rows, [[Owned::Text(b"u".to_vec())]], "the statement lives on the new connection");
    let empty = open(options());
    let mut fresh = empty;
    load(&mut fresh, &utf16, 4096).unwrap();
    assert_eq!(query(&mut fresh, "SELECT a FROM u", T0).unwrap(), [[Owned::Text("é".into())]]);
}

#[test]
fn a15_what_is_no_whole_database_changes_nothing() {
    let good = file("CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(20000))");
    let mut db = open(options());
    db.exec("CREATE TABLE kept(a)", T0).unwrap();
    let before = db.bookmark().unwrap();
    let mut code = |file: &[u8]| load(&mut db, file, 1000).map_or_else(|error| error.code(), |()| "loaded");
    assert_eq!(code(b""), "DATABASE_EMPTY");
    assert_eq!(code(b"hello"), "DATABASE_NOT_SQLITE");
    assert_eq!(code(&good[..99]), "DATABASE_TRUNCATED");
    assert_eq!(code(&good[..150]), "LOAD_SIZE");
    assert_eq!(code(&good[..good.len() - 1]), "LOAD_SIZE");
    assert_eq!(code(&good[..good.len() - 4096]), "LOAD_SIZE");
    assert_eq!(code(&[&good[..], b"x"].concat()), "LOAD_SIZE");
    assert_eq!(db.bookmark().unwrap(), before);
    load(&mut db, &[&good[..], &[0; 4096]].concat(), 5000).unwrap();
    assert_eq!(db.serialize().unwrap().len(), good.len());
}

#[test]
fn c7_a_compacted_copy_keeps_what_names_the_database() {
    let mut db = open(options());
    db.exec("PRAGMA page_size = 2048; PRAGMA user_version = 41; PRAGMA application_id = 42", T0).unwrap();
    db.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, zeroblob(500000)), (2, 'kept')", T0).unwrap();
    db.exec("DELETE FROM t WHERE a = 1", T0).unwrap();
    let before = db.bookmark().unwrap();
    let mut compacted = db.compact(T0).unwrap();
    let mut copy = vec![0; compacted.size() as usize];
    let mut at = 0;
    while at < copy.len() {
        let end = copy.len().min(at + 1000);
        at += compacted.read(&mut copy[at..end]).unwrap();
    }
    assert_eq!(compacted.read(&mut [0; 10]).unwrap(), 0);
    assert!(copy.len() < 20_000 && db.serialize().unwrap().len() > 500_000);
    assert_eq!(db.bookmark().unwrap(), before, "the database is as it was");
    let header = DatabaseHeader::parse(&copy).unwrap();
    assert_eq!((header.page_size.value(), header.user_version, header.application_id), (2048, 41, 42));
    assert_eq!(rows_of_file(&copy, "SELECT a FROM t"), [["Integer(2)"]]);
    // And once more: nothing is left of the first.
    assert_eq!(db.compact(T0).unwrap().size(), copy.len() as u64);
    db.exec("BEGIN", T0).unwrap();
    assert_eq!(db.compact(T0).err().map(|error| error.code()), Some("SQL_ERROR"));
}

#[test]
fn c17_a_check_finds_damage_and_rows_that_refer_to_none() {
    let store = Shared::default();
    let mut db = Database::open(Box::new(store.clone()), options(), T0).unwrap();
    db.exec(
        "CREATE TABLE p(a INTEGER PRIMARY KEY); CREATE TABLE c(a REFERENCES p); CREATE INDEX i ON c(a);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1), (2)",
        T0,
    )
    .unwrap();
    let report = db.check(None, T0).unwrap();
    assert!(report.integrity.is_empty() && !report.is_ok());
    let problem = &report.foreign_keys[0];
    assert_eq!((problem.table.as_str(), problem.rowid, problem.parent.as_str(), problem.key), ("c", Some(2), "p", 0));
    let mut broken = db.serialize().unwrap();
    let last = broken.len() - 2;
    broken[last] ^= 0x55;
    load(&mut db, &broken, 4096).unwrap();
    assert!(!db.check(None, T0).unwrap().integrity.is_empty());
    let page = broken.len() - 4096;
    broken[page..].fill(0xff);
    load(&mut db, &broken, 4096).unwrap();
    assert!(!db.check(None, T0).unwrap().integrity.is_empty());
}

//! Memory that runs out and a store that is full: a typed error, and the database as it was.

use super::support::{T0, integer, options, query};
use crate::store::MemoryStore;
use crate::{Database, Error};

#[test]
fn e8_a_full_memory_store_refuses_the_commit_and_keeps_the_last() {
    let mut db = Database::open(Box::new(MemoryStore::with_limit(300_000)), options(), T0).unwrap();
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    let mut rows = 0;
    let error = loop {
        match db.exec("INSERT INTO t(b) VALUES (zeroblob(10000))", T0) {
            Ok(()) => rows += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.code(), error.sqlite), ("ENGINE_FULL", Some(13)));
    assert!(rows > 10);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), rows);
    assert!(db.check(T0).unwrap().is_ok());
    // There is room for the pages that a deletion changes, and then for more.
    db.exec("DELETE FROM t WHERE a <= 5", T0).unwrap();
    db.exec("INSERT INTO t(b) VALUES (zeroblob(10000))", T0).unwrap();
    assert!(db.check(T0).unwrap().is_ok());
}

/// One test for all of it: the limit is the process's, and `cargo test` runs tests side by side in one.
/// `cargo nextest`, which the project's scripts prefer, does not.
#[test]
fn e8_sqlite_without_memory_is_a_typed_error_and_the_database_goes_on() {
    let mut db = Database::open(Box::new(MemoryStore::default()), options(), T0).unwrap();
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t(b) VALUES (zeroblob(5000))", T0).unwrap();
    let before = db.bookmark().unwrap();
    // 3 MiB more than is used now by all tests of this process together would be enough for none of these.
    Database::set_heap_limit(3 << 20);
    let failed: Vec<Error> = [
        "INSERT INTO t(b) VALUES (zeroblob(900000000))",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 3000) INSERT INTO t(b) SELECT zeroblob(3000) FROM r",
        "SELECT hex(zeroblob(100000000))",
    ]
    .into_iter()
    .map(|sql| query(&mut db, sql, T0).unwrap_err())
    .collect();
    Database::set_heap_limit(0);
    for error in failed {
        assert_eq!(error.code(), "ENGINE_MEMORY", "{error}");
    }
    assert_eq!(db.bookmark().unwrap(), before);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 1);
    db.exec("INSERT INTO t(b) VALUES (1)", T0).unwrap();
    assert!(db.check(T0).unwrap().is_ok());
}

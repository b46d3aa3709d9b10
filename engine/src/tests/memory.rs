//! A store that is full: a typed error, and the database as it was. (Of SQLite's memory: `engine/tests/memory.rs`.)

use super::support::{T0, integer, options};
use crate::Database;
use crate::store::MemoryStore;

#[test]
fn f9_a_full_memory_store_refuses_the_commit_and_keeps_the_last() {
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
    assert!(db.check(None, T0).unwrap().is_ok());
    // There is room for the pages that a deletion changes, and then for more.
    db.exec("DELETE FROM t WHERE a <= 5", T0).unwrap();
    db.exec("INSERT INTO t(b) VALUES (zeroblob(10000))", T0).unwrap();
    assert!(db.check(None, T0).unwrap().is_ok());
}

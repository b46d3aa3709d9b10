//! SQLite without memory: a typed error, and the database as it was.
//!
//! The limit is the process's, so this is a process of its own, with one test.

#![allow(clippy::unwrap_used)]

use pagemark::bookmark::Lineage;
use pagemark_engine::store::MemoryStore;
use pagemark_engine::{Database, Error, Options, Result};

const NOW: i64 = 1_767_225_600_000;

fn rows(db: &mut Database, sql: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let id = db.prepare(sql, NOW)?.0.unwrap();
    let fetched = db.fetch(id, u32::MAX, usize::MAX, &mut out, NOW);
    db.finalize(id);
    fetched.map(|_| out)
}

#[test]
fn f9_sqlite_without_memory_is_a_typed_error_and_the_database_goes_on() {
    let options = Options::new(Lineage(7));
    let mut db = Database::open(Box::new(MemoryStore::default()), options, NOW).unwrap();
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t(b) VALUES (zeroblob(5000))", NOW).unwrap();
    let before = db.bookmark().unwrap();
    Database::set_heap_limit(3 << 20);
    let failed: Vec<Error> = [
        "INSERT INTO t(b) VALUES (zeroblob(900000000))",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 3000) \
         INSERT INTO t(b) SELECT zeroblob(3000) FROM r",
        "SELECT hex(zeroblob(100000000))",
    ]
    .into_iter()
    .map(|sql| rows(&mut db, sql).unwrap_err())
    .collect();
    for error in failed {
        assert_eq!(error.code(), "ENGINE_MEMORY", "{error}");
    }
    assert_eq!(db.bookmark().unwrap(), before);
    Database::set_heap_limit(0);
    let one = [1, 1, 0, 0, 0];
    assert_eq!(rows(&mut db, "SELECT count(*) FROM t").unwrap(), one);
    db.exec("INSERT INTO t(b) VALUES (1)", NOW).unwrap();
    assert!(db.check(None, NOW).unwrap().is_ok());
}

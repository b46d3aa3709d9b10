//! A store that fails at any call, and a process that ends at any call: the database is at its last commit.

use std::cell::Cell;
use std::rc::Rc;

use pagemark::page::{Pgno, Txid};

use super::spilling::Spilling;
use super::support::{Random, Shared, T0, file_at, integer, options, query, setting, with_history};
use crate::database::Loading;
use crate::store::{Commit, Keep, PageStore, Scratch, StoreError, StoreState};
use crate::{Database, Options, Result};

/// Fails at one call, or from that call on.
#[derive(Clone, Default)]
struct Faulty {
    inner: Spilling,
    /// Whether it takes what is not committed.
    spills: bool,
    calls: Rc<Cell<u64>>,
    fail_at: Rc<Cell<u64>>,
    for_good: bool,
    /// Whether what fails is said to be full, instead of broken.
    full: bool,
}

impl Faulty {
    fn call(&self) -> Result<(), StoreError> {
        self.calls.set(self.calls.get() + 1);
        let (call, fail_at) = (self.calls.get(), self.fail_at.get());
        let fails = if self.for_good { call >= fail_at } else { call == fail_at };
        match (fails && fail_at > 0, self.full) {
            (false, _) => Ok(()),
            (true, false) => Err(StoreError::Io("the test wants it".into())),
            (true, true) => Err(StoreError::Full("the test wants it".into())),
        }
    }
}

impl PageStore for Faulty {
    fn open(&mut self) -> Result<StoreState, StoreError> {
        self.call()?;
        self.inner.open()
    }
    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        self.call()?;
        self.inner.read(pgno, txid, page)
    }
    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        self.call()?;
        self.inner.commit(commit)
    }
    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError> {
        self.call()?;
        self.inner.retain(keep)
    }
    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        self.call()?;
        self.inner.changed(after, upto)
    }
    fn scratch(&mut self) -> Option<&mut dyn Scratch> {
        if self.spills { Some(self) } else { None }
    }
}

impl Scratch for Faulty {
    fn stage(&mut self, txid: Txid, pages: &[(Pgno, Box<[u8]>)]) -> Result<(), StoreError> {
        self.call()?;
        self.inner.stage(txid, pages)
    }
    fn unstage(&mut self) -> Result<(), StoreError> {
        self.call()?;
        self.inner.unstage()
    }
    fn write_block(&mut self, file: u32, block: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.call()?;
        self.inner.write_block(file, block, bytes)
    }
    fn read_block(&mut self, file: u32, block: u32, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.call()?;
        self.inner.read_block(file, block, bytes)
    }
    fn drop_file(&mut self, file: u32) -> Result<(), StoreError> {
        self.call()?;
        self.inner.drop_file(file)
    }
}

/// Memory holds next to nothing of what is not committed, where the store takes it.
fn small() -> Options {
    Options { spill_after: 2048, ..with_history(1000) }
}

/// Transactions of every kind. Stops at the first error.
fn work(db: &mut Database) -> Result<()> {
    let mut random = Random(5);
    db.exec("PRAGMA cache_size = 4; PRAGMA cache_spill = ON; PRAGMA auto_vacuum = FULL", T0)?;
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b)", T0)?;
    for n in 0..12u64 {
        let size = random.below(3000);
        db.exec(
            &format!("BEGIN; INSERT INTO t VALUES ({n}, zeroblob({size})); UPDATE t SET b = b || {n}; COMMIT"),
            T0,
        )?;
    }
    db.exec("BEGIN; DELETE FROM t WHERE a > 3; ROLLBACK; DELETE FROM t WHERE a % 2 = 0", T0)?;
    db.exec("PRAGMA journal_mode = TRUNCATE; INSERT INTO t VALUES (50, zeroblob(20000))", T0)?;
    db.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = PERSIST; INSERT INTO t VALUES (51, zeroblob(30000))", T0)?;
    db.exec("BEGIN; UPDATE t SET b = zeroblob(9000); SAVEPOINT s; UPDATE t SET b = a || b; ROLLBACK TO s; COMMIT", T0)?;
    let copy = db.serialize()?;
    db.exec("PRAGMA page_size = 1024; VACUUM; DROP INDEX i", T0)?;
    db.exec("PRAGMA page_size = 8192; VACUUM", T0)?;
    let mut compacted = db.compact(T0)?;
    while compacted.read(&mut [0; 5000])? > 0 {}
    let mut loading = Loading::default();
    for piece in copy.chunks(20_000) {
        if let Err(error) = db.load_feed(&mut loading, piece, T0) {
            db.load_abort(loading);
            return Err(error);
        }
    }
    db.load(loading, T0)?;
    query(db, "SELECT total(length(b)) FROM t", T0)?;
    db.restore("0000000000000005", 0, T0)?;
    db.exec("INSERT INTO t VALUES (60, 1)", T0)
}

fn faulty(fail_at: u64, for_good: bool, full: bool) -> (Faulty, Spilling) {
    let inner = Spilling::default();
    let store = Faulty { inner: inner.clone(), for_good, full, ..Faulty::default() };
    store.fail_at.set(fail_at);
    (store, inner)
}

/// Every call with `ENGINE_CRASHES=1`, otherwise one in seven, or fewer where there are very many.
fn calls_to_fail(calls: u64) -> impl Iterator<Item = u64> {
    (1..=calls).step_by(setting("ENGINE_CRASHES", (calls / 60).max(7)) as usize)
}

fn calls_of_the_work(spills: bool) -> u64 {
    let (store, _) = faulty(0, false, false);
    let calls = Rc::clone(&store.calls);
    let mut db = Database::open(Box::new(Faulty { spills, ..store }), small(), T0).unwrap();
    work(&mut db).unwrap();
    calls.get()
}

/// Every state that the work goes through, as a file.
fn states() -> Vec<Vec<u8>> {
    let mut db = Database::open(Box::new(Shared::default()), with_history(1000), T0).unwrap();
    work(&mut db).unwrap();
    let states: Vec<String> = db.states().iter().map(|state| state.txid.to_string()).collect();
    states.iter().map(|state| file_at(&mut db, state, T0).unwrap()).collect()
}

#[test]
fn f1_a_store_that_breaks_at_any_call_is_at_the_last_commit() {
    breaks_for_good(false);
}

#[test]
fn f1_so_it_is_when_what_is_not_committed_is_in_the_store() {
    breaks_for_good(true);
}

fn breaks_for_good(spills: bool) {
    let states = states();
    let calls = calls_of_the_work(spills);
    assert!(calls > 100, "{calls}");
    for full in [false, true] {
        for fail_at in calls_to_fail(calls) {
            let (store, inner) = faulty(fail_at, true, full);
            let store = Box::new(Faulty { spills, ..store });
            let failed = Database::open(store, small(), T0).and_then(|mut db| work(&mut db));
            let Err(error) = failed else {
                // Only what is left of a temporary file, which nobody needs, was not dropped.
                assert!(spills && fail_at + 10 > calls, "call {fail_at}");
                continue;
            };
            assert_eq!(error.code(), if full { "ENGINE_FULL" } else { "ENGINE_STORE" }, "call {fail_at}: {error}");
            assert!(error.to_string().ends_with("the test wants it"), "{error}");
            let mut db = Database::open(Box::new(inner.clone()), with_history(1000), T0).unwrap();
            assert_eq!(inner.scratch_held(), (0, 0));
            let Ok(bookmark) = db.bookmark() else { continue };
            assert_eq!(db.serialize().unwrap(), states[bookmark.txid.0 as usize - 1], "call {fail_at}");
            assert!(db.check(None, T0).unwrap().is_ok(), "call {fail_at}");
        }
    }
}

#[test]
fn f1_after_one_failed_call_the_open_database_goes_on_from_the_last_commit() {
    fails_once(false);
}

#[test]
fn f1_so_it_does_when_what_is_not_committed_is_in_the_store() {
    fails_once(true);
}

fn fails_once(spills: bool) {
    let states = states();
    for full in [false, true] {
        for fail_at in calls_to_fail(calls_of_the_work(spills)) {
            let (store, inner) = faulty(fail_at, false, full);
            let calls = Rc::clone(&store.calls);
            let store = Box::new(Faulty { spills, ..store });
            // It may fail while opening; then there is nothing to go on with.
            let Ok(mut db) = Database::open(store, small(), T0) else { continue };
            let Err(error) = work(&mut db) else {
                // Reading the schema again after a restore is tried once more when it is needed; what was not forgotten
                // is forgotten before it does any harm; and a batch of writes that fails SQLite writes again, with
                // another change counter.
                let (mut is, mut was) = (db.serialize().unwrap(), states.last().unwrap().clone());
                for file in [&mut is, &mut was] {
                    [24..28, 92..96].into_iter().for_each(|counter| file[counter].fill(0));
                }
                assert!(is == was, "call {fail_at}");
                assert_eq!(inner.scratch_held().0, 0, "call {fail_at}");
                continue;
            };
            // A commit that finds the store full lets history go and is made all the same; what the work would go back to
            // is gone then.
            let codes: &[_] = if full { &["ENGINE_FULL", "HISTORY_GONE"] } else { &["ENGINE_STORE"] };
            assert!(codes.contains(&error.code()), "call {fail_at}: {error}");
            assert!(!db.is_busy() || db.in_transaction(), "call {fail_at}");
            if db.in_transaction() {
                db.exec("ROLLBACK", T0).unwrap();
            }
            assert!(calls.get() >= fail_at);
            if let Ok(bookmark) = db.bookmark() {
                let Some(expected) = states.get(bookmark.txid.0 as usize - 1) else { panic!("call {fail_at}") };
                assert_eq!(&db.serialize().unwrap(), expected, "call {fail_at}");
                assert!(db.check(None, T0).unwrap().is_ok(), "call {fail_at}");
                assert_eq!(db.connection().unwrap().serialize().len(), expected.len(), "call {fail_at}");
            }
            // And it still takes commits, on what is really there.
            let before = integer(&mut db, "SELECT count(*) FROM sqlite_schema");
            db.exec("CREATE TABLE afterwards(a); INSERT INTO afterwards VALUES (1)", T0).unwrap();
            assert_eq!(integer(&mut db, "SELECT count(*) FROM sqlite_schema"), before + 1);
            assert!(db.check(None, T0).unwrap().is_ok(), "call {fail_at}");
            let file = file_at(&mut db, "latest", T0).unwrap();
            assert_eq!(file, db.serialize().unwrap());
            assert_eq!(inner.scratch_held().0, 0, "call {fail_at}");
        }
    }
}

#[test]
fn f1_a_row_being_read_when_the_store_fails_is_an_error_and_then_reads_again() {
    let (store, _) = faulty(0, false, false);
    let (calls, fail_at) = (Rc::clone(&store.calls), Rc::clone(&store.fail_at));
    let mut db = Database::open(Box::new(store), options(), T0).unwrap();
    db.exec("PRAGMA cache_size = 5; CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    db.exec(
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 500) \
         INSERT INTO t SELECT i, zeroblob(500) FROM r",
        T0,
    )
    .unwrap();
    db.exec("PRAGMA shrink_memory", T0).unwrap();
    fail_at.set(calls.get() + 10);
    let error = query(&mut db, "SELECT total(length(b)) FROM t", T0).unwrap_err();
    assert_eq!(error.code(), "ENGINE_STORE");
    assert_eq!(error.sqlite, Some(10));
    assert_eq!(integer(&mut db, "SELECT sum(length(b)) FROM t"), 250_000);
}

#[test]
fn f1_a_failed_commit_of_a_transaction_over_two_files_is_an_error_too() {
    let (store, _) = faulty(0, false, false);
    let (calls, fail_at) = (Rc::clone(&store.calls), Rc::clone(&store.fail_at));
    let mut db = Database::open(Box::new(store), options(), T0).unwrap();
    db.exec("CREATE TABLE t(a); ATTACH '' AS x; CREATE TABLE x.u(a)", T0).unwrap();
    db.exec("BEGIN; INSERT INTO t VALUES (1); INSERT INTO x.u VALUES (1)", T0).unwrap();
    fail_at.set(calls.get() + 1);
    let error = db.exec("COMMIT", T0).unwrap_err();
    assert_eq!((error.code(), error.sqlite), ("ENGINE_STORE", Some(10)));
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 0);
    db.exec("INSERT INTO t VALUES (2)", T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT a FROM t"), 2);
    assert!(db.check(None, T0).unwrap().is_ok());
}

#[test]
fn f1_a_check_that_could_not_read_says_so_instead_of_finding_damage() {
    let (store, _) = faulty(0, false, false);
    let (calls, fail_at) = (Rc::clone(&store.calls), Rc::clone(&store.fail_at));
    let mut db = Database::open(Box::new(store), options(), T0).unwrap();
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(100000))", T0).unwrap();
    for call in 1..25 {
        db.exec("PRAGMA shrink_memory", T0).unwrap();
        fail_at.set(calls.get() + call);
        assert_eq!(db.check(None, T0).unwrap_err().code(), "ENGINE_STORE", "call {call}");
        fail_at.set(0);
        assert!(db.check(None, T0).unwrap().is_ok());
    }
}

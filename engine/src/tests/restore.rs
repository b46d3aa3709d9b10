//! Going back is a commit like any other, and open statements see it.

use super::support::{
    Owned, Random, T0, encoded, fetch_all, file_at, integer, open, options, query, setting, with_history,
};
use crate::Options;
use crate::rows::Value;

#[test]
fn a14_an_open_statement_sees_the_restored_rows() {
    let mut db = open(with_history(10));
    db.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'one')", T0).unwrap();
    let (Some(select), _) = db.prepare("SELECT b FROM t WHERE a >= ? ORDER BY a", T0).unwrap() else { panic!() };
    db.bind(select, &encoded(&[Value::Integer(1)])).unwrap();
    assert_eq!(fetch_all(&mut db, select, T0).unwrap().len(), 1);
    let one = db.bookmark().unwrap();
    db.exec("INSERT INTO t VALUES (2, 'two'); UPDATE t SET b = 'uno' WHERE a = 1", T0).unwrap();
    assert_eq!(fetch_all(&mut db, select, T0).unwrap().len(), 2);
    let two = db.bookmark().unwrap();

    let undo = db.restore(&one.to_string(), 0, T0).unwrap();
    assert_eq!(undo, two);
    assert_eq!(db.bookmark().unwrap().txid.0, two.txid.0 + 1);
    assert_eq!(fetch_all(&mut db, select, T0).unwrap(), [[Owned::Text(b"one".to_vec())]]);
    db.restore(&undo.to_string(), 0, T0).unwrap();
    assert_eq!(fetch_all(&mut db, select, T0).unwrap().len(), 2);
}

#[test]
fn a14_two_states_with_equal_cookies_and_different_schemas_are_told_apart() {
    let mut db = open(with_history(10));
    db.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 2)", T0).unwrap();
    let root = db.bookmark().unwrap();
    db.exec("ALTER TABLE t RENAME COLUMN b TO c", T0).unwrap();
    let left = db.bookmark().unwrap();
    db.restore(&root.to_string(), 0, T0).unwrap();
    db.exec("ALTER TABLE t DROP COLUMN b", T0).unwrap();
    let (Some(all), _) = db.prepare("SELECT * FROM t", T0).unwrap() else { panic!() };
    assert_eq!(fetch_all(&mut db, all, T0).unwrap()[0].len(), 1);
    db.restore(&left.to_string(), 0, T0).unwrap();
    assert_eq!(query(&mut db, "SELECT c FROM t", T0).unwrap(), [[Owned::Integer(2)]]);
    let mut out = Vec::new();
    db.fetch(all, 1, 1000, &mut out, T0).unwrap();
    // It is compiled again when it is run, and has two columns then.
    assert_eq!(db.column_names(all).unwrap(), ["a", "c"]);
}

#[test]
fn a13_the_restored_bytes_differ_in_page_1s_counters_only() {
    let mut db = open(with_history(50));
    db.exec("CREATE TABLE t(a, b); CREATE TABLE u(a)", T0).unwrap();
    for n in 0..20 {
        db.exec(&format!("INSERT INTO t VALUES ({n}, zeroblob({}))", n * 900), T0).unwrap();
    }
    let target = db.bookmark().unwrap();
    let wanted = file_at(&mut db, &target.to_string(), T0).unwrap();
    db.exec("DELETE FROM t WHERE a % 3 = 0; VACUUM; DROP TABLE u", T0).unwrap();
    db.restore(&target.to_string(), 0, T0).unwrap();
    let restored = db.serialize().unwrap();
    assert_eq!(restored.len(), wanted.len());
    let different: Vec<usize> = (0..wanted.len()).filter(|&at| wanted[at] != restored[at]).collect();
    assert!(different.iter().all(|at| (24..28).contains(at) || (40..44).contains(at) || (92..96).contains(at)));
    assert!(!different.is_empty());
    assert!(db.check(None, T0).unwrap().is_ok());
}

#[test]
fn a14_across_page_sizes_and_auto_vacuum_at_random() {
    let mut random = Random(setting("ENGINE_SEED", 3));
    let mut db = open(with_history(1000));
    db.exec("PRAGMA auto_vacuum = FULL; CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    let (Some(count), _) = db.prepare("SELECT count(*), total(length(b)) FROM t", T0).unwrap() else { panic!() };
    let mut states = Vec::new();
    for n in 0..300 {
        match random.below(8) {
            0..5 => {
                let sql = format!("INSERT OR REPLACE INTO t VALUES ({}, zeroblob({}))", n % 40, random.below(9000));
                db.exec(&sql, T0).unwrap();
            }
            5 => db.exec("DELETE FROM t WHERE a % 3 = 1", T0).unwrap(),
            6 => {
                let page_size = random.pick(&[512, 1024, 4096, 8192, 65536]);
                let mode = random.below(3);
                db.exec(&format!("PRAGMA page_size = {page_size}; PRAGMA auto_vacuum = {mode}; VACUUM"), T0).unwrap();
            }
            _ => {
                let Some((bookmark, rows, file)) = states.get(random.below(n + 1) as usize) else { continue };
                let bookmark: &String = bookmark;
                db.restore(bookmark, 0, T0).unwrap();
                assert_eq!(&fetch_all(&mut db, count, T0).unwrap(), rows);
                let restored: Vec<u8> = db.serialize().unwrap();
                let file: &Vec<u8> = file;
                assert_eq!(restored.len(), file.len());
                assert_eq!(restored[100..], file[100..]);
            }
        }
        let file = file_at(&mut db, "latest", T0).unwrap();
        states.push((db.bookmark().unwrap().to_string(), fetch_all(&mut db, count, T0).unwrap(), file));
    }
    assert!(db.check(None, T0).unwrap().is_ok());
}

#[test]
fn a14_refused_while_something_is_under_way() {
    let mut db = open(with_history(10));
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)", T0).unwrap();
    let (Some(select), _) = db.prepare("SELECT a FROM t", T0).unwrap() else { panic!() };
    db.fetch(select, 1, 1000, &mut Vec::new(), T0).unwrap();
    assert_eq!(db.restore("latest", 0, T0).unwrap_err().code(), "ENGINE_BUSY");
    db.reset(select).unwrap();
    db.exec("BEGIN", T0).unwrap();
    assert_eq!(db.restore("latest", 0, T0).unwrap_err().code(), "ENGINE_BUSY");
    db.exec("ROLLBACK", T0).unwrap();
    db.restore("latest", 0, T0).unwrap();
}

#[test]
fn a12_without_history_the_state_before_is_held_for_as_long_as_asked() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    let (pin, _) = db.pin("latest", 10_000, T0).unwrap();
    db.exec("INSERT INTO t VALUES (1)", T0).unwrap();
    let at = db.pinned(pin, T0).unwrap().txid.to_string();
    let undo = db.restore(&at, 5000, T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 0);
    db.restore(&undo.to_string(), 5000, T0 + 4999).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 1);
    db.sweep(T0 + 100_000).unwrap();
    assert_eq!(db.restore(&undo.to_string(), 0, T0 + 100_000).unwrap_err().code(), "HISTORY_GONE");
}

#[test]
fn a14_temporary_tables_and_settings_stay() {
    let mut db = open(Options { foreign_keys: true, ..with_history(10) });
    db.exec("CREATE TABLE t(a); CREATE TEMP TABLE x(a); INSERT INTO x VALUES (7)", T0).unwrap();
    db.exec("INSERT INTO t VALUES (1)", T0).unwrap();
    db.restore("0000000000000001", 0, T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT a FROM x"), 7);
    assert_eq!(integer(&mut db, "PRAGMA foreign_keys"), 1);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 0);
}

//! Pins hold a state while commits go on, and let go of it.

use super::support::{T0, file_at, open, options};
use crate::Database;
use crate::history::PinId;
use pagemark::page::Pgno;

fn filled() -> Database {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    db.exec(
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 2000) \
         INSERT INTO t SELECT i, printf('%0200d', i) FROM r",
        T0,
    )
    .unwrap();
    db
}

fn read_all(db: &mut Database, pin: PinId, now_ms: i64) -> Vec<u8> {
    let record = db.pinned(pin, now_ms).unwrap();
    let mut file = vec![0; record.page_size.bytes() * record.page_count as usize];
    for (pgno, page) in (1..).zip(file.chunks_mut(record.page_size.bytes())) {
        db.page_at(pin, Pgno::new(pgno).unwrap(), page, now_ms).unwrap();
    }
    file
}

#[test]
fn c6_a_reader_at_a_pin_sees_its_state_while_1000_commits_go_on() {
    let mut db = filled();
    let size = db.stored();
    let (pin, record) = db.pin("latest", 60_000, T0).unwrap();
    let before = db.serialize().unwrap();
    // A page at a time between the commits, as a backup does.
    let mut read = Vec::new();
    let mut next = 1;
    for n in 0..1000 {
        db.exec(&format!("UPDATE t SET b = printf('%0200d', {n}) WHERE a = {}", n * 2), T0 + n).unwrap();
        if let Some(pgno) = Pgno::new(next).filter(|pgno| pgno.value() <= record.page_count) {
            let mut page = vec![0; record.page_size.bytes()];
            db.page_at(pin, pgno, &mut page, T0 + n).unwrap();
            read.extend_from_slice(&page);
            next += 1;
        }
    }
    assert_eq!(read, before[..read.len()]);
    assert_eq!(read_all(&mut db, pin, T0 + 1000), before);
    // Two versions of a page are the most that a pin and the present need.
    assert!(db.stored() <= 2 * size + 1_000_000, "{} of {size}", db.stored());
    assert!(db.release(pin, T0 + 1000).unwrap());
    assert_eq!(db.stored(), db.serialize().unwrap().len() as u64);
    assert_eq!(db.pinned(pin, T0 + 1000).unwrap_err().code(), "PIN_UNKNOWN");
    assert!(!db.release(pin, T0 + 1000).unwrap());
}

#[test]
fn e8_a_pin_whose_lease_ran_out_holds_nothing() {
    let mut db = filled();
    let (pin, record) = db.pin("latest", 15_000, T0).unwrap();
    db.exec("UPDATE t SET b = 1", T0 + 1).unwrap();
    db.renew(pin, 15_000, T0 + 14_999).unwrap();
    db.exec("UPDATE t SET b = 2", T0 + 29_000).unwrap();
    assert_eq!(db.pinned(pin, T0 + 29_998).unwrap(), record);
    assert!(db.stored() > db.serialize().unwrap().len() as u64);
    assert_eq!(db.pinned(pin, T0 + 29_999).unwrap_err().code(), "PIN_UNKNOWN");
    db.sweep(T0 + 29_999).unwrap();
    assert_eq!(db.stored(), db.serialize().unwrap().len() as u64);
    assert_eq!(db.renew(pin, 15_000, T0 + 30_000).unwrap_err().code(), "PIN_UNKNOWN");
    assert_eq!(file_at(&mut db, &record.txid.to_string(), T0 + 30_000).unwrap_err().code(), "HISTORY_GONE");
}

#[test]
fn e8_a_commit_lets_go_of_expired_pins_too() {
    let mut db = filled();
    db.pin("latest", 100, T0).unwrap();
    db.exec("UPDATE t SET b = 1", T0 + 50).unwrap();
    db.exec("UPDATE t SET b = 2 WHERE a = 1", T0 + 100).unwrap();
    assert_eq!(db.stored(), db.serialize().unwrap().len() as u64);
}

#[test]
fn b3_what_changed_since_a_state_is_what_differs() {
    let mut db = filled();
    let since = db.bookmark().unwrap().txid;
    let (before, _) = db.pin("latest", 60_000, T0).unwrap();
    let old = read_all(&mut db, before, T0);
    db.exec("UPDATE t SET b = 'x' WHERE a % 500 = 0", T0).unwrap();
    db.exec("DELETE FROM t WHERE a > 1900; CREATE TABLE u(x); INSERT INTO u VALUES (1)", T0).unwrap();
    let (after, record) = db.pin("latest", 60_000, T0).unwrap();
    let new = read_all(&mut db, after, T0);
    // What comes later does not count.
    db.exec("UPDATE t SET b = 'y'", T0).unwrap();
    let changed = db.changed_since(after, since, T0).unwrap();
    let page_size = record.page_size.bytes();
    for (pgno, page) in (1..).filter_map(Pgno::new).zip(new.chunks(page_size)) {
        let differs = old.chunks(page_size).nth(pgno.value() as usize - 1) != Some(page);
        assert!(!differs || changed.contains(&pgno), "page {pgno}");
    }
    assert!(changed.len() < record.page_count as usize / 2, "{} of {}", changed.len(), record.page_count);
    assert!(changed.is_sorted());
}

#[test]
fn pages_that_a_state_does_not_have_are_refused() {
    let mut db = filled();
    let (pin, record) = db.pin("latest", 60_000, T0).unwrap();
    let mut page = vec![0; record.page_size.bytes()];
    let beyond = Pgno::new(record.page_count + 1).unwrap();
    assert_eq!(db.page_at(pin, beyond, &mut page, T0).unwrap_err().code(), "USAGE");
    assert_eq!(db.page_at(pin, Pgno::FIRST, &mut page[1..], T0).unwrap_err().code(), "USAGE");
}

//! The journal of a large transaction refers to the pages that it replaces.

use pagemark::page::Pgno;

use super::spilling::Spilling;
use super::support::{LINEAGE, Random, Shared, T0, integer, options, query, with_history};
use crate::Database;
use crate::history::{History, Window};
use crate::journal::Journal;
use crate::scratch::{BLOCK, Blocks};
use crate::store::{PageStore, SharedStore};
use crate::volume::Volume;

const ROWS: &str = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 2000) \
                    INSERT INTO t SELECT i, printf('%01000d', i) FROM r";

/// Some 500 pages, none of which fit into memory while they are not committed.
fn large() -> (Database, Spilling) {
    let store = Spilling::default();
    let options = crate::Options { spill_after: 64 * 1024, ..with_history(0) };
    let mut db = Database::open(Box::new(store.clone()), options, T0).unwrap();
    db.exec("PRAGMA cache_size = 20; CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    db.exec(ROWS, T0).unwrap();
    (db, store)
}

fn blocks_written(store: &Spilling, action: impl FnOnce()) -> u64 {
    let (_, before) = store.spilled.get();
    action();
    store.spilled.get().1 - before
}

#[test]
fn f1_a_large_transaction_stores_nothing_of_what_it_replaces() {
    let (mut db, store) = large();
    let bytes = integer(&mut db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    assert!(bytes > 2_000_000);
    let update = "UPDATE t SET b = 'x' || substr(b, 2)";
    let most = 2 * 64 * 1024 / BLOCK as u64;
    assert!(blocks_written(&store, || db.exec(update, T0).unwrap()) < most);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t WHERE b LIKE 'x%'"), 2000);

    // Nor does one that opened the store just now, and knows no page's checksum.
    drop(db);
    let options = crate::Options { spill_after: 64 * 1024, ..with_history(0) };
    let mut db = Database::open(Box::new(store.clone()), options, T0).unwrap();
    db.exec("PRAGMA cache_size = 20", T0).unwrap();
    let written = blocks_written(&store, || {
        db.exec(&format!("BEGIN; {update}; UPDATE t SET b = 'y'; ROLLBACK"), T0).unwrap();
    });
    assert!(written < most, "{written}");
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t WHERE b LIKE 'x%'"), 2000);
    assert!(db.check(None, T0).unwrap().is_ok());
}

#[test]
fn a_large_transaction_is_rolled_back_whole_or_to_a_savepoint_whatever_the_journal_mode() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST", "MEMORY"] {
        for mut db in [large().0, Database::open(Box::new(Shared::default()), options(), T0).unwrap()] {
            if integer(&mut db, "SELECT count(*) FROM sqlite_schema") == 0 {
                db.exec(&format!("CREATE TABLE t(a INTEGER PRIMARY KEY, b); {ROWS}"), T0).unwrap();
            }
            query(&mut db, &format!("PRAGMA journal_mode = {mode}"), T0).unwrap();
            for round in 0..3 {
                let before = db.serialize().unwrap();
                db.exec("BEGIN; UPDATE t SET b = 'x' || b; DELETE FROM t WHERE a % 3 = 0; ROLLBACK", T0).unwrap();
                assert!(db.serialize().unwrap() == before, "{mode}, round {round}");
                db.exec("BEGIN; UPDATE t SET b = 'y' || substr(b, 2); SAVEPOINT s; DELETE FROM t", T0).unwrap();
                db.exec("ROLLBACK TO s; COMMIT", T0).unwrap();
                assert_eq!(integer(&mut db, "SELECT count(*) FROM t WHERE b LIKE 'y%'"), 2000, "{mode}");
                // In the middle of the statement, after most rows.
                let failing = "UPDATE t SET a = CASE a WHEN 1990 THEN 1995 ELSE a + 10000 END";
                assert!(db.exec(failing, T0).is_err());
                db.exec("UPDATE t SET b = printf('%01000d', a)", T0).unwrap();
                let is = db.serialize().unwrap();
                // The first one has the number of changes.
                assert!(is.len() == before.len() && is[4096..] == before[4096..], "{mode}, round {round}");
            }
            assert!(db.check(None, T0).unwrap().is_ok());
        }
    }
}

/// A volume with a few pages, and a journal that may refer to them.
fn volume() -> (Volume, Vec<Vec<u8>>, Journal) {
    let mut store = Shared::default();
    let mut db = Database::open(Box::new(store.clone()), options(), T0).unwrap();
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (randomblob(50000))", T0).unwrap();
    let pages = db.serialize().unwrap().chunks(4096).map(<[u8]>::to_vec).collect();
    drop(db);
    let history = History::new(store.open().unwrap(), LINEAGE, Window::default());
    let store = SharedStore::new(Box::new(store));
    let blocks = Blocks::new(store.clone(), 1 << 20);
    (Volume::new(store, history, 1 << 20, T0), pages, Journal::new(blocks.file().unwrap()))
}

#[test]
fn it_reads_as_the_file_that_sqlite_wrote() {
    for seed in 1..40 {
        let mut random = Random(seed);
        let (mut volume, pages, mut journal) = volume();
        for pgno in 1..=pages.len() as u32 {
            volume.read(u64::from(pgno - 1) * 4096, &mut [0; 4096]).unwrap();
            assert!(volume.is_committed(Pgno::new(pgno).unwrap(), &pages[pgno as usize - 1]));
        }
        let mut file = vec![7; 512];
        journal.write(&mut volume, 0, &file).unwrap();
        for _ in 0..60 {
            let number = random.below(pages.len() as u64) as usize;
            let mut page = pages[number].clone();
            match random.below(10) {
                // Not what was committed.
                0 => page[100] ^= 1,
                // Another page than was said.
                1 => page.clone_from(&pages[0]),
                2 => page.truncate(1024),
                // The header again.
                3 => {
                    file[8..12].copy_from_slice(&[1, 2, 3, 4]);
                    journal.write(&mut volume, 8, &[1, 2, 3, 4]).unwrap();
                }
                4 => {
                    let len = file.len() - random.below(file.len() as u64 / 4) as usize;
                    journal.truncate(len as u64).unwrap();
                    let is = journal.len() as usize;
                    assert!(is <= len && len < is + 4096 + 4);
                    file.truncate(is);
                }
                _ => {}
            }
            for bytes in [&(number as u32 + 1).to_be_bytes()[..], &page, b"sums"] {
                journal.write(&mut volume, file.len() as u64, bytes).unwrap();
                file.extend_from_slice(bytes);
            }
            assert_eq!(journal.len(), file.len() as u64);
            let offset = random.below(file.len() as u64 + 10) as usize;
            let mut is = vec![1; random.below(10_000) as usize];
            let whole = journal.read(&mut volume, offset as u64, &mut is).unwrap();
            assert_eq!(whole, offset + is.len() <= file.len());
            let mut was = file.get(offset..).unwrap_or_default().to_vec();
            was.resize(is.len(), 0);
            assert!(is == was, "seed {seed}, {} bytes from {offset}", is.len());
        }
        journal.write(&mut volume, 0, &[0; 28]).unwrap();
        assert_eq!(journal.len(), 28);
    }
}

#[test]
fn what_it_refers_to_stays_although_the_transaction_writes_it() {
    let (mut volume, pages, mut journal) = volume();
    volume.read(4096, &mut [0; 4096]).unwrap();
    journal.write(&mut volume, 0, &2u32.to_be_bytes()).unwrap();
    journal.write(&mut volume, 4, &pages[1]).unwrap();
    volume.write(4096, &[9; 4096]).unwrap();
    let mut page = [0; 4096];
    assert!(journal.read(&mut volume, 4, &mut page).unwrap());
    assert!(page[..] == pages[1][..]);
}

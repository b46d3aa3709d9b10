//! Whatever SQLite does to a WAL, the main file with our overlay is what SQLite's own recovery makes of the pair.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::{Connection, ErrorCode};

use super::model::Contents;
use super::spec::reseal;
use super::{page_size, read_chunks};
use crate::page::wal::oracle::{Folder, Recovered, Rng, compose, recover_wal};
use crate::page::wal::{Wal, WalMark, WalReader};
use crate::page::{PageSize, Pgno};

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert {
        rows: u8,
        len: u16,
    },
    Update {
        every: u8,
    },
    Delete {
        every: u8,
    },
    /// More than the cache holds, so that frames are written before the commit, and looked at then.
    Spill {
        commit: bool,
    },
    NewTable,
    DropTable,
    Vacuum,
    IncrementalVacuum,
    Checkpoint {
        mode: &'static str,
    },
    /// Starts a read transaction, which keeps checkpoints from finishing; or ends it.
    Reader {
        open: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20u8, 0..3000u16).prop_map(|(rows, len)| Step::Insert { rows, len }),
        3 => (1..9u8).prop_map(|every| Step::Update { every }),
        2 => (1..9u8).prop_map(|every| Step::Delete { every }),
        2 => any::<bool>().prop_map(|commit| Step::Spill { commit }),
        1 => Just(Step::NewTable),
        1 => Just(Step::DropTable),
        1 => Just(Step::Vacuum),
        1 => Just(Step::IncrementalVacuum),
        4 => prop::sample::select(vec!["PASSIVE", "FULL", "RESTART", "TRUNCATE"]).prop_map(|mode| Step::Checkpoint { mode }),
        2 => any::<bool>().prop_map(|open| Step::Reader { open }),
    ]
}

/// A database at work, and the last moment of it that was looked at.
struct Work {
    folder: Folder,
    db: Connection,
    reader: Connection,
    page_size: PageSize,
    rng: Rng,
    last: Option<(WalMark, Vec<u8>)>,
    continued: usize,
}

impl Work {
    fn new(page_size: PageSize, auto_vacuum: bool) -> Self {
        let folder = Folder::new();
        let db = Connection::open(folder.file("a.db")).unwrap();
        db.execute_batch(&format!(
            "PRAGMA synchronous=OFF; PRAGMA page_size={}; PRAGMA auto_vacuum={}; PRAGMA journal_mode=WAL;
             PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=5; CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)",
            page_size.value(),
            if auto_vacuum { "INCREMENTAL" } else { "NONE" },
        ))
        .unwrap();
        // Waiting for our own reader would be in vain.
        db.busy_timeout(Duration::ZERO).unwrap();
        let reader = Connection::open(folder.file("a.db")).unwrap();
        Self { folder, db, reader, page_size, rng: Rng(1), last: None, continued: 0 }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Insert { rows, len } => self.insert(u32::from(rows), usize::from(len)),
            Step::Update { every } => self.sql(&format!("UPDATE t SET v = v || x'55' WHERE id % {every} = 0")),
            Step::Delete { every } => self.sql(&format!("DELETE FROM t WHERE id % {every} = 0")),
            Step::Spill { commit } => {
                self.sql("BEGIN");
                let pages = 60;
                self.insert(pages, self.page_size.bytes());
                self.sql("UPDATE t SET v = v || x'66'");
                self.look();
                self.sql(if commit { "COMMIT" } else { "ROLLBACK" });
            }
            Step::NewTable => {
                self.sql("CREATE TABLE IF NOT EXISTS u AS SELECT * FROM t; CREATE INDEX IF NOT EXISTS i ON t(v)")
            }
            Step::DropTable => self.sql("DROP TABLE IF EXISTS u; DROP INDEX IF EXISTS i"),
            Step::Vacuum => self.sql("VACUUM"),
            Step::IncrementalVacuum => self.sql("PRAGMA incremental_vacuum(3)"),
            Step::Checkpoint { mode } => self.sql(&format!("PRAGMA wal_checkpoint({mode})")),
            Step::Reader { open: true } if self.reader.is_autocommit() => {
                self.reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
            }
            Step::Reader { open: false } if !self.reader.is_autocommit() => {
                self.reader.execute_batch("COMMIT").unwrap()
            }
            Step::Reader { .. } => {}
        }
        self.look();
    }

    fn insert(&mut self, rows: u32, len: usize) {
        for _ in 0..rows {
            let value = self.rng.bytes(8).repeat(len / 8);
            self.db.prepare_cached("INSERT INTO t(v) VALUES(?)").unwrap().execute([value]).unwrap();
        }
    }

    fn sql(&self, sql: &str) {
        match self.db.execute_batch(sql) {
            Ok(()) => {}
            // A reader is in the way, which is a state worth looking at too.
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {}
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// Compares what we make of the files as they lie there now with what SQLite makes of a copy.
    fn look(&mut self) {
        let main = self.folder.read("a.db");
        let bytes = self.folder.read("a.db-wal");
        let expected = recover_wal(&main, &bytes).unwrap();
        let mut reader = WalReader::new(self.page_size);
        if let Some((mark, _)) = &self.last {
            reader = reader.since(*mark);
        }
        for chunk in self.rng.chunks(&bytes) {
            reader.feed(chunk).unwrap();
        }
        let wal = reader.finish().unwrap();
        let image = image(&main, &bytes, self.page_size, &wal);
        assert_eq!(wal.mark.map_or(0, |mark| mark.frames), expected.frames);
        assert!(image == expected.main, "the images differ");

        if let (Some((_, before)), Some(changed)) = (&self.last, &wal.changed_since) {
            self.continued += 1;
            let size = self.page_size.bytes();
            for (pgno, page) in (1..).zip(image.chunks_exact(size)) {
                let changed = changed.binary_search(&Pgno::new(pgno).unwrap()).is_ok();
                let same = before.get((pgno as usize - 1) * size..pgno as usize * size) == Some(page);
                assert!(changed || same, "page {pgno} changed unnoticed");
            }
        }
        self.last = wal.mark.map(|mark| (mark, image));
    }
}

fn image(main: &[u8], bytes: &[u8], page_size: PageSize, wal: &Wal) -> Vec<u8> {
    match wal.page_count {
        Some(page_count) => compose(main, bytes, page_size, page_count, &wal.overlay),
        None => main.to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equals_what_sqlite_recovers(
        size in 9..=16u32, auto_vacuum: bool, steps in vec(step(), 1..14), other_order in any::<prop::sample::Index>(),
    ) {
        let mut work = Work::new(page_size(1 << size), auto_vacuum);
        let other_order = other_order.index(steps.len());
        for (number, &step) in steps.iter().enumerate() {
            work.run(step);
            if number == other_order {
                let main = work.folder.read("a.db");
                the_other_byte_order_is_the_same_wal(&main, work.folder.read("a.db-wal"), work.page_size);
            }
        }
    }
}

/// SQLite writes the byte order of its processor; big-endian processors are rare, their files are not impossible.
fn the_other_byte_order_is_the_same_wal(main: &[u8], mut bytes: Vec<u8>, page_size: PageSize) {
    let read = |bytes: &[u8]| read_chunks(WalReader::new(page_size), [bytes]).unwrap();
    let before = read(&bytes);
    let Some(mark) = before.mark else { return };
    // Frames of an earlier round stay what they are, as their salts tell.
    let used = bytes.len().min(super::end_of(mark.frames as usize, page_size.bytes()));
    bytes.truncate(used);
    bytes[3] ^= 1;
    reseal(&mut bytes, page_size.bytes());
    let after = read(&bytes);
    assert_eq!(Contents { mark: None, ..after }, Contents { mark: None, ..before });
    let expected = recover_wal(main, &bytes).unwrap();
    assert_eq!(expected.frames, mark.frames);
}

#[test]
fn a_wal_that_is_only_appended_to_is_recognised() {
    let mut work = Work::new(page_size(4096), false);
    for _ in 0..3 {
        work.continued = 0;
        work.run(Step::Insert { rows: 3, len: 500 });
        assert_eq!(work.continued, 0);
        for appended in 1..5 {
            work.run(Step::Insert { rows: 3, len: 500 });
            assert_eq!(work.continued, appended);
        }
        work.run(Step::Checkpoint { mode: "PASSIVE" });
        assert_eq!(work.continued, 5);
        // The next write starts the WAL over, at other salts.
        work.run(Step::Insert { rows: 3, len: 500 });
        assert_eq!(work.continued, 5);
        work.run(Step::Checkpoint { mode: "TRUNCATE" });
        assert!(work.last.is_none());
    }
}

#[test]
fn every_commit_can_be_pinned() {
    let mut work = Work::new(page_size(1024), false);
    for _ in 0..6 {
        work.run(Step::Insert { rows: 2, len: 2000 });
    }
    let main = work.folder.read("a.db");
    let bytes = work.folder.read("a.db-wal");
    let frames = (bytes.len() - 32) / (1024 + 24);
    let mut commits = 0;
    for limit in 1..=frames {
        let mut reader = WalReader::new(page_size(1024)).with_limit(limit as u32);
        reader.feed(&bytes).unwrap();
        let Ok(wal) = reader.finish() else { continue };
        commits += 1;
        let expected = recover_wal(&main, &bytes[..super::end_of(limit, 1024)]).unwrap();
        let image = image(&main, &bytes, page_size(1024), &wal);
        assert!(expected == Recovered { frames: limit as u32, main: image });
    }
    assert!(commits >= 12, "{commits}");
}

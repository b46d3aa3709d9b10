//! However SQLite is interrupted, our rollback of the files gives what its own recovery makes of them.

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::{Connection, OpenFlags};

use super::model::Contents;
use super::{image, page_size, read_chunks};
use crate::page::PageSize;
use crate::page::wal::oracle::{Folder, Rng, recover_journal};

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    RollbackToSavepoint,
    Insert { rows: u8, len: u16 },
    Update { every: u8 },
    Delete { every: u8 },
    NewTable,
    DropTable,
    Vacuum,
    IncrementalVacuum,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Begin),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        1 => Just(Step::Savepoint),
        1 => Just(Step::RollbackToSavepoint),
        4 => (1..40u8, 0..4000u16).prop_map(|(rows, len)| Step::Insert { rows, len }),
        3 => (1..4u8).prop_map(|every| Step::Update { every }),
        2 => (1..4u8).prop_map(|every| Step::Delete { every }),
        1 => Just(Step::NewTable),
        1 => Just(Step::DropTable),
        1 => Just(Step::Vacuum),
        1 => Just(Step::IncrementalVacuum),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Setup {
    page_size: PageSize,
    journal_mode: &'static str,
    synchronous: &'static str,
    auto_vacuum: bool,
    /// Whether headers take sectors of 4096 bytes rather than 512.
    large_sectors: bool,
}

fn setup() -> impl Strategy<Value = Setup> {
    let journal_mode = prop::sample::select(vec!["DELETE", "TRUNCATE", "PERSIST"]);
    let synchronous = prop::sample::select(vec!["OFF", "NORMAL", "FULL", "EXTRA"]);
    (9..=16u32, journal_mode, synchronous, any::<bool>(), any::<bool>()).prop_map(
        |(size, journal_mode, synchronous, auto_vacuum, large_sectors)| {
            let page_size = page_size(1 << size);
            Setup { page_size, journal_mode, synchronous, auto_vacuum, large_sectors }
        },
    )
}

/// A database at work.
struct Work {
    folder: Folder,
    db: Connection,
    page_size: PageSize,
    rng: Rng,
    /// Moments at which the journal was hot.
    hot: usize,
    /// The most headers that a hot journal had.
    headers: usize,
}

impl Work {
    fn new(setup: Setup) -> Self {
        let Setup { page_size, journal_mode, synchronous, auto_vacuum, large_sectors } = setup;
        let folder = Folder::new();
        let uri = format!("file:{}?psow={}", folder.file("a.db").display(), u8::from(!large_sectors));
        let db = Connection::open_with_flags(uri, OpenFlags::default() | OpenFlags::SQLITE_OPEN_URI).unwrap();
        db.execute_batch(&format!(
            "PRAGMA synchronous=OFF; PRAGMA page_size={}; PRAGMA auto_vacuum={}; PRAGMA cache_size=5;
             CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
             PRAGMA journal_mode={journal_mode}; PRAGMA synchronous={synchronous}",
            page_size.value(),
            if auto_vacuum { "INCREMENTAL" } else { "NONE" },
        ))
        .unwrap();
        let mut work = Self { folder, db, page_size, rng: Rng(1), hot: 0, headers: 0 };
        work.run(Step::Insert { rows: 30, len: page_size.value() as u16 / 2 });
        work
    }

    fn run(&mut self, step: Step) {
        let open = !self.db.is_autocommit();
        match step {
            Step::Begin if !open => self.sql("BEGIN"),
            Step::Commit if open => self.sql("COMMIT"),
            Step::Rollback if open => self.sql("ROLLBACK"),
            Step::Savepoint if open => self.sql("SAVEPOINT s"),
            // There may be none.
            Step::RollbackToSavepoint if open => drop(self.db.execute_batch("ROLLBACK TO s")),
            Step::Insert { rows, len } => self.insert(rows, usize::from(len)),
            Step::Update { every } => self.sql(&format!("UPDATE t SET v = v || x'55' WHERE id % {every} = 0")),
            Step::Delete { every } => self.sql(&format!("DELETE FROM t WHERE id % {every} = 0")),
            Step::NewTable => self.sql("CREATE TABLE IF NOT EXISTS u AS SELECT * FROM t"),
            Step::DropTable => self.sql("DROP TABLE IF EXISTS u"),
            Step::Vacuum if !open => self.sql("VACUUM"),
            Step::IncrementalVacuum => self.sql("PRAGMA incremental_vacuum(3)"),
            _ => return,
        }
        self.look();
    }

    fn insert(&mut self, rows: u8, len: usize) {
        let open = !self.db.is_autocommit();
        if !open {
            self.sql("BEGIN");
        }
        for _ in 0..rows {
            let value = self.rng.bytes(8).repeat(len / 8);
            self.db.prepare_cached("INSERT INTO t(v) VALUES(?)").unwrap().execute([value]).unwrap();
        }
        if !open {
            self.sql("COMMIT");
        }
    }

    fn sql(&self, sql: &str) {
        self.db.execute_batch(sql).unwrap();
    }

    /// Compares what we make of the files as they lie there now with what SQLite makes of a copy.
    fn look(&mut self) {
        let main = self.folder.read("a.db");
        let bytes = self.folder.read("a.db-journal");
        let expected = recover_journal(&main, |_| bytes.clone());
        let journal = read_chunks(self.page_size.value(), self.rng.chunks(&bytes)).unwrap();
        let image = match journal {
            None => main,
            Some(contents) => {
                assert_eq!((contents.page_size, &contents.super_journal), (self.page_size.value(), &None));
                self.hot += 1;
                self.headers = self.headers.max(bytes.chunks(512).filter(|at| at.starts_with(&super::MAGIC)).count());
                restored(&main, &bytes, &contents)
            }
        };
        assert!(image == expected, "the images differ");
    }
}

fn restored(main: &[u8], bytes: &[u8], contents: &Contents) -> Vec<u8> {
    let before = main.len() / contents.page_size as usize;
    // SQLite itself never leaves a page of the old database nowhere, unless the page was free.
    assert!(before + 1000 > contents.page_count as usize);
    image(main, bytes, contents)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equals_what_sqlite_recovers(setup in setup(), steps in vec(step(), 1..16)) {
        let mut work = Work::new(setup);
        for step in steps {
            work.run(step);
        }
    }
}

#[test]
fn every_way_of_syncing_leaves_journals_that_are_hot() {
    for (synchronous, headers, large_sectors) in
        [("OFF", 1, false), ("NORMAL", 1, false), ("FULL", 3, false), ("FULL", 3, true), ("EXTRA", 3, true)]
    {
        let page_size = page_size(1024);
        let mut work =
            Work::new(Setup { page_size, journal_mode: "PERSIST", synchronous, auto_vacuum: false, large_sectors });
        for _ in 0..2 {
            work.run(Step::Begin);
            for every in [3, 2, 1] {
                work.run(Step::Update { every });
                work.run(Step::Insert { rows: 20, len: 1000 });
            }
            assert!(work.hot >= 5, "{synchronous}: {}", work.hot);
            work.run(Step::Commit);
        }
        assert!(work.headers >= headers, "{synchronous}: {}", work.headers);
    }
}

//! Random statements, run on the engine and on SQLite's own in-memory database: equal in every respect, and after
//! every commit the store's pages are the bytes that SQLite says the database has.
//!
//! `ENGINE_STATEMENTS` says how many (default 4,000), `ENGINE_SEED` begins elsewhere.

use std::collections::HashSet;
use std::rc::Rc;

use pagemark::page::Txid;

use super::spilling::Spilling;
use super::support::{Owned, Random, Rows, T0, fetch_all, file_at, open, query, setting, with_history};
use crate::{Database, Error, Options};

#[test]
fn random_statements_do_what_sqlite_does() {
    let total = setting("ENGINE_STATEMENTS", 4000);
    let commits = rounds(total, 1, || None);
    println!("{total} statements, {commits} commits compared");
}

#[test]
fn random_statements_that_spill_into_the_store_do_what_sqlite_does() {
    let total = setting("ENGINE_STATEMENTS", 3000);
    let store = Spilling::default();
    let spilled = Rc::clone(&store.spilled);
    let commits = rounds(total, 2, || Some(Spilling::counting(&spilled)));
    let (pages, blocks) = spilled.get();
    println!("{total} statements, {commits} commits compared, {pages} pages and {blocks} blocks spilled");
    assert!(pages > total && blocks > total / 10);
}

fn rounds(total: u64, seed: u64, store: impl Fn() -> Option<Spilling>) -> u64 {
    let seed = setting("ENGINE_SEED", seed);
    let mut done = 0;
    let mut commits = 0;
    for round in 0.. {
        if done >= total {
            break;
        }
        let statements = (total - done).min(500);
        commits += round_of(seed.wrapping_mul(1_000_003).wrapping_add(round), statements, store());
        done += statements;
    }
    commits
}

/// One database's life; how many commits it made.
fn round_of(seed: u64, statements: u64, store: Option<Spilling>) -> u64 {
    let mut random = Random(seed);
    let mut pair = Pair::new(&mut random, store);
    for step in 0..statements {
        let sql = statement(&mut random);
        if std::env::var_os("ENGINE_TRACE").is_some() {
            eprintln!("{seed} {step}: {sql}");
        }
        pair.run(&sql, &format!("seed {seed}, statement {step}: {sql}"));
        if random.one_in(12) {
            let setting = ours_alone(&mut random);
            query(&mut pair.ours, setting, T0).map_err(|error| format!("{setting}: {error}")).ok();
            pair.compare_pages(&format!("seed {seed}, statement {step}: {setting}"));
        }
        if random.one_in(40) {
            pair.compare_all(&format!("seed {seed}, after statement {step}"));
        }
    }
    pair.commits
}

/// The engine and the oracle.
struct Pair {
    ours: Database,
    theirs: rusqlite::Connection,
    /// TXID of the engine's newest commit.
    txid: u64,
    /// The database made of nothing but what each commit is said to have changed, as incremental backups do.
    rebuilt: Vec<u8>,
    commits: u64,
    /// The store, if it is one that takes what is not committed.
    spilling: Option<Spilling>,
}

impl Pair {
    fn new(random: &mut Random, spilling: Option<Spilling>) -> Self {
        let theirs = rusqlite::Connection::open_in_memory().unwrap();
        theirs.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let options = with_history(random.below(4) as u32);
        let mut ours = match &spilling {
            // Two pages of the smallest size, and one block of all temporary files, are what memory holds.
            Some(store) => {
                Database::open(Box::new(store.clone()), Options { spill_after: 2048, ..options }, T0).unwrap()
            }
            None => open(options),
        };
        let page_size = random.pick(&[512, 1024, 4096, 4096, 16384, 65536]);
        let (auto_vacuum, temp_store) = (random.below(3), random.below(3));
        let settings = format!("auto_vacuum = {auto_vacuum}; PRAGMA temp_store = {temp_store}");
        ours.exec(&format!("PRAGMA page_size = {page_size}; PRAGMA {settings}"), T0).unwrap();
        // Choosing an auto_vacuum mode is a commit.
        let txid = ours.bookmark().map_or(0, |bookmark| bookmark.txid.0);
        let rebuilt = ours.serialize().unwrap();
        Self { ours, theirs, txid, rebuilt, commits: 0, spilling }
    }

    fn run(&mut self, sql: &str, context: &str) {
        let ours = run_ours(&mut self.ours, sql);
        let theirs = run_theirs(&self.theirs, sql);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{context}"),
            (Err(ours), Err((code, message))) => {
                assert_eq!(ours.sqlite, Some(*code), "{context}: {ours}, {message}");
                // What the store or memory says is ours to word.
                assert_eq!(ours.to_string(), *message, "{context}");
            }
            _ => panic!("{context}: {ours:?}, {theirs:?}"),
        }
        assert_eq!(self.ours.in_transaction(), !self.theirs.is_autocommit(), "{context}");
        assert_eq!(self.ours.changes() as u64, self.theirs.changes(), "changes: {context}");
        assert_eq!(self.ours.last_insert_rowid(), self.theirs.last_insert_rowid(), "{context}");
        self.compare_pages(context);
    }

    /// After a commit: the store's pages against SQLite's serialize.
    fn compare_pages(&mut self, context: &str) {
        let Ok(bookmark) = self.ours.bookmark() else { return };
        if !self.ours.in_transaction()
            && let Some(store) = &self.spilling
        {
            assert_eq!(store.scratch_held().0, 0, "{context}");
        }
        if bookmark.txid.0 == self.txid {
            return;
        }
        assert_eq!(bookmark.txid.0, self.txid + 1, "one commit is one TXID: {context}");
        self.rebuild();
        self.txid = bookmark.txid.0;
        self.commits += 1;
        let serialized = self.ours.connection().unwrap().serialize();
        let stored = file_at(&mut self.ours, &bookmark.to_string(), T0).unwrap();
        assert_eq!(stored.len(), serialized.len(), "{context}");
        if stored != serialized {
            let page_size = self.ours.state(bookmark.txid).unwrap().page_size.bytes();
            let free = free_leaves(&stored, page_size);
            let pages = stored.chunks(page_size).zip(serialized.chunks(page_size));
            let different = (1..).zip(pages).filter(|(_, (ours, theirs))| ours != theirs);
            // SQLite does not write what it has put on the free list; its cache still shows what was there.
            let wrong: Vec<u32> = different.map(|(pgno, _)| pgno).filter(|pgno| !free.contains(pgno)).collect();
            assert!(wrong.is_empty(), "pages {wrong:?}: {context}");
        }
        assert_eq!(stored, self.ours.serialize().unwrap());
        assert!(stored == self.rebuilt, "{context}");
    }

    fn rebuild(&mut self) {
        let (pin, record) = self.ours.pin("latest", 1, T0).unwrap();
        let page_size = record.page_size.bytes();
        self.rebuilt.resize(record.page_count as usize * page_size, 0xee);
        for pgno in self.ours.changed_since(pin, Txid(self.txid), T0).unwrap() {
            let at = (pgno.value() as usize - 1) * page_size;
            self.ours.page_at(pin, pgno, &mut self.rebuilt[at..at + page_size], T0).unwrap();
        }
        self.ours.release(pin, T0).unwrap();
    }

    fn compare_all(&mut self, context: &str) {
        const SCHEMA: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
        let schema = run_ours(&mut self.ours, SCHEMA).unwrap();
        assert_eq!(schema, run_theirs(&self.theirs, SCHEMA).unwrap(), "{context}");
        for row in schema {
            let (Owned::Text(kind), Owned::Text(name)) = (&row[0], &row[1]) else { continue };
            // How an R-Tree lays out its nodes depends on the page size.
            if kind == b"table" && !name.starts_with(b"r0_") {
                let name = String::from_utf8_lossy(name);
                let sql = format!("SELECT * FROM \"{name}\"");
                let ours = run_ours(&mut self.ours, &sql).unwrap();
                let theirs = run_theirs(&self.theirs, &sql).unwrap();
                assert!(ours == theirs, "{name}: {context}");
            }
        }
        let check = run_ours(&mut self.ours, "PRAGMA integrity_check").unwrap();
        assert_eq!(check, vec![vec![Owned::Text(b"ok".to_vec())]], "{context}");
    }
}

fn run_ours(db: &mut Database, sql: &str) -> Result<Rows, Error> {
    let (Some(id), _) = db.prepare(sql, T0)? else { return Ok(Vec::new()) };
    let rows = fetch_all(db, id, T0);
    db.finalize(id);
    rows
}

fn run_theirs(connection: &rusqlite::Connection, sql: &str) -> Result<Rows, (i32, String)> {
    let run = || {
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push((0..columns).map(|column| row.get_ref_unwrap(column).into()).collect());
        }
        Ok(all)
    };
    run().map_err(|error: rusqlite::Error| match error {
        rusqlite::Error::SqliteFailure(error, message) => (error.extended_code, message.unwrap_or_default()),
        rusqlite::Error::SqlInputError { error, msg, .. } => (error.extended_code, msg),
        other => panic!("{sql}: {other}"),
    })
}

impl From<rusqlite::types::ValueRef<'_>> for Owned {
    fn from(value: rusqlite::types::ValueRef<'_>) -> Self {
        use rusqlite::types::ValueRef;
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Real(value) => Self::Real(value.to_bits()),
            ValueRef::Text(bytes) => Self::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

/// The free pages whose content means nothing.
fn free_leaves(file: &[u8], page_size: usize) -> HashSet<u32> {
    let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    let mut leaves = HashSet::new();
    let mut trunk = number(32);
    while trunk != 0 {
        let at = (trunk as usize - 1) * page_size;
        leaves.extend((0..number(at + 4) as usize).map(|leaf| number(at + 8 + 4 * leaf)));
        trunk = number(at);
    }
    leaves
}

/// Settings that an in-memory database does not have, and that must make no difference.
fn ours_alone(random: &mut Random) -> &'static str {
    random.pick(&[
        "PRAGMA journal_mode = DELETE",
        "PRAGMA journal_mode = TRUNCATE",
        "PRAGMA journal_mode = PERSIST",
        "PRAGMA journal_mode = MEMORY",
        "PRAGMA journal_mode = WAL",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA locking_mode = NORMAL",
        "PRAGMA synchronous = OFF",
        "PRAGMA synchronous = FULL",
        "PRAGMA cache_size = 3",
        "PRAGMA cache_size = 50",
        "PRAGMA cache_size = -16384",
        "PRAGMA cache_spill = ON",
        "PRAGMA cache_spill = 2",
        "PRAGMA cache_spill = OFF",
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 2048",
        "PRAGMA page_size = 4096",
        "PRAGMA page_size = 32768",
        "PRAGMA page_size = 65536",
        "PRAGMA auto_vacuum = NONE",
        "PRAGMA auto_vacuum = FULL",
        "PRAGMA auto_vacuum = INCREMENTAL",
        "PRAGMA incremental_vacuum(3)",
        "PRAGMA secure_delete = ON",
        "PRAGMA secure_delete = OFF",
        "PRAGMA shrink_memory",
    ])
}

fn statement(random: &mut Random) -> String {
    let table = format!("t{}", random.below(5));
    let other = format!("t{}", random.below(5));
    let (x, y, n) = (value(random), value(random), random.below(40));
    match random.below(100) {
        0..8 => create(random, &table, &other),
        8..11 => format!("DROP TABLE {}{table}", random.pick(&["", "IF EXISTS "])),
        11..15 => {
            let unique = random.pick(&["", "", "UNIQUE "]);
            format!(
                "CREATE {unique}INDEX {} i{} ON {table}(a{})",
                random.pick(&["", "IF NOT EXISTS"]),
                n % 6,
                ["", ", b", " DESC", ", c, b"][n as usize % 4]
            )
        }
        15 => format!("DROP INDEX IF EXISTS i{}", n % 6),
        16 => format!("ALTER TABLE {table} ADD COLUMN d{} DEFAULT {}", n % 3, n),
        17 => format!("ALTER TABLE {table} RENAME TO {other}"),
        18 => format!("ALTER TABLE {table} DROP COLUMN d{}", n % 3),
        19 => "BEGIN".into(),
        20..23 => "BEGIN IMMEDIATE".into(),
        23..29 => "COMMIT".into(),
        29..31 => "ROLLBACK".into(),
        31..34 => format!("SAVEPOINT s{}", n % 3),
        34..36 => format!("ROLLBACK TO s{}", n % 3),
        36..39 => format!("RELEASE s{}", n % 3),
        39..58 => {
            let or = random.pick(&["", "", "", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ROLLBACK ", "OR ABORT "]);
            match random.below(4) {
                0 => format!(
                    "INSERT {or}INTO {table}(a, b, c) VALUES ({n}, {x}, {y}), ({}, {y}, {x}) RETURNING a, b",
                    n + 1
                ),
                1 => format!("INSERT {or}INTO {table}(b, c) VALUES ({x}, {y})"),
                2 => format!("INSERT {or}INTO {table}(a, b, c) SELECT a + {n}, c, b FROM {other} LIMIT {n}"),
                _ => format!(
                    "WITH RECURSIVE r(i) AS (SELECT {n} UNION ALL SELECT i + 1 FROM r LIMIT {}) \
                     INSERT {or}INTO {table}(a, b, c) SELECT i, {x}, printf('%0*d', {}, i) FROM r",
                    n * 4 + 1,
                    random.below(300) + 1
                ),
            }
        }
        58..66 => {
            let or = random.pick(&["", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ROLLBACK "]);
            format!("UPDATE {or}{table} SET a = a + {}, b = {x} WHERE a % {} = 0", n % 3, n + 1)
        }
        66..71 => format!("DELETE FROM {table} WHERE a % {} = {}", n + 1, n % 3),
        71 => format!("DELETE FROM {table}"),
        72..78 => format!("SELECT count(*), total(a), max(b), min(c) FROM {table}"),
        78..81 => format!("SELECT x.a, y.b FROM {table} x JOIN {other} y ON x.a = y.a ORDER BY 1, 2 LIMIT 20"),
        81 => format!("SELECT a, length(b), typeof(c) FROM {table} WHERE b > {x} ORDER BY c, a LIMIT 15"),
        82..84 => format!("INSERT INTO {table}(a, b, c) VALUES ({n}, zeroblob({}), {x})", random.below(60_000)),
        84 => format!("UPDATE {table} SET c = zeroblob({}) || c WHERE a = {n}", random.below(30_000)),
        85 => format!("CREATE VIRTUAL TABLE IF NOT EXISTS f{} USING fts5(body)", n % 2),
        86..89 => format!("INSERT INTO f{}(body) VALUES ({x}), ('word{n} and more {n}')", n % 2),
        89 => format!("SELECT rowid, body FROM f{} WHERE f{} MATCH 'word{n}' ORDER BY rank", n % 2, n % 2),
        90 => "CREATE VIRTUAL TABLE IF NOT EXISTS r0 USING rtree(id, x0, x1)".into(),
        91..93 => format!("INSERT OR REPLACE INTO r0 VALUES ({n}, {n}, {})", n * 2),
        93 => format!("SELECT id FROM r0 WHERE x0 > {n} ORDER BY id"),
        94 => format!(
            "CREATE TRIGGER IF NOT EXISTS g{} AFTER INSERT ON {table} WHEN new.a = {n} BEGIN \
             UPDATE {other} SET b = new.c; SELECT raise({}, 'no {n}'); END",
            n % 3,
            random.pick(&["ABORT", "FAIL", "ROLLBACK", "ABORT"])
        ),
        95 if n % 2 == 0 => "VACUUM".into(),
        95 => format!("CREATE TEMP TABLE IF NOT EXISTS temp{} AS SELECT * FROM {table}", n % 2),
        96 => format!("PRAGMA user_version = {n}"),
        97 => "VACUUM".into(),
        98 => format!("{} TABLE {table}", random.pick(&["ANALYZE", "SELECT"])),
        _ => format!("REINDEX {table}"),
    }
}

fn create(random: &mut Random, table: &str, other: &str) -> String {
    let guard = random.pick(&["", "IF NOT EXISTS "]);
    let columns = random.pick(&[
        "a INTEGER PRIMARY KEY, b, c",
        "a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, c BLOB",
        "a, b, c",
        "a INTEGER UNIQUE, b TEXT COLLATE NOCASE, c REAL",
        "a INT NOT NULL, b, c, CHECK (a % 17 <> 5)",
        "a, b, c AS (a || b) STORED",
    ]);
    match random.below(8) {
        0 => format!("CREATE TABLE {guard}{table}(a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID"),
        1 => format!("CREATE TABLE {guard}{table} AS SELECT * FROM {other}"),
        _ => format!("CREATE TABLE {guard}{table}({columns})"),
    }
}

fn value(random: &mut Random) -> String {
    let n = random.next();
    match random.below(9) {
        0 => "NULL".into(),
        1 => (n as i64).to_string().replace("-9223372036854775808", "0"),
        2 => (n % 100).to_string(),
        3 => format!("{}.{}e{}", n % 1000, n % 97, n % 40),
        4 => format!("'text {}'", n % 50),
        5 => format!("'{}'", "é\u{1F600}x".repeat(n as usize % 200)),
        6 => format!("x'{:016x}'", n),
        7 => format!("printf('%0*d', {}, {})", n % 9000 + 1, n % 1000),
        _ => format!("zeroblob({})", n % 5000),
    }
}

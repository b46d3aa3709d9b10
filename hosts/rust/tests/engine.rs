//! SQLite in the component, as a host in Rust has it: statements, bookmarks, going back, files in and out, limits.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pagemark_host::engine::{
    Commit, Database, Failure, FilePages, Keep, Options, PageStore, Sqlite, StoreState, Surroundings, Value,
};
use pagemark_host::{Error, Limits};
use rusqlite::Connection;

static SQLITE: LazyLock<Sqlite> = LazyLock::new(|| Sqlite::new(Limits::default()).unwrap());
const HOUR: Duration = Duration::from_secs(3600);

fn history() -> Options {
    Options { history: HOUR, ..Options::default() }
}

/// A path of its own in the folder for temporary files.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pagemark-engine-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn pages(&self) -> FilePages {
        FilePages::new(self.0.join("app.pages")).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn number(database: &mut Database, sql: &str) -> i64 {
    match database.query(sql, &[]).unwrap().rows[0][0] {
        Value::Integer(number) => number,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_every_kind_come_back_as_they_went_in() {
    let mut database = SQLITE.open_in_memory(&Options::default()).unwrap();
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)").unwrap();
    let values: Vec<Value> = vec![
        None::<i64>.into(),
        i64::MIN.into(),
        0.1.into(),
        f64::INFINITY.into(),
        "ä🜁\0b".into(),
        Vec::new().into(),
        b"\xff\0".as_slice().into(),
        Value::TextBytes(b"\xffA".to_vec()),
    ];
    let rows = values.iter().map(std::slice::from_ref);
    assert_eq!(database.run_many("INSERT INTO t (v) VALUES (?)", rows).unwrap().changes, values.len() as i64);
    let read = database.query("SELECT v FROM t ORDER BY id", &[]).unwrap();
    assert_eq!(read.columns, ["v"]);
    let read: Vec<_> = read.rows.into_iter().flatten().collect();
    assert_eq!(format!("{read:?}"), format!("{values:?}"));
}

#[test]
fn errors_of_sql_have_sqlites_code_and_the_place() {
    let mut database = SQLITE.open_in_memory(&Options::default()).unwrap();
    database.execute("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)").unwrap();
    let sql = |error: Error| match error {
        Error::Sql(fault) => fault,
        other => panic!("{other}"),
    };
    assert_eq!(sql(database.run("INSERT INTO t VALUES (1)", &[]).unwrap_err()).sqlite, Some(2067));
    assert_eq!(sql(database.query("SELECT 1; SELECT 2", &[]).unwrap_err()).offset, Some(9));
    assert_eq!(database.query("SELECT ?", &[]).unwrap_err().code(), "ENGINE_PARAMETERS");
    let imported = database.import(b"CREATE TABLE u (a);\nINSERT INTO nowhere VALUES (1);".as_slice()).unwrap_err();
    let imported = sql(imported);
    assert_eq!((imported.code.as_str(), imported.line), ("IMPORT_STATEMENT", Some(2)));
    assert_eq!(number(&mut database, "SELECT count(*) FROM sqlite_schema WHERE name = 'u'"), 0);
    let odd = Options { page_size: Some(1000), ..Options::default() };
    assert_eq!(SQLITE.open_in_memory(&odd).err().map(|error| error.code().to_owned()).as_deref(), Some("USAGE"));
    let mut empty = SQLITE.open_in_memory(&Options::default()).unwrap();
    assert_eq!(empty.bookmark().unwrap_err().code(), "DATABASE_EMPTY");
    assert_eq!(database.load(b"no database".as_slice()).unwrap_err().code(), "DATABASE_NOT_SQLITE");
    assert_eq!(number(&mut database, "SELECT count(*) FROM t"), 1);
}

#[test]
fn a_store_in_a_file_keeps_every_state_which_can_be_gone_back_to_and_taken_out() {
    let place = Place::new();
    let mut marks = Vec::new();
    {
        let mut database = SQLITE.open(place.pages(), &history()).unwrap();
        database.execute("CREATE TABLE t (a)").unwrap();
        for number in 0..20 {
            database.run("INSERT INTO t VALUES (?)", &["x".repeat(number * 100).into()]).unwrap();
            marks.push(database.bookmark().unwrap());
        }
        database.execute("BEGIN; DELETE FROM t").unwrap();
        assert!(database.in_transaction().unwrap());
        // Dropped in the middle of a transaction, which is rolled back.
    }
    let mut database = SQLITE.open(place.pages(), &history()).unwrap();
    assert_eq!(database.bookmark().unwrap(), marks[19]);
    assert_eq!(database.states().unwrap().len(), 21);
    let undo = database.restore(&marks[7], HOUR).unwrap();
    assert_eq!(number(&mut database, "SELECT count(*) FROM t"), 8);
    database.restore(&undo, HOUR).unwrap();
    assert_eq!(number(&mut database, "SELECT count(*) FROM t"), 20);
    assert_eq!(database.restore("no bookmark", HOUR).unwrap_err().code(), "AT_SYNTAX");

    let path = place.0.join("before.db");
    database.write_file(&marks[11], fs::File::create(&path).unwrap()).unwrap();
    let file = Connection::open(&path).unwrap();
    let told: (String, i64) = file
        .query_row("SELECT (SELECT * FROM pragma_integrity_check), count(*) FROM t", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(told, ("ok".to_owned(), 12));
    drop(file);
    database.load(fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(number(&mut database, "SELECT count(*) FROM t"), 12);
    assert!(database.check(None).unwrap().integrity.is_empty());
}

#[test]
fn a_store_without_history_drops_what_is_replaced() {
    let place = Place::new();
    let mut database = SQLITE.open(place.pages(), &Options::default()).unwrap();
    database.execute("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))").unwrap();
    for _ in 0..10 {
        database.execute("UPDATE t SET a = randomblob(100000)").unwrap();
    }
    database.execute("DELETE FROM t; VACUUM; CREATE TABLE other (a)").unwrap();
    let file = Connection::open(place.0.join("app.pages")).unwrap();
    let count = |sql| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(count("SELECT count(*) FROM pages") < 8);
    assert!(count("SELECT count(*) FROM replaced") <= 3);
    assert!(count("SELECT count(*) FROM commits") <= 2);
    file.execute("UPDATE kept SET lineage = 'no number'", []).unwrap();
    drop(database);
    let Err(error) = SQLITE.open(place.pages(), &Options::default()) else { panic!("it opened") };
    assert_eq!(error.code(), "ENGINE_DAMAGED");
}

/// Time stands still, and what is random is not.
struct Fixed(i64);

impl Surroundings for Fixed {
    fn now_ms(&mut self) -> i64 {
        self.0
    }

    fn utc_offset(&mut self, _: i64) -> i32 {
        5400
    }

    fn random(&mut self, count: u32) -> Vec<u8> {
        vec![7; count as usize]
    }
}

#[test]
fn the_time_and_random_bytes_are_the_hosts() {
    let run = || {
        let fixed = Fixed(1_795_168_800_250);
        let mut database = SQLITE.open_in(fixed, Some(Box::new(Place::new().pages())), &history()).unwrap();
        database.execute("CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(16))").unwrap();
        let told = database.query("SELECT datetime('now'), datetime('now', 'localtime'), hex(a), random() FROM t", &[]);
        (format!("{:?}", told.unwrap().rows), database.states().unwrap()[0].time_ms, database.bookmark().unwrap())
    };
    let (rows, time_ms, bookmark) = run();
    assert!(rows.contains("2026-11-20 10:00:00") && rows.contains("2026-11-20 11:30:00"), "{rows}");
    assert_eq!(time_ms, 1_795_168_800_250);
    assert_eq!(run(), (rows, time_ms, bookmark));
}

/// Fails from some commit on, in one of three ways.
struct Failing(FilePages, u32, Failure);

impl PageStore for Failing {
    fn open(&mut self) -> Result<Option<StoreState>, Failure> {
        self.0.open()
    }

    fn read(&mut self, page: u32, txid: u64) -> Result<Vec<u8>, Failure> {
        self.0.read(page, txid)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Failure> {
        self.1 = self.1.saturating_sub(1);
        if self.1 == 0 { Err(self.2.clone()) } else { self.0.commit(commit) }
    }

    fn retain(&mut self, keep: Keep) -> Result<(), Failure> {
        self.0.retain(keep)
    }

    fn changed(&mut self, after: u64, upto: u64) -> Result<Vec<u32>, Failure> {
        self.0.changed(after, upto)
    }
}

#[test]
fn a_store_that_fails_leaves_the_last_commit() {
    let ways = [
        (Failure::Failed("away".into()), "ENGINE_STORE"),
        (Failure::Full("quota".into()), "ENGINE_FULL"),
        (Failure::Damaged("odd".into()), "ENGINE_DAMAGED"),
    ];
    for (failure, code) in ways {
        let place = Place::new();
        let mut database = SQLITE.open(Failing(place.pages(), 3, failure), &Options::default()).unwrap();
        database.execute("CREATE TABLE t (a)").unwrap();
        database.execute("INSERT INTO t VALUES (1)").unwrap();
        assert_eq!(database.execute("INSERT INTO t VALUES (2)").unwrap_err().code(), code);
        drop(database);
        let mut database = SQLITE.open(place.pages(), &Options::default()).unwrap();
        assert_eq!(number(&mut database, "SELECT count(*) FROM t"), 1);
    }
}

#[test]
fn out_of_fuel_or_memory_is_an_error_and_what_was_committed_is_there() {
    let place = Place::new();
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let fueled = Sqlite::new(Limits { fuel: Some(200_000_000), ..Limits::default() }).unwrap();
    let mut database = fueled.open(place.pages(), &history()).unwrap();
    // Each call has its own fuel.
    database.execute("CREATE TABLE t (a)").unwrap();
    for _ in 0..50 {
        database.execute("INSERT INTO t VALUES (zeroblob(5000))").unwrap();
    }
    assert!(matches!(database.query(endless, &[]), Err(Error::OutOfFuel)));
    assert_eq!(database.execute("SELECT 1").unwrap_err().code(), "ENGINE_CLOSED");
    drop(database);

    let small = Sqlite::new(Limits { memory: 24 << 20, fuel: None }).unwrap();
    let mut database = small.open(place.pages(), &history()).unwrap();
    let error = database.execute("INSERT INTO t SELECT randomblob(1000000) FROM t, t AS u").unwrap_err();
    assert!(["OUT_OF_MEMORY", "ENGINE_MEMORY"].contains(&error.code()), "{error}");
    drop(database);
    let mut database = SQLITE.open(place.pages(), &history()).unwrap();
    assert_eq!(number(&mut database, "SELECT count(*) FROM t"), 50);
}

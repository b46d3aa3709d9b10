//! How much memory a dump takes, with no page in hand but what it was given: less than 64 MiB, whatever the database.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use pagemark::dump::{Dialect, Dump, DumpStep, Options, Shell};
use pagemark::page::DatabaseHeader;
use rusqlite::Connection;

/// In KiB, with what the allocator keeps of it.
const MOST: usize = 64 << 10;

/// The most memory that this process has had, in KiB.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

struct Database(PathBuf);

impl Database {
    fn new(name: &str, set_up: impl FnOnce(&Connection)) -> Self {
        let path = std::env::temp_dir().join(format!("pagemark-memory-{}-{name}.db", std::process::id()));
        let _ = fs::remove_file(&path);
        let db = Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF").unwrap();
        set_up(&db);
        Self(path)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const DIALECTS: [Dialect; 3] = [Dialect::Sqlite, Dialect::D1, Dialect::Shell(Shell::V3_54)];

/// Dumps in a process of its own, as an allocator keeps what it was given back. Gives the memory that it took, in KiB,
/// how much SQL there was, in bytes, and how it ended. With salvage, which reads more before it writes.
fn dump(database: &Database, dialect: usize) -> (usize, usize, String) {
    let what = format!("{dialect} {}", database.0.display());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dump_memory::a_dump_takes_less_than_64_mib_of_memory", "--nocapture"])
        .env("PAGEMARK_DUMP", what)
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let said = output.lines().find_map(|line| line.split_once("took ")).unwrap_or_else(|| panic!("{output}")).1;
    let mut words = said.split(' ');
    let mut next = || words.next().unwrap().to_owned();
    (next().parse().unwrap(), next().parse().unwrap(), next())
}

/// What that process does.
fn dump_here(what: &str) {
    let mut words = what.splitn(2, ' ');
    let mut next = || words.next().unwrap();
    let dialect = DIALECTS[next().parse::<usize>().unwrap()];
    let file = File::open(next()).unwrap();
    let mut header = vec![0; 100];
    file.read_exact_at(&mut header, 0).unwrap();
    let header = DatabaseHeader::parse(&header).unwrap();
    let size = header.page_size.bytes();
    let page_count = file.metadata().unwrap().len() as usize / size;
    let before = peak();
    let options = Options { dialect, salvage: true, ..Options::default() };
    let mut dump = Dump::new(header, page_count as u32, options);
    let mut written = 0;
    let ended = loop {
        match dump.poll() {
            Ok(DumpStep::NeedPages(ranges)) => {
                for range in ranges {
                    let mut pages = vec![0; range.count as usize * size];
                    file.read_exact_at(&mut pages, (range.first.value() as u64 - 1) * size as u64).unwrap();
                    dump.feed(range.first, pages);
                }
            }
            Ok(DumpStep::Output) => {
                let length = dump.output().len();
                written += length;
                dump.take(length);
            }
            Ok(DumpStep::Given) => panic!("nothing was given away"),
            Ok(DumpStep::Done) => break "ok".to_owned(),
            Err(error) => break error.kind.code().to_owned(),
        }
    };
    println!("took {} {written} {ended}", peak() - before);
}

#[test]
fn a_dump_takes_less_than_64_mib_of_memory() {
    if let Ok(what) = std::env::var("PAGEMARK_DUMP") {
        return dump_here(&what);
    }
    let long = |encoding: &str| {
        let sql = format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a, b);
             INSERT INTO t VALUES (replace(hex(zeroblob(4190000)), '00', char(1) || 'a'), 1),
                (CAST(randomblob(8388000) AS TEXT), 2), (randomblob(12000000), hex(zeroblob(1000)))"
        );
        Database::new(&encoding.to_lowercase(), |db| db.execute_batch(&sql).unwrap())
    };
    let schema = |name: &str, sql: &str| {
        Database::new(name, |db| {
            db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA writable_schema = ON").unwrap();
            db.execute_batch(sql).unwrap();
        })
    };
    let columns = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20), c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000),
        l(l) AS (SELECT group_concat(printf('c%d', i)) FROM c) INSERT INTO sqlite_schema
        SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE t' || i || '(' || l || ')' FROM n, l;";
    let views = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15) INSERT INTO sqlite_schema
        SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT ''' || hex(zeroblob(500000)) || '''' FROM n;";
    let nested = |text: &str, count: usize| {
        format!(
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a DEFAULT ' || replace(hex(zeroblob({count})), '00', '{text}') || '1)'"
        )
    };
    let header = "UPDATE t SET a = zeroblob(8000000)";
    let databases = [
        Database::new("rows", |db| {
            db.execute_batch(
                "CREATE TABLE t (a, b, c PRIMARY KEY) WITHOUT ROWID; CREATE TABLE u (a, b, c);
                 WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
                 INSERT INTO t SELECT 'text ' || i, randomblob(100), randomblob(16) FROM n; INSERT INTO u SELECT * FROM t ORDER BY random()",
            )
            .unwrap();
        }),
        long("UTF-8"),
        long("UTF-16le"),
        schema("columns", columns),
        schema("views", views),
        schema("parentheses", &nested("(", 8_000_000)),
        schema("minuses", &nested("- ", 30_000)),
        schema(
            "types",
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a ' || replace(hex(zeroblob(20000)), '00', 'long type ') || ')'",
        ),
        schema("header", header),
    ];
    // The header of the last one's record becomes all of it.
    let mut bytes = fs::read(&databases[databases.len() - 1].0).unwrap();
    let leaf = 4096 + usize::from(u16::from_be_bytes([bytes[4096 + 8], bytes[4096 + 9]]));
    bytes[leaf + 5..leaf + 9].copy_from_slice(&[0x83, 0xe8, 0xa4, 0x00]);
    fs::write(&databases[databases.len() - 1].0, bytes).unwrap();
    let mut failed = Vec::new();
    for database in &databases {
        for (number, dialect) in DIALECTS.into_iter().enumerate() {
            let (taken, written, ended) = dump(database, number);
            let (taken_mib, written_mib) = (taken >> 10, written >> 20);
            let what =
                format!("{}, {dialect:?}: {taken_mib} MiB for {written_mib} MiB of SQL, {ended}", database.0.display());
            eprintln!("{what}");
            if taken > MOST {
                failed.push(what);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

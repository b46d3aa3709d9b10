use std::fs;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::btree::sample::contents::{EVERYTHING, contents};
use crate::btree::sample::random::{fill, quote};
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random, Sample};

/// The tables of a database file as one of their own.
fn take(file: &[u8], tables: &[&str]) -> Result<Vec<u8>> {
    let size = DatabaseHeader::parse(file)?.page_size.bytes();
    let page_count = (file.len() / size) as u32;
    let mut subset = Subset::new(file, page_count, tables.iter().map(ToString::to_string).collect())?;
    loop {
        let ranges = subset.poll()?;
        for range in &ranges {
            let start = (range.first.value() as usize - 1) * size;
            subset.feed(range.first, file[start..start + range.count as usize * size].to_vec());
        }
        if ranges.is_empty() {
            break;
        }
    }
    let mut out = Vec::new();
    // In runs of different lengths.
    let mut first = 1;
    while first <= subset.page_count() {
        let origins = subset.origins(first, first % 5 + 1);
        let mut pages = Vec::new();
        for origin in &origins {
            let start = (origin.max(&1) - 1) as usize * size;
            pages.extend_from_slice(&file[start..start + size]);
        }
        subset.convert(first, &mut pages)?;
        out.extend_from_slice(&pages);
        first += origins.len() as u32;
    }
    Ok(out)
}

/// What SQLite has of a database when all but these tables and views were dropped, and what the subset has.
fn compare(sample: &Sample, tables: &[&str], name: &str) {
    let taken = take(&sample.bytes, tables).unwrap();
    let path = std::env::temp_dir().join(format!("pagemark-subset-{}-{name}.db", std::process::id()));
    fs::write(&path, taken).unwrap();
    let db = Connection::open(&path).unwrap();
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let free: u32 = db.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    let others: Vec<(String, String)> = {
        let mut objects = sample
            .db
            .prepare(
                "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
                   AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')",
            )
            .unwrap();
        let rows = objects.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).filter(|(_, name): &(String, String)| !tables.contains(&name.as_str())).collect()
    };
    for (kind, name) in others {
        sample.db.execute_batch(&format!("DROP {kind} {}", quote(&name))).unwrap();
    }
    // SQLite keeps an empty sqlite_sequence when the tables that need it are gone.
    let is_same =
        |line: &String| !["auto_vacuum", "table sqlite_sequence "].iter().any(|start| line.starts_with(start));
    let lines = |db: &Connection| contents(db).into_iter().filter(is_same).collect::<Vec<_>>();
    assert_eq!(lines(&sample.db), lines(&db), "{name}");
    assert_eq!((check.as_str(), free), ("ok", 0), "{name}");
    drop(db);
    fs::remove_file(&path).unwrap();
}

#[test]
fn e2_tables_are_what_is_left_when_the_others_are_dropped() {
    for (index, page_size) in PAGE_SIZES.into_iter().enumerate() {
        let set_up = format!(
            "PRAGMA encoding = '{}'; PRAGMA auto_vacuum = {}; PRAGMA user_version = -7; {EVERYTHING}",
            ENCODINGS[index % 3],
            index % 3
        );
        let sample = Sample::of(page_size, &set_up);
        compare(&sample, &["plain", "many", "wr2", "ft", "rt", "long", "v1"], &format!("all-{page_size}"));
    }
}

#[test]
fn e2_the_order_of_descending_indexes_in_old_files_stays() {
    let sample = Sample::of(
        1024,
        "PRAGMA legacy_file_format = ON; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE INDEX i ON t (a DESC);
         CREATE TABLE other (a);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO t SELECT i, i * 7 % 13 FROM n",
    );
    let mut old = sample.bytes.clone();
    old[47] = 3;
    assert_eq!(take(&old, &["t"]).unwrap()[44..48], [0, 0, 0, 3]);
    compare(&sample, &["t"], "format");
}

#[test]
fn e2_nothing_of_other_tables_and_of_deleted_rows_is_left_in_unused_bytes() {
    for page_size in PAGE_SIZES {
        let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)";
        let sample = Sample::of(
            page_size,
            &format!(
                "PRAGMA secure_delete = OFF;
                 CREATE TABLE gone (a, b); CREATE INDEX gone_a ON gone (a);
                 {rows} INSERT INTO gone SELECT 'SECRET' || i, CAST(zeroblob(i) || 'SECRET' AS TEXT) || hex(zeroblob(i * 9)) || 'SECRET' FROM n;
                 DROP TABLE gone;
                 CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE INDEX t_a ON t (a);
                 CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID;
                 {rows} INSERT INTO t SELECT i, 'k' || i, CASE i % 7 WHEN 0 THEN zeroblob(i * 30) ELSE 'x' || i END FROM n;
                 {rows} INSERT INTO t SELECT 1000 + i, 'SECRET' || i, hex(zeroblob(i)) || 'SECRET' FROM n;
                 {rows} INSERT INTO w SELECT CASE i % 2 WHEN 0 THEN 'SECRET' ELSE 'k' END || i, zeroblob(i * 11) FROM n;
                 DELETE FROM t WHERE id > 1000 AND id % 3 > 0; DELETE FROM w WHERE a GLOB 'SECRET*';
                 UPDATE t SET a = 'y' || id, b = 'short' WHERE id > 1000"
            ),
        );
        let holds = |file: &[u8]| file.windows(6).filter(|bytes| bytes == b"SECRET").count();
        assert!(holds(&sample.bytes) > 100, "{page_size}");
        assert_eq!(holds(&take(&sample.bytes, &["t", "w"]).unwrap()), 0, "{page_size}");
        compare(&sample, &["t", "w"], &format!("unused-{page_size}"));
    }
}

#[test]
fn e2_what_cannot_be_taken_is_said() {
    let sample = Sample::of(512, EVERYTHING);
    let kind = |file: &[u8], tables: &[&str]| take(file, tables).unwrap_err().kind;
    assert_eq!(kind(&sample.bytes, &["plain", "i1"]), ErrorKind::TableUnknown);
    let reserved = Sample::new(1024, 8, |db| db.execute_batch("CREATE TABLE t (a)").unwrap());
    assert_eq!(kind(&reserved.bytes, &["t"]), ErrorKind::PageReserve);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e2_tables_of_random_databases(seed in 1u64.., page_size in 0usize..4, encoding in 0usize..3) {
        let sample = Sample::new(PAGE_SIZES[page_size], 0, |db| {
            db.execute_batch(&format!("PRAGMA encoding = '{}'", ENCODINGS[encoding])).unwrap();
            fill(db, &mut Random(seed), 8);
        });
        let names: Vec<String> = {
            let mut names = sample.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").unwrap();
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let mut random = Random(seed);
        let wanted: Vec<&str> = names.iter().map(String::as_str).filter(|_| random.below(2) == 0).collect();
        if !wanted.is_empty() {
            compare(&sample, &wanted, &seed.to_string());
        }
    }

    #[test]
    fn e2_damage_is_an_error_or_does_no_harm(seed in 1u64..) {
        let sample = Sample::of(512, EVERYTHING);
        let mut random = Random(seed);
        let mut file = sample.bytes.clone();
        for _ in 0..20 {
            let at = 100 + random.below(file.len() - 100);
            file[at] = random.next() as u8;
        }
        let _ = take(&file, &["plain", "many", "long", "ft"]);
    }
}

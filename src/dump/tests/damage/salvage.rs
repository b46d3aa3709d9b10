//! What is left of a database of which some pages are lost: everything else, exactly.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::btree::entries::{Budget, Entries, Next};
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random, Sample, page_of};
use crate::btree::{BtreePage, Kind, Layout, Pages};
use crate::page::Pgno;

/// Tables with rowids, with an alias for them, and without; in each some rows have overflow pages, of their own page
/// size or more.
fn fill(db: &Connection, random: &mut Random, page_size: u32) {
    let rows = if page_size > 4096 { 100 } else { 200 + random.below(300) };
    db.execute_batch(
        "CREATE TABLE plain (a, b TEXT, c); CREATE TABLE alias (id INTEGER PRIMARY KEY, a, b);
         CREATE TABLE keys (k TEXT, n INT, a, PRIMARY KEY (n, k)) WITHOUT ROWID;
         CREATE INDEX by_b ON plain (b); CREATE UNIQUE INDEX by_id ON alias (id, a); CREATE VIEW v AS SELECT * FROM plain;
         CREATE TRIGGER r AFTER INSERT ON plain BEGIN DELETE FROM alias; END; BEGIN",
    )
    .unwrap();
    let value = |random: &mut Random| match random.below(8) {
        0 => Value::Null,
        1 => Value::Real(random.below(1000) as f64 / 8.0),
        2 => Value::Text("aé漢😀'\n".repeat(random.below(12))),
        3 => Value::Blob((0..random.below(page_size as usize * 2)).map(|byte| byte as u8).collect()),
        _ => Value::Integer(random.next() as i64 >> random.below(60)),
    };
    for row in 0..rows {
        let (id, text) = (row as i64 * 3 - 100, format!("{:x}", random.next()));
        let values = [value(random), value(random)];
        db.execute("INSERT INTO plain (a, b, c) VALUES (?1, ?2, ?3)", (&values[0], &text, &values[1])).unwrap();
        db.execute("INSERT INTO alias VALUES (?1, ?2, ?3)", (id, &values[1], &values[0])).unwrap();
        db.execute("INSERT INTO keys VALUES (?1, ?2, ?3)", (&text, random.below(9) as u32, &values[0])).unwrap();
    }
    db.execute_batch("COMMIT; DELETE FROM plain WHERE rowid % 11 = 0").unwrap();
}

fn sample(random: &mut Random, page_size: u32) -> Sample {
    let encoding = ENCODINGS[random.below(3)];
    Sample::new(page_size, 0, |db| {
        db.execute_batch(&format!("PRAGMA encoding = '{encoding}'")).unwrap();
        fill(db, random, page_size);
    })
}

const TABLES: [(&str, &str); 3] = [
    ("plain", "SELECT rowid, * FROM plain ORDER BY rowid"),
    ("alias", "SELECT * FROM alias ORDER BY id"),
    ("keys", "SELECT * FROM keys ORDER BY n, k"),
];

/// The rows of a table, in the order of its b-tree.
fn rows(db: &Connection, select: &str) -> Vec<Vec<Value>> {
    let mut statement = db.prepare(select).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| (0..count).map(|index| row.get(index)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// The page that each row of a table is on, in the same order; and all pages of the b-tree, each with its parent.
fn pages(sample: &Sample, table: &str) -> (Vec<u32>, Vec<(u32, u32, Kind)>) {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
    let root = sample.db.query_row(sql, [table], |row| row.get::<_, u32>(0)).unwrap();
    let layout = Layout::new(&sample.header, sample.page_count());
    let mut all = Pages::new(sample.header.page_size);
    all.add(Pgno::FIRST, sample.bytes.clone());
    let mut budget = Budget::new(layout);
    let mut entries = Entries::new(Pgno::new(root).unwrap(), layout);
    let mut of_rows = Vec::new();
    while let Next::Row(row) = entries.next(&all, &mut budget).unwrap() {
        of_rows.push(row.pgno.value());
    }
    let mut tree = vec![(root, 0)];
    let mut at = 0;
    let mut kinds = Vec::new();
    while let Some(&(page, parent)) = tree.get(at) {
        let pgno = Pgno::new(page).unwrap();
        let parsed = BtreePage::parse(page_of(&sample.bytes, &sample.header, pgno), pgno, layout).unwrap();
        tree.extend(parsed.children().map(|child| (child.unwrap().value(), page)));
        kinds.push((page, parent, parsed.kind()));
        at += 1;
    }
    (of_rows, kinds)
}

fn garbage(random: &mut Random, page: &mut [u8]) {
    match random.below(4) {
        0 => page.fill(0),
        1 => page.fill(0xff),
        // The start is left, and the cells are not.
        2 => page.iter_mut().skip(3).for_each(|byte| *byte = 0xff),
        _ => page.iter_mut().enumerate().for_each(|(at, byte)| *byte = if at == 0 { 1 } else { random.next() as u8 }),
    }
}

fn is_below(page: u32, lost: u32, tree: &[(u32, u32, Kind)]) -> bool {
    let parent = tree.iter().find(|(child, ..)| *child == page).map_or(0, |&(_, parent, _)| parent);
    page == lost || parent != 0 && is_below(parent, lost, tree)
}

/// Loses a page of the table, and checks what is left of all.
fn lose(sample: &Sample, random: &mut Random, lost_table: &str, lost: u32, fill: impl FnOnce(&mut Random, &mut [u8])) {
    let size = sample.header.page_size.bytes();
    let mut bytes = sample.bytes.clone();
    fill(random, &mut bytes[(lost as usize - 1) * size..][..size]);
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let what = format!("{lost_table}, page {lost} of {size}, {dialect:?}");
        let error = run(&bytes, &options(dialect, false)).unwrap().ended.unwrap_err();
        assert_eq!(error, Error::at_page(ErrorKind::BtreePage, lost), "{what}");
        let ran = run(&bytes, &options(dialect, true)).unwrap();
        ran.ended.unwrap();
        let warning = format!("{lost_table}: page {lost} is damaged, and what it held is left out");
        // What is below a page is found without it.
        let (_, tree) = pages(sample, lost_table);
        let is_leaf = tree.iter().any(|&(page, _, kind)| page == lost && kind.is_leaf());
        let found = format!("{lost_table}: ");
        let is_said = |said: &str| said.starts_with(if is_leaf { &warning } else { &found });
        assert!(ran.warnings.iter().any(|said| is_said(said)), "{what}: {:?}", ran.warnings);
        let sql = String::from_utf8(ran.sql).unwrap();
        let header: Vec<&str> = sql.lines().take_while(|line| line.starts_with("--")).collect();
        let is_in_header = header.iter().any(|line| line.strip_prefix("-- WARNING: ").is_some_and(is_said));
        assert!(is_in_header, "{what}: {header:?}");
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(&sql).unwrap();
        for (table, select) in TABLES {
            let (of_rows, tree) = pages(sample, table);
            let all = rows(&sample.db, select);
            assert_eq!(all.len(), of_rows.len());
            let is_left = |page: &u32| table != lost_table || !is_below(*page, lost, &tree);
            let left: Vec<_> = all.iter().zip(&of_rows).filter(|(_, page)| is_left(page)).map(|(row, _)| row).collect();
            let got = rows(&db, select);
            // Each once, in order, and no other.
            let (mut rest, mut at_least) = (all.iter(), got.iter());
            assert!(got.iter().all(|row| rest.any(|other| other == row)), "{what}: {table}");
            assert!(left.into_iter().all(|row| at_least.any(|other| other == row)), "{what}: {table}");
        }
        let objects = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'lost_and_found%' ORDER BY name";
        assert_eq!(rows(&db, objects), rows(&sample.db, objects));
    }
}

#[test]
fn with_a_leaf_lost_all_rows_of_other_pages_are_there_exactly() {
    let random = &mut Random(0x5a1);
    for page_size in PAGE_SIZES {
        let sample = sample(random, page_size);
        for (table, _) in TABLES {
            let (_, tree) = pages(&sample, table);
            let leaves: Vec<u32> = tree.iter().filter(|(.., kind)| kind.is_leaf()).map(|&(page, ..)| page).collect();
            let ends = [leaves[0], leaves[leaves.len() - 1]];
            // The first and the last of one page size; to lose a page takes seconds where nothing is optimised.
            let lost = if page_size == 1024 { ends.as_slice() } else { &[leaves[random.below(leaves.len())]] };
            for &lost in lost {
                lose(&sample, random, table, lost, garbage);
            }
        }
    }
}

#[test]
fn with_a_page_above_leaves_lost_all_rows_below_others_are_there_exactly() {
    let random = &mut Random(0x17e);
    for page_size in [512, 1024] {
        let sample = sample(random, page_size);
        for (table, _) in TABLES {
            let (_, tree) = pages(&sample, table);
            let inner: Vec<u32> = tree.iter().filter(|(.., kind)| !kind.is_leaf()).map(|&(page, ..)| page).collect();
            let (Some(&top), Some(&last)) = (inner.first(), inner.last()) else { continue };
            // The root last: then there is nothing left.
            for lost in [last, inner[random.below(inner.len())], top] {
                lose(&sample, random, table, lost, garbage);
            }
        }
    }
}

/// A page that was written to the wrong place: it is sound, and its rows are of another page, or of another table.
#[test]
fn with_a_page_in_the_place_of_another_no_row_is_there_twice_or_of_another() {
    let random = &mut Random(0x77);
    for page_size in [512, 1024, 4096] {
        let sample = sample(random, page_size);
        let (_, tree) = pages(&sample, "plain");
        let leaves: Vec<u32> = tree.iter().filter(|(.., kind)| kind.is_leaf()).map(|&(page, ..)| page).collect();
        for _ in 0..6 {
            let at = random.below(leaves.len());
            let lost = leaves[at];
            let other = leaves[(at + 1 + random.below(leaves.len() - 1)) % leaves.len()];
            let size = page_size as usize;
            let source = sample.bytes[(other as usize - 1) * size..][..size].to_vec();
            lose(&sample, random, "plain", lost, |_, page| page.copy_from_slice(&source));
        }
    }
}

#[test]
fn with_an_overflow_page_lost_only_its_row_is_cut_off() {
    let sample = Sample::of(
        1024,
        "CREATE TABLE t (a); INSERT INTO t VALUES ('before'), (hex(zeroblob(5000))), ('after');
         CREATE TABLE k (a PRIMARY KEY) WITHOUT ROWID; INSERT INTO k SELECT a FROM t",
    );
    for lost in 3..=sample.page_count() {
        let mut bytes = sample.bytes.clone();
        let start = (lost as usize - 1) * 1024;
        if matches!(bytes[start], 2 | 5 | 10 | 13) {
            continue;
        }
        // The pointer to the next page; the last has none, and bytes of the row that are lost are not missed.
        let is_last = bytes[start..start + 4] == [0; 4];
        bytes[start..start + 1024].fill(0xff);
        let ran = run(&bytes, &options(Dialect::Sqlite, true)).unwrap();
        assert_eq!((ran.ended, ran.warnings.len()), (Ok(()), usize::from(!is_last)), "{:?}", ran.warnings);
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
        let count: i64 =
            db.query_row("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM k)", [], |row| row.get(0)).unwrap();
        // What comes before the page is there.
        assert_eq!(count, 6);
    }
}

/// A page of the schema, one above it, and rows in it that say nothing of use.
#[test]
fn with_a_page_of_the_schema_lost_the_other_tables_are_there() {
    let random = &mut Random(0x5c);
    let sample = Sample::new(512, 0, |db| {
        for table in 0..60 {
            db.execute_batch(&format!("CREATE TABLE t{table} (a); INSERT INTO t{table} VALUES ({table})")).unwrap();
        }
    });
    let layout = sample.layout();
    let root = BtreePage::parse(sample.page(Pgno::FIRST), Pgno::FIRST, layout).unwrap();
    for child in root.children() {
        let child = child.unwrap();
        let mut bytes = sample.bytes.clone();
        garbage(random, &mut bytes[child.offset(sample.header.page_size) as usize..][..512]);
        let error = run(&bytes, &options(Dialect::Sqlite, false)).unwrap().ended.unwrap_err();
        assert_eq!(error, Error::at_page(ErrorKind::BtreePage, child.value()));
        let ran = run(&bytes, &options(Dialect::Sqlite, true)).unwrap();
        assert_eq!(ran.ended, Ok(()));
        assert_eq!(ran.warnings[0], format!("the schema: page {child} is damaged, and what it held is left out"));
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
        let left: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert!((20..60).contains(&left), "{left}");
    }
}

#[test]
fn text_that_is_not_text_is_carried_or_said() {
    for (encoding, broken) in ENCODINGS.into_iter().zip(["c3ff80", "00d86100", "d8000061"]) {
        let sample = Sample::of(
            4096,
            &format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a TEXT);
                 INSERT INTO t VALUES ('before'), (CAST(x'{broken}' AS TEXT)), ('after');"
            ),
        );
        for salvage in [false, true] {
            for dialect in DIALECTS {
                let ran = run(&sample.bytes, &options(dialect, salvage)).unwrap();
                ran.ended.unwrap();
                // Only a database in UTF-8 for one in UTF-16 cannot have it.
                let is_said = dialect == Dialect::D1 && encoding != "UTF-8";
                assert_eq!(!ran.warnings.is_empty(), is_said, "{:?}", ran.warnings);
                if matches!(dialect, Dialect::Sqlite) {
                    let db = Connection::open_in_memory().unwrap();
                    db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
                    let hex = |db: &Connection| rows(db, "SELECT hex(CAST(a AS BLOB)) FROM t");
                    assert_eq!(hex(&db), hex(&sample.db));
                }
            }
        }
    }
}

//! Against SQLite: two states of one database, compared row by row there and by their pages here.

use rusqlite::Connection;

use super::*;
use crate::btree::sample::{Random, Sample, page_of};
use crate::page::Crc64;
use crate::page::checksum::PageChecksummer;
use crate::snapshot::Fingerprint;

const BUDGET: u64 = 64 << 20;

fn states(sample: &Sample) -> Vec<Option<PageState>> {
    let checksummer = PageChecksummer::new(sample.header.page_size);
    let state = |number| {
        let pgno = Pgno::new(number).unwrap();
        let page = page_of(&sample.bytes, &sample.header, pgno);
        Some(PageState { checksum: checksummer.page(pgno, Crc64::of(page)), fingerprint: Fingerprint::of(page) })
    };
    (1..=sample.page_count()).map(state).collect()
}

/// What a restore of `then` would do to `now`, and how many pages of each were asked for.
fn compare(now: &Sample, then: &Sample, budget: u64) -> (Vec<TableChange>, [usize; 2]) {
    let sides = [now, then];
    let mut machine = Comparison::new((&now.header, now.page_count()), (&then.header, then.page_count()), budget);
    machine.digest(Pgno::FIRST, &now.bytes, &states(then)).unwrap();
    let mut asked = [0; 2];
    while let Some((side, ranges)) = machine.poll().unwrap() {
        let sample = sides[side as usize];
        for range in ranges {
            asked[side as usize] += range.count as usize;
            assert!(asked[side as usize] < 100_000, "goes on for ever");
            let start = range.first.offset(sample.header.page_size) as usize;
            let end = start + range.count as usize * sample.header.page_size.bytes();
            machine.feed(side, range.first, sample.bytes[start..end].to_vec());
        }
    }
    (machine.tables(), asked)
}

/// The same where only the numbers of the pages are told that may differ.
fn compare_told(now: &Sample, then: &Sample) -> (Vec<TableChange>, usize) {
    let sides = [now, then];
    let size = now.header.page_size.bytes();
    let mut machine = Comparison::new((&now.header, now.page_count()), (&then.header, then.page_count()), BUDGET);
    let pairs = now.bytes.chunks(size).zip(then.bytes.chunks(size)).zip(1..);
    machine.tell(&pairs.filter(|((a, b), _)| a != b).map(|(_, pgno)| pgno).collect::<Vec<u32>>());
    let mut asked = 0;
    while let Some((side, ranges)) = machine.poll().unwrap() {
        let sample = sides[side as usize];
        for range in ranges {
            asked += range.count as usize;
            assert!(asked < 100_000, "goes on for ever");
            let start = range.first.offset(sample.header.page_size) as usize;
            machine.feed(side, range.first, sample.bytes[start..start + range.count as usize * size].to_vec());
        }
    }
    (machine.tables(), asked)
}

/// The same database after more SQL.
fn after(before: &Sample, sql: &str) -> Sample {
    let page_size = before.header.page_size.value();
    let bytes = before.bytes.clone();
    Sample::new(page_size, 0, |db| {
        let path = db.path().unwrap().to_owned();
        std::fs::write(&path, &bytes).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    })
}

/// Name, change, rows now and then, and those that come back, go and are updated.
type Short<'a> = (&'a str, Change, Option<u64>, Option<u64>, Option<[u64; 3]>);

fn short(tables: &[TableChange]) -> Vec<Short<'_>> {
    let rows = |rows: RowChanges| [rows.back, rows.gone, rows.updated];
    tables.iter().map(|t| (&*t.name, t.change, t.rows_now, t.rows_then, t.rows.map(rows))).collect()
}

const ROWS: &str = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)";

fn tables() -> Sample {
    Sample::of(
        1024,
        &format!(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, x); {ROWS} INSERT INTO a SELECT i, hex(zeroblob(20)) FROM n;
             CREATE TABLE b (id INTEGER PRIMARY KEY, x); {ROWS} INSERT INTO b SELECT i, hex(zeroblob(20)) FROM n;
             CREATE TABLE k (x PRIMARY KEY, y) WITHOUT ROWID; {ROWS} INSERT INTO k SELECT i * 7919, i FROM n;
             CREATE TABLE long (id INTEGER PRIMARY KEY, x); INSERT INTO long SELECT id, zeroblob(5000) FROM a WHERE id < 50;
             CREATE INDEX b_x ON b (x); CREATE TABLE none (x); CREATE VIEW v AS SELECT * FROM a"
        ),
    )
}

#[test]
fn what_is_the_same_is_unchanged_and_hardly_read() {
    let then = tables();
    let (found, asked) = compare(&then, &then, BUDGET);
    assert!(found.iter().all(|table| table.change == Change::Unchanged), "{found:?}");
    assert_eq!(short(&found)[0], ("a", Change::Unchanged, Some(2000), Some(2000), Some([0; 3])));
    assert!(asked[0] < then.page_count() as usize / 8 && asked[1] <= 2, "{asked:?} of {}", then.page_count());
}

#[test]
fn a_table_whose_counts_are_equal_and_whose_rows_are_not_is_changed() {
    let then = tables();
    let now = after(
        &then,
        "UPDATE b SET x = 'new' WHERE id IN (5, 1500); DELETE FROM a WHERE id = 9; INSERT INTO a VALUES (9000, 1)",
    );
    let (found, _) = compare(&now, &then, BUDGET);
    assert_eq!(
        short(&found)[..2],
        [
            ("a", Change::Changed, Some(2000), Some(2000), Some([1, 1, 0])),
            ("b", Change::Changed, Some(2000), Some(2000), Some([0, 0, 2])),
        ]
    );
    assert!(found[2..].iter().all(|table| table.change == Change::Unchanged), "{found:?}");
}

#[test]
fn tables_vanish_and_come_back_with_their_rows() {
    let then = tables();
    let now = after(&then, "DROP TABLE a; CREATE TABLE fresh (x); INSERT INTO fresh SELECT id FROM b");
    let (found, _) = compare(&now, &then, BUDGET);
    assert_eq!(
        short(&found)[..2],
        [("fresh", Change::Vanish, Some(2000), None, None), ("a", Change::Come, None, Some(2000), None)]
    );
}

#[test]
fn a_change_deep_in_a_long_value_is_found_though_its_leaf_is_the_same() {
    let then = tables();
    let mut now = after(&then, "");
    // As SQLite overwrites a value of the same length in place.
    let sql = "SELECT min(pageno) FROM dbstat WHERE name = 'long' AND pagetype = 'overflow'";
    let page: u32 = then.db.query_row(sql, [], |row| row.get(0)).unwrap();
    now.bytes[(page as usize - 1) * 1024 + 600] = 7;
    for found in [compare(&now, &then, BUDGET).0, compare_told(&now, &then).0] {
        assert_eq!(found[0].name, "long");
        assert_eq!((found[0].change, found[0].rows.unwrap().updated), (Change::Changed, 1));
        assert!(found[1..].iter().all(|table| table.change == Change::Unchanged), "{found:?}");
    }
}

#[test]
fn of_pages_that_are_only_told_hardly_more_is_read_than_differ() {
    let then = tables();
    let now =
        after(&then, "UPDATE b SET x = 'new' WHERE id = 5; DELETE FROM a WHERE id = 9; DELETE FROM k WHERE y = 7");
    let (found, asked) = compare_told(&now, &then);
    let rows: Vec<_> = short(&found).into_iter().map(|(name, change, _, _, rows)| (name, change, rows)).collect();
    assert_eq!(
        rows[..4],
        [
            ("a", Change::Changed, Some([1, 0, 0])),
            ("b", Change::Changed, Some([0, 0, 1])),
            ("k", Change::Changed, Some([1, 0, 0])),
            ("long", Change::Unchanged, Some([0; 3])),
        ]
    );
    assert!(asked < then.page_count() as usize / 8, "{asked} of {}", then.page_count());
}

#[test]
fn of_a_tree_only_what_leads_to_told_pages_is_read() {
    let many = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)";
    let then = Sample::of(
        512,
        &format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x); {many} INSERT INTO t SELECT i, hex(zeroblob(20)) FROM n"),
    );
    for (sql, most, expected) in [
        ("UPDATE t SET x = 'new' WHERE id = 4500", 8, [0, 0, 1]),
        ("DELETE FROM t WHERE id BETWEEN 4000 AND 4100", 40, [101, 0, 0]),
        ("INSERT INTO t SELECT id + 9000, x FROM t WHERE id < 500", 140, [0, 499, 0]),
    ] {
        let (found, asked) = compare_told(&after(&then, sql), &then);
        assert_eq!(short(&found)[0].4, Some(expected), "{sql}");
        assert!(asked <= most, "{asked} pages of {} for {sql}", then.page_count());
    }
}

#[test]
fn a_table_that_was_defined_anew_is_changed_though_its_rows_are_the_same() {
    let then = tables();
    let now = after(&then, "ALTER TABLE k ADD COLUMN z");
    let (found, _) = compare(&now, &then, BUDGET);
    assert_eq!((found[0].name.as_str(), found[0].change, found[0].redefined), ("k", Change::Changed, true));
    assert!(found[1..].iter().all(|table| table.change == Change::Unchanged), "{found:?}");
}

#[test]
fn a_vacuum_moves_pages_and_changes_nothing() {
    let then = after(&tables(), "DROP TABLE none; DELETE FROM a WHERE id % 2");
    let now = after(&then, "VACUUM");
    let (found, _) = compare(&now, &then, BUDGET);
    assert!(found.iter().all(|table| table.change == Change::Unchanged), "{found:?}");
    // Where that takes reading too much, they may differ.
    let (found, _) = compare(&now, &then, 4096);
    assert!(found.iter().any(|table| table.change == Change::Changed && table.rows.is_none()), "{found:?}");
}

#[test]
fn databases_with_other_pages_are_compared_row_by_row() {
    let then = tables();
    let now = Sample::of(
        4096,
        &format!(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x); {ROWS} INSERT INTO a SELECT i, hex(zeroblob(20)) FROM n;
         CREATE TABLE long (id INTEGER PRIMARY KEY, x); INSERT INTO long SELECT id, zeroblob(5000) FROM a WHERE id < 49"
    ),
    );
    let (found, _) = compare(&now, &then, BUDGET);
    let of = |name: &str| found.iter().find(|table| table.name == name).unwrap().clone();
    assert_eq!((of("a").change, of("a").rows_then), (Change::Unchanged, Some(2000)));
    assert_eq!((of("long").change, of("long").rows.map(|rows| rows.back)), (Change::Changed, Some(1)));
    assert_eq!(of("b").change, Change::Come);
}

#[test]
fn a_damaged_table_is_changed_unless_it_was_damaged_so() {
    let then = tables();
    let sql = "SELECT max(pageno) FROM dbstat WHERE name = 'a' AND pagetype = 'leaf'";
    let leaf = then.db.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    let mut now = after(&then, "");
    now.bytes[(leaf - 1) * 1024..leaf * 1024].fill(0);
    let (found, _) = compare(&now, &then, BUDGET);
    assert_eq!((found[0].name.as_str(), found[0].change, found[0].rows_now), ("a", Change::Changed, None));
    assert!(found[1..].iter().all(|table| table.change == Change::Unchanged), "{found:?}");
    let (found, _) = compare(&now, &now, BUDGET);
    assert!(found.iter().all(|table| table.change == Change::Unchanged), "{found:?}");
    // How many rows come back is not known of it.
    let (found, _) = compare(&after(&then, "DROP TABLE a"), &now, BUDGET);
    let a = found.iter().find(|table| table.name == "a").unwrap();
    assert_eq!((a.change, a.rows_then), (Change::Come, None));
}

/// Random changes, against what SQLite says of them.
#[test]
fn random_changes_are_counted_as_sqlite_counts_them() {
    let mut random = Random(7);
    for round in 0..15 {
        let then = Sample::of(512, &format!(
            "PRAGMA auto_vacuum = {}; CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE TABLE u (x PRIMARY KEY, y) WITHOUT ROWID;
             {ROWS} INSERT INTO t SELECT i, randomblob(abs(random()) % 900) FROM n WHERE i < 400;
             INSERT INTO u SELECT hex(randomblob(9)), x FROM t; CREATE INDEX t_x ON t (x)",
            round % 3,
        ));
        let mut sql = String::new();
        for _ in 0..random.below(12) {
            let id = random.below(420);
            sql += &match random.below(6) {
                0 => format!("DELETE FROM t WHERE id BETWEEN {id} AND {};", id + random.below(9)),
                1 => format!("INSERT OR REPLACE INTO t VALUES ({id}, randomblob({}));", random.below(2000)),
                2 => format!("UPDATE t SET x = substr(x, 1, length(x) - 1) || x'ff' WHERE id = {id};"),
                3 => format!("DELETE FROM u WHERE x LIKE '{}%';", random.below(10)),
                4 => format!("INSERT OR REPLACE INTO u VALUES ('new {id}', zeroblob({}));", random.below(1500)),
                _ => "UPDATE u SET y = 1 WHERE x IN (SELECT x FROM u LIMIT 2);".into(),
            };
        }
        if random.below(4) == 0 {
            sql += "VACUUM;";
        }
        let now = after(&then, &sql);
        let (found, _) = compare(&now, &then, BUDGET);
        let (told, _) = compare_told(&now, &then);
        let what =
            |tables: &[TableChange]| tables.iter().map(|t| (t.name.clone(), t.change, t.rows)).collect::<Vec<_>>();
        assert_eq!(what(&told), what(&found), "told, in round {round}: {sql}");
        now.db.execute("ATTACH ? AS old", [then.path().to_str().unwrap()]).unwrap();
        let count = |sql: &str| now.db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64;
        for table in &found {
            let changes = table.rows.unwrap();
            let expected = if table.name == "t" {
                RowChanges {
                    back: count("SELECT count(*) FROM old.t WHERE id NOT IN (SELECT id FROM main.t)"),
                    gone: count("SELECT count(*) FROM main.t WHERE id NOT IN (SELECT id FROM old.t)"),
                    updated: count("SELECT count(*) FROM main.t a JOIN old.t b USING (id) WHERE a.x IS NOT b.x"),
                }
            } else {
                RowChanges {
                    back: count("SELECT count(*) FROM (SELECT * FROM old.u EXCEPT SELECT * FROM main.u)"),
                    gone: count("SELECT count(*) FROM (SELECT * FROM main.u EXCEPT SELECT * FROM old.u)"),
                    updated: 0,
                }
            };
            assert_eq!(changes, expected, "{} in round {round}: {sql}", table.name);
            assert_eq!(table.change == Change::Unchanged, expected == RowChanges::default());
            assert_eq!(table.rows_then, Some(count(&format!("SELECT count(*) FROM old.{}", table.name))));
        }
    }
}

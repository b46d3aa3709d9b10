//! Whole rows, with no page in hand that was not asked for.

use super::*;
use crate::btree::sample::{PAGE_SIZES, Random, Sample};

/// Rows of all lengths up to several pages.
fn sample(page_size: u32) -> Sample {
    let sql = format!(
        "CREATE TABLE rows (a); CREATE TABLE keys (k INTEGER PRIMARY KEY, v) WITHOUT ROWID; CREATE INDEX by_a ON rows (a);
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
           INSERT INTO rows SELECT substr(hex(zeroblob({page_size} * 2)), 1, i * 7919 % ({page_size} * 3)) || i FROM n;
         INSERT INTO keys SELECT rowid, a FROM rows"
    );
    Sample::of(page_size, &sql)
}

fn root(sample: &Sample, name: &str) -> Pgno {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
    Pgno::new(sample.db.query_row(sql, [name], |row| row.get(0)).unwrap()).unwrap()
}

/// Goes through a tree. Gives the rows, what was wrong, and how many pages were handed in.
fn go(sample: &Sample, bytes: &[u8], root: Pgno, budget: &mut Budget) -> (Vec<Vec<u8>>, Vec<Error>, usize) {
    let layout = sample.layout();
    let size = layout.page_size();
    let mut pages = Pages::new(sample.header.page_size);
    let mut entries = Entries::new(root, layout);
    let (mut rows, mut errors, mut fed) = (Vec::new(), Vec::new(), 0);
    loop {
        match entries.next(&pages, budget) {
            Ok(Next::Row(row)) => {
                assert_eq!(row.rest, None);
                rows.push(row.record.to_vec());
            }
            Ok(Next::End) => return (rows, errors, fed),
            Ok(Next::Given) => panic!("nothing was given away"),
            Ok(Next::Need(ranges)) => {
                let total: usize = ranges.iter().map(|range| range.count as usize).sum();
                assert!(total > 0 && total <= (2 * pages_at_once(layout)).max(1), "{ranges:?}");
                for (before, after) in ranges.iter().zip(ranges.iter().skip(1)) {
                    assert!(before.first.value() + before.count < after.first.value(), "{ranges:?}");
                }
                for range in ranges {
                    assert!(range.count > 0 && range.first.value() + range.count - 1 <= layout.page_count());
                    let start = range.first.offset(sample.header.page_size) as usize;
                    pages.add(range.first, bytes[start..start + range.count as usize * size].to_vec());
                    fed += range.count as usize;
                }
            }
            Err(error) => errors.push(error),
        }
        assert!(errors.len() < 10_000);
    }
}

#[test]
fn rows_come_whole_and_in_order() {
    for page_size in PAGE_SIZES {
        let sample = sample(page_size);
        let mut statement = sample.db.prepare("SELECT a FROM rows ORDER BY rowid").unwrap();
        let texts: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for (name, ordered) in [("rows", true), ("keys", true), ("by_a", false)] {
            let mut budget = Budget::new(sample.layout());
            let (rows, errors, fed) = go(&sample, &sample.bytes, root(&sample, name), &mut budget);
            assert_eq!((rows.len(), errors.len()), (texts.len(), 0));
            assert!(fed <= 2 * sample.page_count() as usize, "{fed} of {} pages", sample.page_count());
            for (row, text) in rows.iter().zip(&texts).filter(|_| ordered) {
                assert!(row.ends_with(text.as_bytes()), "{name}");
            }
            let total: usize = rows.iter().map(Vec::len).sum();
            assert!(total >= texts.iter().map(String::len).sum());
            // Each page of the tree was visited once, overflow pages too.
            let sql = "SELECT count(*) FROM dbstat WHERE name = ?";
            let count: i64 = sample.db.query_row(sql, [name], |row| row.get(0)).unwrap();
            assert_eq!(budget.spent(sample.layout()), count as u64);
        }
    }
}

#[test]
fn rows_that_are_too_long_come_with_their_rest() {
    let sample = Sample::of(
        4096,
        &format!(
            "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob({MAX_WHOLE} - 5)), (zeroblob({MAX_WHOLE} - 4)), (1);"
        ),
    );
    let layout = sample.layout();
    let mut pages = Pages::new(sample.header.page_size);
    let mut budget = Budget::new(layout);
    let mut entries = Entries::new(root(&sample, "t"), layout);
    let mut rows = Vec::new();
    loop {
        match entries.next(&pages, &mut budget).unwrap() {
            Next::End => break,
            Next::Given => panic!("nothing was given away"),
            Next::Row(row) => rows.push((row.record.len(), row.rest.map(|rest| rest.remaining))),
            Next::Need(ranges) => {
                for range in ranges {
                    let start = range.first.offset(sample.header.page_size) as usize;
                    pages.add(range.first, sample.bytes[start..][..range.count as usize * 4096].to_vec());
                }
            }
        }
    }
    let (local, rest) = rows[1];
    assert_eq!(rows[0], (MAX_WHOLE, None));
    assert!(local < 4096 && rest == Some(MAX_WHOLE + 1 - local), "{rows:?}");
    assert_eq!(rows[2].1, None);
}

#[test]
fn a_budget_ends_what_goes_in_circles() {
    let sample = sample(512);
    let layout = sample.layout();
    let mut budget = Budget(10);
    let (rows, errors, _) = go(&sample, &sample.bytes, root(&sample, "rows"), &mut budget);
    assert!(rows.len() < 150 && errors.iter().all(|error| error.kind == ErrorKind::BtreeDepth));
    assert_eq!(budget.0, 0);
    assert_eq!(Budget::new(layout).spent(layout), 0);
}

#[test]
fn a_payload_larger_than_the_database_is_refused_before_it_is_read() {
    let sample = Sample::of(4096, "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(20000)), (2)");
    let page = (root(&sample, "t").value() as usize - 1) * 4096;
    let cell = page + usize::from(u16::from_be_bytes([sample.bytes[page + 8], sample.bytes[page + 9]]));
    for (length, refused) in [([0x81, 0x9c, 0x24], false), ([0xff, 0xff, 0x7f], true)] {
        let mut bytes = sample.bytes.clone();
        bytes[cell..cell + 3].copy_from_slice(&length);
        let (rows, errors, fed) = go(&sample, &bytes, root(&sample, "t"), &mut Budget::new(sample.layout()));
        assert_eq!((rows.len(), errors.len()), if refused { (1, 1) } else { (2, 0) });
        assert!(!refused || fed == 1);
    }
}

#[test]
fn behind_what_is_damaged_it_goes_on() {
    let random = &mut Random(7);
    for page_size in [512, 4096] {
        let sample = sample(page_size);
        for name in ["rows", "keys", "by_a"] {
            let sound = go(&sample, &sample.bytes, root(&sample, name), &mut Budget::new(sample.layout())).0;
            for _ in 0..40 {
                let lost = 1 + random.below(sample.page_count() as usize - 1);
                let mut bytes = sample.bytes.clone();
                bytes[lost * page_size as usize..][..page_size as usize].fill(0xff);
                let budget = &mut Budget::new(sample.layout());
                let (rows, errors, _) = go(&sample, &bytes, root(&sample, name), budget);
                // The last page of a chain has bytes of a row, and no pointer that could be wrong.
                let unharmed = rows.iter().filter(|row| sound.contains(row)).count();
                assert!(rows.len() - unharmed <= 1, "{name}, {lost}");
                for error in errors {
                    assert_eq!(error, Error::at_page(ErrorKind::BtreePage, lost as u32 + 1));
                }
            }
        }
    }
}

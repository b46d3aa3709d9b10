//! Against SQLite's own order, with no page in hand that was not asked for; and on trees made by hand.

use std::collections::HashSet;

use super::*;
use crate::btree::sample::{PAGE_SIZES, Sample};
use crate::page::{DatabaseHeader, PageSize};

/// A table, an index and a table WITHOUT ROWID, of three levels where pages are small.
fn sample(page_size: u32) -> Sample {
    Sample::of(
        page_size,
        "CREATE TABLE rows (a, b); CREATE INDEX by_b ON rows (b);
         CREATE TABLE keys (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO rows (rowid, a, b) SELECT i * 7919 % 3001 - 500, i, printf('%016d', i * 31 % 3000) FROM n;
         INSERT INTO keys SELECT b || 'key', a FROM rows WHERE a % 3 > 0; DELETE FROM rows WHERE a % 7 = 0",
    )
}

fn root(sample: &Sample, name: &str) -> Pgno {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
    Pgno::new(sample.db.query_row(sql, [name], |row| row.get(0)).unwrap()).unwrap()
}

/// What a walk through a tree came to.
#[derive(Default)]
struct Walked {
    rowids: Vec<Option<i64>>,
    /// The last bytes of each entry's own part.
    ends: Vec<Vec<u8>>,
    visited: Vec<Pgno>,
    errors: Vec<Error>,
}

/// Walks with nothing in hand but what was asked for: all of it, or only what is needed first.
fn walk(bytes: &[u8], header: &DatabaseHeader, root: Pgno, all: bool) -> Walked {
    let size = header.page_size.bytes();
    let layout = Layout::new(header, (bytes.len() / size) as u32);
    let mut pages = Pages::new(header.page_size);
    let mut cursor = Cursor::new(root, layout);
    let mut walked = Walked::default();
    let mut asked = HashSet::new();
    loop {
        let before = match cursor.stand(&pages, |pgno| {
            walked.visited.push(pgno);
            Ok(())
        }) {
            Ok(Stand::End) => return walked,
            Ok(Stand::Given) => panic!("nothing was given away"),
            Ok(Stand::On(Ok(entry))) => {
                walked.rowids.push(entry.rowid);
                let local = entry.payload.local;
                walked.ends.push(local[local.len().saturating_sub(20)..].to_vec());
                continue;
            }
            Ok(Stand::On(Err(error))) | Err(error) => {
                walked.errors.push(error);
                assert!(walked.errors.len() < 10_000);
                continue;
            }
            Ok(Stand::Before(before)) => before,
        };
        let distinct: HashSet<_> = before.iter().collect();
        assert!(!before.is_empty() && distinct.len() == before.len(), "{before:?}");
        let wanted = if all { before.len() } else { 1 };
        for pgno in before.into_iter().take(wanted) {
            assert!(pgno.value() <= layout.page_count());
            assert!(pages.page(pgno).is_none(), "page {pgno} is in hand");
            assert!(asked.insert(pgno) || !walked.errors.is_empty(), "page {pgno} was asked for before");
            pages.add(pgno, bytes[pgno.offset(header.page_size) as usize..][..size].to_vec());
        }
        assert_eq!(cursor.ahead(&pages).iter().filter(|&&pgno| pages.page(pgno).is_some()).count(), 0);
    }
}

#[test]
fn entries_come_in_order_from_pages_that_are_asked_for_once() {
    for page_size in PAGE_SIZES {
        let sample = sample(page_size);
        for all in [true, false] {
            let of = |name: &str| walk(&sample.bytes, &sample.header, root(&sample, name), all);
            let mut statement = sample.db.prepare("SELECT rowid FROM rows ORDER BY rowid").unwrap();
            let rowids: Vec<Option<i64>> =
                statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let rows = of("rows");
            assert_eq!(rows.rowids, rowids);
            for (name, sql) in [("by_b", "SELECT b FROM rows ORDER BY b"), ("keys", "SELECT k FROM keys ORDER BY k")] {
                let walked = of(name);
                let mut statement = sample.db.prepare(sql).unwrap();
                let keys: Vec<String> =
                    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
                assert_eq!(walked.rowids, vec![None; keys.len()]);
                for (end, key) in walked.ends.iter().zip(&keys) {
                    let number = &key.as_bytes()[8..16];
                    assert!(end.windows(8).any(|part| part == number), "{name}: {key}");
                }
                assert_eq!(walked.errors, []);
            }
            // Each page of the tree, and no other.
            let sql = "SELECT count(*) FROM dbstat WHERE name = 'rows' AND pagetype <> 'overflow'";
            let count: usize = sample.db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize;
            assert_eq!((rows.visited.len(), rows.errors.len()), (count, 0));
        }
    }
}

/// Pages of 512 bytes without cells, each of which has the next below it.
fn chain(pages: u32, last: Vec<u8>) -> (Vec<u8>, DatabaseHeader) {
    let mut bytes = Sample::of(512, "CREATE TABLE t (a)").bytes[..512].to_vec();
    for page in 2..=pages {
        let mut inner = vec![0; 512];
        inner[0] = 5;
        inner[8..12].copy_from_slice(&(page + 1).to_be_bytes());
        bytes.extend(inner);
    }
    bytes.extend(last);
    bytes[28..32].copy_from_slice(&(pages + 1).to_be_bytes());
    let header = DatabaseHeader::parse(&bytes).unwrap();
    assert_eq!(header.page_size, PageSize::new(512).unwrap());
    (bytes, header)
}

fn leaf(kind: u8, rowids: &[u8]) -> Vec<u8> {
    let mut page = vec![0; 512];
    (page[0], page[4]) = (kind, rowids.len() as u8);
    for (index, &rowid) in rowids.iter().enumerate() {
        let at = 500 - 8 * index;
        page[8 + 2 * index..][..2].copy_from_slice(&(at as u16).to_be_bytes());
        page[at..at + 4].copy_from_slice(&[2, rowid, 2, 9]);
    }
    page
}

fn pgno(number: u32) -> Pgno {
    Pgno::new(number).unwrap()
}

#[test]
fn a_tree_is_so_deep_and_no_deeper() {
    let (bytes, header) = chain(MAX_DEPTH as u32, leaf(13, &[1, 2]));
    let walked = walk(&bytes, &header, pgno(2), true);
    assert_eq!((walked.rowids.len(), walked.errors.len()), (2, 0));
    let (bytes, header) = chain(MAX_DEPTH as u32 + 1, leaf(13, &[1, 2]));
    let walked = walk(&bytes, &header, pgno(2), true);
    assert_eq!((walked.rowids.len(), walked.visited.len()), (0, MAX_DEPTH));
    assert_eq!(walked.errors, [Error::at_page(ErrorKind::BtreeDepth, MAX_DEPTH as u32 + 1)]);
}

#[test]
fn a_page_is_not_below_itself() {
    for to in 2..6 {
        let (mut bytes, header) = chain(5, leaf(13, &[1]));
        bytes[4 * 512 + 8..4 * 512 + 12].copy_from_slice(&u32::to_be_bytes(to));
        let walked = walk(&bytes, &header, pgno(2), true);
        assert_eq!(walked.errors, [Error::at_page(ErrorKind::BtreeDepth, 5)]);
        assert_eq!(walked.visited.len(), 4);
    }
}

#[test]
fn a_tree_is_of_one_kind() {
    for kind in [10, 2, 0] {
        let (bytes, header) = chain(3, leaf(kind, &[]));
        let walked = walk(&bytes, &header, pgno(2), true);
        assert_eq!(walked.errors, [Error::at_page(ErrorKind::BtreePage, 4)]);
    }
}

#[test]
fn pointers_lead_to_pages_of_the_database() {
    for to in [0, 7, u32::MAX] {
        let (mut bytes, header) = chain(5, leaf(13, &[1]));
        bytes[3 * 512 + 8..3 * 512 + 12].copy_from_slice(&u32::to_be_bytes(to));
        let walked = walk(&bytes, &header, pgno(2), true);
        assert_eq!(walked.errors, [Error::at_page(ErrorKind::BtreePage, 4)]);
    }
}

#[test]
fn rowids_rise_and_are_those_of_their_page() {
    let of = |rowids: &[u8], key: u8| {
        // A root with two leaves, the first of rowids up to `key`.
        let (mut bytes, header) = chain(2, leaf(13, rowids));
        bytes.extend(leaf(13, &[key + 1, key + 2]));
        let root = &mut bytes[512..1024];
        root[4] = 1;
        root[8..12].copy_from_slice(&4u32.to_be_bytes());
        root[12..14].copy_from_slice(&500u16.to_be_bytes());
        root[500..505].copy_from_slice(&[0, 0, 0, 3, key]);
        let walked = walk(&bytes, &header, pgno(2), true);
        assert!(walked.errors.iter().all(|error| *error == Error::at_page(ErrorKind::BtreePage, 3)));
        let rowids: Vec<i64> = walked.rowids.into_iter().flatten().collect();
        (rowids, walked.errors.len())
    };
    assert_eq!(of(&[1, 5, 9], 9), (vec![1, 5, 9, 10, 11], 0));
    assert_eq!(of(&[1, 5, 5], 9), (vec![1, 5, 10, 11], 1));
    assert_eq!(of(&[1, 7, 3, 8], 9), (vec![1, 7, 8, 10, 11], 1));
    assert_eq!(of(&[1, 10, 3], 9), (vec![1, 3, 10, 11], 1));
}

#[test]
fn what_the_caller_refuses_is_left_out_with_all_below_it() {
    let sample = sample(512);
    let mut pages = Pages::new(sample.header.page_size);
    pages.add(Pgno::FIRST, sample.bytes.clone());
    let mut cursor = Cursor::new(root(&sample, "rows"), sample.layout());
    let (mut visits, mut refused, mut rows) = (0, 0, 0);
    let refusal = Error::at_page(ErrorKind::BtreeDepth, 9);
    loop {
        let stand = cursor.stand(&pages, |_| {
            visits += 1;
            if visits % 5 == 0 { Err(refusal) } else { Ok(()) }
        });
        match stand {
            Ok(Stand::End) => break,
            Ok(Stand::Given) => panic!("nothing was given away"),
            Ok(Stand::On(entry)) => rows += usize::from(entry.is_ok()),
            Ok(Stand::Before(_)) => panic!("all pages are here"),
            Err(error) => {
                assert_eq!(error, refusal);
                refused += 1;
            }
        }
    }
    assert!(refused == visits / 5 && rows > 0 && rows < 2600, "{refused} {visits} {rows}");
}

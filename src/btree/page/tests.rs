//! Against SQLite's own view of every page (the dbstat table), and on pages made by hand.

use super::*;
use crate::btree::sample::{PAGE_SIZES, Sample};
use crate::error::Error;

/// Tables, an index and a table WITHOUT ROWID that have interior pages and overflow pages at every page size.
fn trees(page_size: u32, reserved: u8) -> Sample {
    let sql = format!(
        "CREATE TABLE rows (a, b);
         CREATE INDEX by_b ON rows (b, a);
         CREATE TABLE keys (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
           INSERT INTO rows SELECT i, zeroblob(i * 7919 % {page_size}) FROM n;
         INSERT INTO keys SELECT printf('%08d', a * 7919) || hex(b), b FROM rows WHERE a % 3 = 0;
         DELETE FROM rows WHERE a % 5 = 0"
    );
    Sample::new(page_size, reserved, |db| db.execute_batch(&sql).unwrap())
}

#[test]
fn pages_are_what_sqlite_says_they_are() {
    for page_size in PAGE_SIZES {
        for reserved in [0, 8, 32] {
            check_pages(&trees(page_size, reserved));
        }
    }
}

fn check_pages(sample: &Sample) {
    // The payload is that in the page's own cells.
    let sql = "SELECT pageno, pagetype, ncell, payload, name IN ('rows', 'sqlite_schema') FROM dbstat";
    let mut pages = sample.db.prepare(sql).unwrap();
    let mut rows = pages.query([]).unwrap();
    let mut seen = [0; 4];
    while let Some(row) = rows.next().unwrap() {
        let (pgno, page_type): (u32, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (cells, payload, is_table): (u32, u32, bool) =
            (row.get(2).unwrap(), row.get(3).unwrap(), row.get(4).unwrap());
        let (cells, payload) = (cells as usize, payload as usize);
        let pgno = Pgno::new(pgno).unwrap();
        if page_type == "overflow" {
            continue;
        }
        let page = BtreePage::parse(sample.page(pgno), pgno, sample.layout()).unwrap();
        assert_eq!(page.kind().is_leaf(), page_type == "leaf");
        assert_eq!(page.kind().is_table(), is_table);
        assert_eq!(page.cell_count(), cells, "page {pgno}");
        let parsed: Vec<_> = page.cells().collect::<Result<_>>().unwrap();
        assert_eq!(parsed.iter().map(local_bytes).sum::<usize>(), payload);
        let children: Vec<_> = page.children().collect::<Result<_>>().unwrap();
        assert_eq!(children.len(), if page.kind().is_leaf() { 0 } else { cells + 1 });
        assert_eq!(children.last().copied(), page.right_most());
        for (index, cell) in parsed.iter().enumerate() {
            assert_eq!(page.cell(index).as_ref(), Ok(cell));
            if let Cell::TableInterior { child, .. } | Cell::IndexInterior { child, .. } = cell {
                assert_eq!(*child, children[index]);
            }
        }
        seen[page.kind() as usize] += 1;
    }
    assert!(seen.iter().all(|&pages| pages > 0), "{:?}: {seen:?}", sample.header.page_size);
}

fn local_bytes(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::TableInterior { .. } => 0,
        Cell::TableLeaf { payload, .. } | Cell::IndexInterior { payload, .. } | Cell::IndexLeaf { payload } => {
            payload.local.len()
        }
    }
}

/// Page 2 of a database of 9 pages of 512 bytes, with this start and these bytes at its end.
fn parse_made(start: &[u8], end: &[u8], check: impl FnOnce(Result<BtreePage<'_>>)) {
    let sample = Sample::of(512, "CREATE TABLE t (x)");
    let mut page = vec![0; 512];
    page[..start.len()].copy_from_slice(start);
    page[512 - end.len()..].copy_from_slice(end);
    check(BtreePage::parse(&page, Pgno::new(2).unwrap(), Layout::new(&sample.header, 9)));
}

const DAMAGED: Error = Error { kind: ErrorKind::BtreePage, at: crate::error::At::Page(2) };

#[test]
fn what_is_no_btree_page_is_refused() {
    for kind in (0..=255).filter(|kind| ![2, 5, 10, 13].contains(kind)) {
        parse_made(&[kind, 0, 0, 0, 0, 0, 0, 0], &[], |page| assert_eq!(page.unwrap_err(), DAMAGED));
    }
    // 84 cells of 6 bytes, pointer included, fit behind 8 bytes of header.
    parse_made(&[13, 0, 0, 0, 84, 0, 0, 0], &[], |page| assert_eq!(page.unwrap().cell_count(), 84));
    parse_made(&[13, 0, 0, 0, 85, 0, 0, 0], &[], |page| assert_eq!(page.unwrap_err(), DAMAGED));
    parse_made(&[13, 0, 0, 255, 255, 0, 0, 0], &[], |page| assert_eq!(page.unwrap_err(), DAMAGED));
}

#[test]
fn children_are_pages_of_the_database() {
    for (child, right) in [(0u8, 3u8), (10, 3), (3, 0), (3, 10)] {
        let start = [5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, right, 1, 251];
        parse_made(&start, &[0, 0, 0, child, 1], |page| {
            let children = page.and_then(|page| page.children().collect::<Result<Vec<_>>>());
            assert_eq!(children, Err(DAMAGED));
        });
    }
}

#[test]
fn cells_lie_within_the_page() {
    let cases: [(u16, &[u8]); 7] = [
        (0, &[]),
        (9, &[]),
        (512, &[]),
        (u16::MAX, &[]),
        // A payload longer than the page, one of a negative length, and a varint without an end.
        (510, &[3, 1]),
        (501, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0]),
        (511, &[0x80]),
    ];
    for (pointer, end) in cases {
        let [high, low] = pointer.to_be_bytes();
        parse_made(&[13, 0, 0, 0, 1, 0, 0, 0, high, low], end, |page| {
            let page = page.unwrap();
            assert_eq!(page.cell(0), Err(DAMAGED), "pointer {pointer}");
            assert_eq!(page.cells().count(), 1);
            assert_eq!(page.cell(1), Err(ErrorKind::Usage.into()));
        });
    }
}

#[test]
fn half_a_page_is_the_callers_mistake() {
    let sample = Sample::of(512, "CREATE TABLE t (x)");
    for length in [0, 511, 513] {
        let parsed = BtreePage::parse(&sample.bytes[..length], Pgno::FIRST, sample.layout());
        assert_eq!(parsed.unwrap_err().kind, ErrorKind::Usage);
    }
}

#[test]
fn nothing_points_to_the_lock_page() {
    let sample = Sample::of(65536, "CREATE TABLE t (x)");
    let layout = Layout::new(&sample.header, 20_000);
    let pointer = |pgno| layout.pointer(pgno, Pgno::FIRST).map(Pgno::value);
    assert_eq!((pointer(16_384), pointer(16_386)), (Ok(16_384), Ok(16_386)));
    assert_eq!(pointer(16_385), Err(damaged(Pgno::FIRST)));
}

//! Damage of a known kind, and the error that names it.

use super::*;
use crate::page::header::HEADER_SIZE;

/// The error of counting the rows of the file after a change to it.
fn error_after(sample: &Sample, change: impl FnOnce(&mut [u8])) -> Error {
    let mut bytes = sample.bytes.clone();
    change(&mut bytes);
    let header = DatabaseHeader::parse(&bytes).unwrap();
    let inventory = Inventory::new(&header, sample.page_count(), true);
    first_damage(drive(inventory, |pgno| page_of(&bytes, &header, pgno)))
}

/// What ended the listing, or is wrong with the first table that could not be counted.
fn first_damage(listing: Listing) -> Error {
    listing.map_or_else(|error| error, |(tables, _)| tables.iter().find_map(|table| table.damage).unwrap())
}

/// Page 2 is the interior root of a table, the rest its leaves.
fn one_table() -> Sample {
    Sample::of(
        512,
        "CREATE TABLE t (x); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
         INSERT INTO t SELECT zeroblob(300) FROM n",
    )
}

fn at(kind: ErrorKind, pgno: u32) -> Error {
    Error::at_page(kind, pgno)
}

#[test]
fn a_child_outside_the_database_names_the_page_that_points_to_it() {
    let sample = one_table();
    assert_eq!(sample.bytes[512], 5);
    for child in [0, sample.page_count() + 1, u32::MAX] {
        let error = error_after(&sample, |bytes| bytes[512 + 8..][..4].copy_from_slice(&child.to_be_bytes()));
        assert_eq!(error, at(ErrorKind::BtreePage, 2));
    }
}

#[test]
fn a_tree_that_contains_itself_is_too_deep() {
    let sample = one_table();
    let error = error_after(&sample, |bytes| bytes[512 + 8..][..4].copy_from_slice(&2u32.to_be_bytes()));
    assert_eq!(error.kind, ErrorKind::BtreeDepth);
}

#[test]
fn forty_levels_are_too_deep_however_many_pages_there_are() {
    let mut bytes = one_table().bytes;
    bytes[512 + 3..][..2].fill(0);
    bytes[512 + 8..][..4].copy_from_slice(&2u32.to_be_bytes());
    let header = DatabaseHeader::parse(&bytes).unwrap();
    let mut inventory = Inventory::new(&header, 1_000_000, true);
    let mut fed = 0;
    while let Ok(InventoryStep::NeedPage(pgno)) = inventory.poll() {
        let _ = inventory.feed(page_of(&bytes, &header, pgno));
        fed += 1;
    }
    assert_eq!(inventory.tables()[0].damage, Some(at(ErrorKind::BtreeDepth, 2)));
    // The schema, and 40 levels.
    assert_eq!(fed, 1 + 40);
}

#[test]
fn tables_that_share_a_tree_end_at_twice_the_pages() {
    let sample = Sample::of(
        512,
        "CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x); PRAGMA writable_schema = ON;
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO a SELECT zeroblob(300) FROM n;
         UPDATE sqlite_schema SET rootpage = 2",
    );
    assert_eq!(error_after(&sample, |_| ()).kind, ErrorKind::BtreeDepth);
}

#[test]
fn a_page_of_another_kind_is_named() {
    let sample = one_table();
    let leaf = sample.bytes[512 + 8..][..4].try_into().map(u32::from_be_bytes).unwrap();
    let start = (leaf as usize - 1) * 512;
    for kind in [0, 2, 10] {
        assert_eq!(error_after(&sample, |bytes| bytes[start] = kind), at(ErrorKind::BtreePage, leaf));
    }
    for kind in [0, 2, 10] {
        assert_eq!(error_after(&sample, |bytes| bytes[HEADER_SIZE] = kind), at(ErrorKind::BtreePage, 1));
    }
}

#[test]
fn a_schema_row_that_is_none_names_its_page() {
    for change in [
        "type = NULL",
        "type = x'00'",
        "type = 'tablet'",
        "name = NULL",
        "name = x'00'",
        "rootpage = -1",
        "rootpage = 'two'",
        "rootpage = 99",
        "rootpage = 1 << 40",
    ] {
        let sql = format!("CREATE TABLE t (x); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET {change}");
        assert_eq!(error_after(&Sample::of(512, &sql), |_| ()), at(ErrorKind::BtreePage, 1), "{change}");
    }
}

/// Page 1 of a database of 512-byte pages, with this cell only.
fn page_with_cell(cell: &[&[u8]]) -> Vec<u8> {
    let mut page = Sample::of(512, "PRAGMA user_version = 1").bytes;
    page[HEADER_SIZE + 4] = 1;
    page[HEADER_SIZE + 8..][..2].copy_from_slice(&400u16.to_be_bytes());
    let cell = cell.concat();
    page[400..][..cell.len()].copy_from_slice(&cell);
    page
}

#[test]
fn an_overflow_page_that_leads_to_itself_ends() {
    // 508,039 bytes, of which 39 are in the cell; the name has 500,000.
    let cell: [&[u8]; 5] =
        [&[0x9f, 0x81, 0x07, 1], &[8, 23, 0xbd, 0x84, 0x4d, 13, 1, 0], b"table", &[b'n'; 26], &[0, 0, 0, 2]];
    let first = page_with_cell(&cell);
    let mut second = vec![b'n'; 512];
    second[..4].copy_from_slice(&[0, 0, 0, 2]);
    let header = DatabaseHeader::parse(&first).unwrap();
    let pages = |pgno| if pgno == Pgno::FIRST { &first[..] } else { &second[..] };
    assert_eq!(first_damage(drive(Inventory::new(&header, 100, true), pages)), at(ErrorKind::BtreeDepth, 2));
    // With pages enough for the name it is a name, and the root page is one that is no b-tree page.
    assert_eq!(first_damage(drive(Inventory::new(&header, 600, true), pages)), at(ErrorKind::BtreePage, 110));
}

#[test]
fn a_length_of_two_gigabytes_costs_nothing() {
    // 2^31 - 1 bytes, and a name that takes nearly all of them.
    let cell: [&[u8]; 3] =
        [&[0x87, 0xff, 0xff, 0xff, 0x7f, 1], &[10, 23, 0x8f, 0xff, 0xff, 0xff, 0x55, 13, 1, 0], b"table"];
    let page = page_with_cell(&cell);
    let header = DatabaseHeader::parse(&page).unwrap();
    let ended = drive(Inventory::new(&header, u32::MAX, true), |_| &page);
    assert_eq!(ended, Err(at(ErrorKind::BtreePage, 1)));
}

/// Cells may overlap in a hostile page: 64 KiB could name 9,000 tables of 10 kB each.
#[test]
fn names_that_share_their_bytes_are_bounded() {
    for (encoding, name) in [("UTF-8", "sqlite_"), ("UTF-16le", "n")] {
        let sql = format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (x); PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET name = '{name}' || hex(zeroblob(5000)), sql = NULL"
        );
        let sample = Sample::of(65536, &sql);
        let error = error_after(&sample, |bytes| {
            let pointer: [u8; 2] = bytes[HEADER_SIZE + 8..][..2].try_into().unwrap();
            bytes[HEADER_SIZE + 3..][..2].copy_from_slice(&5000u16.to_be_bytes());
            bytes[HEADER_SIZE + 8..][..10_000].as_chunks_mut().0.fill(pointer);
        });
        assert_eq!(error, at(ErrorKind::BtreePage, 1));
    }
}

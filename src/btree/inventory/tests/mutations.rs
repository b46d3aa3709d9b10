//! Many small changes to the fields that lead from one place to another: no panic, no hang, and a typed error or a list.

use super::*;
use crate::btree::record::{Record, bytes_needed};
use crate::btree::sample::Random;
use crate::btree::{Cell, Payload};
use crate::error::At;

const CASES: usize = if cfg!(debug_assertions) { 5_000 } else { 100_000 };

#[test]
fn no_change_of_a_few_fields_does_harm() {
    let long = "n".repeat(700);
    let sql = |pragmas| {
        format!(
            "{pragmas}; CREATE TABLE rows (a, b); CREATE TABLE keys (k PRIMARY KEY, v) WITHOUT ROWID;
             CREATE TABLE {long} (x); CREATE INDEX i{long} ON rows (a); CREATE VIRTUAL TABLE search USING fts5 (words);
             WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
               INSERT INTO rows SELECT i, zeroblob(i * 20) FROM n;
             INSERT INTO keys SELECT printf('%030d', a), b FROM rows"
        )
    };
    let build =
        |page_size, reserved, pragmas| Sample::new(page_size, reserved, |db| db.execute_batch(&sql(pragmas)).unwrap());
    let mut samples = [
        build(512, 0, ""),
        build(512, 32, "PRAGMA encoding = 'UTF-16le'"),
        build(1024, 0, "PRAGMA encoding = 'UTF-16be'; PRAGMA auto_vacuum = FULL"),
        build(65536, 0, ""),
    ];
    let random = &mut Random(0x5151);
    let mut listed = 0;
    for case in 0..CASES {
        let sample = &mut samples[case % 4];
        let mut undo = Vec::new();
        for _ in 0..=random.below(4) {
            mutate(sample, random, &mut undo);
        }
        listed += usize::from(survives(sample, random));
        for (offset, bytes) in undo.into_iter().rev() {
            sample.bytes[offset..][..bytes.len()].copy_from_slice(&bytes);
        }
    }
    // Changes that do nothing, and changes that nothing survives, would test nothing.
    assert!((CASES / 10..CASES * 9 / 10).contains(&listed), "{listed} of {CASES}");
    samples.iter().for_each(check);
}

/// Changes one field, and notes how to undo it.
fn mutate(sample: &mut Sample, random: &mut Random, undo: &mut Vec<(usize, Vec<u8>)>) {
    let (page_size, pages) = (sample.header.page_size.bytes(), sample.page_count() as usize);
    // The first pages are the schema and the roots.
    let page = if random.below(2) == 0 { random.below(pages.min(6)) } else { random.below(pages) };
    let start = page * page_size;
    let header = start + if page == 0 { 100 } else { 0 };
    let any_page = (random.below(pages + 3) as u32).to_be_bytes();
    let header_size = if sample.bytes[header] < 10 { 12 } else { 8 };
    let cells = usize::from(u16::from_be_bytes(sample.bytes[header + 3..][..2].try_into().unwrap()));
    let slot = header + header_size + 2 * random.below(cells.clamp(1, 60));
    let pointer = u16::from_be_bytes(sample.bytes[slot..][..2].try_into().unwrap());
    let cell = start + usize::from(pointer).min(page_size - 16);
    let noise = random.next().to_be_bytes();
    let varint = [0xff; 9];
    let (offset, bytes) = match random.below(10) {
        0 => (header, vec![[2, 5, 10, 13, 0, 255][random.below(6)]]),
        1 => (header + 3, noise[..2].to_vec()),
        2 => (header + 4, noise[..1].to_vec()),
        3 => (slot, ((random.below(page_size + 8)) as u16).to_be_bytes().to_vec()),
        4 => (header + 8, any_page.to_vec()),
        5 => (cell, any_page.to_vec()),
        6 => (cell + random.below(4), varint[..=random.below(8)].to_vec()),
        7 => (cell + random.below(12), noise[..1].to_vec()),
        8 => (start + random.below(page_size), noise[..1].to_vec()),
        _ => (start, page_of(&sample.bytes, &sample.header, pgno(random.below(pages))).to_vec()),
    };
    // The database header stays what the inventory was made with.
    let (offset, bytes) = if offset < 100 { (100, vec![noise[0]]) } else { (offset, bytes) };
    let end = (offset + bytes.len()).min(sample.bytes.len());
    undo.push((offset, sample.bytes[offset..end].to_vec()));
    sample.bytes[offset..end].copy_from_slice(&bytes[..end - offset]);
}

/// Whether the file still lists. Reads every cell of a few pages besides.
fn survives(sample: &Sample, random: &mut Random) -> bool {
    let pages = sample.page_count();
    let ended = list(sample, random.below(8) != 0);
    if let Err(error) = &ended {
        assert!(matches!(error.kind, ErrorKind::BtreePage | ErrorKind::BtreeDepth), "{error:?}");
        assert!(matches!(error.at, At::Page(pgno) if (1..=pages).contains(&pgno)), "{error:?}");
    }
    for index in [0, 1, random.below(pages as usize)] {
        read_page(sample, pgno(index));
    }
    ended.is_ok()
}

fn read_page(sample: &Sample, pgno: Pgno) {
    let Ok(page) = BtreePage::parse(sample.page(pgno), pgno, sample.layout()) else { return };
    page.children().for_each(drop);
    for cell in page.cells().take(100).flatten() {
        match cell {
            Cell::TableInterior { .. } => {}
            Cell::TableLeaf { payload, .. } | Cell::IndexLeaf { payload } | Cell::IndexInterior { payload, .. } => {
                read_payload(sample, payload, pgno);
            }
        }
    }
}

fn read_payload(sample: &Sample, payload: Payload<'_>, pgno: Pgno) {
    let mut bytes = payload.local.to_vec();
    let mut overflow = payload.overflow;
    for _ in 0..3 {
        let Some(rest) = overflow else { break };
        let Ok((more, rest)) = rest.step(sample.page(rest.next), sample.layout()) else { break };
        bytes.extend_from_slice(more);
        overflow = rest;
    }
    assert!(bytes.len() <= payload.size);
    let needed = bytes_needed(&bytes, 2, pgno);
    let values: Vec<_> = Record::parse(&bytes, pgno).iter().flat_map(Record::values).take(2).collect();
    if needed.is_ok_and(|needed| needed <= bytes.len()) {
        assert!(values.iter().all(Result::is_ok));
    }
}

fn pgno(index: usize) -> Pgno {
    Pgno::new(index as u32 + 1).unwrap()
}

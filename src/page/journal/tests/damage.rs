//! Cut, flipped and mutated journals: never a panic, and always what SQLite makes of them.

use super::model;
use super::spec::{JournalSpec, RecordSpec, SegmentSpec};
use super::{check_with_sqlite, main_file, read, read_chunks};
use crate::page::wal::oracle::Rng;

/// Three segments, the second of which states fewer records than follow.
fn small() -> Vec<u8> {
    let mut spec = JournalSpec::new(&[&[1, 5], &[2, 3, 1], &[4]]);
    spec.segments[1].stated = Some(2);
    spec.bytes()
}

#[test]
fn cut_anywhere_the_records_before_the_cut_are_played_back() {
    let journal = small();
    for len in 0..=journal.len() {
        let cut = &journal[..len];
        assert_eq!(read(cut), model::read(cut, 512), "cut at {len}");
        if len % 17 == 0 || len % 512 < 9 {
            let _ = check_with_sqlite(&main_file(), cut);
        }
    }
}

#[test]
fn with_any_byte_changed_sqlite_and_we_agree() {
    let mut journal = small();
    for at in 0..journal.len() {
        let before = journal[at];
        journal[at] ^= 1 << (at % 8);
        let summary = read(&journal);
        assert_eq!(summary, model::read(&journal, 512), "byte {at}");
        // A page count in the millions takes SQLite too long, and is a matter for who builds the image.
        let modest = summary.unwrap().is_none_or(|contents| contents.page_count < 1000);
        if modest && (at % 17 == 0 || at % 512 < 32) {
            let _ = check_with_sqlite(&main_file(), &journal);
        }
        journal[at] = before;
    }
}

/// A small journal, valid more or less, of a database of at most `largest` pages.
fn mutant(rng: &mut Rng, largest: u32) -> Vec<u8> {
    const LOCK_PAGE: u32 = (1 << 30) / 512 + 1;
    let segments = (0..1 + rng.below(3)).map(|_| {
        let stated = rng.pick(&[None, None, None, Some(0), Some(1), Some(u32::MAX), Some(u32::MAX - 1)]);
        let mut record = || RecordSpec {
            pgno: if rng.below(12) == 0 {
                rng.pick(&[0, LOCK_PAGE, 1 << 31, u32::MAX])
            } else {
                1 + rng.below(6) as u32
            },
            fill: rng.next() as u8,
            wrong: u32::from(rng.below(12) == 0),
        };
        let records = (0..3).map(|_| record()).collect::<Vec<_>>();
        let records = records.into_iter().take(rng.below(4)).collect();
        SegmentSpec { stated, nonce: rng.next() as u32, records }
    });
    let segments = segments.collect();
    let page_count = if rng.below(8) == 0 { rng.pick(&[0, 1, 7, largest]) } else { 4 };
    let sector_size = if rng.below(4) == 0 { rng.pick(&[0, 16, 32, 64, 500, 1024, 2048, 131_072]) } else { 512 };
    let page_size: u32 = if rng.below(6) == 0 { rng.pick(&[0, 256, 512, 1000, 1024, 131_072]) } else { 512 };
    let names: [&[u8]; 4] = [b"/nowhere/a.db-mj0123459AB", b"-mj0123459AB", b"/a.db", b"\xff-mj0123459AB"];
    let super_journal = (rng.below(4) == 0).then(|| rng.pick(&names).to_vec());
    // A page size that is not possible is only in the header, and the records are of 512 bytes.
    let stated = page_size.to_be_bytes();
    let possible = [0, 512, 1024].contains(&page_size);
    let spec = JournalSpec {
        page_size: if possible { page_size } else { 512 },
        sector_size,
        page_count,
        segments,
        super_journal,
    };
    let mut bytes = spec.bytes();
    if !possible {
        bytes[24..28].copy_from_slice(&stated);
    }
    for _ in 0..rng.below(3) {
        mutate(rng, &mut bytes);
    }
    bytes
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let sectors = bytes.len() / 512;
    match rng.below(6) {
        0 if !bytes.is_empty() => {
            // Not in the page count, so that what SQLite writes stays small.
            let at = rng.below(bytes.len());
            if !(16..20).contains(&at) {
                bytes[at] ^= 1 << rng.below(8);
            }
        }
        1 => bytes.truncate(rng.below(bytes.len() + 1)),
        2 if sectors > 0 => {
            let from = 512 * rng.below(sectors);
            bytes.extend_from_within(from..from + 512);
        }
        3 if sectors > 1 => {
            let from = 512 * (1 + rng.below(sectors - 1));
            bytes.drain(from..from + 512);
        }
        4 => {
            let more = rng.below(1100);
            bytes.extend(std::iter::repeat_n(rng.pick(&[0, 0xff, 1]), more));
        }
        _ => {
            let at = rng.below(bytes.len());
            let zeros = bytes[at..].len().min(rng.below(40));
            bytes[at..at + zeros].fill(0);
        }
    }
}

#[test]
fn a_hundred_thousand_mutants_are_read_as_sqlite_would() {
    let mut rng = Rng(4);
    let mut seen = [0; 4];
    for number in 0..100_000 {
        let bytes = mutant(&mut rng, u32::MAX);
        let summary = read_chunks(512, rng.chunks(&bytes));
        assert_eq!(summary, model::read(&bytes, 512), "mutant {number}");
        match summary {
            Ok(None) => seen[0] += 1,
            Ok(Some(contents)) if contents.super_journal.is_some() => seen[1] += 1,
            Ok(Some(contents)) if contents.overlay.len() > 1 => seen[2] += 1,
            Ok(Some(_)) => {}
            Err(_) => seen[3] += 1,
        }
    }
    assert!(seen.iter().all(|&count| count > 500), "the mutants are too much alike: {seen:?}");
}

#[test]
fn mutants_are_read_as_sqlite_does() {
    let mut rng = Rng(5);
    let hot = (0..600).filter(|_| {
        let journal = mutant(&mut rng, 9);
        // SQLite takes such a name for a name, and does not find the file. That is not ours to say.
        read(&journal).is_ok() && check_with_sqlite(&main_file(), &journal).unwrap().is_some()
    });
    let hot = hot.count();
    assert!(hot > 200, "{hot}");
}

//! Cut, flipped and mutated WALs: never a panic, and always what SQLite makes of them.

use rusqlite::{Connection, ErrorCode};

use super::model::{self, Contents, Summary};
use super::spec::{FrameSpec, WalSpec, end_of, reseal};
use super::{page_size, read, read_chunks};
use crate::error::ErrorKind;
use crate::page::wal::oracle::{Folder, Rng, compose, recover_wal};
use crate::page::wal::{WalMark, WalReader};

/// A database of a few small pages and its WAL, which has some commits, the last of them not finished.
fn small() -> (Vec<u8>, Vec<u8>) {
    let folder = Folder::new();
    let db = Connection::open(folder.file("a.db")).unwrap();
    db.execute_batch(
        "PRAGMA synchronous=OFF; PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
         CREATE TABLE t(v); INSERT INTO t VALUES(zeroblob(2000)); PRAGMA wal_checkpoint;
         INSERT INTO t VALUES('one'); UPDATE t SET v = 'two'; INSERT INTO t VALUES(hex(zeroblob(400)));",
    )
    .unwrap();
    let (main, mut wal) = (folder.read("a.db"), folder.read("a.db-wal"));
    wal.truncate(wal.len() - 3);
    (main, wal)
}

/// Compares with SQLite's recovery of the same bytes; `false` when SQLite cannot open the result.
fn check_with_sqlite(main: &[u8], wal: &[u8], summary: &Summary) -> bool {
    match (recover_wal(main, wal), summary) {
        (Ok(expected), Ok(contents)) => {
            assert_eq!(contents.mark.map_or(0, |mark| mark.frames), expected.frames);
            let overlay =
                contents.overlay.iter().map(|&(pgno, offset)| (crate::page::Pgno::new(pgno).unwrap(), offset));
            let overlay = crate::page::Overlay::newest(overlay.collect());
            let image = match contents.page_count {
                Some(page_count) => compose(main, wal, page_size(512), page_count, &overlay),
                None => main.to_vec(),
            };
            assert!(image == expected.main, "the images differ");
            true
        }
        (Err(ErrorCode::CannotOpen), summary) => {
            assert_eq!(*summary, Err(ErrorKind::WalHeader));
            true
        }
        (Err(_), _) => false,
        (Ok(_), Err(error)) => panic!("SQLite reads it, we say {error:?}"),
    }
}

#[test]
fn cut_anywhere_the_commits_before_the_cut_are_left() {
    let (main, wal) = small();
    for len in 0..=wal.len() {
        let cut = &wal[..len];
        let summary = read(cut);
        assert_eq!(summary, model::read(cut, 512, None, None), "cut at {len}");
        if len % 61 == 0 || (len + 504) % 536 < 3 {
            assert!(check_with_sqlite(&main, cut, &summary));
        }
    }
}

#[test]
fn with_any_byte_changed_the_commits_before_it_are_left() {
    let (main, wal) = small();
    let whole = read(&wal).unwrap();
    let mut changed = wal.clone();
    for at in 0..wal.len() {
        changed[at] ^= 1 << (at % 8);
        let summary = read(&changed);
        let frames_before = at.saturating_sub(32) / 536;
        let expected = if at < 32 { Ok(Contents::default()) } else { read(&wal[..end_of(frames_before, 512)]) };
        assert_eq!(summary, expected, "byte {at}");
        assert!(summary != Ok(whole.clone()) || at >= end_of(whole.mark.unwrap().frames as usize, 512));
        if at % 17 == 0 || at < 32 {
            assert!(check_with_sqlite(&main, &changed, &summary));
        }
        changed[at] = wal[at];
    }
}

/// A small WAL, valid more or less.
fn mutant(rng: &mut Rng) -> Vec<u8> {
    let mut pages = 0;
    let frames = (0..rng.below(6)).map(|_| {
        let commit = if rng.below(2) == 0 { pages + rng.below(3) as u32 } else { 0 };
        pages += rng.below(2) as u32;
        FrameSpec { pgno: 1 + rng.below(4) as u32, commit, fill: rng.next() as u8 }
    });
    let frames = frames.collect();
    let mut spec = WalSpec { frames, big_endian: rng.below(2) == 0, ..WalSpec::new(&[]) };
    spec.salts[0] = rng.below(2) as u32;
    let mut bytes = spec.bytes();
    for _ in 0..rng.below(4) {
        mutate(rng, &mut bytes);
    }
    bytes
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    const INTERESTING: [u32; 12] =
        [0, 1, 2, 3, 512, 1024, 0x20_0001, 0x7fff_ffff, 0xffff_ffff, 0x377f_0682, 0x377f_0683, 3_007_000];
    let frames = bytes.len().saturating_sub(32) / 536;
    let (one, other) = (rng.below(frames), rng.below(frames));
    let (one, other) = (end_of(one, 512)..end_of(one + 1, 512), end_of(other, 512)..end_of(other + 1, 512));
    match rng.below(9) {
        0 if !bytes.is_empty() => {
            let at = rng.below(bytes.len());
            bytes[at] ^= 1 << rng.below(8);
        }
        1 => bytes.truncate(rng.below(bytes.len() + 1)),
        2 if frames > 0 => {
            let frame = bytes[one].to_vec();
            bytes.extend(frame);
        }
        3 if frames > 0 => drop(bytes.drain(one)),
        4 if frames > 0 => {
            let frame = bytes[one.clone()].to_vec();
            bytes.copy_within(other.clone(), one.start);
            bytes[other].copy_from_slice(&frame);
        }
        5 if frames > 0 => {
            let field = one.start + 4 * rng.below(6);
            bytes[field..field + 4].copy_from_slice(&rng.pick(&INTERESTING).to_be_bytes());
        }
        6 if bytes.len() >= 32 => {
            let field = 4 * rng.below(8);
            bytes[field..field + 4].copy_from_slice(&rng.pick(&INTERESTING).to_be_bytes());
        }
        7 => {
            let more = rng.below(600);
            bytes.extend(std::iter::repeat_n(rng.pick(&[0, 0xff, 1]), more));
        }
        _ => reseal(bytes, 512),
    }
}

/// A place in the WAL, or in what it might have been before.
fn mark(rng: &mut Rng, bytes: &[u8]) -> Option<WalMark> {
    let mut before = bytes[..rng.below(bytes.len() + 1)].to_vec();
    if rng.below(3) == 0 {
        mutate(rng, &mut before);
    }
    model::read(&before, 512, None, None).ok()?.mark
}

#[test]
fn a_hundred_thousand_mutants_are_read_as_sqlite_would() {
    let mut rng = Rng(2);
    let mut seen = [0; 4];
    for number in 0..100_000 {
        let bytes = mutant(&mut rng);
        let limit = (rng.below(4) == 0).then(|| rng.below(5) as u32);
        let since = mark(&mut rng, &bytes);
        let mut reader = WalReader::new(page_size(512));
        if let Some(limit) = limit {
            reader = reader.with_limit(limit);
        }
        if let Some(since) = since {
            reader = reader.since(since);
        }
        let summary = read_chunks(reader, rng.chunks(&bytes));
        assert_eq!(summary, model::read(&bytes, 512, limit, since), "mutant {number}");
        match summary {
            Ok(Contents { page_count: None, .. }) => seen[0] += 1,
            Ok(Contents { changed_since, .. }) => {
                seen[1] += 1;
                seen[2] += usize::from(changed_since.is_some());
            }
            Err(_) => seen[3] += 1,
        }
    }
    assert!(seen.iter().all(|&count| count > 200), "the mutants are too much alike: {seen:?}");
}

#[test]
fn mutants_of_a_real_wal_are_read_as_sqlite_does() {
    let mut rng = Rng(3);
    let (main, wal) = small();
    let mut compared = 0;
    for _ in 0..400 {
        let mut bytes = wal.clone();
        for _ in 0..1 + rng.below(3) {
            mutate(&mut rng, &mut bytes);
        }
        let summary = read(&bytes);
        // A size that only sparse files can have is for whoever builds the image to refuse.
        if summary.as_ref().is_ok_and(|contents| contents.page_count.is_some_and(|count| count > 1000)) {
            continue;
        }
        if summary == Err(ErrorKind::WalPageSize) {
            continue;
        }
        compared += usize::from(check_with_sqlite(&main, &bytes, &summary));
    }
    assert!(compared > 200, "{compared}");
}

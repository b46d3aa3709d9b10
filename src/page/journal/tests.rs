//! What each part of a journal means, on journals made by hand, which SQLite reads too.

mod damage;
mod model;
mod spec;
mod workload;

use model::{Contents, Summary};
use spec::{JournalSpec, append_super_journal};

use super::*;
use crate::page::wal::oracle::{compose, recover_journal};

fn page_size(bytes: u32) -> PageSize {
    PageSize::new(bytes).unwrap()
}

/// Reads a journal of a database with pages of 512 bytes.
fn read(bytes: &[u8]) -> Summary {
    read_chunks(512, [bytes])
}

fn read_chunks<'a>(database_page_size: u32, chunks: impl IntoIterator<Item = &'a [u8]>) -> Summary {
    let mut reader = JournalReader::new(page_size(database_page_size));
    for chunk in chunks {
        reader.feed(chunk);
        if reader.is_finished() {
            break;
        }
    }
    reader.finish().map(|journal| journal.map(Contents::from)).map_err(|error| error.kind)
}

/// The main file of a transaction that was cut off: six pages of 512 bytes, each of its own byte but for the page size.
fn main_file() -> Vec<u8> {
    let mut main: Vec<u8> = (0xa1..=0xa6).flat_map(|fill| [fill; 512]).collect();
    main[16..18].copy_from_slice(&512u16.to_be_bytes());
    main
}

/// Checks our rollback against SQLite's, and returns it.
fn check_with_sqlite(main: &[u8], journal: &[u8]) -> Summary {
    let summary = read(journal);
    let mut recovered = recover_journal(main, |_| journal.to_vec());
    let image = match &summary {
        // SQLite looks for the super-journal and does not find it.
        Ok(Some(contents)) if contents.super_journal.is_none() => {
            let image = image(main, journal, contents);
            // SQLite does not extend the file by less than a page.
            if image.len().saturating_sub(recovered.len()) < contents.page_size as usize {
                recovered.resize(image.len().max(recovered.len()), 0);
            }
            image
        }
        _ => main.to_vec(),
    };
    assert!(recovered == image, "the images differ: {summary:?}");
    summary
}

fn image(main: &[u8], journal: &[u8], contents: &Contents) -> Vec<u8> {
    let overlay = contents.overlay.iter().map(|&(pgno, offset)| (Pgno::new(pgno).unwrap(), offset));
    compose(main, journal, page_size(contents.page_size), contents.page_count, &Overlay::newest(overlay.collect()))
}

fn pages(summary: Summary) -> Vec<u32> {
    summary.unwrap().unwrap().overlay.iter().map(|&(pgno, _)| pgno).collect()
}

#[test]
fn every_segment_is_played_back() {
    let journal = JournalSpec::new(&[&[3, 1], &[2], &[], &[4]]);
    let contents = check_with_sqlite(&main_file(), &journal.bytes()).unwrap().unwrap();
    assert_eq!((contents.page_count, contents.page_size), (4, 512));
    let second = 512 + 2 * 520 + 496 + 512;
    assert_eq!(contents.overlay[..3], [(1, 512 + 520 + 4), (2, second + 4), (3, 516)]);
    assert_eq!(contents.overlay.len(), 4);
}

#[test]
fn the_last_record_of_a_page_wins() {
    let journal = JournalSpec::new(&[&[2, 1], &[2]]);
    let contents = check_with_sqlite(&main_file(), &journal.bytes()).unwrap().unwrap();
    assert_eq!(contents.overlay[1], (2, 512 + 2 * 520 + 496 + 512 + 4));
}

#[test]
fn a_number_of_records_may_mean_all_or_none() {
    let mut journal = JournalSpec::new(&[&[1, 2, 3]]);
    for (stated, expected) in [(u32::MAX, vec![1, 2, 3]), (0, vec![]), (2, vec![1, 2]), (9, vec![1, 2, 3])] {
        journal.segments[0].stated = Some(stated);
        assert_eq!(pages(check_with_sqlite(&main_file(), &journal.bytes())), expected, "{stated}");
    }
}

#[test]
fn only_a_commit_syncs_a_journal_to_its_end() {
    let is_committing = |bytes: &[u8]| read(bytes).unwrap().is_some_and(|contents| contents.is_committing);
    let mut journal = JournalSpec::new(&[&[3, 1], &[2, 4]]);
    let whole = journal.bytes();
    assert!(is_committing(&whole));
    assert!(
        is_committing(&JournalSpec::new(&[&[3, 1], &[2], &[]]).bytes()),
        "nothing came after the cache was spilled"
    );
    // A header that the sync of a spilled cache leaves, and a record that came after it.
    for rest in [[0; 512].as_slice(), &[0; 520], &[0]] {
        assert!(!is_committing(&[&whole, rest].concat()));
    }
    for cut in 1..=whole.len() {
        let left = whole.len() - cut;
        assert_eq!(is_committing(&whole[..left]), left == 512 + 2 * 520, "{left}");
    }
    for stated in [0, 1, 3, u32::MAX] {
        journal.segments[1].stated = Some(stated);
        assert!(!is_committing(&journal.bytes()), "{stated}");
    }
    journal.segments[1].stated = None;
    journal.super_journal = Some(b"/a/b.db-mj012345978".to_vec());
    assert!(!is_committing(&journal.bytes()));
}

#[test]
fn records_that_were_not_synced_are_left_alone() {
    let mut journal = JournalSpec::new(&[&[1], &[2, 3]]);
    journal.segments[1].stated = Some(0);
    assert_eq!(pages(check_with_sqlite(&main_file(), &journal.bytes())), [1]);
    // The header of a segment that was being filled is zero.
    let mut bytes = JournalSpec::new(&[&[1], &[2, 3]]).bytes();
    bytes[1536] = 0;
    assert_eq!(pages(check_with_sqlite(&main_file(), &bytes)), [1]);
}

#[test]
fn a_wrong_checksum_ends_the_playback() {
    let mut journal = JournalSpec::new(&[&[1, 2, 3], &[4]]);
    journal.segments[0].records[1].wrong = 1;
    assert_eq!(pages(check_with_sqlite(&main_file(), &journal.bytes())), [1]);
}

#[test]
fn a_record_past_the_end_is_skipped_whatever_its_checksum() {
    let mut journal = JournalSpec::new(&[&[1, 5, 3], &[4]]);
    journal.segments[0].records[1].wrong = 1;
    assert_eq!(pages(check_with_sqlite(&main_file(), &journal.bytes())), [1, 3, 4]);
}

#[test]
fn page_0_and_the_lock_page_end_the_playback() {
    for pgno in [0, (1 << 30) / 512 + 1] {
        let journal = JournalSpec::new(&[&[1, pgno, 3], &[4]]);
        assert_eq!(pages(check_with_sqlite(&main_file(), &journal.bytes())), [1], "{pgno}");
    }
}

#[test]
fn the_main_file_is_cut_or_extended() {
    for page_count in [0, 1, 5, 6, 7, 9] {
        let journal = JournalSpec { page_count, ..JournalSpec::new(&[&[1]]) };
        let contents = check_with_sqlite(&main_file(), &journal.bytes()).unwrap().unwrap();
        assert_eq!(contents.page_count, page_count);
    }
}

#[test]
fn a_journal_that_is_not_hot_is_none() {
    let good = JournalSpec::new(&[&[1]]).bytes();
    let mut zeroed = good.clone();
    zeroed[..28].fill(0);
    for bytes in [&[], &[0][..], &zeroed, &good[..511], b"not a journal"] {
        assert_eq!(check_with_sqlite(&main_file(), bytes), Ok(None));
    }
    assert!(check_with_sqlite(&main_file(), &good[..512]).unwrap().is_some());
}

#[test]
fn what_is_not_hot_need_not_be_read_on() {
    let mut reader = JournalReader::new(page_size(512));
    reader.feed(&[0; 27]);
    assert!(!reader.is_finished());
    reader.feed(&[0; 1]);
    assert!(reader.is_finished());
    let mut reader = JournalReader::new(page_size(512));
    reader.feed(&JournalSpec::new(&[&[0]]).bytes());
    assert!(!reader.is_finished(), "a super-journal may be named at the end");
}

#[test]
fn sizes_that_sqlite_refuses_are_refused() {
    for (sector_size, page_size, hot) in [
        (32, 512, true),
        (512, 512, true),
        (4096, 512, true),
        (65536, 512, true),
        (0, 512, false),
        (16, 512, false),
        (513, 512, false),
        (131_072, 512, false),
        (512, 0, true),
        (512, 1024, true),
        (512, 65536, true),
        (512, 256, false),
        (512, 1000, false),
        (512, 131_072, false),
    ] {
        let journal = JournalSpec { sector_size, page_size, page_count: 2, ..JournalSpec::new(&[&[2], &[1]]) };
        let summary = check_with_sqlite(&main_file(), &journal.bytes());
        assert_eq!(summary.unwrap().is_some(), hot, "sectors of {sector_size}, pages of {page_size}");
    }
}

#[test]
fn a_header_of_size_0_means_the_databases() {
    let journal = JournalSpec { page_size: 0, ..JournalSpec::new(&[&[2]]) };
    let contents = read_chunks(1024, [&journal.bytes()[..]]).unwrap().unwrap();
    assert_eq!((contents.page_size, contents.overlay.len()), (1024, 0));
    let contents = read_chunks(512, [&journal.bytes()[..]]).unwrap().unwrap();
    assert_eq!((contents.page_size, contents.overlay.len()), (512, 1));
}

#[test]
fn sqlite_rolls_back_while_the_super_journal_exists() {
    let spec = JournalSpec::new(&[&[1, 2]]);
    let mut journal = Vec::new();
    let recovered = recover_journal(&main_file(), |name| {
        journal = JournalSpec { super_journal: Some(name.into()), ..spec.clone() }.bytes();
        journal.clone()
    });
    let contents = read(&journal).unwrap().unwrap();
    assert!(contents.super_journal.as_ref().unwrap().ends_with("copy.db-mj0123459AB"));
    assert!(recovered == image(&main_file(), &journal, &contents));
}

#[test]
fn the_name_of_a_super_journal_is_read_as_sqlite_reads_it() {
    const LONG: &str = "/some/folder/a.db-mj01aBcF9e0";
    let named = |name: &[u8], off_by: u32| {
        let mut bytes = JournalSpec::new(&[&[1, 2]]).bytes();
        let sum = name.iter().fold(off_by, |sum, &byte| sum.wrapping_add(byte as i8 as u32));
        append_super_journal(&mut bytes, (1 << 30) / 512 + 1, name, sum);
        bytes
    };
    let name = |bytes: &[u8]| check_with_sqlite(&main_file(), bytes).unwrap().unwrap().super_journal;
    assert_eq!(name(&named(LONG.as_bytes(), 0)).as_deref(), Some(LONG));
    assert_eq!(name(&named("/é/a.db-mj01aBcF9e0".as_bytes(), 0)).as_deref(), Some("/é/a.db-mj01aBcF9e0"));
    assert_eq!(name(&named(b"/a.db-mj01aBcF9e0\0more", 0)).as_deref(), Some("/a.db-mj01aBcF9e0"));
    let mut longest = vec![b'a'; 512 - 12];
    longest.extend(b"-mj01aBcF9e0");
    assert!(name(&named(&longest, 0)).is_some());
    let not_names: [&[u8]; 8] = [
        b"",
        b"/a.db",
        b"-mj01aBcF9e",
        b"/a.db-mj01aBcF8e0",
        b"/a.db-mj01aBcG9e0",
        b"/a.db-mx01aBcF9e0",
        b"/a.db-mj01aBcF9e0x",
        b"\0/a.db-mj01aBcF9e0",
    ];
    for not_name in not_names {
        assert_eq!(name(&named(not_name, 0)), None, "{not_name:?}");
    }
    assert_eq!(name(&named(LONG.as_bytes(), 1)), None);

    // Where a C `char` has no sign, or the path may be longer, or with 8.3 names, this SQLite sees no name.
    let name = |bytes: &[u8]| read(bytes).unwrap().unwrap().super_journal;
    assert!(name(&named("/é/a.db-mj01aBcF9e0".as_bytes(), 512)).is_some());
    assert!(name(&named(b"/a.9e0", 0)).is_some());
    assert!(name(&named(b"/a.8e0", 0)).is_none());
    longest.splice(0..0, vec![b'a'; 1040 - 512]);
    assert!(name(&named(&longest, 0)).is_some());
    longest.insert(0, b'a');
    assert!(name(&named(&longest, 0)).is_none());
    let chunks = named(&longest, 0);
    assert_eq!(read_chunks(512, chunks.chunks(100)), read(&chunks));
}

#[test]
fn a_super_journal_whose_name_is_not_text_is_an_error() {
    let spec = JournalSpec { super_journal: Some(b"/\xff/a.db-mj01aBcF9e0".into()), ..JournalSpec::new(&[&[1]]) };
    assert_eq!(read(&spec.bytes()), Err(ErrorKind::JournalHeader));
    // But nobody needs the name in a journal that is not hot anyway.
    let mut zeroed = spec.bytes();
    zeroed[0] = 0;
    assert_eq!(read(&zeroed), Ok(None));
}

/// Left by SQLite 3.40.1, killed as it was about to remove the super-journal of a commit to two files: the commit point.
#[test]
fn a_commit_to_two_files_can_be_undone() {
    let main = include_bytes!("../../../tests/fixtures/super-journal/a.db");
    let journal = include_bytes!("../../../tests/fixtures/super-journal/a.db-journal");
    let contents = read(journal).unwrap().unwrap();
    assert_eq!(contents.super_journal.as_deref(), Some("/tmp/été/a.db-mj790ED2998"));
    let image = image(main, journal, &contents);
    let holds = |file: &[u8], text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(holds(main, b"after") && !holds(main, b"before"));
    assert!(holds(&image, b"before") && !holds(&image, b"after"));
}

#[test]
fn chunks_of_one_byte_are_as_good_as_the_whole() {
    let spec = JournalSpec { super_journal: Some(b"/a.db-mj01aBcF9e0".into()), ..JournalSpec::new(&[&[3, 1], &[2]]) };
    assert_eq!(read_chunks(512, spec.bytes().chunks(1)), read(&spec.bytes()));
}

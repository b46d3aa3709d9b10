//! Chains of random databases: every link restores to exactly its pages, and what changed is all that is stored.

use proptest::prelude::*;

use super::directory::DirectoryBuilder;
use super::fingerprint::STATE_SIZE;
use super::*;
use crate::bytes::Reader;
use crate::error::{ErrorKind, Result};
use crate::ltx::Header;
use crate::page::{Checksum, PageSize, Pgno, Txid};

const SIZE: usize = 512;

/// A database as a list of pages, each filled with one byte.
type Pages = Vec<u8>;

struct Backup {
    ltx: Vec<u8>,
    fingerprints: Vec<u8>,
    checksum: Checksum,
    pages: u32,
    /// Length of the page directory, in bytes.
    directory: usize,
}

fn bytes_of(pages: &[u8]) -> Vec<u8> {
    pages.iter().flat_map(|&fill| [fill; SIZE]).collect()
}

/// Backs `pages` up in batches of `batch`, on top of `previous` when there is one.
fn back_up(pages: &Pages, txid: u64, previous: Option<&mut Previous>, batch: usize) -> Result<Backup> {
    back_up_with(pages, txid, previous, batch, |writer, _| Ok(writer))
}

/// The same, with `between` after each batch, and how many there were.
fn back_up_with(
    pages: &Pages,
    txid: u64,
    previous: Option<&mut Previous>,
    batch: usize,
    mut between: impl FnMut(Writer, usize) -> Result<Writer>,
) -> Result<Backup> {
    let page_size = PageSize::new(SIZE as u32).unwrap();
    let min = if previous.is_some() { Txid(txid) } else { Txid(1) };
    let header = Header::new(page_size, pages.len() as u32, min, Txid(txid), 0);
    let mut writer = Writer::new(header, previous.as_ref().map_or(Checksum::EMPTY, |previous| previous.checksum()));
    let (mut ltx, mut fingerprints) = (writer.ltx_header(), writer.fingerprint_header());
    let mut packer = Packer::new(page_size);
    let mut previous = previous;
    for (number, chunk) in pages.chunks(batch).enumerate() {
        let states = previous.as_mut().map(|previous| previous.states(chunk.len() as u32).unwrap().unwrap());
        let first = Pgno::new((number * batch) as u32 + 1).unwrap();
        packer.add(first, &bytes_of(chunk), states.as_deref())?;
        let packed = packer.take();
        let summary = Packed::from_summary(&packed.summary())?;
        fingerprints.extend(writer.append(&summary)?);
        ltx.extend(packed.frames.bytes);
        writer = between(writer, number)?;
    }
    if let Some(previous) = previous {
        let gone = previous.page_count().saturating_sub(pages.len() as u32);
        writer.forget(&previous.states(gone)?.unwrap());
    }
    fingerprints.extend(writer.fingerprint_end());
    let directory = writer.directory();
    fingerprints.extend_from_slice(&directory);
    let pages = writer.pages();
    let (tail, checksum) = writer.finish()?;
    tail.for_each(|piece| ltx.extend(piece));
    Ok(Backup { ltx, fingerprints, checksum, pages, directory: directory.len() })
}

fn restore(files: &[&[u8]], step: usize) -> Result<(Vec<u8>, Checksum)> {
    let mut restore = Restore::new(files.len(), true);
    let mut chunks: Vec<_> = files.iter().map(|file| file.chunks(step)).collect();
    let mut database = Vec::new();
    loop {
        match restore.poll()? {
            RestoreEvent::NeedInput(file) => restore.feed(file, chunks[file].next().unwrap_or_default())?,
            RestoreEvent::Output => database.extend(restore.take_output()),
            RestoreEvent::End(checksum) => return Ok((database, checksum)),
        }
    }
}

fn previous_of(chain: &[Backup], page_count: u32, feed: usize) -> Previous {
    let page_size = PageSize::new(SIZE as u32).unwrap();
    let mut previous = Previous::new(page_size, page_count, chain.last().unwrap().checksum);
    chain[1..].iter().for_each(|backup| previous.add_changes(&backup.fingerprints).unwrap());
    for chunk in chain[0].fingerprints.chunks(feed) {
        previous.feed(chunk);
    }
    previous
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn b4_every_link_of_a_chain_restores_to_its_own_pages(
        states in prop::collection::vec(prop::collection::vec(0u8..3, 1..40), 1..6),
        batch in 1usize..17,
        step in 1usize..3000,
    ) {
        let mut chain: Vec<Backup> = Vec::new();
        let mut before: Option<&Pages> = None;
        for (number, pages) in states.iter().enumerate() {
            let mut previous = before.map(|before| previous_of(&chain, before.len() as u32, step));
            let backup = back_up(pages, number as u64 + 1, previous.as_mut(), batch).unwrap();
            let unchanged = before.map_or(0, |before| pages.iter().zip(before).filter(|(a, b)| a == b).count());
            prop_assert_eq!(backup.pages as usize, pages.len() - unchanged);
            chain.push(backup);
            before = Some(pages);
        }
        for (link, pages) in states.iter().enumerate() {
            let files: Vec<&[u8]> = chain[..=link].iter().map(|backup| backup.ltx.as_slice()).collect();
            let (database, checksum) = restore(&files, step).unwrap();
            prop_assert_eq!(database, bytes_of(pages));
            prop_assert_eq!(checksum, chain[link].checksum);
            // The same state backed up afresh has the same checksum: it depends on the pages alone.
            prop_assert_eq!(back_up(pages, 1, None, 100).unwrap().checksum, checksum);
        }
    }

    #[test]
    fn a_writer_saved_and_continued_anywhere_writes_the_same_file(
        states in prop::collection::vec(prop::collection::vec(0u8..3, 1..60), 2),
        batch in 1usize..17,
        every in 1usize..5,
        at in any::<usize>(),
        bit in 0..8,
    ) {
        let (mut log, mut logged) = (Vec::new(), Logged::default());
        let mut saved = |writer: Writer, number: usize| {
            if !number.is_multiple_of(every) {
                return Ok(writer);
            }
            if number == 0 {
                (log, logged) = (Vec::new(), Logged::default());
            }
            writer.log(&mut logged, &mut log);
            let mut state = writer.save(&log);
            let resumed = Writer::resume(&state, &log)?;
            assert_eq!(resumed.logged(), logged);
            let at = at % state.len();
            assert!(Writer::resume(&state[..at], &log).is_err());
            state[at] ^= 1u8 << bit;
            assert_eq!(Writer::resume(&state, &log).err().map(|error| error.kind), Some(ErrorKind::SavedState));
            Ok(resumed)
        };
        let full = back_up(&states[0], 1, None, batch).unwrap();
        let again = back_up_with(&states[0], 1, None, batch, &mut saved).unwrap();
        prop_assert_eq!((&again.ltx, &again.fingerprints), (&full.ltx, &full.fingerprints));
        let chain = [full];
        let previous = || previous_of(&chain, states[0].len() as u32, 1000);
        let change = back_up(&states[1], 2, Some(&mut previous()), batch).unwrap();
        let again = back_up_with(&states[1], 2, Some(&mut previous()), batch, &mut saved).unwrap();
        prop_assert_eq!((again.ltx, again.checksum), (change.ltx, change.checksum));
    }

    #[test]
    fn fingerprints_are_read_in_any_pieces(pages in prop::collection::vec(0u8..9, 1..60), feed in 1usize..200, ask in 1u32..9) {
        let full = back_up(&pages, 1, None, 7).unwrap();
        let page_size = PageSize::new(SIZE as u32).unwrap();
        let mut previous = Previous::new(page_size, pages.len() as u32, full.checksum);
        let mut chunks = full.fingerprints.chunks(feed);
        let mut sum = Checksum::EMPTY;
        let mut given = 0;
        while given < pages.len() as u32 {
            match previous.states(ask).unwrap() {
                None => previous.feed(chunks.next().unwrap()),
                Some(states) => {
                    states.iter().flatten().for_each(|state| sum.toggle(state.checksum));
                    given += ask;
                }
            }
        }
        prop_assert_eq!(sum, full.checksum);
    }
}

#[test]
fn b4_a_chain_without_its_middle_or_its_snapshot_is_refused() {
    let pages = [vec![1, 1, 1], vec![1, 2, 1], vec![1, 2, 3]];
    let mut chain = vec![back_up(&pages[0], 1, None, 9).unwrap()];
    for (number, state) in pages.iter().enumerate().skip(1) {
        let mut previous = previous_of(&chain, 3, 1000);
        chain.push(back_up(state, number as u64 + 1, Some(&mut previous), 9).unwrap());
    }
    let kind = |files: &[&[u8]]| restore(files, 100).err().map(|error| error.kind);
    let [full, second, third] = [0, 1, 2].map(|link| chain[link].ltx.as_slice());
    assert_eq!(kind(&[full, third]), Some(ErrorKind::ChainGap));
    assert_eq!(kind(&[second, third]), Some(ErrorKind::ChainNoSnapshot));
    assert_eq!(kind(&[full, third, second]), Some(ErrorKind::ChainGap));
    assert_eq!(kind(&[]), Some(ErrorKind::ChainNoSnapshot));
    assert_eq!(kind(&[full, second, third]), None);
}

#[test]
fn damaged_fingerprints_never_panic_or_hang() {
    let pages = vec![1, 2, 3];
    let full = back_up(&pages, 1, None, 9).unwrap();
    for position in 0..full.fingerprints.len() {
        let mut damaged = full.fingerprints.clone();
        damaged[position] ^= 1;
        let mut previous = Previous::new(PageSize::new(SIZE as u32).unwrap(), 3, full.checksum);
        previous.feed(&damaged);
        // No panic and no endless loop; whether it is noticed here or by its SHA-256 is all the same.
        let _ = previous.states(3);
        let _ = previous.add_changes(&damaged);
    }
}

/// Reads a fingerprint file's directory back, and finds every page by it: in its block's runs and in its entries.
fn pages_by_directory(backup: &Backup, directory: &[u8]) -> Result<Vec<(u32, u32)>> {
    let file = &backup.fingerprints;
    let mut reader = Reader::new(directory, 0, ErrorKind::Fingerprints);
    assert_eq!((reader.take(4)?, reader.u32()?), (b"PMPD".as_slice(), 1));
    let (mut entries_at, mut runs_at) = (reader.u64()? as usize, 16);
    let mut found = Vec::new();
    while reader.remaining() > 0 {
        let first = reader.u32()?;
        let (runs, entries) = (reader.u32()? as usize, reader.u32()? as usize);
        let bytes = &file[runs_at..runs_at + runs];
        assert_eq!(reader.take(16)?, &Sha256::of(bytes)[..16]);
        let (mut bytes, mut pages) = (Reader::new(bytes, 0, ErrorKind::Fingerprints), Vec::new());
        while bytes.remaining() > 0 {
            let (first, count) = (bytes.u32()?, bytes.u32()?);
            pages.extend(first..first + count);
            bytes.take(count as usize * STATE_SIZE)?;
        }
        assert!(pages.len() <= 32 && pages[0] == first);
        let mut index = Reader::new(&backup.ltx[entries_at..entries_at + entries], 0, ErrorKind::LtxIndex);
        let mut indexed = Vec::new();
        while index.remaining() > 0 {
            let (pgno, offset, _) = (index.uvarint()? as u32, index.uvarint()? as usize, index.uvarint()?);
            assert_eq!(backup.ltx[offset..offset + 4], pgno.to_be_bytes());
            indexed.push(pgno);
        }
        assert!(indexed.iter().all(|pgno| pages.contains(pgno)));
        found.extend(pages.iter().map(|&page| (page, u32::from(indexed.contains(&page)))));
        (runs_at, entries_at) = (runs_at + runs, entries_at + entries);
    }
    assert_eq!(file[runs_at..runs_at + 8], [0; 8], "the run of zeros at which older versions stop");
    assert_eq!(file.len(), runs_at + 8 + directory.len());
    Ok(found)
}

#[test]
fn blocks_are_larger_behind_the_first_gibibyte() {
    let mut builder = DirectoryBuilder::default();
    for first in (1..=8200 * 32).step_by(1000) {
        let pages: Vec<u32> = (first..first + 1000).collect();
        builder.append(&pages, &[0; 1000 * STATE_SIZE]);
    }
    let blocks: Vec<_> = builder.closed().chunks(24).map(|block| &block[..4]).collect();
    let first = |at: usize| u32::from_be_bytes(blocks[at].try_into().unwrap());
    assert_eq!([0, 1, 8191, 8192, 8193].map(first), [1, 33, 8191 * 32 + 1, 8192 * 32 + 1, 8192 * 32 + 129]);
}

#[test]
fn the_directory_leads_to_every_page_and_no_other() {
    for (before, after, batch) in
        [(300, 300, 64), (300, 10, 7), (1, 700, 1000), (33, 33, 32), (32, 64, 3), (500, 500, 1)]
    {
        let states: [Pages; 2] = [vec![1; before], (0..after).map(|page| u8::from(page % 3 == 0) + 1).collect()];
        let full = back_up(&states[0], 1, None, batch).unwrap();
        let directory = full.fingerprints[full.fingerprints.len() - full.directory..].to_vec();
        let all: Vec<(u32, u32)> = (1..=before as u32).map(|page| (page, 1)).collect();
        assert_eq!(pages_by_directory(&full, &directory).unwrap(), all);
        let chain = [full];
        let mut previous = previous_of(&chain, before as u32, 1000);
        let change = back_up(&states[1], 2, Some(&mut previous), batch).unwrap();
        let directory = change.fingerprints[change.fingerprints.len() - change.directory..].to_vec();
        let is_new = |page: usize| page > before || (page - 1).is_multiple_of(3);
        let changed: Vec<(u32, u32)> = (1..=after).filter(|&page| is_new(page)).map(|page| (page as u32, 1)).collect();
        assert_eq!(pages_by_directory(&change, &directory).unwrap(), changed);
    }
}

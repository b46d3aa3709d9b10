//! SQLite's `walIndexRecover`, line by line over the whole file: slow, plain, and what the reader must agree with.

use std::collections::BTreeMap;

use super::spec::checksum;
use crate::error::{ErrorKind, Result};
use crate::page::wal::{Wal, WalMark};

/// What a reader says of a WAL, in a form that two of them can be compared by.
pub(super) type Summary = Result<Contents, ErrorKind>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contents {
    pub(super) page_count: Option<u32>,
    pub(super) mark: Option<WalMark>,
    pub(super) overlay: Vec<(u32, u64)>,
    pub(super) changed_since: Option<Vec<u32>>,
}

impl From<Wal> for Contents {
    fn from(wal: Wal) -> Self {
        let first = crate::page::Pgno::FIRST;
        let overlay = wal.overlay.range(first, u32::MAX);
        Self {
            page_count: wal.page_count,
            mark: wal.mark,
            overlay: overlay.iter().map(|&(pgno, offset)| (pgno.value(), offset)).collect(),
            changed_since: wal.changed_since.map(|pages| pages.iter().map(|pgno| pgno.value()).collect()),
        }
    }
}

/// What [`crate::page::wal::WalReader`] must say of `bytes`.
pub(super) fn read(bytes: &[u8], page_size: u32, limit: Option<u32>, since: Option<WalMark>) -> Summary {
    let mut contents = Contents::default();
    let mut frames = 0;
    if let Some(header) = bytes.get(..32) {
        let magic = word(header, 0);
        let stated_size = word(header, 8);
        let big_endian = magic & 1 == 1;
        let mut sums = checksum([0, 0], &header[..24], big_endian);
        let page_size_is_possible = stated_size.is_power_of_two() && (512..=65536).contains(&stated_size);
        if magic & 0xffff_fffe == 0x377f_0682 && page_size_is_possible && sums == [word(header, 24), word(header, 28)] {
            if word(header, 4) != 3_007_000 {
                return Err(ErrorKind::WalHeader);
            }
            if stated_size != page_size {
                return Err(ErrorKind::WalPageSize);
            }
            let salts = (word(header, 16), word(header, 20));
            let mut places = vec![WalMark { salts, frames: 0, checksum: (sums[0], sums[1]) }];
            let mut newest = BTreeMap::new();
            let mut pending = BTreeMap::new();
            let size = 24 + page_size as usize;
            for (number, frame) in (1..=limit.unwrap_or(u32::MAX)).zip(bytes[32..].chunks_exact(size)) {
                if (word(frame, 8), word(frame, 12)) != salts || word(frame, 0) == 0 {
                    break;
                }
                sums = checksum(checksum(sums, &frame[..8], big_endian), &frame[24..], big_endian);
                if sums != [word(frame, 16), word(frame, 20)] {
                    break;
                }
                places.push(WalMark { salts, frames: number, checksum: (sums[0], sums[1]) });
                pending.insert(word(frame, 0), number);
                if word(frame, 4) != 0 {
                    newest.append(&mut pending);
                    frames = number;
                    contents.page_count = Some(word(frame, 4));
                }
            }
            places.truncate(frames as usize + 1);
            contents.mark = places.last().copied();
            let lock_page = (1 << 30) / page_size + 1;
            newest.retain(|&pgno, _| pgno != lock_page && Some(pgno) <= contents.page_count);
            contents.changed_since = since.filter(|mark| places.contains(mark)).map(|mark| {
                newest.iter().filter(|&(_, &number)| number > mark.frames).map(|(&pgno, _)| pgno).collect()
            });
            let offset = |number: u32| 32 + u64::from(number - 1) * size as u64 + 24;
            contents.overlay = newest.iter().map(|(&pgno, &number)| (pgno, offset(number))).collect();
        }
    }
    match limit {
        Some(limit) if limit != frames => Err(ErrorKind::WalFrameMissing),
        _ => Ok(contents),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

//! SQLite's `pager_playback` and `readJournalHdr`, line by line over the whole file: slow, plain, and what the reader
//! must agree with.

use std::collections::BTreeMap;

use super::spec::{MAGIC, checksum};
use crate::error::ErrorKind;
use crate::page::Pgno;
use crate::page::journal::Journal;

/// What a reader says of a journal, in a form that two of them can be compared by.
pub(super) type Summary = Result<Option<Contents>, ErrorKind>;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contents {
    pub(super) page_count: u32,
    pub(super) page_size: u32,
    pub(super) overlay: Vec<(u32, u64)>,
    pub(super) super_journal: Option<String>,
    pub(super) is_committing: bool,
}

impl From<Journal> for Contents {
    fn from(journal: Journal) -> Self {
        let overlay = journal.overlay.range(Pgno::FIRST, u32::MAX);
        Self {
            page_count: journal.page_count,
            page_size: journal.page_size.value(),
            overlay: overlay.iter().map(|&(pgno, offset)| (pgno.value(), offset)).collect(),
            super_journal: journal.super_journal,
            is_committing: journal.is_committing,
        }
    }
}

/// What [`crate::page::journal::JournalReader`] must say of `bytes`.
pub(super) fn read(bytes: &[u8], database_page_size: u32) -> Summary {
    let size = bytes.len() as u64;
    let mut offset = 0;
    let mut page_size = database_page_size;
    let mut sector_size = 512;
    let mut page_count = None;
    let mut overlay = BTreeMap::new();
    let (mut are_counted, mut is_committing) = (true, false);
    'segments: loop {
        offset = u64::div_ceil(offset, sector_size) * sector_size;
        if offset + sector_size > size || bytes[offset as usize..][..8] != MAGIC {
            break;
        }
        let mut records = word(bytes, offset + 8);
        let nonce = word(bytes, offset + 12);
        if offset == 0 {
            let (stated_sector, stated_page) = (word(bytes, 20), word(bytes, 24));
            let stated_page = if stated_page == 0 { page_size } else { stated_page };
            let possible = |size: u32, least| size >= least && size <= 65536 && size.is_power_of_two();
            if !possible(stated_page, 512) || !possible(stated_sector, 32) {
                break;
            }
            (page_size, sector_size) = (stated_page, u64::from(stated_sector));
            page_count = Some(word(bytes, 16));
        }
        is_committing = false;
        offset += sector_size;
        let record_size = u64::from(page_size) + 8;
        if records == u32::MAX {
            are_counted = false;
            records = (size.saturating_sub(sector_size) / record_size) as u32;
        }
        for _ in 0..records {
            if offset + record_size > size {
                break 'segments;
            }
            let pgno = word(bytes, offset);
            let page = &bytes[offset as usize + 4..][..page_size as usize];
            let at = offset + 4;
            offset += record_size;
            if pgno == 0 || pgno == (1 << 30) / page_size + 1 {
                break 'segments;
            }
            if Some(pgno) <= page_count {
                if checksum(nonce, page) != word(bytes, offset - 4) {
                    break 'segments;
                }
                overlay.insert(pgno, at);
            }
        }
        is_committing = are_counted && offset == size;
    }
    let Some(page_count) = page_count else { return Ok(None) };
    let super_journal =
        super_journal(bytes).map(String::from_utf8).transpose().map_err(|_| ErrorKind::JournalHeader)?;
    Ok(Some(Contents { page_count, page_size, overlay: overlay.into_iter().collect(), super_journal, is_committing }))
}

/// `readSuperJournal`, but for the longest path, and that the sum may be of `unsigned char`.
fn super_journal(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.len() as u64 - 16;
    let len = u64::from(word(bytes, end));
    if len == 0 || len > end || len > 1040 || bytes[end as usize + 8..] != MAGIC {
        return None;
    }
    let name = &bytes[(end - len) as usize..end as usize];
    let signed = name.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte as i8 as u32));
    let unsigned = name.iter().fold(0u32, |sum, &byte| sum.wrapping_add(u32::from(byte)));
    if ![signed, unsigned].contains(&word(bytes, end + 4)) {
        return None;
    }
    let name: Vec<u8> = name.iter().copied().take_while(|&byte| byte != 0).collect();
    let n = name.len();
    let hex = |from: usize| name[from..].iter().all(|byte| byte.is_ascii_hexdigit());
    let long = n >= 12 && name[n - 12..n - 9] == *b"-mj" && name[n - 3] == b'9' && hex(n - 9);
    let short = n >= 4 && name[n - 4..n - 2] == *b".9" && hex(n - 2);
    (long || short).then_some(name)
}

fn word(bytes: &[u8], at: u64) -> u32 {
    u32::from_be_bytes(bytes[at as usize..][..4].try_into().unwrap())
}

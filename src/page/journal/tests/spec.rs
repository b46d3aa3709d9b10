//! A rollback journal as plain data, written by other code than the one under test.

pub(super) const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Everything a journal says.
#[derive(Clone, Debug)]
pub(super) struct JournalSpec {
    /// As the header states it; records are 512 bytes when it is 0.
    pub(super) page_size: u32,
    pub(super) sector_size: u32,
    pub(super) page_count: u32,
    pub(super) segments: Vec<SegmentSpec>,
    pub(super) super_journal: Option<Vec<u8>>,
}

/// A header and the records after it.
#[derive(Clone, Debug)]
pub(super) struct SegmentSpec {
    /// The number of records that the header states, if not the true one.
    pub(super) stated: Option<u32>,
    pub(super) nonce: u32,
    pub(super) records: Vec<RecordSpec>,
}

/// One record, whose page is `fill` throughout.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordSpec {
    pub(super) pgno: u32,
    pub(super) fill: u8,
    /// What is added to the right checksum.
    pub(super) wrong: u32,
}

impl JournalSpec {
    /// A journal of a database of four pages of 512 bytes; each segment lists pages.
    pub(super) fn new(segments: &[&[u32]]) -> Self {
        let mut fill = 0;
        let mut record = |&pgno: &u32| {
            fill += 1;
            RecordSpec { pgno, fill, wrong: 0 }
        };
        let mut segment = |pages: &&[u32]| SegmentSpec {
            stated: None,
            nonce: 0x8000_0001,
            records: pages.iter().map(&mut record).collect(),
        };
        let segments = segments.iter().map(&mut segment).collect();
        Self { page_size: 512, sector_size: 512, page_count: 4, segments, super_journal: None }
    }

    /// Bytes of a page.
    pub(super) fn record_page(&self) -> usize {
        if self.page_size == 0 { 512 } else { self.page_size as usize }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for segment in &self.segments {
            pad(&mut bytes, self.sector_size);
            bytes.extend(MAGIC);
            let records = segment.stated.unwrap_or(segment.records.len() as u32);
            let fields = [records, segment.nonce, self.page_count, self.sector_size, self.page_size];
            bytes.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
            pad(&mut bytes, self.sector_size);
            for record in &segment.records {
                bytes.extend(record.pgno.to_be_bytes());
                let page = vec![record.fill; self.record_page()];
                bytes.extend(&page);
                bytes.extend(checksum(segment.nonce, &page).wrapping_add(record.wrong).to_be_bytes());
            }
        }
        if let Some(name) = &self.super_journal {
            pad(&mut bytes, self.sector_size);
            let lock_page = (1 << 30) / self.record_page() as u32 + 1;
            let sum = name.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte as i8 as u32));
            append_super_journal(&mut bytes, lock_page, name, sum);
        }
        bytes
    }
}

pub(super) fn append_super_journal(bytes: &mut Vec<u8>, lock_page: u32, name: &[u8], sum: u32) {
    bytes.extend(lock_page.to_be_bytes());
    bytes.extend(name);
    bytes.extend((name.len() as u32).to_be_bytes());
    bytes.extend(sum.to_be_bytes());
    bytes.extend(MAGIC);
}

fn pad(bytes: &mut Vec<u8>, sector_size: u32) {
    // A sector size that is not possible is only stated: the rest of the file is where it was.
    let possible = sector_size.is_power_of_two() && (32..=65536).contains(&sector_size);
    let sector_size = if possible { sector_size as usize } else { 512 };
    bytes.resize(bytes.len().next_multiple_of(sector_size), 0);
}

/// `pager_cksum`, word for word.
pub(super) fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let mut sum = nonce;
    let mut i = page.len() as i64 - 200;
    while i > 0 {
        sum = sum.wrapping_add(u32::from(page[i as usize]));
        i -= 200;
    }
    sum
}

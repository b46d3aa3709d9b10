//! The states between two backups: what each adds to a WAL, as one LTX file.
//!
//! Such a file has no record beside it that proves it. It proves itself: its header names the lineage and the database
//! checksum afterwards, for which the checksum of every page is kept here, 16 bytes each.

use super::fingerprint::STATE_SIZE;
use crate::bookmark::{Bookmark, Lineage};
use crate::bytes::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::{Encoder, FramePacker, Header, PackedFrames};
use crate::page::checksum::PageChecksummer;
use crate::page::wal::{Wal, WalMark, WalReader};
use crate::page::{Checksum, Crc64, PageSize, Pgno, Txid};

/// Follows the WAL of a database from a backup on.
pub struct Tail {
    page_size: PageSize,
    lineage: Lineage,
    /// Checksums of all pages, in order; none for the lock page.
    pages: Vec<Option<Checksum>>,
    checksum: Checksum,
    crc: PageChecksummer,
    packer: FramePacker,
}

/// A state that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The whole file.
    pub ltx: Vec<u8>,
    /// Where the WAL stands now.
    pub mark: WalMark,
    /// Names the state.
    pub bookmark: Bookmark,
    /// Pages in the file.
    pub pages: u32,
}

/// Where the frames lie that are taken.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    /// The first 32 bytes of the WAL.
    pub header: &'a [u8],
    /// Up to where the state before goes.
    pub mark: WalMark,
    /// What follows the mark, from the frame after it on.
    pub bytes: &'a [u8],
}

impl Tail {
    /// Begins at a backup's bookmark; [`Tail::load`] all its pages next.
    pub fn new(page_size: PageSize, bookmark: &Bookmark) -> Self {
        Self {
            page_size,
            lineage: bookmark.lineage,
            pages: Vec::new(),
            checksum: bookmark.checksum,
            crc: PageChecksummer::new(page_size),
            packer: FramePacker::new(page_size),
        }
    }

    /// Adds the states of the next pages, as [`super::Previous::states`] gives them.
    ///
    /// # Errors
    /// `Usage` for bytes that are not whole states, and for a state without a checksum that is not the lock page's.
    pub fn load(&mut self, states: &[u8]) -> Result<()> {
        let (states, rest) = states.as_chunks::<STATE_SIZE>();
        if !rest.is_empty() {
            return Err(ErrorKind::Usage.into());
        }
        for state in states {
            let page = Checksum::new(Reader::new(state, 0, ErrorKind::Usage).u64()?);
            self.pages.push(page);
            if page.is_none() && self.pages.len() != self.lock_page() {
                return Err(ErrorKind::Usage.into());
            }
        }
        Ok(())
    }

    /// The database checksum of the state taken last.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Takes the state after the last commit in `frames`, as the one numbered `txid`; `None` when there is no commit. The
    /// file must be stored: the next one leads on from there.
    ///
    /// # Errors
    /// `WalFrameMissing` when the WAL was started over since, or the frames do not hold all pages that were added;
    /// `WalHeader`, `WalPageSize`.
    pub fn take(&mut self, frames: Frames<'_>, txid: Txid, now_ms: i64) -> Result<Option<Taken>> {
        let missing = Error::from(ErrorKind::WalFrameMissing);
        let mut reader = WalReader::resume(self.page_size, frames.header, frames.mark)?.ok_or(missing)?;
        reader.feed(frames.bytes)?;
        let wal = reader.finish()?;
        let (Some(page_count), Some(mark)) = (wal.page_count, wal.mark) else { return Ok(None) };
        let kept = self.pages.len().min(page_count as usize);
        // Each page that was added has a frame, but for the lock page: a damaged count must not take memory first.
        if page_count as usize - kept > frames.bytes.len() / self.page_size.bytes() + 1 {
            return Err(missing);
        }
        let packed = self.pack(&wal, page_count, frames)?;
        // What was added and is in no frame was never written: nobody knows what it holds.
        let is_known = |(at, page): (usize, &Option<Checksum>)| page.is_some() || at + 1 == self.lock_page();
        if !self.pages.iter().enumerate().skip(kept).all(is_known) {
            return Err(missing);
        }
        let mut header = Header::new(self.page_size, page_count, txid, txid, now_ms);
        (header.node_id, header.after) = (self.lineage.0, Some(self.checksum));
        let mut encoder = Encoder::new(header);
        encoder.append(&packed)?;
        let pages = encoder.pages();
        let mut ltx = encoder.header().to_vec();
        ltx.extend_from_slice(&packed.bytes);
        encoder.finish()?.for_each(|piece| ltx.extend_from_slice(&piece));
        let bookmark = Bookmark::new(txid, now_ms, self.checksum, self.lineage);
        Ok(Some(Taken { ltx, mark, bookmark, pages }))
    }

    /// Packs the newest frame of each page, and takes note of their checksums.
    fn pack(&mut self, wal: &Wal, page_count: u32, frames: Frames<'_>) -> Result<PackedFrames> {
        let start = frames.mark.end(self.page_size);
        let mut packed = PackedFrames::default();
        for page in self.pages.split_off((page_count as usize).min(self.pages.len())).into_iter().flatten() {
            self.checksum.toggle(page);
        }
        self.pages.resize(page_count as usize, None);
        for &(pgno, offset) in wal.overlay.range(Pgno::FIRST, page_count) {
            let at = offset.saturating_sub(start) as usize;
            let page = frames.bytes.get(at..).and_then(|rest| rest.get(..self.page_size.bytes()));
            let page = page.ok_or(ErrorKind::WalFrameMissing)?;
            let data = Crc64::of(page);
            let checksum = self.crc.page(pgno, data);
            self.packer.pack(pgno, page, data, &mut packed)?;
            let slot = self.pages.get_mut(pgno.value() as usize - 1).ok_or(ErrorKind::WalFrameMissing)?;
            slot.replace(checksum).into_iter().for_each(|before| self.checksum.toggle(before));
            self.checksum.toggle(checksum);
        }
        Ok(packed)
    }

    fn lock_page(&self) -> usize {
        self.page_size.lock_page().value() as usize
    }
}

/// The bookmark of the state that a file of [`Tail`] leads to; `None` for other files.
pub fn bookmark_of(&Header { max, timestamp_ms, node_id, after, .. }: &Header) -> Option<Bookmark> {
    after.map(|after| Bookmark::new(max, timestamp_ms, after, Lineage(node_id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::wal::tests::spec::WalSpec;

    /// Follows a database without pages.
    fn tail() -> Tail {
        let bookmark = Bookmark::new(Txid(1), 0, Checksum::EMPTY, Lineage(7));
        Tail::new(PageSize::new(512).unwrap(), &bookmark)
    }

    /// Takes the whole of a WAL.
    fn take(tail: &mut Tail, frames: &[(u32, u32)]) -> Result<Option<Taken>> {
        let spec = WalSpec::new(frames);
        let wal = spec.bytes();
        let (header, bytes) = wal.split_at(32);
        let sum = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let mark = WalMark { salts: (sum(16), sum(20)), frames: 0, checksum: (sum(24), sum(28)) };
        tail.take(Frames { header, mark, bytes }, Txid(2), 0)
    }

    #[test]
    fn a_state_has_every_page_that_was_added() {
        let mut tail = tail();
        assert_eq!(take(&mut tail, &[(1, 0), (2, 0)]).unwrap(), None, "nothing was committed");
        assert_eq!(take(&mut tail, &[(1, 0), (2, 2)]).unwrap().unwrap().pages, 2);
        assert_eq!(take(&mut tail, &[(3, 3)]).unwrap().unwrap().pages, 1);
    }

    #[test]
    fn a_page_count_that_the_frames_do_not_bear_out_is_refused_before_it_takes_memory() {
        for count in [2, 3, 1000, u32::MAX] {
            assert_eq!(take(&mut tail(), &[(1, count)]).unwrap_err().kind, ErrorKind::WalFrameMissing, "{count}");
        }
    }

    #[test]
    fn a_page_without_a_checksum_is_refused() {
        assert_eq!(tail().load(&[0; STATE_SIZE]).unwrap_err().kind, ErrorKind::Usage);
    }
}

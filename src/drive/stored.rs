//! Single pages of a stored backup, without restoring it.

use super::ask::Lender;
use super::fault::{Done, Fault};
use super::object::get_all;
use crate::catalog::StoredFile;
use crate::error::{Error, ErrorKind};
use crate::ltx::{FrameUnpacker, Header, PageIndex};
use crate::page::{PageSize, Pgno};
use crate::snapshot::proof::PageProof;

/// Size of an LTX file's end, behind its page index, in bytes.
const TAIL: u64 = 24;
/// Size of an LTX file's header, in bytes.
const HEADER: u64 = 100;

/// The pages of a chain. Memory: some three bytes for each page in each file.
pub(super) struct StoredPages {
    lender: Lender,
    /// Oldest first.
    files: Vec<(StoredFile, PageIndex)>,
    page_size: PageSize,
    page_count: u32,
    unpacker: FrameUnpacker,
    proof: Option<PageProof>,
}

impl StoredPages {
    /// Reads the indexes of a chain's files, oldest first. Where no record says how large the database is, the newest file
    /// does. Without `proof` only damage that keeps a page from being unpacked is noticed.
    pub(super) async fn open(
        lender: &Lender,
        files: Vec<StoredFile>,
        shape: Option<(u32, u32)>,
        proof: Option<PageProof>,
    ) -> Done<Self> {
        let newest = files.last().ok_or_else(|| Fault::of(ErrorKind::ChainNoSnapshot.into(), None))?;
        let (page_size, page_count) = match shape {
            Some((page_size, page_count)) => {
                let size = PageSize::new(page_size);
                (size.ok_or_else(|| Fault::of(ErrorKind::RecordSyntax.into(), Some(&newest.key)))?, page_count)
            }
            None => {
                let bytes = get_all(lender, &newest.key, 0, HEADER.min(newest.size)).await?;
                let header = Header::decode(&bytes).map_err(|error| Fault::of(error, Some(&newest.key)))?;
                (header.page_size, header.commit)
            }
        };
        let mut indexed = Vec::with_capacity(files.len());
        for file in files {
            let index = read_index(lender, &file).await?;
            indexed.push((file, index));
        }
        let (lender, unpacker) = (lender.clone(), FrameUnpacker::new(page_size));
        Ok(Self { lender, files: indexed, page_size, page_count, unpacker, proof })
    }

    /// One page.
    pub(super) async fn page(&self, pgno: u32) -> Done<Vec<u8>> {
        if pgno == self.page_size.lock_page().value() {
            return Ok(vec![0; self.page_size.bytes()]);
        }
        let number = Pgno::new(pgno).filter(|_| pgno <= self.page_count);
        let missing = || Fault::of(Error::at_page(ErrorKind::LtxPageMissing, pgno), None);
        let number = number.ok_or_else(missing)?;
        let newest = self.files.iter().rev().find_map(|(file, index)| Some((file, index.find(number)?)));
        let (file, (offset, length)) = newest.ok_or_else(missing)?;
        let frame = get_all(&self.lender, &file.key, offset, u64::from(length)).await?;
        let unpacked = self.unpacker.unpack_one(pgno, &frame);
        let page = unpacked.map_err(|error| Fault::of(error, Some(&file.key)))?;
        if let Some(proof) = &self.proof {
            let changed = proof.find_changed(number, &page).map_err(|error| Fault::of(error, Some(&file.key)))?;
            if changed.is_some() {
                return Err(Fault::damaged(&file.key, format_args!("does not hold page {pgno} as it was backed up")));
            }
        }
        Ok(page)
    }
}

#[cfg(feature = "dump")]
impl StoredPages {
    pub(super) fn page_size(&self) -> PageSize {
        self.page_size
    }

    pub(super) fn page_count(&self) -> u32 {
        self.page_count
    }

    /// `count` pages from `first` on.
    pub(super) async fn read(&self, first: u32, count: u32) -> Done<Vec<u8>> {
        let mut pages = Vec::with_capacity(self.page_size.bytes() * count as usize);
        for pgno in first..first.saturating_add(count) {
            pages.extend_from_slice(&self.page(pgno).await?);
        }
        Ok(pages)
    }
}

async fn read_index(lender: &Lender, file: &StoredFile) -> Done<PageIndex> {
    let StoredFile { key, size, .. } = file;
    let about = |error| Fault::of(error, Some(key));
    let tail = get_all(lender, key, size.saturating_sub(TAIL), TAIL.min(*size)).await?;
    let (offset, length) = PageIndex::locate(&tail, *size).map_err(about)?;
    PageIndex::parse(&get_all(lender, key, offset, length).await?).map_err(about)
}

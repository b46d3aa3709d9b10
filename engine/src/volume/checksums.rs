//! The checksum of every page whose content has passed by, so that a commit need not read what it replaces.
//!
//! Eight bytes a page (2 MB for a gigabyte of 4 KiB pages) instead of reading every changed page twice.

use std::collections::TryReserveError;

use pagemark::page::checksum::PageChecksummer;
use pagemark::page::{Checksum, Crc64, PageSize, Pgno};

use crate::store::CommitRecord;

/// Checksums of the newest commit's pages, as far as known.
#[derive(Debug, Default)]
pub(crate) struct Checksums {
    /// Checksum of page N at index N - 1; 0, which is no checksum, where it is not known.
    known: Vec<u64>,
    checksummer: Option<(PageSize, PageChecksummer)>,
}

impl Checksums {
    /// Works one out.
    pub(crate) fn of(&mut self, page_size: PageSize, pgno: Pgno, page: &[u8]) -> Checksum {
        let checksummer = match self.checksummer.take() {
            Some((size, checksummer)) if size == page_size => checksummer,
            _ => PageChecksummer::new(page_size),
        };
        let checksum = checksummer.page(pgno, Crc64::of(page));
        self.checksummer = Some((page_size, checksummer));
        checksum
    }

    /// The one of a page of the newest commit.
    pub(crate) fn known(&self, pgno: Pgno) -> Option<Checksum> {
        self.known.get(index(pgno)).copied().and_then(Checksum::new)
    }

    /// Takes note of a page of the newest commit that was read.
    pub(crate) fn note(&mut self, newest: &CommitRecord, pgno: Pgno, page: &[u8]) -> Result<(), TryReserveError> {
        if self.known(pgno).is_none() {
            self.reserve(newest.page_count)?;
            self.resize(newest.page_count);
            let checksum = self.of(newest.page_size, pgno, page);
            self.set(pgno, checksum);
        }
        Ok(())
    }

    /// Makes room for `page_count` pages, so that [`Checksums::set`] cannot fail.
    pub(crate) fn reserve(&mut self, page_count: u32) -> Result<(), TryReserveError> {
        self.known.try_reserve((page_count as usize).saturating_sub(self.known.len()))
    }

    /// Forgets those beyond `page_count`, and makes place for new ones before it.
    pub(crate) fn resize(&mut self, page_count: u32) {
        self.known.resize(page_count as usize, 0);
    }

    /// The newest commit's page has this one.
    pub(crate) fn set(&mut self, pgno: Pgno, checksum: Checksum) {
        if let Some(known) = self.known.get_mut(index(pgno)) {
            *known = checksum.value();
        }
    }
}

fn index(pgno: Pgno) -> usize {
    pgno.value() as usize - 1
}

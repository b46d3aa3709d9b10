//! Commits that SQLite does not make: the content becomes that of an earlier state, or of another file.
//!
//! Page 1 then differs from the original in three numbers, and in nothing else. The *change counter* (bytes 24 and
//! 92) rises above both the present one and the original's: SQLite compares it when it next takes its lock, and drops
//! its page cache when it differs. The *schema cookie* (byte 40) rises above both too: an open statement compares it
//! with the one it was compiled for, and is compiled again when it differs. Leaving the original's cookie would not
//! do: two states that went different ways from a common one can have equal cookies and different schemas.

use pagemark::page::{DatabaseHeader, PageSize, Pgno};

use super::commit::{Change, page_size};
use super::{HEADER, Volume};
use crate::error::{ErrorKind, Result};
use crate::store::{CommitRecord, Pages, StoreError, zeroed};

/// What is looked at first, in bytes: more of it than the header tells what is encrypted.
const SMALLEST_PAGE: usize = 512;

const CHANGE_COUNTER: usize = 24;
const SCHEMA_COOKIE: usize = 40;
const TEXT_ENCODING: usize = 56;
const VERSION_VALID_FOR: usize = 92;

impl Volume {
    /// Makes the content that of `target` again, as a new commit. SQLite must not be reading.
    pub(crate) fn restore(&mut self, target: &CommitRecord) -> Result<()> {
        let Some(newest) = self.newest().filter(|_| self.lock == 0) else { return Err(ErrorKind::Busy.into()) };
        let mut pages = Vec::new();
        for pgno in self.pages_to_restore(&newest, target)? {
            let mut page = zeroed(target.page_size.bytes())?;
            self.store.read(pgno, target.txid, &mut page)?;
            if pgno == Pgno::FIRST {
                self.renew(&mut page)?;
            }
            pages.try_reserve(1)?;
            pages.push((pgno, page));
        }
        Ok(self.apply(Change { page_size: target.page_size, page_count: target.page_count, pages })?)
    }

    /// Makes the content that of a loaded file, as a new commit. SQLite must not be reading.
    pub(crate) fn replace(&mut self, loaded: Loader) -> Result<()> {
        if self.lock != 0 {
            return Err(ErrorKind::Busy.into());
        }
        let mut change = loaded.finish()?;
        if let Some((_, page)) = change.pages.first_mut() {
            self.renew(page)?;
        }
        Ok(self.apply(change)?)
    }

    /// The text encoding of the newest state (1 to 3), which SQLite cannot change on an open connection.
    pub(crate) fn encoding(&mut self) -> Result<u32, StoreError> {
        let mut header = [0; HEADER];
        self.read(0, &mut header)?;
        Ok(number(&header, TEXT_ENCODING))
    }

    fn pages_to_restore(&mut self, newest: &CommitRecord, target: &CommitRecord) -> Result<Vec<Pgno>> {
        let all = |first: u32| (first..=target.page_count).filter_map(Pgno::new);
        let lock_page = target.page_size.lock_page();
        let mut pages = Vec::new();
        pages.try_reserve(target.page_count as usize)?;
        if newest.page_size != target.page_size {
            pages.extend(all(1));
        } else {
            pages.extend(self.store.changed(target.txid, newest.txid)?);
            pages.retain(|pgno| pgno.value() <= target.page_count.min(newest.page_count));
            if pages.first() != Some(&Pgno::FIRST) {
                pages.insert(0, Pgno::FIRST);
            }
            // What was cut off since has no newer version to tell so.
            pages.extend(all(newest.page_count + 1));
        }
        pages.retain(|&pgno| pgno != lock_page);
        Ok(pages)
    }

    /// Makes SQLite see that page 1, and the schema, are others than those it has cached.
    fn renew(&mut self, page: &mut [u8]) -> Result<(), StoreError> {
        let mut present = [0; HEADER];
        if self.newest().is_some() {
            self.read(0, &mut present)?;
        }
        for at in [CHANGE_COUNTER, SCHEMA_COOKIE] {
            let next = number(&present, at).max(number(page, at)).wrapping_add(1);
            put_number(page, at, next);
        }
        let counter = number(page, CHANGE_COUNTER);
        put_number(page, VERSION_VALID_FOR, counter);
        Ok(())
    }
}

/// Takes a database file in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Loader {
    /// What does not make a page yet.
    rest: Vec<u8>,
    pages: Pages,
    next: u32,
    page_size: Option<PageSize>,
}

impl Loader {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let wanted = self.page_size.map_or(SMALLEST_PAGE, PageSize::bytes);
            let (piece, after) = bytes.split_at(bytes.len().min(wanted.saturating_sub(self.rest.len())));
            self.rest.try_reserve(piece.len())?;
            self.rest.extend_from_slice(piece);
            bytes = after;
            if self.rest.len() < wanted {
                break;
            }
            match self.page_size {
                None => self.page_size = Some(DatabaseHeader::parse(&self.rest)?.page_size),
                Some(page_size) => self.page(page_size)?,
            }
        }
        Ok(())
    }

    fn page(&mut self, page_size: PageSize) -> Result<()> {
        self.next = self.next.checked_add(1).ok_or(ErrorKind::LoadSize)?;
        let pgno = Pgno::new(self.next).ok_or(ErrorKind::LoadSize)?;
        if pgno == page_size.lock_page() {
            self.rest.clear();
            return Ok(());
        }
        self.pages.try_reserve(1)?;
        let page = crate::store::copied(&self.rest)?;
        self.rest.clear();
        self.pages.push((pgno, page));
        Ok(())
    }

    fn finish(mut self) -> Result<Change> {
        let Some((_, first)) = self.pages.first_mut() else {
            // Says whether it is empty, no database, or too short.
            DatabaseHeader::parse(&self.rest)?;
            return Err(ErrorKind::LoadSize.into());
        };
        let header = DatabaseHeader::parse(first)?;
        // A file in WAL mode is a whole database when its WAL is empty; here there is no WAL.
        if let Some(versions) = first.get_mut(18..20) {
            versions.copy_from_slice(&[1, 1]);
        }
        let stated = header.page_count.unwrap_or(self.next);
        if !self.rest.is_empty() || stated > self.next {
            return Err(ErrorKind::LoadSize.into());
        }
        // SQLite ignores what follows the pages that the header counts.
        self.pages.retain(|(pgno, _)| pgno.value() <= stated);
        let page_size = self.pages.first().and_then(|(_, page)| page.first_chunk()).map(page_size);
        let page_size = page_size.ok_or(ErrorKind::LoadSize)??;
        Ok(Change { page_size, page_count: stated, pages: self.pages })
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let read = || bytes.get(at..at + 4)?.first_chunk().copied();
    u32::from_be_bytes(read().unwrap_or_default())
}

fn put_number(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(slot) = bytes.get_mut(at..at + 4) {
        slot.copy_from_slice(&value.to_be_bytes());
    }
}

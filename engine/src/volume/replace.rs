//! Commits that SQLite does not make: the content becomes that of an earlier state, or of another file.
//!
//! Page 1 then differs from the original in three numbers, and in nothing else. The *change counter* (bytes 24 and
//! 92) rises above both the present one and the original's: SQLite compares it when it next takes its lock, and drops
//! its page cache when it differs. The *schema cookie* (byte 40) rises above both too: an open statement compares it
//! with the one it was compiled for, and is compiled again when it differs. Leaving the original's cookie would not
//! do: two states that went different ways from a common one can have equal cookies and different schemas.

use pagemark::page::{DatabaseHeader, Pgno};

use super::commit::Change;
use super::staged::{Draft, Owner};
use super::{HEADER, Volume};
use crate::error::{ErrorKind, Result};
use crate::store::{CommitRecord, StoreError, copied, zeroed};

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
        let mut draft = self.draft(target.page_size);
        let owner = draft.owner;
        let drafted = self.pages_to_restore(&newest, target).and_then(|pages| self.copy(target, pages, &mut draft));
        if drafted.is_err() {
            self.abandon(owner);
        }
        drafted?;
        Ok(self.apply(Change::of(draft, target.page_count))?)
    }

    /// Copies pages of an earlier state into a draft.
    fn copy(&mut self, from: &CommitRecord, pages: Vec<Pgno>, draft: &mut Draft) -> Result<()> {
        for pgno in pages {
            let mut page = zeroed(from.page_size.bytes())?;
            self.store.read(pgno, from.txid, &mut page)?;
            if pgno == Pgno::FIRST {
                self.renew(&mut page)?;
            }
            self.add(draft, pgno, page)?;
        }
        Ok(())
    }

    /// Makes the content that of a loaded file, as a new commit. SQLite must not be reading.
    pub(crate) fn replace(&mut self, loaded: Loader) -> Result<()> {
        let owner = loaded.owner();
        let replaced = self.replace_with(loaded);
        if let (Err(_), Some(owner)) = (&replaced, owner) {
            self.abandon(owner);
        }
        replaced
    }

    fn replace_with(&mut self, loaded: Loader) -> Result<()> {
        if self.lock != 0 {
            return Err(ErrorKind::Busy.into());
        }
        let (mut draft, mut first, page_count) = loaded.finish()?;
        if self.is_stale(&draft) {
            return Err(ErrorKind::LoadStale.into());
        }
        self.renew(&mut first)?;
        draft.pages.try_reserve(1)?;
        draft.pages.push((Pgno::FIRST, first));
        Ok(self.apply(Change::of(draft, page_count))?)
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
    /// Number of the page read last.
    last: u32,
    /// How many pages the header says there are, if it says so.
    stated: Option<u32>,
    /// Page 1, which is changed at the end.
    first: Option<Box<[u8]>>,
    /// The pages after it.
    draft: Option<Draft>,
}

impl Loader {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, volume: &mut Volume, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let wanted = self.draft.as_ref().map_or(SMALLEST_PAGE, |draft| draft.page_size.bytes());
            let (piece, after) = bytes.split_at(bytes.len().min(wanted.saturating_sub(self.rest.len())));
            self.rest.try_reserve(piece.len())?;
            self.rest.extend_from_slice(piece);
            bytes = after;
            if self.rest.len() < wanted {
                break;
            }
            match self.draft.as_mut() {
                None => self.draft = Some(volume.draft(DatabaseHeader::parse(&self.rest)?.page_size)),
                Some(_) => self.page(volume)?,
            }
        }
        Ok(())
    }

    /// Whose pages the store may have staged of it.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.draft.as_ref().map(|draft| draft.owner)
    }

    fn page(&mut self, volume: &mut Volume) -> Result<()> {
        let Some(draft) = self.draft.as_mut() else { return Ok(()) };
        self.last = self.last.checked_add(1).ok_or(ErrorKind::LoadSize)?;
        let pgno = Pgno::new(self.last).ok_or(ErrorKind::LoadSize)?;
        if pgno == Pgno::FIRST {
            self.stated = DatabaseHeader::parse(&self.rest)?.page_count;
            self.first = Some(copied(&self.rest)?);
        } else if pgno != draft.page_size.lock_page() && self.stated.is_none_or(|stated| pgno.value() <= stated) {
            // SQLite ignores what follows the pages that the header counts.
            if volume.is_stale(draft) {
                return Err(ErrorKind::LoadStale.into());
            }
            if volume.is_taken() {
                return Err(ErrorKind::Busy.into());
            }
            volume.add_if_other(draft, pgno, &self.rest)?;
        }
        self.rest.clear();
        Ok(())
    }

    /// The pages after page 1, page 1, and how many there are.
    fn finish(self) -> Result<(Draft, Box<[u8]>, u32)> {
        let (Some(draft), Some(mut first)) = (self.draft, self.first) else {
            // Says whether it is empty, no database, or too short.
            DatabaseHeader::parse(&self.rest)?;
            return Err(ErrorKind::LoadSize.into());
        };
        // A file in WAL mode is a whole database when its WAL is empty; here there is no WAL.
        if let Some(versions) = first.get_mut(18..20) {
            versions.copy_from_slice(&[1, 1]);
        }
        let stated = self.stated.unwrap_or(self.last);
        if !self.rest.is_empty() || stated > self.last {
            return Err(ErrorKind::LoadSize.into());
        }
        Ok((draft, first, stated))
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

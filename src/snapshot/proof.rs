//! Whether pages are those that were backed up: for pages that do not come with a whole file, which has checksums.

use super::fingerprint::{Fingerprint, PageState};
use crate::error::{ErrorKind, Result};
use crate::page::{PageSize, Pgno};

/// The numbers of the whole pages in `pages`, which count from `first`, that are not as `states` say. The lock page has
/// no state, and is passed over.
///
/// # Errors
/// `Usage` when `pages` are not whole pages, or not as many as the states.
pub fn differing(page_size: PageSize, first: Pgno, pages: &[u8], states: &[Option<PageState>]) -> Result<Vec<u32>> {
    let pages = numbered(page_size, first, pages)?;
    if pages.len() != states.len() {
        return Err(ErrorKind::Usage.into());
    }
    let lock_page = page_size.lock_page().value();
    let differing = pages
        .zip(states)
        .filter(|((pgno, page), state)| *pgno != lock_page && !state.is_some_and(|state| state.is_of(page)));
    Ok(differing.map(|((pgno, _), _)| pgno).collect())
}

/// What pages of a backup must be like, in any order: the first 32 bits of each one's fingerprint. One in four billion
/// damaged pages passes; in exchange it takes four bytes a page, 10 MiB for 10 GiB in pages of 4 KiB.
pub struct PageProof {
    page_size: PageSize,
    expected: Vec<u32>,
}

impl PageProof {
    /// A proof of no page yet.
    pub fn new(page_size: PageSize) -> Self {
        Self { page_size, expected: Vec::new() }
    }

    /// Takes the states of the next pages, beginning with page 1.
    pub fn add(&mut self, states: &[Option<PageState>]) {
        let heads = states.iter().map(|state| state.map_or(0, |state| state.fingerprint.head()));
        self.expected.extend(heads);
    }

    /// The first of the whole pages in `pages`, which count from `first`, that is not as it was backed up.
    ///
    /// # Errors
    /// `Usage` when they are not whole pages.
    pub fn find_changed(&self, first: Pgno, pages: &[u8]) -> Result<Option<u32>> {
        let lock_page = self.page_size.lock_page().value();
        let is_changed = |&(pgno, page): &(u32, &[u8])| {
            let expected = self.expected.get(pgno as usize - 1);
            pgno != lock_page && expected != Some(&Fingerprint::of(page).head())
        };
        Ok(numbered(self.page_size, first, pages)?.find(is_changed).map(|(pgno, _)| pgno))
    }
}

/// Whole pages with their numbers.
fn numbered(page_size: PageSize, first: Pgno, pages: &[u8]) -> Result<impl ExactSizeIterator<Item = (u32, &[u8])>> {
    let pages = pages.chunks_exact(page_size.bytes());
    let count = u32::try_from(pages.len()).ok().filter(|_| pages.remainder().is_empty());
    let first = first.value();
    count.and_then(|count| first.checked_add(count)).ok_or(ErrorKind::Usage)?;
    Ok(pages.enumerate().map(move |(at, page)| (first + at as u32, page)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Checksum;

    const SIZE: usize = 512;

    fn page_size() -> PageSize {
        PageSize::new(SIZE as u32).unwrap()
    }

    fn pages(fills: &[u8]) -> Vec<u8> {
        fills.iter().flat_map(|&fill| [fill; SIZE]).collect()
    }

    fn states(pages: &[u8]) -> Vec<Option<PageState>> {
        let state = |page| PageState { checksum: Checksum::EMPTY, fingerprint: Fingerprint::of(page) };
        pages.chunks(SIZE).map(|page| Some(state(page))).collect()
    }

    #[test]
    fn pages_that_changed_are_found_and_no_others() {
        let was = pages(&[1, 2, 3, 4]);
        let now = pages(&[1, 9, 3, 8]);
        let first = Pgno::new(5).unwrap();
        assert_eq!(differing(page_size(), first, &was, &states(&was)).unwrap(), [0u32; 0]);
        assert_eq!(differing(page_size(), first, &now, &states(&was)).unwrap(), [6, 8]);
        let mut unknown = states(&was);
        unknown[2] = None;
        assert_eq!(differing(page_size(), first, &was, &unknown).unwrap(), [7]);
    }

    #[test]
    fn a_proof_takes_pages_in_any_order() {
        let was = pages(&[1, 2, 3, 4]);
        let mut proof = PageProof::new(page_size());
        let states = states(&was);
        proof.add(&states[..1]);
        proof.add(&states[1..]);
        let at = |pgno| Pgno::new(pgno).unwrap();
        assert_eq!(proof.find_changed(at(3), &was[2 * SIZE..]).unwrap(), None);
        assert_eq!(proof.find_changed(at(1), &pages(&[1, 2, 7, 7])).unwrap(), Some(3));
        assert_eq!(proof.find_changed(at(5), &pages(&[0])).unwrap(), Some(5));
    }

    #[test]
    fn the_lock_page_has_nothing_to_prove() {
        let lock_page = page_size().lock_page();
        let zeros = pages(&[0]);
        assert_eq!(differing(page_size(), lock_page, &zeros, &[None]).unwrap(), [0u32; 0]);
        assert_eq!(PageProof::new(page_size()).find_changed(lock_page, &zeros).unwrap(), None);
    }

    #[test]
    fn what_is_no_whole_page_is_refused() {
        let first = Pgno::FIRST;
        assert!(differing(page_size(), first, &[0; SIZE + 1], &[None]).is_err());
        assert!(differing(page_size(), first, &pages(&[1]), &[]).is_err());
        assert!(PageProof::new(page_size()).find_changed(first, &[0; 7]).is_err());
        assert!(PageProof::new(page_size()).find_changed(Pgno::new(u32::MAX).unwrap(), &pages(&[1])).is_err());
    }
}

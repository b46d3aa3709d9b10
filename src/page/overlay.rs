//! Which pages of a moment do not lie in the main file, and where they lie instead.

use super::order::by_page;
use super::{PageSize, Pgno};

/// The pages whose committed content is in a WAL or a rollback journal rather than in the main file.
///
/// Kept as a sorted list of 16 bytes an entry: a million pages take 16 MB.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Ascending; one entry a page.
    entries: Vec<(Pgno, u64)>,
}

impl Overlay {
    /// From (page, byte offset of its content in the side file), in the order written.
    /// Where a page comes more than once, the last wins.
    pub fn newest(entries: Vec<(Pgno, u64)>) -> Self {
        let mut entries = by_page(entries);
        entries.reverse();
        entries.dedup_by_key(|&mut (pgno, _)| pgno);
        entries.reverse();
        entries.shrink_to_fit();
        Self { entries }
    }

    /// The same, but where a page comes more than once, the first wins.
    pub fn oldest(entries: Vec<(Pgno, u64)>) -> Self {
        let mut entries = by_page(entries);
        entries.dedup_by_key(|&mut (pgno, _)| pgno);
        entries.shrink_to_fit();
        Self { entries }
    }

    /// The entries for `count` pages from `first`, ascending.
    pub fn range(&self, first: Pgno, count: u32) -> &[(Pgno, u64)] {
        let start = self.entries.partition_point(|&(pgno, _)| pgno < first);
        let end = u64::from(first.value()) + u64::from(count);
        let rest = self.entries.get(start..).unwrap_or_default();
        let len = rest.partition_point(|&(pgno, _)| u64::from(pgno.value()) < end);
        rest.get(..len).unwrap_or_default()
    }

    /// Every page in it, ascending.
    pub fn pages(&self) -> impl Iterator<Item = Pgno> {
        self.entries.iter().map(|&(pgno, _)| pgno)
    }

    /// How many pages it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether every page lies in the main file.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets pages past `page_count`.
    pub fn truncate(&mut self, page_count: u32) {
        let keep = self.entries.partition_point(|&(pgno, _)| pgno.value() <= page_count);
        self.entries.truncate(keep);
    }
}

/// One committed moment of a database: its shape, and where its pages lie.
#[derive(Clone, Debug)]
pub struct Moment {
    /// In bytes.
    pub page_size: PageSize,
    /// Size of the database, in pages.
    pub page_count: u32,
    /// Pages that lie in the side file (WAL or journal).
    pub overlay: Overlay,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pgno(n: u32) -> Pgno {
        Pgno::new(n).unwrap()
    }

    #[test]
    fn the_last_or_the_first_entry_of_a_page_wins() {
        let entries = vec![(pgno(2), 10), (pgno(1), 20), (pgno(2), 30)];
        assert_eq!(Overlay::newest(entries.clone()).range(pgno(1), 9), [(pgno(1), 20), (pgno(2), 30)]);
        assert_eq!(Overlay::oldest(entries).range(pgno(1), 9), [(pgno(1), 20), (pgno(2), 10)]);
    }

    #[test]
    fn range_is_half_open() {
        let overlay = Overlay::newest((1..=9).map(|n| (pgno(n), u64::from(n))).collect());
        assert_eq!(overlay.range(pgno(3), 2), [(pgno(3), 3), (pgno(4), 4)]);
        assert_eq!(overlay.range(pgno(9), u32::MAX).len(), 1);
    }
}

//! Whether pages are missing before the first one of a file. A page does not know its number, but what leads to it does,
//! and names the largest rowid in it, too.

use std::collections::BinaryHeap;

use super::page::LoosePage;
use crate::btree::Kind;

/// How many leaves, and how many ways to one, are remembered.
const MOST: usize = 1 << 14;
/// How many leaves with the same largest rowid are looked at.
const MOST_ALIKE: usize = 16;

/// What speaks for each number of missing pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Shift {
    /// The largest rowid of each leaf, and its place in the file, from 1.
    leaves: Vec<(i64, u32)>,
    /// The largest rowid of each page that something leads to, and its number.
    ways: Vec<(i64, u32)>,
}

impl Shift {
    /// Takes note of the page at `place`.
    pub(super) fn note(&mut self, place: u32, page: &LoosePage<'_>) {
        match page.kind() {
            Kind::TableLeaf if self.leaves.len() < MOST => {
                self.leaves.extend(page.cells().last().and_then(|cell| cell.rowid).map(|rowid| (rowid, place)));
            }
            Kind::TableInterior => {
                let ways = page.cells().filter_map(|cell| cell.rowid.zip(cell.child));
                self.ways.extend(ways.take(MOST - self.ways.len()));
            }
            _ => {}
        }
    }

    /// How many pages are missing before a file of `page_count` pages.
    pub(super) fn pages(&self, page_count: u32) -> u32 {
        let missing = |&(rowid, number): &(i64, u32)| {
            let alike = self.leaves.iter().filter(move |&&(other, _)| other == rowid).take(MOST_ALIKE);
            alike.filter_map(move |&(_, place)| number.checked_sub(place)).map(u64::from)
        };
        let votes: BinaryHeap<u64> = self.ways.iter().flat_map(missing).collect();
        let votes = votes.into_sorted_vec();
        let (mut of_none, mut most, mut best) = (0, 1, 0);
        for same in votes.chunk_by(|one, other| one == other) {
            match same.first() {
                Some(0) => of_none = same.len(),
                // What is missing is hardly more than what is there; of as many votes the smallest number counts.
                Some(&missing) if same.len() > most && missing <= page_count.into() => {
                    (most, best) = (same.len(), missing);
                }
                _ => {}
            }
        }
        if most > of_none * 2 { best as u32 } else { 0 }
    }
}

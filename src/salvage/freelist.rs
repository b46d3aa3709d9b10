//! The list of free pages: what is on them was deleted (file format, section 1.5).

use super::map::{Mark, PageMap};
use crate::btree::{Layout, PageRange, Pages};
use crate::bytes::Reader;
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

/// Where the header has the first trunk page.
const FIRST_TRUNK: usize = 32;

/// Goes through the list, trunk by trunk, and marks its pages. A trunk that is not sound ends it: what comes after is
/// not known to be free.
#[derive(Clone, Debug, Default)]
pub struct Freelist {
    /// Trunks to come.
    next: Vec<u32>,
    /// Whether one leads to the next.
    follows: bool,
    marked: u32,
}

impl Freelist {
    /// The list that the header in `first`, the first page, names.
    pub fn of_header(first: &[u8]) -> Self {
        let mut reader = Reader::new(first.get(FIRST_TRUNK..).unwrap_or_default(), 0, ErrorKind::BtreePage);
        let trunk = reader.u32().ok().filter(|&trunk| trunk > 0);
        Self { next: trunk.into_iter().collect(), follows: true, marked: 0 }
    }

    /// Pages that look like trunks, where no header says which are.
    pub fn of_trunks(trunks: &[u32]) -> Self {
        Self { next: trunks.to_vec(), follows: false, marked: 0 }
    }

    /// How many pages were marked.
    pub fn marked(&self) -> u32 {
        self.marked
    }

    /// Goes on; the page that it needs next, or nothing at the end.
    pub fn step(&mut self, pages: &Pages, layout: Layout, map: &mut PageMap) -> Option<PageRange> {
        while let Some(trunk) = self.next.last().copied() {
            let Some(pgno) = Pgno::new(trunk).filter(|_| trunk <= map.page_count()) else {
                self.next.pop();
                continue;
            };
            if map.has(trunk, Mark::Free) || map.has(trunk, Mark::Visited) || map.has(trunk, Mark::Other) {
                self.next.pop();
                continue;
            }
            let Some(page) = pages.page(pgno) else { return Some(PageRange { first: pgno, count: 1 }) };
            self.next.pop();
            let Ok((next, leaves)) = layout.content(page).and_then(|content| read(content, layout)) else { continue };
            map.set(trunk, Mark::Free);
            self.marked += 1;
            for leaf in leaves {
                // What a tree has is not free, whatever the list says.
                if map.kind(leaf).is_none() || map.is_orphan(leaf) {
                    map.set(leaf, Mark::Free);
                    self.marked += 1;
                }
            }
            if self.follows && next > 0 {
                self.next.push(next);
            }
        }
        None
    }
}

/// Whether a page may be a trunk that has leaves.
pub(super) fn is_trunk(content: &[u8], layout: Layout) -> bool {
    read(content, layout).is_ok_and(|(_, leaves)| !leaves.is_empty())
}

/// The trunk after it, or 0, and its leaves.
fn read(content: &[u8], layout: Layout) -> Result<(u32, Vec<u32>)> {
    let mut reader = Reader::new(content, 0, ErrorKind::BtreePage);
    let (next, count) = (reader.u32()?, reader.u32()? as usize);
    if next > layout.page_count() || count > reader.remaining() / 4 {
        return Err(ErrorKind::BtreePage.into());
    }
    let mut leaves = Vec::with_capacity(count);
    for _ in 0..count {
        let leaf = reader.u32()?;
        if leaf < 2 || leaf > layout.page_count() {
            return Err(ErrorKind::BtreePage.into());
        }
        leaves.push(leaf);
    }
    let mut distinct = leaves.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < leaves.len() {
        return Err(ErrorKind::BtreePage.into());
    }
    Ok((next, leaves))
}

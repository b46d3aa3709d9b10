//! Pages of b-trees whose rows are of no interest: those of indexes, mostly. Leaves are read for it only where they may be
//! another's.

use super::map::{Mark, PageMap};
use super::page::LoosePage;
use crate::btree::Kind;
use crate::btree::{Layout, PageRange, Pages, read_ahead};
use crate::page::Pgno;

/// Marks the pages of a b-tree as being of something else.
#[derive(Clone, Debug, Default)]
pub struct Marker {
    /// Pages to look at, the next one last; each is marked already.
    pending: Vec<u32>,
    reads_leaves: bool,
    is_broken: bool,
}

impl Marker {
    /// A marker of the tree with this root; `is_table` where it is known of which kind that is.
    pub fn new(root: u32, is_table: Option<bool>, reads_leaves: bool, map: &mut PageMap) -> Self {
        let mut marker = Self { reads_leaves, ..Self::default() };
        match is_table.or(map.kind(root).map(Kind::is_table)) {
            Some(is_table) => marker.add(root, is_table, map),
            None => marker.is_broken = true,
        }
        marker
    }

    /// Whether a page of the tree was not there.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Goes on; the pages that it needs next, or nothing at the end. What does not fit the tree is not marked.
    pub fn step(
        &mut self,
        pages: &Pages,
        layout: Layout,
        map: &mut PageMap,
        fits: &dyn Fn(&LoosePage<'_>) -> bool,
    ) -> Option<Vec<PageRange>> {
        while let Some(&pgno) = self.pending.last() {
            let (Some(kind), Some(number)) = (map.kind(pgno), Pgno::new(pgno)) else {
                self.pending.pop();
                continue;
            };
            let Some(page) = pages.page(number) else {
                let wanted = self.pending.iter().rev().filter_map(|&pgno| Pgno::new(pgno));
                return Some(read_ahead(wanted, pages, layout));
            };
            self.pending.pop();
            let content = layout.content(page).unwrap_or_default();
            let Some(page) = LoosePage::read(content, 0, kind, layout) else { continue };
            if fits(&page) {
                page.children().for_each(|child| self.add(child, kind.is_table(), map));
            } else {
                map.unset(pgno, Mark::Other);
                self.is_broken = true;
            }
        }
        None
    }

    fn add(&mut self, pgno: u32, is_table: bool, map: &mut PageMap) {
        let kind = map.kind(pgno).filter(|kind| kind.is_table() == is_table);
        match kind.filter(|_| !map.has(pgno, Mark::Visited) && !map.has(pgno, Mark::Other)) {
            Some(kind) => {
                map.set(pgno, Mark::Other);
                if self.reads_leaves || !kind.is_leaf() {
                    self.pending.push(pgno);
                }
            }
            None => self.is_broken = true,
        }
    }
}

//! Pages of b-trees that nothing points to.

use super::map::{Mark, PageMap};
use super::page::LoosePage;
use crate::btree::{Layout, PageRange, Pages};
use crate::page::Pgno;

/// Finds the tops of b-trees that nothing points to, in the order of the file.
#[derive(Clone, Debug)]
pub struct Orphans {
    /// Interior pages are read first: those below them are no tops.
    claims: u32,
    next: u32,
    /// Pages that point to each other have no top.
    is_last_look: bool,
}

impl Orphans {
    /// Before the first. With `claimed`, what points to what is marked in the map already.
    pub fn new(claimed: bool) -> Self {
        Self { claims: if claimed { u32::MAX } else { 1 }, next: 1, is_last_look: false }
    }

    /// Marks pages that others point to; the one it needs next, or nothing when all is marked.
    pub fn claim(&mut self, pages: &Pages, layout: Layout, map: &mut PageMap) -> Option<PageRange> {
        while self.claims <= map.page_count() {
            let kind = map.kind(self.claims).filter(|kind| !kind.is_leaf() && map.is_orphan(self.claims));
            if let Some((kind, pgno)) = kind.zip(Pgno::new(self.claims)) {
                let Some(page) = pages.page(pgno) else { return Some(PageRange { first: pgno, count: 1 }) };
                let content = layout.content(page).unwrap_or_default();
                // The first page of all is visited already, if its tree can be read.
                if let Some(page) = LoosePage::read(content, 0, kind, layout) {
                    for child in page.children().filter(|&child| child != self.claims) {
                        let is_alike = map.kind(child).is_some_and(|below| below.is_table() == kind.is_table());
                        if is_alike && map.is_orphan(child) {
                            map.set(child, Mark::Claimed);
                        }
                    }
                }
            }
            self.claims += 1;
        }
        None
    }

    /// The next top whose rows were not read yet.
    pub fn next(&mut self, map: &PageMap) -> Option<u32> {
        loop {
            while self.next <= map.page_count() {
                let pgno = self.next;
                self.next += 1;
                if map.is_orphan(pgno) && (self.is_last_look || !map.has(pgno, Mark::Claimed)) {
                    return Some(pgno);
                }
            }
            if self.is_last_look {
                return None;
            }
            (self.is_last_look, self.next) = (true, 1);
        }
    }
}

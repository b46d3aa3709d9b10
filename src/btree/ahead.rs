//! Which pages a cursor will need, as far as the pages in hand tell.

use super::page::BtreePage;
use super::pages::Pages;
use super::{Layout, PageRange};
use crate::page::Pgno;
use crate::page::order::ascending;

/// What is asked for at once, in bytes: a request to a remote store should be worth its time.
const READ_AHEAD: usize = 512 << 10;
/// Pages between two wanted ones that are read along with them rather than skipped.
const LARGEST_GAP: u32 = 16;
/// Ranges of pages that lie far apart: each is a read of its own, and what is read long before it is needed is gone by then.
const MOST_RANGES: usize = 16;
/// How many pointers are looked at for each page that may be wanted: those of a damaged b-tree can go in circles.
const LOOKS: usize = 8;

/// How many pages are asked for at once.
pub(super) fn pages_at_once(layout: Layout) -> usize {
    (READ_AHEAD / layout.page_size()).max(1)
}

/// A list of pages in the making.
pub(super) struct Ahead<'p> {
    pages: &'p Pages,
    layout: Layout,
    pub(super) wanted: Vec<Pgno>,
    /// How many are enough.
    pub(super) most: usize,
    looks: usize,
}

impl<'p> Ahead<'p> {
    pub(super) fn new(pages: &'p Pages, layout: Layout) -> Self {
        let most = pages_at_once(layout);
        Self { pages, layout, wanted: Vec::new(), most, looks: most * LOOKS }
    }

    /// Adds a page unless it is in hand; gives that if it is.
    pub(super) fn want(&mut self, pgno: Pgno) -> Option<&'p [u8]> {
        let page = self.pages.page(pgno);
        if page.is_none() {
            self.wanted.push(pgno);
        }
        page
    }

    /// Adds what is below these `children` of a page; `height` is 1 for a page above leaves. Gives `false` when what
    /// comes after that cannot be known yet, or need not be.
    pub(super) fn children(
        &mut self,
        page: &BtreePage<'_>,
        children: impl Iterator<Item = usize>,
        height: usize,
    ) -> bool {
        for index in children {
            let Ok(child) = page.child(index) else { return true };
            if self.wanted.len() >= self.most || self.looks == 0 {
                return false;
            }
            self.looks -= 1;
            let in_hand = self.want(child);
            if height > 1 {
                // An interior page that is not here hides what is below it.
                let Some(bytes) = in_hand else { return false };
                let Ok(below) = BtreePage::parse(bytes, child, self.layout) else { return true };
                if !self.all_children(&below, height - 1) {
                    return false;
                }
            }
        }
        true
    }
}

impl Ahead<'_> {
    // Apart, as `children` would else be made for iterators of iterators without an end.
    fn all_children(&mut self, page: &BtreePage<'_>, height: usize) -> bool {
        self.children(page, 0..=page.cell_count(), height)
    }
}

/// What to ask for of the pages that are `wanted` in this order: those that are not in hand, as many as are worth it.
pub fn read_ahead(wanted: impl Iterator<Item = Pgno>, pages: &Pages, layout: Layout) -> Vec<PageRange> {
    let missing = wanted.filter(|&pgno| pages.page(pgno).is_none());
    ranges(missing.take(pages_at_once(layout)).collect(), layout)
}

/// Ranges that cover `pages`, [`MOST_RANGES`] at most, of no more than twice what is asked for at once together: as many of
/// the first pages as that allows, and one at least. With pages that lie between, and are not wanted, more would push
/// out of memory what was read before.
pub(super) fn ranges(mut pages: Vec<Pgno>, layout: Layout) -> Vec<PageRange> {
    loop {
        let ranges = covering(&pages);
        let total: usize = ranges.iter().map(|range| range.count as usize).sum();
        if total <= (pages_at_once(layout) * 2).max(1) && ranges.len() <= MOST_RANGES {
            return ranges;
        }
        pages.truncate((pages.len() / 2).max(1));
    }
}

/// Ranges of these pages, and of the gaps between them that are small.
fn covering(pages: &[Pgno]) -> Vec<PageRange> {
    let mut ranges: Vec<PageRange> = Vec::new();
    for pgno in ascending(pages.iter().map(|pgno| pgno.value())).into_iter().filter_map(Pgno::new) {
        match ranges.last_mut() {
            Some(range) if pgno.value() < range.first.value() + range.count => {}
            Some(range) if pgno.value() - (range.first.value() + range.count) < LARGEST_GAP => {
                range.count = pgno.value() - range.first.value() + 1;
            }
            _ => ranges.push(PageRange { first: pgno, count: 1 }),
        }
    }
    ranges
}

//! Going through one b-tree in key order, over pages that are handed in when they are asked for.

use core::mem;
use std::collections::VecDeque;

use super::ahead::Ahead;
use super::layout::{Kind, Layout, damaged};
use super::page::{BtreePage, Cell};
use super::pages::Pages;
use super::payload::Payload;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// SQLite itself gives up at 20; a sound tree of this depth would need more pages than a database can have.
const MAX_DEPTH: usize = 40;

/// How many pages are read ahead that may turn out to have pages below them.
const FEW: usize = 16;

/// A position in a b-tree. It stands on an entry, or between pages until the next one is there.
///
/// Memory: a copy of each interior page on the way down, `MAX_DEPTH` at most.
#[derive(Clone, Debug)]
pub struct Cursor {
    pub(super) layout: Layout,
    /// From the root to where it stands.
    pub(super) path: Vec<Step>,
    /// Whether the tree is a table; known once its root has been seen.
    pub(super) is_table: Option<bool>,
    /// How many pages are above a leaf; known once one has been seen.
    pub(super) leaf_depth: Option<usize>,
    /// Pages above its own root, when it goes through a part of a b-tree.
    pub(super) above: Vec<Pgno>,
    /// What somebody else goes through, in order, all of it still to come.
    pub(super) given: VecDeque<Given>,
    /// How many leaves it has entered.
    pub(super) leaves: u64,
}

/// A page on the way.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) pgno: Pgno,
    /// `None` until the page has been entered.
    pub(super) kind: Option<Kind>,
    /// The interior page itself; leaves stay where they were read.
    pub(super) page: Vec<u8>,
    /// The next cell to visit, or child, or, in an index, twice that and one more for the entry.
    pub(super) next: usize,
    /// How many children, and in an index entries between them, to leave out when it is entered.
    pub(super) skip: usize,
    /// Index after the last child to visit.
    pub(super) end: usize,
    pub(super) cells: usize,
    /// How many bytes of payload it can still have.
    room: usize,
    /// In a table, the rowids that are still to come are larger than this,
    after: Option<i64>,
    /// and not larger than this. So no page can have rows that are of another.
    pub(super) up_to: i64,
}

/// What a cursor has given away: children of a page on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// That page's place on the way.
    pub(super) step: usize,
    /// The first of them.
    pub(super) first: usize,
    /// Index after the last of them.
    pub(super) end: usize,
    /// Whether they are leaves; else it is one child, the page above the leaves.
    pub(super) are_leaves: bool,
}

impl Given {
    pub(super) fn has(&self, step: usize, child: usize) -> bool {
        self.step == step && (self.first..self.end).contains(&child)
    }
}

/// Where a cursor stands.
#[derive(Debug)]
pub enum Stand<'p> {
    /// On an entry; asked again it stands behind it, whatever is wrong with it.
    On(Result<Entry<'p>>),
    /// Before the first of these pages, which has to be handed in; the others it will need after that.
    Before(Vec<Pgno>),
    /// Before entries that were given away: [`Cursor::resume`] gets it behind them.
    Given,
    /// After the last entry.
    End,
}

/// One entry of a b-tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'p> {
    /// The page it is on.
    pub pgno: Pgno,
    /// Its key in a table; `None` in an index or a table WITHOUT ROWID.
    pub rowid: Option<i64>,
    /// Its record.
    pub payload: Payload<'p>,
}

impl<'p> Entry<'p> {
    /// The entry in cell `index` of a page that has entries.
    ///
    /// # Errors
    /// `BtreePage` when the cell does not lie within the page.
    pub fn read(page: &BtreePage<'p>, index: usize) -> Result<Self> {
        let pgno = page.pgno();
        match page.cell(index)? {
            Cell::TableLeaf { rowid, payload } => Ok(Self { pgno, rowid: Some(rowid), payload }),
            Cell::IndexLeaf { payload } | Cell::IndexInterior { payload, .. } => {
                Ok(Self { pgno, rowid: None, payload })
            }
            Cell::TableInterior { .. } => Err(damaged(pgno)),
        }
    }

    /// Takes its bytes from the `room` of its page. Entries that need more together lie one over the other: a hostile
    /// page can have thousands at the same place.
    fn within(self, room: &mut usize) -> Result<Self> {
        *room = room.checked_sub(self.payload.local.len()).ok_or(damaged(self.pgno))?;
        Ok(self)
    }

    /// Takes its rowid, if it has one, for the one before the next.
    fn between(self, after: &mut Option<i64>, up_to: i64) -> Result<Self> {
        if let Some(rowid) = self.rowid {
            if after.is_some_and(|after| rowid <= after) || rowid > up_to {
                return Err(damaged(self.pgno));
            }
            *after = Some(rowid);
        }
        Ok(self)
    }
}

impl Cursor {
    /// Before the first entry of the b-tree with this root.
    pub fn new(root: Pgno, layout: Layout) -> Self {
        let path = vec![Step::to(root, None, i64::MAX)];
        Self { layout, path, is_table: None, leaf_depth: None, above: Vec::new(), given: VecDeque::new(), leaves: 0 }
    }

    /// Where it stands, or what it needs to get there. `visit` is called once for each page that it enters, and may
    /// refuse.
    ///
    /// # Errors
    /// `BtreePage` or `BtreeDepth`, naming a page, which is left out with all below it if the cursor is asked again;
    /// and what `visit` says.
    pub fn stand<'p>(&'p mut self, pages: &'p Pages, mut visit: impl FnMut(Pgno) -> Result<()>) -> Result<Stand<'p>> {
        loop {
            let depth = self.above.len() + self.path.len();
            let Some(step) = self.path.last_mut() else { return Ok(Stand::End) };
            let Some(kind) = step.kind else {
                let Some(page) = pages.page(step.pgno) else { return Ok(Stand::Before(self.ahead(pages))) };
                if let Err(error) = visit(step.pgno).and_then(|()| step.enter(page, self.layout, depth, self.is_table))
                {
                    self.path.pop();
                    return Err(error);
                }
                self.is_table = step.kind.map(Kind::is_table);
                if step.kind.is_some_and(Kind::is_leaf) {
                    self.leaf_depth = Some(self.path.len() - 1);
                    self.leaves += 1;
                }
                continue;
            };
            // A table's interior page holds no entries, and an index's one between every two children.
            let per_cell = if kind.is_table() { 1 } else { 2 };
            let last = if kind.is_leaf() { step.cells } else { step.cells * per_cell + 1 };
            if step.next >= last.min(step.end) {
                self.path.pop();
                continue;
            }
            if kind.is_leaf() {
                let Some(page) = pages.page(step.pgno) else { return Ok(Stand::Before(self.ahead(pages))) };
                let cell = step.next;
                step.next += 1;
                let page = BtreePage::parse(page, step.pgno, self.layout)?;
                let entry = Entry::read(&page, cell).and_then(|entry| entry.within(&mut step.room));
                let entry = entry.and_then(|entry| entry.between(&mut step.after, step.up_to));
                return Ok(Stand::On(entry));
            }
            if step.next % per_cell == per_cell - 1 && per_cell == 2 {
                break;
            }
            let child = step.next / per_cell;
            if self.given.front().is_some_and(|given| (given.step, given.first) == (self.path.len() - 1, child)) {
                return Ok(Stand::Given);
            }
            let below = self.descend(child)?;
            self.path.push(below);
        }
        // Between two children of an index there is an entry.
        let Some(step) = self.path.last_mut() else { return Ok(Stand::End) };
        let cell = step.next / 2;
        step.next += 1;
        let page = BtreePage::parse(&step.page, step.pgno, self.layout)?;
        Ok(Stand::On(Entry::read(&page, cell).and_then(|entry| entry.within(&mut step.room))))
    }

    /// The way to child `child` of the page it is on, which comes next.
    pub(super) fn descend(&mut self, child: usize) -> Result<Step> {
        // There is one: it stands on a page that has children.
        let Some(step) = self.path.last_mut() else { return Err(ErrorKind::Usage.into()) };
        step.next += 1;
        let pgno = step.pgno;
        let below = step.child(child, self.layout)?;
        let mut above = self.path.iter().map(|above| above.pgno).chain(self.above.iter().copied());
        if above.any(|above| above == below.pgno) {
            return Err(Error::at_page(ErrorKind::BtreeDepth, pgno.value()));
        }
        Ok(below)
    }

    /// The pages that it will need next and that are not in hand, in that order: as many as are worth a request.
    pub fn ahead(&self, pages: &Pages) -> Vec<Pgno> {
        let mut ahead = Ahead::new(pages, self.layout);
        if let Some(step) = self.path.last().filter(|step| step.kind.is_none_or(Kind::is_leaf)) {
            ahead.want(step.pgno);
        }
        if self.leaf_depth.is_none() {
            // What is below may be leaves or not.
            ahead.most = FEW;
        }
        for (depth, step) in self.path.iter().enumerate().rev() {
            if let Some(kind) = step.kind.filter(|kind| !kind.is_leaf())
                && let Ok(page) = BtreePage::parse(&step.page, step.pgno, self.layout)
            {
                let per_cell = if kind.is_table() { 1 } else { 2 };
                let height = self.leaf_depth.map_or(1, |leaf| leaf.saturating_sub(depth));
                let first = step.next.div_ceil(per_cell);
                let is_given = |child: usize| self.given.iter().any(|given| given.has(depth, child));
                let children = (first..=page.cell_count().min(step.end - 1)).filter(|&child| !is_given(child));
                if !ahead.children(&page, children, height) {
                    break;
                }
            }
        }
        ahead.wanted
    }
}

impl Step {
    pub(super) fn to(pgno: Pgno, after: Option<i64>, up_to: i64) -> Self {
        let (page, end) = (Vec::new(), usize::MAX);
        Self { pgno, kind: None, page, next: 0, skip: 0, end, cells: 0, room: 0, after, up_to }
    }

    /// The way to child `index`.
    fn child(&mut self, index: usize, layout: Layout) -> Result<Self> {
        let page = BtreePage::parse(&self.page, self.pgno, layout)?;
        let child = page.child(index)?;
        if index == page.cell_count() || !page.kind().is_table() {
            return Ok(Self::to(child, self.after, self.up_to));
        }
        let Cell::TableInterior { key, .. } = page.cell(index)? else { return Err(damaged(self.pgno)) };
        if self.after.is_some_and(|after| key <= after) || key > self.up_to {
            return Err(damaged(self.pgno));
        }
        Ok(Self::to(child, self.after.replace(key), key))
    }

    fn enter(&mut self, page: &[u8], layout: Layout, depth: usize, is_table: Option<bool>) -> Result<()> {
        let parsed = BtreePage::parse(page, self.pgno, layout)?;
        let kind = parsed.kind();
        if is_table.is_some_and(|is_table| is_table != kind.is_table()) {
            return Err(damaged(self.pgno));
        }
        if !kind.is_leaf() {
            if depth >= MAX_DEPTH {
                return Err(Error::at_page(ErrorKind::BtreeDepth, self.pgno.value()));
            }
            self.page.extend_from_slice(page);
        }
        (self.kind, self.cells, self.room) = (Some(kind), parsed.cell_count(), layout.usable());
        for child in 0..mem::take(&mut self.skip) {
            if kind.is_table() {
                self.child(child, layout)?;
            }
            self.next += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

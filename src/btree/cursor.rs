//! Going through one b-tree in key order, over pages that are handed in when they are asked for.

use super::page::{BtreePage, Cell, Kind};
use super::pages::Pages;
use super::payload::Payload;
use super::{Layout, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// SQLite itself gives up at 20; a sound tree of this depth would need more pages than a database can have.
const MAX_DEPTH: usize = 40;

/// A position in a b-tree. It stands on an entry, or between pages until the next one is there.
///
/// Memory: a copy of each interior page on the way down, [`MAX_DEPTH`] at most.
#[derive(Clone, Debug)]
pub struct Cursor {
    layout: Layout,
    /// From the root to where it stands.
    path: Vec<Step>,
    /// Whether the tree is a table; known once its root has been seen.
    is_table: Option<bool>,
}

/// A page on the way.
#[derive(Clone, Debug)]
struct Step {
    pgno: Pgno,
    /// `None` until the page has been entered.
    kind: Option<Kind>,
    /// The interior page itself; leaves stay where they were read.
    page: Vec<u8>,
    /// The next cell to visit, or child, or, in an index, twice that and one more for the entry.
    next: usize,
    cells: usize,
}

/// Where a cursor stands.
#[derive(Debug)]
pub enum Stand<'p> {
    /// On entries: those from cell `next` on of a page. In an interior page of an index it is one alone.
    On {
        /// The page.
        page: BtreePage<'p>,
        /// The cell.
        cell: usize,
        /// One more than the last cell that can be read without asking again.
        end: usize,
    },
    /// Before this page, which has to be handed in.
    Before(Pgno),
    /// Behind the last entry.
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
}

impl Cursor {
    /// Before the first entry of the b-tree with this root.
    pub fn new(root: Pgno, layout: Layout) -> Self {
        let mut cursor = Self { layout, path: Vec::new(), is_table: None };
        cursor.path.push(Step::to(root));
        cursor
    }

    /// Where it stands, or what it needs to get there. `visit` is called once for each page that it enters, and may
    /// refuse.
    ///
    /// # Errors
    /// `BtreePage` or `BtreeDepth`, naming a page, which is left out with all below it if the cursor is asked again;
    /// and what `visit` says.
    pub fn stand<'p>(&'p mut self, pages: &'p Pages, mut visit: impl FnMut(Pgno) -> Result<()>) -> Result<Stand<'p>> {
        loop {
            let depth = self.path.len();
            let Some(step) = self.path.last_mut() else { return Ok(Stand::End) };
            let Some(kind) = step.kind else {
                let Some(page) = pages.page(step.pgno) else { return Ok(Stand::Before(step.pgno)) };
                if let Err(error) = visit(step.pgno).and_then(|()| step.enter(page, self.layout, depth, self.is_table))
                {
                    self.path.pop();
                    return Err(error);
                }
                self.is_table = step.kind.map(Kind::is_table);
                continue;
            };
            // A table's interior page holds no entries, and an index's one between every two children.
            let per_cell = if kind.is_table() { 1 } else { 2 };
            let last = if kind.is_leaf() { step.cells } else { step.cells * per_cell + 1 };
            if step.next >= last {
                self.path.pop();
                continue;
            }
            if kind.is_leaf() {
                let (pgno, cell, end) = (step.pgno, step.next, step.cells);
                let Some(page) = pages.page(pgno) else { return Ok(Stand::Before(pgno)) };
                return Ok(Stand::On { page: BtreePage::parse(page, pgno, self.layout)?, cell, end });
            }
            if step.next % per_cell == per_cell - 1 && per_cell == 2 {
                break;
            }
            let child = step.next / per_cell;
            step.next += 1;
            let page = BtreePage::parse(&step.page, step.pgno, self.layout)?;
            let child = page.child(child)?;
            self.path.push(Step::to(child));
        }
        let Some(step) = self.path.last() else { return Ok(Stand::End) };
        let cell = step.next / 2;
        let page = BtreePage::parse(&step.page, step.pgno, self.layout)?;
        Ok(Stand::On { page, cell, end: cell + 1 })
    }

    /// Goes on by `entries`, no more than [`Stand::On`] offered.
    pub fn advance(&mut self, entries: usize) {
        if let Some(step) = self.path.last_mut() {
            step.next += entries;
        }
    }

    /// Up to `most` pages that it will need after the one it stands before, in the order in which it will.
    pub fn ahead(&self, most: usize) -> impl Iterator<Item = Pgno> {
        let parents = self.path.iter().rev().filter(|step| step.kind.is_some_and(|kind| !kind.is_leaf()));
        let layout = self.layout;
        let children = parents.take(1).flat_map(move |step| {
            let per_cell = if step.kind.is_some_and(Kind::is_table) { 1 } else { 2 };
            let page = BtreePage::parse(&step.page, step.pgno, layout).ok();
            let next = step.next.div_ceil(per_cell);
            (next..=step.cells).map_while(move |index| page.as_ref()?.child(index).ok())
        });
        children.take(most)
    }
}

impl Step {
    fn to(pgno: Pgno) -> Self {
        Self { pgno, kind: None, page: Vec::new(), next: 0, cells: 0 }
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
        (self.kind, self.cells) = (Some(kind), parsed.cell_count());
        Ok(())
    }
}

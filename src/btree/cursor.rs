//! Going through one b-tree in key order, over pages that are handed in when they are asked for.

use super::ahead::Ahead;
use super::page::{BtreePage, Cell, Kind};
use super::pages::Pages;
use super::payload::Payload;
use super::{Layout, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// SQLite itself gives up at 20; a sound tree of this depth would need more pages than a database can have.
const MAX_DEPTH: usize = 40;

/// How many pages are read ahead that may turn out to have pages below them.
const FEW: usize = 16;

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
    /// How many pages are above a leaf; known once one has been seen.
    leaf_depth: Option<usize>,
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
    /// On an entry; asked again it stands behind it, whatever is wrong with it.
    On(Result<Entry<'p>>),
    /// Before the first of these pages, which has to be handed in; the others it will need after that.
    Before(Vec<Pgno>),
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
        let mut cursor = Self { layout, path: Vec::new(), is_table: None, leaf_depth: None };
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
                let Some(page) = pages.page(step.pgno) else { return Ok(Stand::Before(self.ahead(pages))) };
                if let Err(error) = visit(step.pgno).and_then(|()| step.enter(page, self.layout, depth, self.is_table))
                {
                    self.path.pop();
                    return Err(error);
                }
                self.is_table = step.kind.map(Kind::is_table);
                if step.kind.is_some_and(Kind::is_leaf) {
                    self.leaf_depth = Some(depth - 1);
                }
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
                let Some(page) = pages.page(step.pgno) else { return Ok(Stand::Before(self.ahead(pages))) };
                let cell = step.next;
                step.next += 1;
                let page = BtreePage::parse(page, step.pgno, self.layout)?;
                return Ok(Stand::On(Entry::read(&page, cell)));
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
        // Between two children of an index there is an entry.
        let Some(step) = self.path.last_mut() else { return Ok(Stand::End) };
        let cell = step.next / 2;
        step.next += 1;
        let page = BtreePage::parse(&step.page, step.pgno, self.layout)?;
        Ok(Stand::On(Entry::read(&page, cell)))
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
                if !ahead.children(&page, step.next.div_ceil(per_cell), height) {
                    break;
                }
            }
        }
        ahead.wanted
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

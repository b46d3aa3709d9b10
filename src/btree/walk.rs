//! Visiting every page of a b-tree, without the pages.

use super::layout::{Layout, damaged};
use super::page::BtreePage;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// SQLite itself gives up at 20; a sound tree of this depth would need more pages than a database can have.
const MAX_DEPTH: u8 = 40;

/// Visits the pages of one b-tree after the other, parents first and children in key order.
///
/// Memory: the children still to visit of at most [`MAX_DEPTH`] pages, 4 MiB at the very worst.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// Pages to visit with their depth, the next one last.
    pending: Vec<(Pgno, u8)>,
    /// Depth of the page visited last; the root's is 1.
    depth: u8,
    /// Whether the tree is a table or an index; known once its root has been seen.
    is_table: Option<bool>,
    /// Pages that may still be visited, in all trees together.
    budget: u64,
}

impl Walk {
    /// In a sound database every page is visited once at most. Twice that leaves room for trees that share pages
    /// by mistake, and no room for trees that refer to themselves.
    pub(super) fn new(layout: Layout) -> Self {
        Self { pending: Vec::new(), depth: 0, is_table: None, budget: u64::from(layout.page_count()) * 2 }
    }

    /// Goes on with another b-tree, when [`Walk::next_page`] is at the end of the one before.
    pub(super) fn start(&mut self, root: Pgno) {
        self.pending.clear();
        self.pending.push((root, 1));
        self.is_table = None;
    }

    /// Leaves the rest of the b-tree out.
    pub(super) fn stop(&mut self) {
        self.pending.clear();
    }

    /// Whether no more pages may be visited: some b-tree has led in circles.
    pub(super) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// The page to [`Walk::enter`] next; `None` at the end of the b-tree.
    pub(super) fn next_page(&mut self) -> Result<Option<Pgno>> {
        let Some((pgno, depth)) = self.pending.pop() else { return Ok(None) };
        self.spend(pgno)?;
        self.depth = depth;
        Ok(Some(pgno))
    }

    /// Counts a visit of `pgno`, for pages that are no b-tree's too.
    pub(super) fn spend(&mut self, pgno: Pgno) -> Result<()> {
        self.budget = self.budget.checked_sub(1).ok_or(Error::at_page(ErrorKind::BtreeDepth, pgno.value()))?;
        Ok(())
    }

    /// Takes note of the children of the page last asked for.
    pub(super) fn enter(&mut self, page: &BtreePage<'_>) -> Result<()> {
        let is_table = page.kind().is_table();
        if *self.is_table.get_or_insert(is_table) != is_table {
            return Err(damaged(page.pgno()));
        }
        if page.kind().is_leaf() {
            return Ok(());
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::at_page(ErrorKind::BtreeDepth, page.pgno().value()));
        }
        for child in page.children().rev() {
            self.pending.push((child?, self.depth + 1));
        }
        Ok(())
    }
}

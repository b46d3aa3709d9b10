//! The pages of one b-tree that have rows, in the order of their keys.

use core::ops::RangeInclusive;

use super::heads::{Head, PageSet};
use super::view::{Side, Stop, View};
use crate::btree::{BtreePage, Cell, Kind};
use crate::page::Pgno;
use crate::page::order::ascending;

/// A sound tree of this depth would need more pages than a database can have.
const MAX_DEPTH: u8 = 40;
/// How many pages are asked for at once.
const AHEAD: usize = 64;

/// A page with rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) pgno: Pgno,
    /// How many rows it has; `None` until it was read.
    pub(super) cells: Option<u16>,
}

/// A page to visit.
struct Visit {
    pgno: Pgno,
    depth: u8,
    /// Those that it may have, where it is a table's.
    rowids: RangeInclusive<i64>,
}

/// Subtrees of a table that are the same on both sides, and are not gone through.
struct LeftOut {
    /// Their first pages. The tree of [`Side::Now`] puts them in, that of [`Side::Then`] takes them out.
    pages: PageSet,
    count: u32,
}

/// Goes through a tree. Leaves are not read: all of them lie equally deep, and those that are the same are known.
pub(super) struct Tree {
    side: Side,
    root: Option<Pgno>,
    /// The next one last.
    pending: Vec<Visit>,
    leaf_depth: Option<u8>,
    is_table: Option<bool>,
    is_damaged: bool,
    /// How many may still be visited: one that leads in circles ends.
    budget: u32,
    leaves: Vec<Leaf>,
    /// Nothing where all is gone through.
    left_out: Option<LeftOut>,
}

impl Tree {
    /// All of a tree.
    pub(super) fn new(view: &View, side: Side, root: Option<Pgno>) -> Self {
        let first = root.map(|pgno| Visit { pgno, depth: 1, rowids: i64::MIN..=i64::MAX });
        let (pending, budget) = (first.into_iter().collect(), view.layout(side).page_count());
        let (is_damaged, leaves) = (false, Vec::new());
        Self { side, root, pending, leaf_depth: None, is_table: None, is_damaged, budget, leaves, left_out: None }
    }

    /// A tree as it is now, without the subtrees that cannot have a page that differs, where that is known.
    pub(super) fn sought(view: &View, root: Option<Pgno>) -> Self {
        let pages = || PageSet::none(view.layout(Side::Now).page_count());
        let left_out = view.sought().map(|_| LeftOut { pages: pages(), count: 0 });
        Self { left_out, ..Self::new(view, Side::Now, root) }
    }

    /// The same tree as it was then, without the subtrees that this one has left out.
    pub(super) fn beside(&mut self, view: &View, root: Option<Pgno>) -> Self {
        let left_out =
            self.left_out.as_mut().map(|of_now| LeftOut { pages: core::mem::take(&mut of_now.pages), count: 0 });
        Self { left_out, ..Self::new(view, Side::Then, root) }
    }

    /// Whether both have left the same out.
    pub(super) fn matches(&self, then: &Self) -> bool {
        let count = |tree: &Self| tree.left_out.as_ref().map(|left_out| left_out.count);
        count(self) == count(then)
    }

    /// Goes to the end. What is damaged is taken for a leaf without rows that can be counted.
    pub(super) fn go(&mut self, view: &mut View) -> Result<(), Stop> {
        while let Some(&Visit { pgno, depth, ref rowids }) = self.pending.last() {
            let rowids = rowids.clone();
            let layout = view.layout(self.side);
            if self.budget == 0 || depth > MAX_DEPTH || layout.pointer(pgno.value(), pgno).is_err() {
                self.is_damaged = true;
                self.pending.pop();
                continue;
            }
            let head = view.head(self.side, pgno);
            let is_leaf = head.map_or(self.leaf_depth == Some(depth), |head| head.is_leaf() || head.is_other());
            if is_leaf {
                self.pending.pop();
                self.leaf(pgno, depth, head);
            } else {
                let Some(page) = view.page(self.side, pgno) else {
                    let others = self.pending.iter().rev().skip(1).take(AHEAD);
                    let wanted = others.filter(|visit| self.is_above(view, visit)).map(|visit| visit.pgno);
                    return Err(view.need(self.side, pgno, wanted.collect::<Vec<_>>()));
                };
                self.pending.pop();
                match BtreePage::parse(page, pgno, layout) {
                    Ok(page) if page.kind().is_leaf() => {
                        let (head, _) = Head::of(view.page(self.side, pgno).unwrap_or_default(), pgno, layout);
                        self.leaf(pgno, depth, Some(head));
                    }
                    Ok(page) => self.enter(view, &page, depth, &rowids),
                    Err(_) => self.leaf(pgno, depth, Some(Head::OTHER)),
                }
            }
            self.budget -= 1;
            if self.side == Side::Now {
                view.claim(pgno.value());
            }
        }
        Ok(())
    }

    /// Whether a page is known to have to be read on the way: one above the leaves.
    fn is_above(&self, view: &View, visit: &Visit) -> bool {
        match view.head(self.side, visit.pgno) {
            Some(head) => !head.is_leaf() && !head.is_other(),
            None => self.leaf_depth.is_some_and(|leaves| leaves != visit.depth),
        }
    }

    fn leaf(&mut self, pgno: Pgno, depth: u8, head: Option<Head>) {
        match head {
            Some(head) if !head.is_other() => {
                self.check_kind(head.is_table());
                self.leaf_depth = Some(depth);
            }
            Some(_) => self.is_damaged = true,
            None => {}
        }
        self.leaves.push(Leaf { pgno, cells: head.filter(|head| !head.is_other()).map(Head::cells) });
    }

    fn enter(&mut self, view: &View, page: &BtreePage<'_>, depth: u8, rowids: &RangeInclusive<i64>) {
        self.check_kind(page.kind().is_table());
        if page.kind() == Kind::IndexInterior {
            self.leaves.push(Leaf { pgno: page.pgno(), cells: Some(page.cell_count() as u16) });
        }
        let (begun, mut first) = (self.pending.len(), *rowids.start());
        for (at, child) in page.children().enumerate() {
            let last = match page.cell(at) {
                Ok(Cell::TableInterior { key, .. }) => key,
                _ => *rowids.end(),
            };
            let rowids = first..=last;
            first = last.saturating_add(1);
            match child {
                Ok(pgno) if page.kind().is_table() && self.leaves_out(view, pgno, &rowids) => {}
                Ok(pgno) => self.pending.push(Visit { pgno, depth: depth + 1, rowids }),
                Err(_) => self.is_damaged = true,
            }
        }
        self.pending[begun..].reverse();
    }

    /// Whether a subtree is the same on both sides, by all that is known. If it is not, a page that differs stays unclaimed.
    fn leaves_out(&mut self, view: &View, first: Pgno, rowids: &RangeInclusive<i64>) -> bool {
        let (Some(left_out), pgno) = (&mut self.left_out, first.value()) else { return false };
        let is_left_out = match self.side {
            Side::Now => {
                let differs = || view.sought().is_none_or(|sought| sought.is_among(rowids));
                view.is_same(pgno) && !left_out.pages.has(pgno) && !differs()
            }
            Side::Then => left_out.pages.remove(pgno),
        };
        if is_left_out {
            left_out.count += 1;
            if self.side == Side::Now {
                left_out.pages.add(pgno);
            }
        }
        is_left_out
    }

    fn check_kind(&mut self, is_table: bool) {
        self.is_damaged |= *self.is_table.get_or_insert(is_table) != is_table;
    }

    pub(super) fn root(&self) -> Option<Pgno> {
        self.root
    }

    pub(super) fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// Whether rows have rowids; so they have where it is not known.
    pub(super) fn is_table(&self) -> bool {
        self.is_table != Some(false)
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// How many rows there are, if that is known of every page.
    pub(super) fn rows(&self) -> Option<u64> {
        let is_whole = self.has_root() && !self.is_damaged && self.left_out.as_ref().is_none_or(|out| out.count == 0);
        is_whole.then(|| sum(&self.leaves)).flatten()
    }

    /// The pages with rows.
    pub(super) fn entries(&self) -> &[Leaf] {
        &self.leaves
    }

    pub(super) fn into_entries(self) -> Vec<Leaf> {
        self.leaves
    }

    /// Their numbers, ascending.
    pub(super) fn members(&self) -> Vec<u32> {
        ascending(self.leaves.iter().map(|leaf| leaf.pgno.value()))
    }
}

/// How many rows are on all of them.
pub(super) fn sum(leaves: &[Leaf]) -> Option<u64> {
    leaves.iter().map(|leaf| leaf.cells.map(u64::from)).sum()
}

/// The leaves of either that the other does not have.
pub(super) fn only_in_one(view: &View, now: Tree, then: Tree) -> (Vec<Leaf>, Vec<Leaf>) {
    let (in_now, in_then) = (now.members(), then.members());
    let has = |members: &[u32], pgno: u32| members.binary_search(&pgno).is_ok();
    let is_common = |leaf: &Leaf| {
        let pgno = leaf.pgno.value();
        view.is_same(pgno) && has(&in_now, pgno) && has(&in_then, pgno)
    };
    let left = now.into_entries().into_iter().filter(|leaf| !is_common(leaf)).collect();
    (left, then.into_entries().into_iter().filter(|leaf| !is_common(leaf)).collect())
}

/// The leaves that both have, with rows that go on in overflow pages.
pub(super) fn common_with_chains(view: &View, now: &Tree, then: &Tree) -> Vec<Leaf> {
    let in_then = then.members();
    let leaves = now.entries().iter().filter(|leaf| {
        let pgno = leaf.pgno.value();
        view.is_same(pgno) && view.is_long(pgno) && in_then.binary_search(&pgno).is_ok()
    });
    leaves.copied().collect()
}

/// Whether both have the same pages, none of which differs.
pub(super) fn are_equal(view: &View, now: &Tree, then: &Tree) -> bool {
    let numbers = |tree: &Tree| tree.entries().iter().map(|leaf| leaf.pgno).collect::<Vec<_>>();
    numbers(now) == numbers(then) && now.entries().iter().all(|leaf| view.is_same(leaf.pgno.value()))
}

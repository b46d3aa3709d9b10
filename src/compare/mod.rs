//! What a restore would do to the tables of a database: which vanish, come back, change or stay, and by how many rows.
//!
//! [`Comparison::digest`] takes the pages of the database as it is now together with what is known of the backup's;
//! which pages differ comes of that. Then [`Comparison::poll`] asks for pages of either side, [`Comparison::feed`]
//! takes them, until there is nothing left to ask. Only pages above leaves are read, and of the leaves those that
//! differ: two trees that have a leaf of the same number and content have the same rows on it. Where the numbers of the
//! pages that differ were [told](Comparison::tell), these are read first, and of tables only what leads to them.
//!
//! Memory: some three bytes a page of the database as it is now, eight for each leaf of the table at hand, and what
//! [`Pages`](crate::btree::Pages) keeps.

mod change;
mod heads;
mod objects;
mod rows;
mod seek;
mod tree;
mod view;

use crate::btree::PageRange;
use crate::error::{Error, Result};
use crate::page::{DatabaseHeader, Pgno};
use crate::snapshot::PageState;
use change::pair;
pub use change::{Change, RowChanges, TableChange};
use objects::{Object, SchemaReader};
use rows::RowDiff;
use tree::{Leaf, Tree};
pub use view::Side;
use view::{Stop, View};

/// The step machine; see the [module](self).
pub struct Comparison {
    view: View,
    /// How many bytes of leaves and overflow pages may still be read.
    budget: u64,
    /// How many bytes of long values may still be read.
    chain_budget: u64,
    objects: [Vec<Object>; 2],
    /// Places in `objects` of the tables, by the now-side's order and then the other's.
    tables: Vec<[Option<usize>; 2]>,
    results: Vec<TableChange>,
    phase: Phase,
    /// Whose schema is read, or was read last.
    side: Side,
}

enum Phase {
    Schema(Side, SchemaReader),
    /// Finds out where the pages lie that differ.
    Seek,
    /// Goes through the trees of table `at`, now's first; `chains` when it is for long values.
    Trees {
        at: usize,
        now: Tree,
        then: Option<Tree>,
        chains: bool,
    },
    Rows {
        at: usize,
        diff: RowDiff,
    },
    /// Counts the rows on leaves whose heads are not known.
    Heads {
        at: usize,
        leaves: Vec<Leaf>,
        next: usize,
    },
    /// Long values on leaves that are the same.
    Chains {
        at: usize,
        diff: RowDiff,
    },
    /// Claims what tables do not have: the trees of indexes and of SQLite's own tables.
    Others {
        at: usize,
        tree: Option<Tree>,
    },
    Freelist {
        trunk: u32,
        left: u32,
    },
    Done,
    Failed(Error),
}

impl Comparison {
    /// A comparison of databases with these headers and sizes in pages; one that does not exist has no pages. About `budget` bytes of
    /// leaves are read to compare rows one by one.
    pub fn new(now: (&DatabaseHeader, u32), then: (&DatabaseHeader, u32), budget: u64) -> Self {
        let view = View::new(now, then);
        let phase = Phase::Schema(Side::Now, SchemaReader::new(&view, Side::Now));
        let (objects, tables, results) = (Default::default(), Vec::new(), Vec::new());
        Self { view, budget, chain_budget: budget, objects, tables, results, phase, side: Side::Now }
    }

    /// Whether the pages of both can be the same: else what is known of the backup's pages is of no use.
    pub fn shares_pages(&self) -> bool {
        self.view.shares_pages()
    }

    /// Takes whole pages of the database as it is now, from `first` on, and the states of the backup's pages.
    ///
    /// # Errors
    /// `Usage`.
    pub fn digest(&mut self, first: Pgno, pages: &[u8], then: &[Option<PageState>]) -> Result<()> {
        self.view.digest(first, pages, |at, page| then.get(at).copied().flatten().is_some_and(|s| s.is_of(page)))
    }

    /// As [`Comparison::digest`], with the backup's pages themselves.
    ///
    /// # Errors
    /// `Usage`.
    pub fn digest_pages(&mut self, first: Pgno, pages: &[u8], then: &[u8]) -> Result<()> {
        let size = self.view.layout(Side::Now).page_size();
        self.view.digest(first, pages, |at, page| then.get(at * size..(at + 1) * size) == Some(page))
    }

    /// In place of [`Comparison::digest`]: of the pages that both have, only these may differ (ascending, each once). No page
    /// has to be read for that, so that rows are counted only where they are read anyway.
    pub fn tell(&mut self, differing: &[u32]) {
        self.view.tell(differing);
    }

    /// The pages to hand in next; `None` when [`Comparison::tables`] has it all.
    ///
    /// # Errors
    /// The error of a schema that cannot be read.
    pub fn poll(&mut self) -> Result<Option<(Side, Vec<PageRange>)>> {
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(Stop::Need(side, ranges)) => return Ok(Some((side, ranges))),
                Err(Stop::Damage(error)) => {
                    self.phase = Phase::Failed(error);
                    return Err(error);
                }
            }
        }
    }

    /// Takes whole pages that were asked for.
    pub fn feed(&mut self, side: Side, first: Pgno, pages: Vec<u8>) {
        self.view.add(side, first, pages);
    }

    /// Whose schema is being read: an error of [`Comparison::poll`] is about that one.
    pub fn side(&self) -> Side {
        self.side
    }

    /// What becomes of each table: those that vanish first, then those that come back, change and stay.
    pub fn tables(&self) -> Vec<TableChange> {
        if !matches!(self.phase, Phase::Done) {
            return Vec::new();
        }
        let mut tables = self.results.clone();
        // A virtual table has its rows in tables of its own.
        let is_changed = |name: &str| {
            self.results.iter().any(|t| t.change != Change::Unchanged && objects::is_shadow(&t.name, name))
        };
        for table in tables.iter_mut().filter(|table| table.change == Change::Unchanged && table.rows.is_none()) {
            if is_changed(&table.name) {
                table.change = Change::Changed;
            }
        }
        let of = |change| tables.iter().filter(move |table| table.change == change).cloned();
        [Change::Vanish, Change::Come, Change::Changed, Change::Unchanged].into_iter().flat_map(of).collect()
    }

    /// What becomes of each view: of those only the definitions are compared.
    pub fn views(&self) -> Vec<TableChange> {
        let [now, then] = &self.objects;
        pair(now, then, Object::is_view).1
    }

    /// `false` at the end.
    fn step(&mut self) -> Result<bool, Stop> {
        match &mut self.phase {
            Phase::Schema(side, reader) => {
                let side = *side;
                let objects = reader.read(&mut self.view)?;
                self.objects[side as usize] = objects;
                self.side = Side::Then;
                self.phase = match side {
                    Side::Now => Phase::Schema(Side::Then, SchemaReader::new(&self.view, Side::Then)),
                    Side::Then => {
                        let [now, then] = &self.objects;
                        (self.tables, self.results) = pair(now, then, Object::is_users_table);
                        Phase::Seek
                    }
                };
            }
            Phase::Seek => {
                self.view.seek()?;
                self.phase = self.trees(0, false);
            }
            Phase::Trees { at, now, then, chains } => {
                now.go(&mut self.view)?;
                let (at, chains) = (*at, *chains);
                if then.is_none() {
                    let root = self.tables.get(at).and_then(|[_, then]| self.objects[1].get((*then)?)?.root);
                    *then = Some(now.beside(&self.view, root));
                }
                if let Some(tree) = then {
                    tree.go(&mut self.view)?;
                }
                let Phase::Trees { now, then: Some(then), .. } = core::mem::replace(&mut self.phase, Phase::Done)
                else {
                    return Ok(false);
                };
                self.phase = if !now.matches(&then) {
                    Phase::Trees { at, now: Tree::new(&self.view, Side::Now, now.root()), then: None, chains }
                } else if chains {
                    self.begin_chains(at, now, then)
                } else {
                    self.begin_rows(at, now, then)
                };
            }
            Phase::Rows { at, diff } => {
                let at = *at;
                let counted = match diff.go(&mut self.view, &mut self.budget) {
                    Err(Stop::Damage(_)) => None,
                    counted => counted?,
                };
                self.finish_rows(at, counted);
                self.phase = self.trees(at + 1, false);
            }
            Phase::Heads { at, leaves, next } => {
                while let Some(leaf) = leaves.get_mut(*next) {
                    if leaf.cells.is_none() {
                        let wanted = leaves[*next..].iter().filter(|leaf| leaf.cells.is_none()).map(|leaf| leaf.pgno);
                        let wanted: Vec<_> = wanted.take(64).collect();
                        let Some(leaf) = leaves.get_mut(*next) else { break };
                        if self.budget == 0 {
                            break;
                        }
                        let cells = self.view.cells(Side::Then, leaf.pgno, wanted, &mut self.budget)?;
                        leaf.cells = cells;
                    }
                    *next += 1;
                }
                let (at, rows) = (*at, tree::sum(leaves));
                self.results[at].rows_then = rows;
                self.phase = self.trees(at + 1, false);
            }
            Phase::Others { at, tree } => {
                if let Some(tree) = tree {
                    tree.go(&mut self.view)?;
                }
                let rest = self.objects[0].iter().enumerate().skip(*at);
                let next = rest.filter(|(_, object)| !object.is_users_table()).find_map(|(at, o)| Some((at, o.root?)));
                self.phase = match next {
                    // Nothing is left to claim: the trees of indexes need not be read.
                    _ if !self.view.has_unclaimed() => Phase::Done,
                    Some((at, root)) => {
                        Phase::Others { at: at + 1, tree: Some(Tree::new(&self.view, Side::Now, Some(root))) }
                    }
                    None => Phase::Freelist { trunk: 0, left: 0 },
                };
            }
            Phase::Freelist { trunk, left } => {
                let next = self.view.claim_trunk(*trunk, *left)?;
                self.phase = match next {
                    Some((trunk, left)) => Phase::Freelist { trunk, left },
                    // A page that differs was not where it should be, or is an overflow page: now all of every tree.
                    None if self.view.has_unclaimed() && self.view.stop_seeking() => {
                        let [now, then] = &self.objects;
                        (self.tables, self.results) = pair(now, then, Object::is_users_table);
                        self.trees(0, false)
                    }
                    None if self.view.has_unclaimed() => self.trees(0, true),
                    None => Phase::Done,
                };
            }
            Phase::Chains { at, diff } => {
                let at = *at;
                let counted = match diff.go(&mut self.view, &mut self.chain_budget) {
                    Err(Stop::Damage(_)) => None,
                    counted => counted?,
                };
                let table = &mut self.results[at];
                match counted {
                    Some(found) if found.updated == 0 => {}
                    found => {
                        table.change = Change::Changed;
                        table.rows = table
                            .rows
                            .zip(found)
                            .map(|(rows, found)| RowChanges { updated: rows.updated + found.updated, ..rows });
                    }
                }
                self.phase = self.trees(at + 1, true);
            }
            Phase::Done => return Ok(false),
            Phase::Failed(error) => return Err((*error).into()),
        }
        Ok(true)
    }

    /// Begins with table `at`, or with what comes after the tables.
    fn trees(&self, at: usize, chains: bool) -> Phase {
        match self.tables.get(at) {
            Some([now, then]) => {
                let root = now.and_then(|at| self.objects[0].get(at)?.root);
                let is_sought = !chains && now.is_some() && then.is_some();
                let tree =
                    if is_sought { Tree::sought(&self.view, root) } else { Tree::new(&self.view, Side::Now, root) };
                Phase::Trees { at, now: tree, then: None, chains }
            }
            None if chains => Phase::Done,
            // The schema's own tree first: its page 1 differs after every commit.
            None => Phase::Others { at: 0, tree: Some(Tree::new(&self.view, Side::Now, Some(Pgno::FIRST))) },
        }
    }

    fn begin_rows(&mut self, at: usize, now: Tree, then: Tree) -> Phase {
        let result = &mut self.results[at];
        let [is_now, is_then] = self.tables[at].map(|place| place.is_some());
        result.rows_now = if is_now { now.rows() } else { None };
        result.rows_then = if is_then { then.rows() } else { None };
        if !(is_now && is_then) {
            let leaves = then.into_entries();
            return if is_then && result.rows_then.is_none() && !leaves.is_empty() {
                Phase::Heads { at, leaves, next: 0 }
            } else {
                self.trees(at + 1, false)
            };
        }
        if !now.has_root() && !then.has_root() {
            // Both are virtual.
            return self.trees(at + 1, false);
        }
        if now.is_table() != then.is_table() || now.is_damaged() || then.is_damaged() {
            let is_same = now.is_damaged() && then.is_damaged() && tree::are_equal(&self.view, &now, &then);
            result.change = if is_same { result.change } else { Change::Changed };
            return self.trees(at + 1, false);
        }
        let is_table = now.is_table();
        let (left, right) = tree::only_in_one(&self.view, now, then);
        Phase::Rows { at, diff: RowDiff::new(is_table, left, right) }
    }

    fn finish_rows(&mut self, at: usize, counted: Option<RowChanges>) {
        let table = &mut self.results[at];
        table.rows = counted;
        if counted != Some(RowChanges::default()) {
            table.change = Change::Changed;
        }
        if let Some(RowChanges { back, gone, .. }) = counted {
            table.rows_then = table.rows_now.map(|rows| (rows + back).saturating_sub(gone));
        }
    }

    /// Compares the long values on leaves that are the same on both sides.
    fn begin_chains(&mut self, at: usize, now: Tree, then: Tree) -> Phase {
        let uncounted = self.results[at].change == Change::Changed && self.results[at].rows.is_none();
        if self.tables[at].contains(&None) || uncounted || now.is_damaged() || !now.has_root() {
            return self.trees(at + 1, true);
        }
        let is_table = now.is_table();
        let common = tree::common_with_chains(&self.view, &now, &then);
        if common.is_empty() {
            return self.trees(at + 1, true);
        }
        Phase::Chains { at, diff: RowDiff::of_common(is_table, common) }
    }
}

#[cfg(test)]
mod tests;

//! Whose rows a page has that nothing points to.
//!
//! Only a table from which something is missing can have lost a page: its rowids have to be among the missing ones, and its
//! rows like those of the table. Where that fits several, or none, the rows go into `lost_and_found`.

use core::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::form::{self, Form, Owner};
use crate::salvage::{LoosePage, Rowids};

/// How many are remembered; a table with more is taken for one without a single page.
const MOST: usize = 1 << 16;

/// How many tables are looked at, for all pages together.
const MOST_WORK: u64 = 200_000_000;

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    /// The table with this root.
    Table(u32),
    /// They are entries of an index, which is made anew.
    Index,
    Lost,
}

/// What is missing from each tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    /// Parts of trees by their root, in the order of the rowids.
    of: HashMap<u32, Vec<Gap>>,
    /// Trees that have lost single rows, or the ends of some.
    rows: HashSet<u32>,
    count: usize,
    /// Which tree pointed to a page that has no rows of it, as far as can be seen.
    hints: HashMap<u32, u32>,
    /// Whether part of the schema is missing, so that there can be unknown indexes.
    pub(super) is_schema_lost: bool,
    /// How many tables were looked at for all pages of this pass.
    work: Cell<u64>,
}

/// A page that is missing.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    pub(super) pgno: u32,
    pub(super) range: Rowids,
    /// How many of its rows were found elsewhere.
    pub(super) found: u64,
}

impl Gaps {
    pub(super) fn add(&mut self, root: u32, pgno: u32, range: Rowids, is_misplaced: bool) {
        if is_misplaced && self.hints.len() < MOST {
            self.hints.insert(pgno, root);
        }
        let gaps = self.of.entry(root).or_default();
        if self.count >= MOST {
            gaps.clear();
            gaps.push(Gap { pgno, range: Rowids::ALL, found: 0 });
            return;
        }
        self.count += 1;
        gaps.push(Gap { pgno, range, found: 0 });
    }

    /// Pages that were missing, and whose rows were found.
    pub(super) fn pages_found(&self, root: u32) -> Vec<u32> {
        self.of(root).iter().filter(|gap| gap.found > 0).map(|gap| gap.pgno).collect()
    }

    /// All of a tree may be missing.
    pub(super) fn add_all(&mut self, root: u32) {
        self.of.insert(root, vec![Gap { pgno: root, range: Rowids::ALL, found: 0 }]);
    }

    pub(super) fn of(&self, root: u32) -> &[Gap] {
        self.of.get(&root).map_or(&[], Vec::as_slice)
    }

    /// Whether nothing is missing.
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty() && self.rows.is_empty()
    }

    /// Whether something is missing from a tree.
    pub(super) fn has(&self, root: u32) -> bool {
        self.rows.contains(&root) || !self.of(root).is_empty()
    }

    /// Every page is placed once more.
    pub(super) fn begin_pass(&mut self) {
        self.work.set(0);
    }

    /// Rows of a tree are damaged or cut off.
    pub(super) fn add_rows(&mut self, root: u32) {
        if self.rows.len() < MOST {
            self.rows.insert(root);
        }
    }

    /// A row was found; whether it was missing.
    pub(super) fn found(&mut self, root: u32, rowid: Option<i64>) -> bool {
        let Some(gaps) = self.of.get_mut(&root) else { return false };
        let index = rowid.map_or(Some(0), |rowid| index_of(gaps, rowid));
        let gap = index.and_then(|index| gaps.get_mut(index));
        gap.map(|gap| gap.found += 1).is_some()
    }

    /// Whether a free page may have what is missing elsewhere.
    pub(super) fn may_have(&mut self, page: &LoosePage<'_>, owners: &[Owner]) -> bool {
        self.work.set(self.work.get() + owners.len() as u64);
        let is_missing =
            |owner: &Owner| self.rows.contains(&owner.root) || self.width(owner.root, page, true).is_some();
        let fits = |owner: &Owner| owner.form.as_ref().is_some_and(|form| form.likeness(page).is_some());
        self.work.get() <= MOST_WORK && owners.iter().any(|owner| !owner.is_index && is_missing(owner) && fits(owner))
    }

    /// `before` is where the rows of the page before it went, of the same tree. With `is_known` the schema is whole.
    pub(super) fn place_of(
        &mut self,
        page: &LoosePage<'_>,
        pgno: u32,
        before: Place,
        owners: &[Owner],
        is_known: bool,
    ) -> Place {
        if page.offsets().is_empty() {
            return Place::Nowhere;
        }
        let hint = self.hints.get(&pgno).copied();
        let mut best: Option<(Fit, u32)> = None;
        let mut is_clear = true;
        // What has thousands of damaged tables is none of SQLite's making.
        self.work.set(self.work.get() + owners.len() as u64);
        let owners = if self.work.get() > MOST_WORK { &[] } else { owners };
        for owner in owners.iter().filter(|owner| !owner.is_index) {
            let Some(form) = owner.form.as_ref() else { continue };
            let Some(width) = self.width(owner.root, page, false) else { continue };
            let Some(likeness) = form.likeness(page) else { continue };
            let is_next = before == Place::Table(owner.root) || hint == Some(owner.root);
            let fit = Fit { likeness, is_next, narrowness: u64::MAX - width };
            match &best {
                Some((other, _)) if *other == fit => is_clear = false,
                Some((other, _)) if *other > fit => {}
                _ => (best, is_clear) = (Some((fit, owner.root)), true),
            }
        }
        let tables = || owners.iter().filter(|owner| !owner.is_index);
        let alike = |owner: &&Owner| owner.form.as_ref().is_some_and(|form| form.likeness(page).is_some());
        if let Some((fit, root)) = best {
            let is_alone = page.kind().is_table() || !self.may_be_index(page, fit.likeness, owners);
            // What speaks more against it than for it may be of a table whose root is another page now.
            let is_better =
                |owner: &Owner| owner.form.as_ref().and_then(|form| form.likeness(page)) > Some(fit.likeness);
            let is_likely = fit.likeness >= 0 || !tables().any(is_better);
            return if is_clear && is_alone && is_likely { Place::Table(root) } else { Place::Lost };
        }
        if !page.kind().is_table() {
            let is_index = is_known && !tables().any(|owner| alike(&owner));
            return if is_index { Place::Index } else { Place::Lost };
        }
        // What pointed to it may be wrong about the rowids, where no other table has such rows.
        let mut alike = tables().filter(alike);
        match (alike.next(), alike.next(), hint) {
            (Some(owner), None, Some(root)) if owner.root == root => Place::Table(root),
            _ => Place::Lost,
        }
    }

    /// Whether a page that is so much like a table WITHOUT ROWID is as much like an index from which something is missing.
    fn may_be_index(&self, page: &LoosePage<'_>, likeness: i64, owners: &[Owner]) -> bool {
        let is_like = |form: &Form| form.likeness(page).is_some_and(|of_index| of_index >= likeness);
        let may_be = |owner: &Owner| owner.form.as_ref().is_none_or(is_like) && !self.of(owner.root).is_empty();
        self.is_schema_lost || owners.iter().any(|owner| owner.is_index && may_be(owner))
    }

    /// Whether a page was found to have no rows of the table with this root, which points to it.
    pub(super) fn is_misplaced(&self, pgno: u32, root: u32) -> bool {
        self.hints.get(&pgno) == Some(&root)
    }

    /// Whether the rows of a page are more like those that another table lacks than like `form`.
    pub(super) fn are_of_other<'o>(
        &self,
        page: &LoosePage<'_>,
        form: &Form,
        owner: impl Fn(u32) -> Option<&'o Owner>,
    ) -> bool {
        self.work.set(self.work.get() + self.of.len() as u64);
        if self.work.get() > MOST_WORK || !form::has_rows(page.kind()) || page.offsets().is_empty() {
            return false;
        }
        let own = form.likeness(page);
        let is_more = |owner: &Owner| owner.form.as_ref().and_then(|form| form.likeness(page)) > own;
        self.of.keys().any(|&root| {
            let is_missing = self.width(root, page, false).is_some();
            is_missing && owner(root).is_some_and(|owner| !owner.is_index && is_more(owner))
        })
    }

    /// How many rowids are missing where those of the page are; `None` when most of them are not among the missing ones.
    fn width(&self, root: u32, page: &LoosePage<'_>, is_free: bool) -> Option<u64> {
        let gaps = self.of.get(&root)?;
        if !page.kind().is_table() {
            return gaps.iter().any(|gap| !is_free || gap.found == 0).then_some(0);
        }
        let (mut inside, mut all, mut width) = (0, 0, 0);
        for rowid in page.cells().filter_map(|cell| cell.rowid) {
            all += 1;
            let gap = index_of(gaps, rowid).and_then(|index| gaps.get(index));
            if let Some(gap) = gap.filter(|gap| !is_free || gap.found == 0) {
                inside += 1;
                width = width.max(gap.width());
            }
        }
        (inside * 2 > all).then_some(width)
    }
}

/// How well a page fits a table: by its rows first of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    likeness: i64,
    is_next: bool,
    narrowness: u64,
}

impl Gap {
    /// How many rowids are missing.
    pub(super) fn width(&self) -> u64 {
        let after = self.range.after.map_or(i128::from(i64::MIN) - 1, i128::from);
        u64::try_from(i128::from(self.range.up_to) - after).unwrap_or(u64::MAX)
    }
}

/// The gap with this rowid.
fn index_of(gaps: &[Gap], rowid: i64) -> Option<usize> {
    let index = gaps.partition_point(|gap| gap.range.up_to < rowid);
    gaps.get(index).filter(|gap| gap.range.contains(rowid)).map(|_| index)
}

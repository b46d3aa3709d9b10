//! A dump of what is left of a damaged database: the rows of every tree as far as it goes, then those of the pages that
//! nothing points to, each in the table that it is of, or in `lost_and_found`.
//!
//! The file is gone through three times: for what each page is ([`Survey`]), for what there is to say of it, and to write.

mod form;
mod keeper;
mod lost_and_found;
mod orphans;
mod place;
mod plans;
mod report;

use core::mem;
use std::collections::{HashMap, HashSet};

use super::notes::Notes;
use super::options::{Dialect, Options};
use super::plan::Item;
use super::row_plan::RowPlan;
use super::schema::Schema;
use crate::btree::entries::Row;
use crate::btree::{Encoding, Layout, PageRange, Pages};
use crate::page::Pgno;
use crate::salvage::freelist::Freelist;
use crate::salvage::map::Mark;
use crate::salvage::marker::Marker;
use crate::salvage::orphans::Orphans;
use crate::salvage::survey::is_of_schema;
use crate::salvage::tree::Context;
use crate::salvage::{Rowids, Survey, Surveyed, Tree, TreeStep};

use crate::dump::keys::{Repeated, Seen};
use form::Form;
pub(super) use form::Owner;
use keeper::Keepers;
use lost_and_found::LostAndFound;
use place::{Gaps, Place};
use report::Report;

/// Pages with rows out of order beyond these are taken as they are.
const MOST_ASTRAY: usize = 1 << 18;

/// Which way rows come.
#[derive(Debug)]
pub(super) struct Salvage {
    layout: Layout,
    encoding: Encoding,
    dialect: Dialect,
    drops: bool,
    with_free: bool,
    is_filtered: bool,
    survey: Option<Survey>,
    found: Surveyed,
    /// Overflow pages that may still be read in this pass.
    budget: u64,
    /// Pages that were visited in all passes.
    visited: u64,
    /// Leaves of the schema that nothing points to.
    lost_schema: Vec<u32>,
    is_schema_whole: bool,
    owners: Vec<Owner>,
    /// Where each is among them, by its root.
    owner_of: HashMap<u32, usize>,
    /// Trees to mark, whose rows are not asked for.
    others: Vec<usize>,
    gaps: Gaps,
    report: Report,
    lost: LostAndFound,
    /// Tables of which rows that were found may be refused, by root.
    kept: HashSet<u32>,
    /// The keys of the tree, in the first pass.
    seen: Seen,
    keepers: Keepers,
    /// Pages with rows out of order: root, number, and the rowids that it should have.
    astray: Vec<(Pgno, Pgno, Rowids)>,
    /// How many such pages were passed in this pass.
    astray_passed: usize,
    stage: Stage,
    tree: Option<Tree>,
    /// The table of the tree, or where the rows of its page go.
    place: Place,
    /// The top of the tree, of those that nothing points to.
    top: u32,
    is_first_pass: bool,
    /// How rows of `place` are written.
    plan: Option<(Place, RowPlan)>,
}

#[derive(Debug)]
enum Stage {
    Trees,
    /// The next page with rows out of order.
    Astray(usize),
    Others(Marker),
    Free(Freelist),
    Claims(Orphans),
    Tops(Orphans),
    /// Free pages, which may still have what was lost elsewhere.
    FreePages(u32),
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Need(Vec<PageRange>),
    /// A row, see [`Salvage::row`].
    Row,
    End,
}

impl Salvage {
    pub(super) fn new(layout: Layout, encoding: Encoding, options: &Options) -> Self {
        Self {
            layout,
            encoding,
            dialect: options.dialect,
            drops: options.drop,
            with_free: options.free_pages,
            is_filtered: !options.tables.is_empty(),
            survey: Some(Survey::new(layout, encoding)),
            found: Surveyed::default(),
            budget: 0,
            visited: 0,
            lost_schema: Vec::new(),
            is_schema_whole: true,
            owners: Vec::new(),
            owner_of: HashMap::new(),
            others: Vec::new(),
            gaps: Gaps::default(),
            report: Report::default(),
            lost: LostAndFound::default(),
            kept: HashSet::new(),
            seen: Seen::default(),
            keepers: Keepers::default(),
            astray: Vec::new(),
            astray_passed: 0,
            stage: Stage::Trees,
            tree: None,
            place: Place::Nowhere,
            top: 0,
            is_first_pass: true,
            plan: None,
        }
    }

    /// Looks at every page; nothing when that is done.
    pub(super) fn survey(&mut self, pages: &Pages) -> Option<Vec<PageRange>> {
        if let Some(range) = self.survey.as_mut()?.step(pages) {
            return Some(vec![range]);
        }
        self.found = self.survey.take().map(Survey::into_found).unwrap_or_default();
        self.begin_pass();
        self.lost_schema = self.found.schema.clone();
        self.is_schema_whole = self.found.first.is_some();
        self.tree = self.found.first.map(|first| Tree::new(first, Some(true), Some(first)));
        None
    }

    /// Pages visited so far, in all passes.
    pub(super) fn visited(&self) -> u64 {
        self.visited + self.survey.as_ref().map_or(0, |survey| u64::from(survey.done()))
    }

    /// Rows of the schema: of its tree, and when that is broken of leaves that look like parts of it.
    pub(super) fn next_of_schema(&mut self, pages: &Pages, notes: &mut Notes) -> Step {
        loop {
            let Some(tree) = &mut self.tree else {
                let next = if self.is_schema_whole { None } else { self.lost_schema.pop() };
                let Some(pgno) = next.and_then(Pgno::new) else { return Step::End };
                if !self.found.map.has(pgno.value(), Mark::Visited) {
                    self.tree = Some(Tree::new(pgno, Some(true), self.found.first));
                }
                continue;
            };
            let mut context = Context {
                layout: self.layout,
                map: &mut self.found.map,
                first: self.found.first,
                budget: &mut self.budget,
                without_free: false,
                without_astray: false,
                fits: &|pgno, page| {
                    let is_first = self.found.first.is_some_and(|first| first.value() == pgno);
                    is_first || !page.kind().is_leaf() || is_of_schema(page, self.encoding)
                },
            };
            match tree.next(pages, &mut context) {
                TreeStep::Need(ranges) => return Step::Need(ranges),
                TreeStep::Row { is_cut: false } => return Step::Row,
                TreeStep::Opened { damaged: 0, .. } => {}
                TreeStep::Opened { pgno, damaged, .. } => {
                    notes.say(format!("the schema: {damaged} cells of page {} are damaged", pgno.value()));
                }
                TreeStep::Row { .. } | TreeStep::LostRow(_) => {
                    notes.say("the schema: a row of it is damaged, and what it names is left out".to_owned());
                }
                TreeStep::LostPage { pgno, .. } => {
                    self.is_schema_whole = false;
                    notes.say(format!("the schema: page {pgno} is damaged, and what it held is left out"));
                }
                TreeStep::End => self.tree = None,
            }
        }
    }

    /// The schema is known: where rows can belong, and what of the plan comes from which tree.
    pub(super) fn set_schema(&mut self, owners: Vec<Owner>, schema: &Schema, items: &mut Vec<Item>, notes: &mut Notes) {
        if self.found.first.is_none() {
            notes.say("page 1 is damaged: what it held of the schema is left out".to_owned());
        }
        let map = &mut self.found.map;
        for pgno in 1..=map.page_count() {
            if map.has(pgno, Mark::Visited) {
                map.set(pgno, Mark::Other);
            }
        }
        self.owners = owners;
        let owners = &self.owners;
        let written: HashSet<u32> =
            items.iter().filter_map(|item| plan_of(item).map(|plan| plan.root.value())).collect();
        self.others = (0..owners.len())
            .filter(|&index| owners.get(index).is_some_and(|owner| !written.contains(&owner.root)))
            .collect();
        self.owner_of = self.owners.iter().enumerate().map(|(index, owner)| (owner.root, index)).collect();
        let taken = |name: &str| schema.objects.iter().any(|object| object.name.eq_ignore_ascii_case(name));
        let names = core::iter::once("lost_and_found".to_owned())
            .chain((0u32..).map(|number| format!("lost_and_found_{number}")));
        self.lost.name = names.into_iter().find(|name| !taken(name)).unwrap_or_default();
        self.keepers = Keepers::new(schema);
        self.gaps.is_schema_lost = !self.is_schema_whole;
        // After the last rows, and before what is made when all rows are there.
        let drop_pieces = items.iter().position(|item| matches!(item, Item::DropPieces));
        let place = drop_pieces.or(items.iter().rposition(|item| plan_of(item).is_some()).map(|index| index + 1));
        items.insert(place.unwrap_or(items.len().saturating_sub(1)), Item::Orphans);
        self.begin_pass();
    }

    /// Before the first row of a pass over all tables.
    pub(super) fn begin_pass(&mut self) {
        self.visited += u64::from(self.found.map.page_count());
        self.budget = u64::from(self.found.map.page_count()) * 4;
        self.found.map.clear(Mark::Visited);
        self.gaps.begin_pass();
        self.astray_passed = 0;
        (self.stage, self.tree, self.plan) = (Stage::Trees, None, None);
    }

    /// All was read once: what is said of it is complete.
    pub(super) fn end_first_pass(&mut self, items: &mut Vec<Item>, notes: &mut Notes) {
        let repeated = self.owners.iter().filter(|owner| owner.repeated != Repeated::None);
        self.kept.extend(repeated.map(|owner| owner.root));
        for plan in items.iter().filter_map(plan_of).filter(|plan| self.kept.contains(&plan.root.value())) {
            if Keepers::takes(plan, self.dialect) {
                self.lost.make_room(keeper::fields(plan));
            } else if plan.opening.is_empty() {
                self.report.too_wide(plan.root.value());
            }
        }
        self.report.say(&self.gaps, &self.owners, &self.lost, notes);
        self.make_early(items);
        self.is_first_pass = false;
        self.begin_pass();
    }

    /// The row that it stands on.
    pub(super) fn row(&self) -> Option<Row<'_>> {
        self.tree.as_ref()?.row()
    }

    /// Rows of the table of `plan`, as far as its tree goes.
    pub(super) fn next_of_table(&mut self, plan: &RowPlan, pages: &Pages) -> Step {
        let root = plan.root.value();
        let owner = self.owner(root).filter(|owner| !owner.is_index).and_then(|_| self.owner_of.get(&root)).copied();
        let is_repeated = owner.and_then(|index| self.owners.get(index)).map(|owner| owner.repeated != Repeated::None);
        let is_kept = is_repeated == Some(true) && Keepers::takes(plan, self.dialect);
        self.place = if is_kept { Place::Table(root) } else { Place::Nowhere };
        loop {
            let first = self.found.first;
            let form = owner.and_then(|index| self.owners.get(index)).and_then(|owner| owner.form.as_ref());
            let is_table = form.map(|form| !form.without_rowid);
            let tree = self.tree.get_or_insert_with(|| Tree::new(plan.root, is_table, first));
            let mut context = Context {
                layout: self.layout,
                map: &mut self.found.map,
                first,
                budget: &mut self.budget,
                without_free: false,
                without_astray: self.astray_passed < MOST_ASTRAY,
                fits: &|pgno, page| {
                    // What others lack is known better in the second pass, which must say the same.
                    if self.gaps.is_misplaced(pgno, root) {
                        return false;
                    }
                    let owner = |root| self.owner_of.get(&root).and_then(|&index| self.owners.get(index));
                    if form.is_some_and(|form| self.is_first_pass && self.gaps.are_of_other(page, form, owner)) {
                        return false;
                    }
                    let is_like = |form: &Form| form.likeness(page).is_some();
                    let tables = || self.owners.iter().filter(|owner| !owner.is_index);
                    let is_of_other = || tables().filter_map(|owner| owner.form.as_ref()).any(is_like);
                    form.is_none_or(|form| {
                        !form::has_rows(page.kind())
                            || page.offsets().is_empty()
                            || is_like(form)
                            || form.has_room(page) && !is_of_other()
                    })
                },
            };
            let step = tree.next(pages, &mut context);
            let report = self.is_first_pass.then_some(&mut self.report);
            match step {
                TreeStep::Need(ranges) => return Step::Need(ranges),
                TreeStep::Row { is_cut } => {
                    if let Some(report) = report {
                        if is_cut {
                            self.gaps.add_rows(root);
                            report.cut(&plan.table);
                        }
                        let keys = owner.and_then(|index| self.owners.get(index)).map(|owner| &owner.keys);
                        if let (Some(keys), Some(row)) = (keys, tree.row()) {
                            let is_exact = !matches!(self.dialect, Dialect::Shell(_));
                            self.seen.add(keys, row, self.encoding, is_exact);
                        }
                    }
                    return Step::Row;
                }
                TreeStep::Opened { pgno, damaged, astray } => {
                    self.astray_passed += usize::from(astray.is_some());
                    if let Some(range) = astray.filter(|_| self.is_first_pass) {
                        self.astray.push((plan.root, pgno, range));
                        self.kept.insert(root);
                    }
                    if let Some(report) = report.filter(|_| damaged > 0) {
                        self.gaps.add_rows(root);
                        report.damaged(&plan.table, pgno.value(), damaged);
                    }
                }
                TreeStep::LostRow(pgno) => {
                    if let Some(report) = report {
                        self.gaps.add_rows(root);
                        report.damaged(&plan.table, pgno.value(), 1);
                    }
                }
                TreeStep::LostPage { pgno, range, is_misplaced } => {
                    if self.is_first_pass {
                        self.gaps.add(root, pgno, range, is_misplaced);
                    }
                }
                TreeStep::End => {
                    self.tree = None;
                    let owner = owner.and_then(|index| self.owners.get_mut(index)).filter(|_| self.is_first_pass);
                    if let Some(owner) = owner {
                        let repeated = mem::take(&mut self.seen).end(&owner.keys);
                        // An index that may refuse nothing is no reason to make a table of lost rows.
                        let is_likely = repeated != Repeated::ForIndex || self.gaps.has(root);
                        owner.repeated = if is_likely { repeated } else { Repeated::None };
                    }
                    return Step::End;
                }
            }
        }
    }

    /// Whether rows of a tree are under way.
    pub(super) fn has_begun(&self) -> bool {
        self.tree.is_some()
    }
}

pub(super) fn plan_of(item: &Item) -> Option<&RowPlan> {
    match item {
        Item::Rows(plan) => Some(plan),
        _ => None,
    }
}

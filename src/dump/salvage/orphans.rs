//! The steps over pages that nothing points to.

use core::mem;

use super::form::{self, Form};
use super::place::Place;
use super::{Owner, Salvage, Stage, Step};
use crate::btree::Pages;
use crate::page::Pgno;
use crate::salvage::freelist::Freelist;
use crate::salvage::map::Mark;
use crate::salvage::marker::Marker;
use crate::salvage::orphans::Orphans;
use crate::salvage::tree::Context;
use crate::salvage::{LoosePage, Tree, TreeStep};

impl Salvage {
    /// Rows of pages that nothing points to.
    pub(in crate::dump) fn next_orphan(&mut self, pages: &Pages) -> Step {
        loop {
            let map = &mut self.found.map;
            match &mut self.stage {
                Stage::Trees => self.stage = Stage::Astray(0),
                Stage::Astray(next) => {
                    if self.tree.is_some() {
                        if let Some(step) = self.next_astray(pages) {
                            return step;
                        }
                    } else if let Some(&(root, pgno, range)) = self.astray.get(*next) {
                        *next += 1;
                        self.place = Place::Table(root.value());
                        self.tree = Some(Tree::astray(root, pgno, range));
                    } else if self.is_first_pass {
                        self.stage = self.next_other();
                    } else {
                        self.stage = Stage::Tops(Orphans::new(true));
                    }
                }
                Stage::Others(marker) => {
                    let form = self.others.last().and_then(|&index| self.owners.get(index)?.form.as_ref());
                    let owner = |root| self.owner_of.get(&root).and_then(|&index| self.owners.get(index));
                    let is_keyed = |owner: &&Owner| owner.is_keyed();
                    let fits = |page: &LoosePage<'_>| {
                        let is_like = |form: &Form| form.likeness(page).is_some();
                        let is_row = || self.owners.iter().filter(is_keyed).filter_map(Owner::form).any(is_like);
                        form.is_none_or(|form| {
                            !self.gaps.are_of_other(page, form, owner) && (is_like(form) || !is_row())
                        })
                    };
                    if let Some(ranges) = marker.step(pages, self.layout, map, &fits) {
                        return Step::Need(ranges);
                    }
                    if let Some(owner) =
                        self.others.pop().and_then(|index| self.owners.get(index)).filter(|_| marker.is_broken())
                    {
                        self.gaps.add_all(owner.root);
                    }
                    self.stage = self.next_other();
                }
                Stage::Free(free) => {
                    if let Some(range) = free.step(pages, self.layout, map) {
                        return Step::Need(vec![range]);
                    }
                    self.stage = Stage::Claims(Orphans::new(false));
                }
                Stage::Claims(orphans) => {
                    if let Some(range) = orphans.claim(pages, self.layout, map) {
                        return Step::Need(vec![range]);
                    }
                    self.stage = Stage::Tops(Orphans::new(true));
                }
                Stage::Tops(tops) => {
                    if self.tree.is_none() {
                        match tops.next(map) {
                            Some(top) => self.begin_top(top),
                            None => self.stage = Stage::FreePages(1),
                        }
                    } else if let Some(step) = self.next_of_top(pages, true) {
                        return step;
                    }
                }
                Stage::FreePages(next) => {
                    if self.tree.is_some() {
                        if let Some(step) = self.next_of_top(pages, false) {
                            return step;
                        }
                        continue;
                    }
                    let is_free =
                        |pgno: &u32| map.kind(*pgno).is_some_and(form::has_rows) && map.has(*pgno, Mark::Free);
                    let is_new = |pgno: &u32| !map.has(*pgno, Mark::Visited) && !map.has(*pgno, Mark::Other);
                    let last = if self.gaps.is_empty() { 0 } else { map.page_count() };
                    let Some(page) = (*next..=last).find(|pgno| is_free(pgno) && is_new(pgno)) else {
                        return Step::End;
                    };
                    *next = page + 1;
                    self.begin_top(page);
                }
            }
        }
    }

    fn begin_top(&mut self, top: u32) {
        (self.top, self.place) = (top, Place::Nowhere);
        self.tree = Pgno::new(top).map(|top| Tree::new(top, None, None));
    }

    fn next_of_top(&mut self, pages: &Pages, without_free: bool) -> Option<Step> {
        let mut context = Context {
            layout: self.layout,
            map: &mut self.found.map,
            first: None,
            budget: &mut self.budget,
            without_free,
            without_astray: false,
            fits: &|_, _| true,
        };
        match self.tree.as_mut()?.next(pages, &mut context) {
            TreeStep::Need(ranges) => return Some(Step::Need(ranges)),
            TreeStep::End => self.tree = None,
            TreeStep::Opened { pgno, damaged, .. } => self.open(pgno, damaged),
            TreeStep::Row { is_cut } if self.count(is_cut) => return Some(Step::Row),
            TreeStep::Row { .. } | TreeStep::LostRow(_) | TreeStep::LostPage { .. } => {}
        }
        None
    }

    /// Rows of a tree that are out of order: they come behind those whose rowids are right.
    fn next_astray(&mut self, pages: &Pages) -> Option<Step> {
        let mut context = Context {
            layout: self.layout,
            map: &mut self.found.map,
            first: None,
            budget: &mut self.budget,
            without_free: false,
            without_astray: false,
            fits: &|_, _| true,
        };
        match self.tree.as_mut()?.next(pages, &mut context) {
            TreeStep::Need(ranges) => return Some(Step::Need(ranges)),
            TreeStep::End => self.tree = None,
            TreeStep::Row { .. } => {
                if self.is_first_pass
                    && let Place::Table(root) = self.place
                {
                    self.report.astray(root);
                }
                return Some(Step::Row);
            }
            TreeStep::Opened { .. } | TreeStep::LostRow(_) | TreeStep::LostPage { .. } => {}
        }
        None
    }

    pub(super) fn owner(&self, root: u32) -> Option<&Owner> {
        self.owner_of.get(&root).and_then(|&index| self.owners.get(index))
    }

    fn next_other(&mut self) -> Stage {
        if let Some(owner) = self.others.last().and_then(|&index| self.owners.get(index)) {
            let is_table = owner.form.as_ref().map(|form| !form.without_rowid);
            let is_table = is_table.or(Some(false).filter(|_| owner.is_index));
            // An entry of an index looks like a row of a table WITHOUT ROWID.
            let reads_leaves = is_table == Some(false) && self.owners.iter().any(Owner::is_keyed);
            return Stage::Others(Marker::new(owner.root, is_table, reads_leaves, &mut self.found.map));
        }
        let free = if self.with_free {
            Freelist::default()
        } else if !self.found.header.is_empty() {
            Freelist::of_header(&self.found.header)
        } else {
            Freelist::of_trunks(&self.found.trunks)
        };
        Stage::Free(free)
    }

    /// Decides whose rows a page has.
    fn open(&mut self, pgno: Pgno, damaged: usize) {
        let Some(tree) = &mut self.tree else { return };
        let before = mem::replace(&mut self.place, Place::Nowhere);
        if let Some(page) = tree.open_page(self.layout) {
            let is_known = self.is_schema_whole && !self.is_filtered;
            self.place = if !self.found.map.has(pgno.value(), Mark::Free) {
                self.gaps.place_of(&page, pgno.value(), before, &self.owners, is_known)
            } else if self.gaps.may_have(&page, &self.owners) {
                // It may have been deleted, or moved elsewhere: that is for people to decide.
                Place::Lost
            } else {
                Place::Nowhere
            };
        }
        match self.place {
            Place::Table(root) => {
                if self.is_first_pass {
                    self.kept.insert(root);
                    self.report.found_page(root);
                    let owner = self.owner_of.get(&root).and_then(|&index| self.owners.get(index));
                    if let Some(owner) = owner.filter(|_| damaged > 0) {
                        self.gaps.add_rows(root);
                        self.report.damaged(&owner.name, pgno.value(), damaged);
                    }
                }
            }
            Place::Lost => {
                self.lost.pages += u64::from(self.is_first_pass);
                if self.is_first_pass && damaged > 0 {
                    self.report.damaged(&self.lost.name, pgno.value(), damaged);
                }
                if self.is_filtered {
                    tree.skip_page();
                }
            }
            Place::Nowhere | Place::Index => tree.skip_page(),
        }
    }

    /// Takes note of a row. Returns whether it must be written.
    fn count(&mut self, is_cut: bool) -> bool {
        let Some(row) = self.tree.as_ref().and_then(Tree::row) else { return false };
        match self.place {
            _ if !self.is_first_pass => {}
            Place::Table(root) => {
                if self.gaps.found(root, row.rowid) {
                    self.report.found(root);
                }
                if is_cut && let Some(owner) = self.owner_of.get(&root).and_then(|&index| self.owners.get(index)) {
                    self.gaps.add_rows(root);
                    self.report.cut(&owner.name);
                }
            }
            Place::Lost => {
                self.lost.count(row, self.dialect);
                if is_cut {
                    self.report.cut(&self.lost.name);
                }
            }
            Place::Nowhere | Place::Index => {}
        }
        true
    }
}

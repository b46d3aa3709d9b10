//! How rows are written: as their table is, through a view where it may refuse them, or into `lost_and_found`.

use std::collections::{HashMap, HashSet};

use super::keeper::Keepers;
use super::place::Place;
use super::{Salvage, plan_of};
use crate::dump::plan::Item;
use crate::dump::row_plan::RowPlan;

impl Salvage {
    /// Whether the row is written as the one before it was.
    pub(in crate::dump) fn goes_on(&self) -> bool {
        match &self.plan {
            Some((place, _)) => *place == self.place,
            None => self.place == Place::Nowhere,
        }
    }

    /// Readies the plan for the row that it stands on, of the table of `item` or of what it finds; what goes before it, or
    /// `None` when the row is not written.
    pub(in crate::dump) fn prepare(&mut self, item: &Item, items: &[Item]) -> Option<Vec<u8>> {
        if self.is_first_pass && self.place == Place::Lost {
            // How many columns it takes is not known yet.
            return None;
        }
        let mut opening = Vec::new();
        if !self.goes_on() {
            self.plan = self.plan_of_place(items, &mut opening).map(|plan| (self.place, plan));
        }
        let Some((place, plan)) = self.plan.as_mut() else {
            return matches!(item, Item::Rows(_)).then_some(opening);
        };
        let row = self.tree.as_ref()?.row()?;
        if *place == Place::Lost {
            self.lost.aim(plan, self.top, row);
        } else if !self.is_first_pass && Keepers::takes(plan, self.dialect) {
            plan.labels = vec![format!("{},", row.pgno.value()).into_bytes()];
        }
        Some(opening)
    }

    fn plan_of_place(&mut self, items: &[Item], opening: &mut Vec<u8>) -> Option<RowPlan> {
        match self.place {
            Place::Table(root) => {
                let mut plans = items.iter().filter_map(plan_of);
                let plan = plans.find(|plan| plan.root.value() == root && plan.opening.is_empty())?;
                let mut plan = plan.clone();
                // A row that was found may be there already, in the shell's dialect, too.
                plan.pass_over_repeats();
                if self.is_first_pass || !Keepers::takes(&plan, self.dialect) {
                    return Some(plan);
                }
                if self.report.make_lost() {
                    opening.append(&mut self.lost.create(self.drops));
                }
                Some(self.keepers.open(opening, &plan, &self.lost))
            }
            Place::Lost => {
                if self.report.make_lost() {
                    opening.append(&mut self.lost.create(self.drops));
                }
                self.lost.plan(self.dialect, self.top)
            }
            Place::Nowhere | Place::Index => None,
        }
    }

    /// Indexes of tables whose rows may be refused are made before those.
    pub(super) fn make_early(&self, items: &mut Vec<Item>) {
        let root_of = |item: &Item| plan_of(item).map(|plan| plan.root.value()).filter(|root| self.kept.contains(root));
        let (mut passed, mut late) = (HashSet::new(), HashMap::new());
        items.retain_mut(|item| {
            passed.extend(root_of(item));
            match item {
                Item::UniqueIndex(index) if passed.contains(&index.table.value()) => {
                    let late: &mut Vec<u8> = late.entry(index.table.value()).or_default();
                    late.append(&mut index.text);
                    false
                }
                _ => true,
            }
        });
        *items = items
            .drain(..)
            .flat_map(|item| {
                let index = root_of(&item).and_then(|root| late.remove(&root)).map(Item::Text);
                index.into_iter().chain([item])
            })
            .collect();
    }

    /// Appends what ends the rows that were found.
    pub(in crate::dump) fn close(&mut self, out: &mut Vec<u8>) {
        self.keepers.close(out);
    }

    /// How the row is written, if not as its table is.
    pub(in crate::dump) fn plan(&self) -> Option<&RowPlan> {
        self.plan.as_ref().map(|(_, plan)| plan)
    }
}

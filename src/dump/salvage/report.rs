//! What a salvage says of what it found and of what it did not.

use std::collections::{BTreeMap, HashSet};

use super::form::Owner;
use super::lost_and_found::LostAndFound;
use super::place::Gaps;
use crate::dump::keys::Repeated;
use crate::dump::notes::{Notes, short};

/// More pages than this are counted, not named.
const NAMED: usize = 20;
/// Tables with more to say than this are left out.
const MOST: usize = 1000;

/// What there is to say.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Rows that are cut off, by table.
    cut: BTreeMap<String, u64>,
    /// Cells that cannot be read, by table and page.
    damaged: BTreeMap<String, BTreeMap<u32, usize>>,
    /// Rows, and their pages, that nothing points to, by root.
    found: BTreeMap<u32, (u64, u64)>,
    /// Rows whose rowids are out of order, by root.
    astray: BTreeMap<u32, u64>,
    /// Tables of whose rows none can go into `lost_and_found`, by root.
    too_wide: HashSet<u32>,
    is_lost_made: bool,
}

impl Report {
    pub(super) fn cut(&mut self, table: &str) {
        if self.cut.len() < MOST || self.cut.contains_key(table) {
            *self.cut.entry(table.to_owned()).or_default() += 1;
        }
    }

    pub(super) fn damaged(&mut self, table: &str, pgno: u32, cells: usize) {
        if self.damaged.len() < MOST || self.damaged.contains_key(table) {
            let pages = self.damaged.entry(table.to_owned()).or_default();
            // Beyond so many pages the report counts cells, but does not name pages.
            let pgno = if pages.len() <= NAMED { pgno } else { u32::MAX };
            *pages.entry(pgno).or_default() += cells;
        }
    }

    pub(super) fn astray(&mut self, root: u32) {
        if self.astray.len() < MOST || self.astray.contains_key(&root) {
            *self.astray.entry(root).or_default() += 1;
        }
    }

    pub(super) fn too_wide(&mut self, root: u32) {
        self.too_wide.insert(root);
    }

    pub(super) fn found_page(&mut self, root: u32) {
        self.found.entry(root).or_default().1 += 1;
    }

    pub(super) fn found(&mut self, root: u32) {
        self.found.entry(root).or_default().0 += 1;
    }

    /// Whether the table of lost rows must be made now.
    pub(super) fn make_lost(&mut self) -> bool {
        !core::mem::replace(&mut self.is_lost_made, true)
    }

    pub(super) fn say(&self, gaps: &Gaps, owners: &[Owner], lost: &LostAndFound, notes: &mut Notes) {
        for (table, pages) in &self.damaged {
            let cells: usize = pages.values().sum();
            let named =
                pages.keys().filter(|&&pgno| pgno != u32::MAX).map(u32::to_string).collect::<Vec<_>>().join(", ");
            let table = short(table);
            notes.say(format!("{table}: at least {cells} rows cannot be read, on the damaged pages {named}"));
        }
        for (table, rows) in &self.cut {
            let table = short(table);
            notes.say(format!("{table}: {rows} rows are cut off where the pages that they go on in are lost: the last value is shortened, those behind it are NULL"));
        }
        for owner in owners.iter().filter(|owner| !owner.is_index) {
            let (name, root) = (short(&owner.name), owner.root);
            let is_too_wide = self.too_wide.contains(&root);
            let place = match is_too_wide {
                true => format!("left out, as {} cannot have as many columns (1,995, in the d1 dialect 96)", lost.name),
                false => format!("in {}", lost.name),
            };
            if let Some(rows) = self.astray.get(&root) {
                notes.say(format!(
                    "{name}: {rows} rows have rowids out of order, which may be wrong; those that another row has are {place}"
                ));
            }
            match owner.repeated {
                Repeated::Rows(rows) => notes.say(format!(
                    "{name}: at least {rows} rows have a key that another row has, though it is UNIQUE: they are {place}"
                )),
                Repeated::Unknown | Repeated::ForIndex if is_too_wide => notes.say(format!(
                    "{name}: should rows have a key that another row has, though it is UNIQUE, they are {place}"
                )),
                _ => {}
            }
            for gap in gaps.of(owner.root).iter().filter(|gap| gap.found == 0).take(NAMED) {
                let rowids = match gap.range.after {
                    Some(after) if gap.range.up_to < i64::MAX => {
                        format!(": at least one row, of the rowids {} to {}", after.saturating_add(1), gap.range.up_to)
                    }
                    Some(after) => format!(": at least one row, of the rowids from {}", after.saturating_add(1)),
                    None => ", of which at least one row".to_owned(),
                };
                notes.say(format!("{name}: page {} is damaged, and what it held is left out{rowids}", gap.pgno));
            }
            let more = gaps.of(owner.root).iter().filter(|gap| gap.found == 0).count().saturating_sub(NAMED);
            if more > 0 {
                notes.say(format!(
                    "{name}: {more} more pages are damaged, and what they held is left out: at least {more} rows"
                ));
            }
            if let Some((rows, pages)) = self.found.get(&owner.root).filter(|(rows, _)| *rows > 0) {
                let missing = gaps.pages_found(owner.root);
                let named: Vec<String> = missing.iter().take(NAMED).map(u32::to_string).collect();
                let more = if missing.len() > NAMED { " and others" } else { "" };
                notes.say(format!(
                    "{name}: {rows} rows were found in {pages} pages that nothing points to, as what points to them is damaged \
                     (page {}{more}); some may have been deleted before, and those that the table refuses are {place}",
                    named.join(", ")
                ));
            }
        }
        if lost.rows > 0 {
            let (rows, pages) = (lost.rows, lost.pages);
            notes.say(format!("{}: {rows} rows of {pages} pages belong to no table for certain", lost.name));
        } else if lost.pages > 0 {
            notes.say(format!("{} pages belong to no table for certain, and are left out", lost.pages));
        }
        if lost.too_wide > 0 {
            notes.say(format!("{}: {} rows have more values than a table has columns", lost.name, lost.too_wide));
        }
    }
}

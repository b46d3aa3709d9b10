//! Rows that repeat a key: looked for before anything is written, and what is done about them.

use super::{Dump, DumpStep};
use crate::btree::entries::{Budget, Entries, Next};
use crate::dump::guard::{ForRepeats, Remedy};
use crate::dump::notes::{Notes, short};
use crate::dump::options::Dialect;
use crate::dump::plan::{Item, UniqueIndex};
use crate::dump::relaxed;
use crate::dump::repeats::{After, KeyedTable, Repeats, most_pages};
use crate::dump::row_plan::{Filter, RowPlan, Style};
use crate::error::Result;

impl Dump {
    /// Goes through the keys of all tables.
    #[inline(never)]
    pub(super) fn look_for_repeats(&mut self) -> Result<Option<DumpStep>> {
        let most = most_pages(self.layout.page_count());
        while let Some(table) = self.keyed.last_mut() {
            let spent = self.budget.spent(self.layout);
            let Some(root) = table.next_root(spent >= most && self.entries.is_none()) else {
                if let Some(table) = self.keyed.pop() {
                    self.note_repeats(&table);
                }
                continue;
            };
            let entries = self.entries.get_or_insert_with(|| Entries::new(root, self.layout));
            let ended = match entries.next(&self.pages, &mut self.budget) {
                Ok(Next::Need(pages)) => return Ok(Some(DumpStep::NeedPages(pages))),
                Ok(Next::Row(row)) => match table.add(row, self.encoding, spent) {
                    After::Next => continue,
                    other => Some(other),
                },
                Ok(Next::End | Next::Given) => None,
                // Where it is of rows, that ends the dump when they are written.
                Err(_) => Some(After::Damage),
            };
            table.end(ended);
            self.entries = None;
        }
        self.scanned = self.budget.spent(self.layout);
        self.budget = Budget::new(self.layout);
        self.begin_writing();
        Ok(None)
    }

    fn note_repeats(&mut self, table: &KeyedTable) {
        let Self { items, notes, options, .. } = self;
        let rows = items.iter().position(|item| plan_of(item).is_some_and(|plan| plan.root == table.root));
        let mut of_table = Repeats::No;
        for (at, tree) in table.trees.iter().enumerate() {
            let repeats = table.repeats(at);
            let index = tree.index.as_ref().filter(|_| repeats != Repeats::No && !options.no_schema);
            let place = index.and_then(|name| {
                items.iter().position(|item| matches!(item, Item::UniqueIndex(index) if index.name == *name))
            });
            match (tree.index.as_ref(), place) {
                // It is there before the rows, as others refer to them by it.
                (Some(_), Some(place)) if Some(place) > rows => {
                    if let Some(Item::UniqueIndex(index)) = items.get_mut(place) {
                        let_repeat(index, repeats, options.dialect, notes);
                    }
                }
                (Some(name), None) if !options.no_schema => {
                    if let (Repeats::Rows(count), Dialect::Shell(_)) = (repeats, options.dialect) {
                        notes.say(format!("{}: {count} rows share its key, so that the sqlite3 shell does not make it when it loads this", short(name)));
                    }
                }
                _ => of_table = of_table.or(repeats),
            }
        }
        let plans = items.iter_mut().filter_map(|item| match item {
            Item::Rows(plan) if plan.root == table.root => Some(plan),
            _ => None,
        });
        let mut what_becomes = None;
        for plan in plans {
            plan.guard.expected = table.expected();
            if of_table != Repeats::No && plan.filter == Filter::All {
                what_becomes = let_in(plan, table.without_rowid);
            }
        }
        if let Some(outcome) = what_becomes {
            let what = match of_table {
                Repeats::Rows(count) => format!("{count} rows have the PRIMARY KEY or a UNIQUE value of another"),
                _ => {
                    "what PRIMARY KEY or UNIQUE says may not be so, as an index of it is damaged or missing".to_owned()
                }
            };
            notes.say(format!("{}: {what}; {outcome}", short(&table.name)));
        }
    }
}

/// Readies the rows of a table for those among them that repeat a key. What becomes of those, if they do not all go in.
fn let_in(plan: &mut RowPlan, without_rowid: bool) -> Option<&'static str> {
    if let Style::Shell(_) = plan.style {
        return Some("rows that repeat a key are refused when the sqlite3 shell loads this");
    }
    plan.guard.repeats = match plan.guard.remedy {
        Remedy::Relax if !without_rowid => ForRepeats::Relax,
        Remedy::Alone => ForRepeats::Alone,
        Remedy::Relax | Remedy::LeaveOut => ForRepeats::PassOver,
    };
    match plan.guard.repeats {
        ForRepeats::PassOver => {
            plan.pass_over_repeats();
            Some("rows that repeat a key are left out, as others would be refused with them")
        }
        ForRepeats::Alone => Some("rows that repeat a key only go into a table that has no such key"),
        ForRepeats::Relax | ForRepeats::Nothing => None,
    }
}

/// Makes an index take rows that repeat its key, or leaves it out.
fn let_repeat(index: &mut UniqueIndex, repeats: Repeats, dialect: Dialect, notes: &mut Notes) {
    index.text.clear();
    if dialect == Dialect::Sqlite {
        relaxed::write_index(&mut index.text, &index.name, &index.sql, index.is_writable);
        return;
    }
    let what = match repeats {
        Repeats::Rows(count) => format!("{count} rows share its key"),
        _ => "it is damaged, so that rows may share its key".to_owned(),
    };
    notes.say(format!("{}: {what}, so that D1 would refuse everything; it is left out", short(&index.name)));
}

fn plan_of(item: &Item) -> Option<&RowPlan> {
    match item {
        Item::Rows(plan) if matches!(plan.style, Style::Many { .. } | Style::Shell(_)) => Some(plan),
        _ => None,
    }
}

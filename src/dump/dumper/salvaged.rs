//! The steps of a salvage: see [`Salvage`](crate::dump::salvage::Salvage).

use core::mem;

use super::{Dump, DumpStep, LongOutput, RowOutput, Wait, skipped};
use crate::dump::guard::Watch;
use crate::dump::limits::OUTPUT;
use crate::dump::plan::Item;
use crate::dump::salvage::{Step, plan_of};
use crate::error::Result;

impl Dump {
    /// Looks at every page, and reads what is left of the schema.
    pub(super) fn salvage_schema(&mut self) -> Result<Option<DumpStep>> {
        let reading = self.reading();
        let Some(salvage) = &mut self.salvage else { return Ok(None) };
        if let Some(pages) = salvage.survey(&self.pages) {
            return Ok(Some(DumpStep::NeedPages(pages)));
        }
        loop {
            match salvage.next_of_schema(&self.pages, &mut self.notes) {
                Step::Need(pages) => return Ok(Some(DumpStep::NeedPages(pages))),
                Step::End => return self.end_schema(),
                Step::Row => {
                    let Some(row) = salvage.row() else { continue };
                    if let Err(error) = self.schema.add(row, reading, None) {
                        self.notes.say(skipped(error, "the schema"));
                    }
                }
            }
        }
    }

    /// The rows of a table, or of the pages that nothing points to.
    pub(super) fn write_salvaged(&mut self) -> Result<Option<DumpStep>> {
        while self.out.len() < OUTPUT {
            let (Some(item), Some(salvage)) = (self.items.get(self.current), &mut self.salvage) else {
                return Ok(None);
            };
            let (out, writer, notes) = (&mut self.out, &mut self.writer, &mut self.notes);
            let mut rows = RowOutput { out, writer, notes, schema: &self.schema };
            if self.long.is_some() {
                let Some(plan) = salvage.plan().or(plan_of(item)) else { return Ok(None) };
                let (pieces, pages, budget) = (&mut self.pieces, &self.pages, &mut self.budget);
                match (LongOutput { rows, pieces, pages, budget }).go_on(&mut self.long, plan) {
                    Ok(Some(Wait::Need(pages))) => return Ok(Some(DumpStep::NeedPages(pages))),
                    Ok(Some(Wait::Output)) => return Ok(None),
                    Ok(None) => {}
                    Err(error) => self.notes.say(skipped(error, &plan.table)),
                }
                continue;
            }
            let step = match item {
                Item::Rows(plan) => {
                    if !salvage.has_begun() {
                        self.opened = false;
                    }
                    salvage.next_of_table(plan, &self.pages)
                }
                _ => salvage.next_orphan(&self.pages),
            };
            match step {
                Step::Need(pages) => return Ok(Some(DumpStep::NeedPages(pages))),
                Step::End => {
                    match item {
                        Item::Rows(plan) => rows.end(plan, self.rows, &mut self.rowids),
                        _ => {
                            rows.writer.end_statement(rows.out);
                            rows.writer.watch = Watch::All;
                            salvage.close(rows.out);
                        }
                    }
                    self.current += 1;
                    return Ok(None);
                }
                Step::Row => {
                    let is_table = matches!(item, Item::Rows(_));
                    if !salvage.goes_on() {
                        rows.writer.end_statement(rows.out);
                    }
                    let Some(opening) = salvage.prepare(item, &self.items) else { continue };
                    rows.out.extend_from_slice(&opening);
                    if !is_table {
                        // What its table refuses goes elsewhere.
                        rows.writer.watch = Watch::Nothing;
                    }
                    let (Some(plan), Some(row)) = (salvage.plan().or(plan_of(item)), salvage.row()) else { continue };
                    if is_table && !mem::replace(&mut self.opened, true) {
                        rows.out.extend_from_slice(&plan.opening);
                    }
                    // What may turn out to be damaged is looked through before half of it is written.
                    match rows.write(plan, row, self.layout, true) {
                        Ok(long) => self.long = long,
                        Err(error) => self.notes.say(skipped(error, &plan.table)),
                    }
                }
            }
        }
        Ok(None)
    }
}

//! The steps of a salvage: see [`Salvage`](crate::dump::salvage::Salvage).

use core::mem;

use super::{Dump, DumpStep, OUTPUT, refused, skipped};
use crate::dump::guard::Watch;
use crate::dump::long_row::{Context, LongRow, LongStep};
use crate::dump::plan::Item;
use crate::dump::rows::Written;
use crate::dump::salvage::Step;
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
            if let Some(long) = &mut self.long {
                let plan = if let Item::Rows(plan) = item { Some(plan) } else { salvage.plan() };
                let Some(plan) = plan else { return Ok(None) };
                let step = long.step(&mut Context {
                    out: &mut self.out,
                    plan,
                    writer: &self.writer,
                    pieces: &mut self.pieces,
                    pages: &self.pages,
                    budget: &mut self.budget,
                    notes: &mut self.notes,
                });
                match step {
                    Ok(LongStep::Need(pages)) => return Ok(Some(DumpStep::NeedPages(pages))),
                    Ok(LongStep::Output) => return Ok(None),
                    Ok(LongStep::Refused) => {
                        let (writer, notes) = (&mut self.writer, &mut self.notes);
                        if !refused::admit(&mut self.out, writer, plan, &self.schema, notes) {
                            self.long = None;
                        }
                    }
                    Ok(LongStep::Done) => {
                        self.long = None;
                        refused::let_in(&mut self.out, &mut self.writer, plan);
                    }
                    Err(error) => {
                        self.long = None;
                        self.pieces.clear(&mut self.out);
                        refused::let_in(&mut self.out, &mut self.writer, plan);
                        self.notes.say(skipped(error, &plan.table));
                    }
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
                        Item::Rows(plan) => {
                            self.writer.end(&mut self.out, plan);
                            if self.writer.watch != Watch::All {
                                refused::end(&mut self.out, &mut self.writer, plan, &self.schema);
                            }
                            if plan.keeps_rowids {
                                self.rowids.push((plan.root, mem::take(&mut self.writer.rowids)));
                            }
                        }
                        _ => {
                            self.writer.end_statement(&mut self.out);
                            self.writer.watch = Watch::All;
                        }
                    }
                    self.current += 1;
                    return Ok(None);
                }
                Step::Row => self.write_salvaged_row(),
            }
        }
        Ok(None)
    }

    fn write_salvaged_row(&mut self) {
        let (Some(item), Some(salvage)) = (self.items.get(self.current), &mut self.salvage) else { return };
        if !matches!(item, Item::Rows(_)) {
            if !salvage.goes_on() {
                self.writer.end_statement(&mut self.out);
            }
            let Some(opening) = salvage.prepare(&self.items) else { return };
            self.out.extend_from_slice(&opening);
            // What its table refuses is passed over.
            self.writer.watch = Watch::Nothing;
        }
        let plan = if let Item::Rows(plan) = item { Some(plan) } else { salvage.plan() };
        let (Some(plan), Some(row)) = (plan, salvage.row()) else { return };
        if matches!(item, Item::Rows(_)) && !mem::replace(&mut self.opened, true) {
            self.out.extend_from_slice(&plan.opening);
        }
        let (out, writer, notes) = (&mut self.out, &mut self.writer, &mut self.notes);
        let mut written = writer.write(out, plan, row, notes);
        if written == Ok(Written::Refused) && refused::admit(out, writer, plan, &self.schema, notes) {
            written = writer.write(out, plan, row, notes);
            if written != Ok(Written::TooLong) {
                refused::let_in(out, writer, plan);
            }
        }
        match written {
            Ok(Written::Whole | Written::Refused) => {}
            // What may turn out to be damaged is looked through before half of it is written.
            Ok(Written::TooLong) => self.long = Some(LongRow::new(row, self.layout, true)),
            Err(error) => self.notes.say(skipped(error, &plan.table)),
        }
    }
}

//! How rows go out, wherever they come from.

use core::mem;

use super::refused;
use crate::btree::entries::{Budget, Row};
use crate::btree::{Layout, PageRange, Pages};
use crate::dump::guard::{ForRepeats, Watch};
use crate::dump::long_row::{Context, LongRow, LongStep};
use crate::dump::notes::{Notes, short};
use crate::dump::pieces::Pieces;
use crate::dump::row_plan::RowPlan;
use crate::dump::rowids::Rowids;
use crate::dump::rows::{RowWriter, Written};
use crate::dump::schema::Schema;
use crate::error::Result;
use crate::page::Pgno;

/// What they are written with.
pub(super) struct RowOutput<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) writer: &'a mut RowWriter,
    pub(super) notes: &'a mut Notes,
    pub(super) schema: &'a Schema,
}

/// What a long one is written with besides.
pub(super) struct LongOutput<'a> {
    pub(super) rows: RowOutput<'a>,
    pub(super) pieces: &'a mut Pieces,
    pub(super) pages: &'a Pages,
    pub(super) budget: &'a mut Budget,
}

/// Why a long row waits.
pub(super) enum Wait {
    /// It needs these pages.
    Need(Vec<PageRange>),
    /// Its SQL must be taken first.
    Output,
}

impl RowOutput<'_> {
    /// Writes a row; gives it back if it is a long one, which is read whole first with `check`.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        plan: &RowPlan,
        row: Row<'_>,
        layout: Layout,
        check: bool,
    ) -> Result<Option<LongRow>> {
        let mut written = self.writer.write(self.out, plan, row, self.notes);
        if written == Ok(Written::Refused) {
            written = self.write_refused(plan, row);
        }
        if plan.guard.repeats == ForRepeats::Alone {
            self.writer.end_statement(self.out);
        }
        written.map(|written| (written == Written::TooLong).then(|| LongRow::new(row, layout, check)))
    }

    /// Writes a row that its table refuses.
    // Apart from the loop over the rows, which V8 optimises as a whole.
    #[inline(never)]
    fn write_refused(&mut self, plan: &RowPlan, row: Row<'_>) -> Result<Written> {
        let Self { out, writer, notes, schema } = self;
        if !refused::admit(out, writer, plan, schema, notes) {
            return Ok(Written::Refused);
        }
        let written = writer.write(out, plan, row, notes);
        if written != Ok(Written::TooLong) {
            refused::let_in(out, writer, plan);
        }
        written
    }

    /// Begins the rows of a table.
    pub(super) fn begin(&mut self, plan: &RowPlan) {
        self.out.extend_from_slice(&plan.opening);
        if plan.guard.repeats == ForRepeats::Relax {
            refused::relax(self.out, self.writer, plan, self.schema);
        }
    }

    /// Ends the rows of a table, of which there were so many.
    pub(super) fn end(&mut self, plan: &RowPlan, rows: u64, rowids: &mut Vec<(Pgno, Rowids)>) {
        self.writer.end(self.out, plan);
        if let Some(expected) = plan.guard.expected.filter(|&expected| expected != rows) {
            self.notes.say(format!(
                "{}: an index of it has {expected} entries for {rows} rows; if rows repeat a PRIMARY KEY or UNIQUE value, \
                 their statements fail when they are loaded: REINDEX says so, and --salvage takes them",
                short(&plan.table)
            ));
        }
        if self.writer.watch != Watch::All {
            refused::end(self.out, self.writer, plan, self.schema);
        }
        if plan.keeps_rowids {
            rowids.push((plan.root, mem::take(&mut self.writer.rowids)));
        }
    }
}

impl LongOutput<'_> {
    /// Goes on with a long row, which is gone when it was written or cannot be.
    pub(super) fn go_on(&mut self, long: &mut Option<LongRow>, plan: &RowPlan) -> Result<Option<Wait>> {
        let Self { rows: RowOutput { out, writer, notes, schema }, pieces, pages, budget } = self;
        let Some(row) = long else { return Ok(None) };
        let step = row.step(&mut Context { out, plan, writer, pieces, pages, budget, notes });
        let result = match step {
            Ok(LongStep::Need(pages)) => return Ok(Some(Wait::Need(pages))),
            Ok(LongStep::Output) => return Ok(Some(Wait::Output)),
            Ok(LongStep::Refused) if refused::admit(out, writer, plan, schema, notes) => return Ok(None),
            Ok(LongStep::Refused) => {
                *long = None;
                return Ok(None);
            }
            Ok(LongStep::Done) => Ok(None),
            Err(error) => {
                pieces.clear(out);
                Err(error)
            }
        };
        *long = None;
        refused::let_in(out, writer, plan);
        result
    }
}

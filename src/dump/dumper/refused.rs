//! Rows that their own table refuses.

use crate::dump::columns;
use crate::dump::default::Reader;
use crate::dump::guard::{ForRepeats, Remedy, Watch};
use crate::dump::notes::{Loss, Notes};
use crate::dump::plan::sql_of;
use crate::dump::relaxed::{self, KeyIndexes};
use crate::dump::row_plan::RowPlan;
use crate::dump::rows::RowWriter;
use crate::dump::schema::Schema;
use crate::dump::shape::Shape;

/// Sees to it that a row goes in, up to [`let_in`] for one and [`end`] for all of its table; `false` when it does not.
// Apart from the loop over the rows, which V8 optimises as a whole.
#[inline(never)]
pub(super) fn admit(
    out: &mut Vec<u8>,
    writer: &mut RowWriter,
    plan: &RowPlan,
    schema: &Schema,
    notes: &mut Notes,
) -> bool {
    match plan.guard.remedy {
        Remedy::LeaveOut => {
            notes.count(&plan.table, Loss::LeftOut);
            return false;
        }
        Remedy::Relax if relax(out, writer, plan, schema) => {}
        Remedy::Relax | Remedy::Alone => {
            writer.end_statement(out);
            writer.watch = Watch::Types;
            notes.count(&plan.table, Loss::Alone);
        }
    }
    true
}

/// Lets all rows of a table go in from here on; `false` if nobody knows how.
#[inline(never)]
pub(super) fn relax(out: &mut Vec<u8>, writer: &mut RowWriter, plan: &RowPlan, schema: &Schema) -> bool {
    let Some(sql) = schema.table(&plan.table).map(sql_of) else { return false };
    let Ok(Shape::Table(shape)) = columns::parse(sql, Reader::Current) else { return false };
    let (with_keys, indexes) = match plan.guard.repeats {
        ForRepeats::Relax => (false, KeyIndexes::Plain),
        _ => (true, KeyIndexes::AsTheyAre),
    };
    let relaxed = relaxed::relaxed(sql, &shape, with_keys);
    writer.end_statement(out);
    relaxed::write_schema(out, &plan.table, &relaxed, indexes, plan.guard.is_writable);
    writer.watch = if relaxed::keeps_types(&shape) { Watch::Types } else { Watch::Nothing };
    true
}

/// Ends what was for one row.
pub(super) fn let_in(out: &mut Vec<u8>, writer: &mut RowWriter, plan: &RowPlan) {
    if plan.guard.remedy == Remedy::Alone && writer.watch != Watch::All {
        writer.end_statement(out);
        writer.watch = Watch::All;
    }
}

/// Ends what was for all rows of a table.
#[inline(never)]
pub(super) fn end(out: &mut Vec<u8>, writer: &mut RowWriter, plan: &RowPlan, schema: &Schema) {
    writer.watch = Watch::All;
    if plan.guard.remedy == Remedy::Relax
        && let Some(table) = schema.table(&plan.table)
    {
        let is_plain = plan.guard.repeats == ForRepeats::Relax;
        let indexes = if is_plain { KeyIndexes::Unique } else { KeyIndexes::AsTheyAre };
        relaxed::write_schema(out, &plan.table, sql_of(table), indexes, plan.guard.is_writable);
    }
}

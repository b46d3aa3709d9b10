//! Rows that their own table refuses.

use crate::dump::columns::{self, Shape};
use crate::dump::default::Reader;
use crate::dump::guard::{Remedy, Watch};
use crate::dump::notes::{Loss, Notes};
use crate::dump::plan::sql_of;
use crate::dump::relaxed;
use crate::dump::row_plan::RowPlan;
use crate::dump::rows::RowWriter;
use crate::dump::schema::Schema;

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
    let relaxed = schema.table(&plan.table).and_then(|table| {
        let Ok(Shape::Table(shape)) = columns::parse(sql_of(table), Reader::Current) else { return None };
        Some((relaxed::relaxed(sql_of(table), &shape), relaxed::keeps_types(&shape)))
    });
    match (plan.guard.remedy, relaxed) {
        (Remedy::LeaveOut, _) => {
            notes.count(&plan.table, Loss::LeftOut);
            return false;
        }
        (Remedy::Relax, Some((sql, keeps_types))) => {
            writer.end_statement(out);
            relaxed::write_schema(out, &plan.table, &sql, plan.guard.is_writable);
            writer.watch = if keeps_types { Watch::Types } else { Watch::Nothing };
        }
        _ => {
            writer.end_statement(out);
            writer.watch = Watch::Types;
            notes.count(&plan.table, Loss::Alone);
        }
    }
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
        relaxed::write_schema(out, &plan.table, sql_of(table), plan.guard.is_writable);
    }
}

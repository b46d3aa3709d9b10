//! Rows as INSERT statements.

use core::cell::Cell;

use super::affinity::Affinity;
use super::guard::{Remedy, Watch};
use super::limits::{BEGIN, END, JOIN, Limits};
use super::literal::{self, write_integer};
use super::notes::{Loss, Notes};
use super::repack::PackedRow;
use super::row_plan::{Filter, RowPlan, Source, Style};
use super::rowids::Rowids;
use super::rtree::{NodeFormat, Parents};
use super::shell;
use crate::btree::entries::Row;
use crate::btree::{Encoding, Slot, Storage, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// Writes rows, one b-tree after the other.
#[derive(Clone, Debug)]
pub(super) struct RowWriter {
    pub(super) encoding: Encoding,
    /// Whether the target stores text as the source does.
    pub(super) same_encoding: bool,
    pub(super) limits: Limits,
    slots: Vec<Slot>,
    /// How much was taken away of what was written, in bytes: more than 4 GiB, where usize has 32 bits, is possible.
    taken: u64,
    /// Where the statement begins in all that was written; `None` between statements.
    pub(super) statement: Option<u64>,
    /// Length of the last row, in bytes.
    pub(super) last_row: usize,
    parents: Parents,
    /// Each row of a statement of several that was written, for whoever puts them into other statements.
    pub(super) log: Option<Vec<PackedRow>>,
    pub(super) watch: Watch,
    /// Rowids of the rows, where the plan keeps them.
    pub(super) rowids: Rowids,
    /// Whether a value of the row would be changed, and something can be done against that.
    changed: Cell<bool>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Whole,
    /// Nothing was written: the row must be written as a `LongRow`.
    TooLong,
    /// Nothing was written: the row's own table does not take it.
    Refused,
}

impl RowWriter {
    pub(super) fn new(encoding: Encoding, same_encoding: bool, limits: Limits) -> Self {
        let (slots, parents, watch) = (Vec::new(), Parents::default(), Watch::All);
        Self {
            encoding,
            same_encoding,
            limits,
            slots,
            taken: 0,
            statement: None,
            last_row: 0,
            parents,
            log: None,
            watch,
            rowids: Rowids::default(),
            changed: Cell::new(false),
        }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// `BtreePage`, naming its page, when its record is damaged; then nothing was appended.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        plan: &RowPlan,
        row: Row<'_>,
        notes: &mut Notes,
    ) -> Result<Written> {
        if row.record.len() + row.rest.map_or(0, |rest| rest.remaining) > self.limits.row {
            notes.count(&plan.table, Loss::Long);
        }
        if plan.keeps_rowids {
            self.rowids.add(row.rowid.ok_or(damaged(row.pgno))?);
        }
        if row.rest.is_some() {
            return self.long_row(out, plan, row);
        }
        Slot::read_all(row.record, row.pgno, &mut self.slots)?;
        if !self.passes(row, &plan.filter)? {
            return Ok(Written::Whole);
        }
        if plan.guard.lacks_key(&self.slots) {
            notes.count(&plan.table, Loss::NullKey);
            if !matches!(plan.style, Style::Shell(_)) {
                return Ok(Written::Whole);
            }
        }
        if self.watch == Watch::All && plan.guard.stops(&self.slots, row.record, row.pgno, self.encoding) {
            return Ok(Written::Refused);
        }
        let (start, statement) = (out.len(), self.statement);
        let written = match plan.style {
            Style::Shell(_) => {
                out.extend_from_slice(&plan.prefix);
                out.extend_from_slice(b" VALUES(");
                self.values(out, plan, row, notes).map(|()| {
                    out.extend_from_slice(b");\n");
                    Written::Whole
                })
            }
            Style::Many { .. } => self.row_of_many(out, plan, |writer, out| writer.values(out, plan, row, notes)),
            Style::Update => self.update(out, plan, row, notes),
            Style::RtreeParents => self.add_parent(row),
            Style::RtreeNodes(format) => self.node(out, plan, row, format),
            Style::Rowids => Ok(Written::Whole),
        };
        let written = if self.changed.take() { written.map(|_| Written::Refused) } else { written };
        if !matches!(written, Ok(Written::Whole)) {
            out.truncate(start);
            self.statement = statement;
        }
        if matches!(written, Ok(Written::TooLong)) {
            self.end_statement(out);
        }
        written
    }

    /// Ends the statement of several rows.
    pub(super) fn end_statement(&mut self, out: &mut Vec<u8>) {
        if self.statement.take().is_some() {
            out.extend_from_slice(b";\n");
        }
    }

    /// There are no more rows.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, plan: &RowPlan) {
        self.end_statement(out);
        if plan.style != Style::RtreeParents {
            self.parents.clear();
        }
    }

    /// Appends what others wrote: so many bytes, the last so many of which are a statement without its end.
    pub(super) fn went_on(&mut self, out: &mut Vec<u8>, bytes: usize, statement: usize, last_row: usize) {
        self.end_statement(out);
        self.taken(bytes);
        if statement > 0 {
            self.statement = Some(self.position(out) - statement as u64);
        }
        self.last_row = last_row;
    }

    /// What was written so far is taken away.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.taken += bytes as u64;
    }

    /// What has no room in memory is only written where any row may be so long.
    fn long_row(&mut self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>) -> Result<Written> {
        match (plan.style, &plan.filter) {
            (Style::Shell(_) | Style::Many { .. } | Style::Update, Filter::All | Filter::HasOneOf(_)) => {
                self.end_statement(out);
                Ok(Written::TooLong)
            }
            _ => Err(damaged(row.pgno)),
        }
    }

    /// Appends a row to the statement, or to a new one if it does not fit.
    pub(super) fn row_of_many(
        &mut self,
        out: &mut Vec<u8>,
        plan: &RowPlan,
        write_values: impl FnOnce(&Self, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Written> {
        let goes_on = self.statement.is_some_and(|start| {
            self.limits.expect_room(plan.sources.len(), self.position(out) - start, self.last_row)
        });
        if !goes_on {
            self.end_statement(out);
        }
        let before = out.len();
        if goes_on {
            out.extend_from_slice(JOIN);
        } else {
            self.begin(out, plan);
        }
        let values = out.len();
        write_values(self, out)?;
        out.push(b')');
        self.last_row = out.len() - values;
        if plan.prefix.len() + BEGIN.len() + self.last_row + END > self.limits.statement {
            return Ok(Written::TooLong);
        }
        if let Some(start) = self.statement
            && goes_on
            && !self.limits.have_room(self.position(out) - start)
        {
            // Longer than those before it: it begins the next statement instead.
            let row = out.split_off(values);
            out.truncate(before);
            self.end_statement(out);
            self.begin(out, plan);
            out.extend_from_slice(&row);
        }
        let position = self.position(out);
        if let Some(log) = &mut self.log {
            let alone = (plan.prefix.len() + BEGIN.len() + self.last_row) as u64;
            log.push(PackedRow::new(self.last_row, self.statement == Some(position - alone)));
        }
        Ok(Written::Whole)
    }

    /// Where the end of `out` is in all that was written.
    pub(super) fn position(&self, out: &[u8]) -> u64 {
        self.taken + out.len() as u64
    }

    fn begin(&mut self, out: &mut Vec<u8>, plan: &RowPlan) {
        self.statement = Some(self.position(out));
        out.extend_from_slice(&plan.prefix);
        out.extend_from_slice(BEGIN);
    }

    fn update(&self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>, notes: &mut Notes) -> Result<Written> {
        let mut stored = plan.sources.iter().filter_map(|source| self.slots.get(source.slot?));
        if stored.all(|slot| slot.value(row.record, row.pgno) == Ok(Value::Null)) {
            return Ok(Written::Whole);
        }
        let start = out.len();
        out.extend_from_slice(&plan.prefix);
        self.values(out, plan, row, notes)?;
        out.extend_from_slice(b";\n");
        Ok(if out.len() - start > self.limits.statement { Written::TooLong } else { Written::Whole })
    }

    fn add_parent(&mut self, row: Row<'_>) -> Result<Written> {
        match self.slots.get(1).ok_or(damaged(row.pgno))?.value(row.record, row.pgno)? {
            Value::Integer(parent) => self.parents.add(parent, row.pgno)?,
            _ => return Err(damaged(row.pgno)),
        }
        Ok(Written::Whole)
    }

    fn node(&mut self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>, format: NodeFormat) -> Result<Written> {
        let Value::Blob(node) = self.slots.get(1).ok_or(damaged(row.pgno))?.value(row.record, row.pgno)? else {
            return Err(damaged(row.pgno));
        };
        if self.parents.is_leaf(row.rowid.ok_or(damaged(row.pgno))?) {
            for cell in format.cells(node, row.pgno)? {
                self.row_of_many(out, plan, |_, out| cell.write(out))?;
            }
        }
        Ok(Written::Whole)
    }

    fn values(&self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>, notes: &mut Notes) -> Result<()> {
        for (index, source) in plan.sources.iter().enumerate() {
            match plan.label(index) {
                [] => {}
                // Mostly a comma, for which a copy takes longer.
                &[byte] => out.push(byte),
                label => out.extend_from_slice(label),
            }
            match source.slot.and_then(|slot| self.slots.get(slot)) {
                // Every column keeps it, and in wide tables most are.
                Some(slot) if slot.storage() == Storage::Null => out.extend_from_slice(b"NULL"),
                Some(slot) => self.value(out, plan, source, slot.value(row.record, row.pgno)?, notes),
                None => self.absent(out, plan, source, row.rowid.ok_or(damaged(row.pgno)), notes)?,
            }
        }
        Ok(())
    }

    /// Appends a value that the record does not have.
    ///
    /// # Errors
    /// The value of `rowid`, if that is asked for.
    pub(super) fn absent(
        &self,
        out: &mut Vec<u8>,
        plan: &RowPlan,
        source: &Source,
        rowid: Result<i64>,
        notes: &mut Notes,
    ) -> Result<()> {
        if source.slot.is_none() {
            write_integer(out, rowid?);
        } else if let Some(value) = source.default.value() {
            self.encoded_value(out, plan, source, (value, Encoding::Utf8), notes);
        } else {
            notes.count(&plan.table, Loss::Default);
            out.extend_from_slice(b"NULL");
        }
        Ok(())
    }

    /// Appends a value of the database.
    pub(super) fn value(
        &self,
        out: &mut Vec<u8>,
        plan: &RowPlan,
        source: &Source,
        value: Value<'_>,
        notes: &mut Notes,
    ) {
        self.encoded_value(out, plan, source, (value, self.encoding), notes);
    }

    fn encoded_value(
        &self,
        out: &mut Vec<u8>,
        plan: &RowPlan,
        source: &Source,
        (value, encoding): (Value<'_>, Encoding),
        notes: &mut Notes,
    ) {
        let value = match (source.affinity, value) {
            // Whole numbers in a REAL column are stored as integers where that is shorter.
            (Affinity::Real, Value::Integer(integer)) => Value::Real(integer as f64),
            (_, value) => value,
        };
        if let Style::Shell(shell) = plan.style {
            if !shell::write_value(out, value, encoding, shell) {
                notes.count(&plan.table, Loss::AfterNul);
            }
            return;
        }
        if self.watch != Watch::Nothing && !source.affinity.keeps(value, encoding) {
            if self.watch == Watch::All && plan.guard.remedy == Remedy::Relax {
                self.changed.set(true);
            } else {
                notes.count(&plan.table, Loss::Type);
            }
        }
        let same_encoding = self.same_encoding && encoding == self.encoding;
        if literal::write_value(out, value, encoding, same_encoding) == literal::Loss::Text {
            notes.count(&plan.table, Loss::Text);
        }
    }

    /// Whether a value that was written would be changed; asked once for all of them.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.take()
    }

    fn passes(&self, row: Row<'_>, filter: &Filter) -> Result<bool> {
        match filter {
            Filter::All => return Ok(true),
            Filter::HasOneOf(places) => {
                let is_null =
                    |&place: &usize| self.slots.get(place).is_some_and(|slot| slot.storage() == Storage::Null);
                return Ok(!places.iter().all(is_null));
            }
            _ => {}
        }
        let first = self.slots.first().map(|slot| slot.value(row.record, row.pgno)).transpose()?;
        let text = match first {
            Some(Value::Text(text)) => Some(self.encoding.decode_lossy(text)),
            _ => None,
        };
        Ok(match filter {
            Filter::All | Filter::HasOneOf(_) => true,
            Filter::Only(names) => text.is_some_and(|text| names.iter().any(|name| name.eq_ignore_ascii_case(&text))),
            Filter::Except(name) => text.as_deref() != Some(*name),
        })
    }
}

fn damaged(pgno: Pgno) -> Error {
    Error::at_page(ErrorKind::BtreePage, pgno.value())
}

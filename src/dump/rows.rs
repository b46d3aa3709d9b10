//! Rows as INSERT statements.

use super::affinity::Affinity;
use super::cli_real::Shell;
use super::constant::Constant;
use super::literal::{self, write_integer};
use super::notes::{Loss, Notes};
use super::shell;
use crate::btree::entries::Row;
use crate::btree::{Encoding, Slot, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// How the rows of one b-tree become SQL.
#[derive(Clone, Debug)]
pub(super) struct RowPlan {
    /// For messages.
    pub(super) table: String,
    pub(super) root: Pgno,
    /// What goes before the first row, if there is one.
    pub(super) opening: Vec<u8>,
    /// Up to VALUES.
    pub(super) prefix: Vec<u8>,
    pub(super) sources: Vec<Source>,
    pub(super) style: Style,
    /// Only rows that begin with one of these texts.
    pub(super) only: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A statement a row, as that shell prints it.
    Shell(Shell),
    /// Many rows a statement; with `rowid` that is the first value.
    Many { rowid: bool },
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its place in the record; `None` for the rowid.
    pub(super) slot: Option<usize>,
    pub(super) affinity: Affinity,
    pub(super) default: Constant,
}

impl Source {
    pub(super) fn rowid() -> Self {
        Self { slot: None, affinity: Affinity::Integer, default: Constant::Null }
    }
}

/// Writes rows, one b-tree after the other.
#[derive(Clone, Debug)]
pub(super) struct RowWriter {
    encoding: Encoding,
    /// Whether the target stores text as the source does.
    same_encoding: bool,
    /// The longest statement that is made of several rows, in bytes.
    limit: usize,
    slots: Vec<Slot>,
    /// Where the statement begins in what was written last; `None` between statements.
    statement: Option<usize>,
}

impl RowWriter {
    pub(super) fn new(encoding: Encoding, same_encoding: bool, limit: usize) -> Self {
        Self { encoding, same_encoding, limit, slots: Vec::new(), statement: None }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// `BtreePage`, naming its page, when its record is damaged; then nothing was appended.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>, notes: &mut Notes) -> Result<()> {
        Slot::read_all(row.record, row.pgno, &mut self.slots)?;
        if let Some(only) = &plan.only
            && !self.begins_with(row, only)?
        {
            return Ok(());
        }
        let start = out.len();
        let written = match plan.style {
            Style::Shell(_) => {
                out.extend_from_slice(&plan.prefix);
                out.extend_from_slice(b" VALUES(");
                self.values(out, plan, row, notes).map(|()| out.extend_from_slice(b");\n"))
            }
            Style::Many { .. } => self.row_of_many(out, plan, row, notes),
        };
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Ends the statement of several rows.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if self.statement.take().is_some() {
            out.extend_from_slice(b";\n");
        }
    }

    /// What was written so far is taken away.
    pub(super) fn taken(&mut self, bytes: usize) {
        // A statement may have begun before what is here now.
        self.statement = self.statement.map(|start| start.saturating_sub(bytes));
    }

    fn row_of_many(&mut self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>, notes: &mut Notes) -> Result<()> {
        let before = out.len();
        match self.statement {
            Some(_) => out.extend_from_slice(b",\n("),
            None => self.begin(out, plan),
        }
        let values = out.len();
        self.values(out, plan, row, notes)?;
        out.push(b')');
        if let Some(statement) = self.statement
            && statement < before
            && out.len() - statement > self.limit
        {
            // It did not fit: it begins the next statement instead.
            let row = out.split_off(values);
            out.truncate(before);
            self.end(out);
            self.begin(out, plan);
            out.extend_from_slice(&row);
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>, plan: &RowPlan) {
        self.statement = Some(out.len());
        out.extend_from_slice(&plan.prefix);
        out.extend_from_slice(b" VALUES\n(");
    }

    fn values(&self, out: &mut Vec<u8>, plan: &RowPlan, row: Row<'_>, notes: &mut Notes) -> Result<()> {
        for (index, source) in plan.sources.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let Some(slot) = source.slot else {
                write_integer(out, row.rowid.ok_or(Error::at_page(ErrorKind::BtreePage, row.pgno.value()))?);
                continue;
            };
            let (value, encoding) = match self.slots.get(slot) {
                Some(slot) => (slot.value(row.record, row.pgno)?, self.encoding),
                None => match source.default.value() {
                    Some(value) => (value, Encoding::Utf8),
                    None => {
                        notes.count(&plan.table, Loss::Default);
                        (Value::Null, self.encoding)
                    }
                },
            };
            self.value(out, plan, source, value, encoding, notes);
        }
        Ok(())
    }

    fn value(
        &self,
        out: &mut Vec<u8>,
        plan: &RowPlan,
        source: &Source,
        value: Value<'_>,
        encoding: Encoding,
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
        if !source.affinity.keeps(value) {
            notes.count(&plan.table, Loss::Type);
        }
        let same_encoding = self.same_encoding && encoding == self.encoding;
        if literal::write_value(out, value, encoding, same_encoding) == literal::Loss::Text {
            notes.count(&plan.table, Loss::Text);
        }
    }

    fn begins_with(&self, row: Row<'_>, names: &[String]) -> Result<bool> {
        let Some(slot) = self.slots.first() else { return Ok(false) };
        let Value::Text(text) = slot.value(row.record, row.pgno)? else { return Ok(false) };
        let text = self.encoding.decode_lossy(text);
        Ok(names.iter().any(|name| name.eq_ignore_ascii_case(&text)))
    }
}

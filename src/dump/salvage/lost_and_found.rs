//! The table of rows that belong to no table for certain, as the shell's `.recover` makes it.

use crate::btree::entries::Row;
use crate::btree::record::Slot;
use crate::dump::affinity::Affinity;
use crate::dump::constant::Constant;
use crate::dump::identifier::write_quoted;
use crate::dump::options::Dialect;
use crate::dump::row_plan::{RowPlan, Source, Style};
use crate::page::Pgno;

/// `rootpgno`, `pgno`, `nfield` and `id`.
const OWN_COLUMNS: usize = 4;

/// What is known of the rows so far.
#[derive(Clone, Debug, Default)]
pub(super) struct LostAndFound {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) pages: u64,
    /// The most values that a row has.
    fields: usize,
    /// How many rows have more than there are columns for.
    pub(super) too_wide: u64,
    slots: Vec<Slot>,
}

impl LostAndFound {
    /// How many columns a table can have.
    pub(super) fn most(dialect: Dialect) -> usize {
        (if dialect == Dialect::D1 { 100 } else { 2000 }) - OWN_COLUMNS
    }

    /// Takes note of a row.
    pub(super) fn count(&mut self, row: Row<'_>, dialect: Dialect) {
        let fields = self.fields_of(row);
        self.rows += 1;
        self.too_wide += u64::from(fields > Self::most(dialect));
        self.fields = self.fields.max(fields.min(Self::most(dialect)));
    }

    /// Rows of so many values may come.
    pub(super) fn make_room(&mut self, fields: usize) {
        self.fields = self.fields.max(fields);
    }

    /// What makes it; with `drop` in the place of an older one.
    pub(super) fn create(&self, drop: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if drop {
            out.extend_from_slice(b"DROP TABLE IF EXISTS ");
            write_quoted(&mut out, &self.name);
            out.extend_from_slice(b";\n");
        }
        out.extend_from_slice(b"CREATE TABLE ");
        write_quoted(&mut out, &self.name);
        out.extend_from_slice(b"(rootpgno INTEGER, pgno INTEGER, nfield INTEGER, id INTEGER");
        for index in 0..self.fields {
            out.extend_from_slice(format!(", c{index}").as_bytes());
        }
        out.extend_from_slice(b");\n");
        out
    }

    /// How rows of it are written; the page and what is above it go into the first label.
    pub(super) fn plan(&self, dialect: Dialect, root: u32) -> Option<RowPlan> {
        let mut prefix = Vec::from(b"INSERT INTO ");
        write_quoted(&mut prefix, &self.name);
        let style = match dialect {
            Dialect::Shell(shell) => Style::Shell(shell),
            _ => Style::Many { rowid: false },
        };
        let mut sources = vec![Source::rowid()];
        sources.extend((0..self.fields).map(Source::untyped));
        Some(RowPlan { prefix, sources, labels: vec![Vec::new()], ..RowPlan::new(&self.name, Pgno::new(root)?, style) })
    }

    /// Readies the plan for a row.
    pub(super) fn aim(&mut self, plan: &mut RowPlan, root: u32, row: Row<'_>) {
        let fields = self.fields_of(row);
        let label = format!("{root},{},{fields},", row.pgno.value()).into_bytes();
        plan.labels = vec![label];
        if let Some(id) = plan.sources.first_mut() {
            // What has no rowid has NULL, as a value does that the record lacks.
            *id = Source {
                slot: row.rowid.is_none().then_some(usize::MAX),
                affinity: Affinity::Integer,
                default: Constant::Null,
            };
        }
    }

    fn fields_of(&mut self, row: Row<'_>) -> usize {
        // A long header that is not here whole says less.
        match Slot::read_all(row.record, row.pgno, &mut self.slots) {
            Ok(_) => self.slots.len(),
            Err(_) => crate::salvage::types(row.record).count(),
        }
    }
}

//! The schema table: what a database is made of (file format, section 2.6).

use std::collections::HashMap;

use crate::btree::entries::Row;
use crate::btree::{Encoding, Layout, Slot, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// What the names and the SQL of all objects may take together, in bytes.
const MAX_SIZE: usize = 16 << 20;

/// One row of the schema table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The table or view that an index or a trigger is on.
    pub(super) table: String,
    /// `None` for what has no b-tree of its own.
    pub(super) root: Option<Pgno>,
    /// `None` for indexes that a constraint made.
    pub(super) sql: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Table,
    Index,
    View,
    Trigger,
}

impl Object {
    /// What it takes in memory, in bytes.
    fn size(&self) -> usize {
        // The name is there twice.
        size_of::<Self>() + 2 * self.name.len() + self.table.len() + self.sql.as_ref().map_or(0, String::len)
    }
}

/// Objects that were read, in the order of the schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    pub(super) objects: Vec<Object>,
    /// Where each table is among them, by its name in lower case.
    tables: HashMap<String, usize>,
    size: usize,
}

impl Schema {
    /// Takes a row of the schema table.
    ///
    /// # Errors
    /// `BtreePage`, naming its page, when it is not one that SQLite writes; `SchemaSize`, when there is no room for it.
    pub(super) fn add(&mut self, row: Row<'_>, encoding: Encoding, layout: Layout) -> Result<()> {
        let too_much = Error::at_page(ErrorKind::SchemaSize, row.pgno.value());
        // What is not text can take more when it is read than it did before, but not less.
        if row.rest.is_some() || self.size + row.record.len() > MAX_SIZE {
            return Err(too_much);
        }
        let Some(object) = read(row, encoding, layout)? else { return Ok(()) };
        let size = object.size();
        if self.size + size > MAX_SIZE {
            return Err(too_much);
        }
        self.size += size;
        self.objects.push(object);
        self.note_table(self.objects.len() - 1);
        Ok(())
    }

    /// Forgets those that do not pass.
    pub(super) fn retain(&mut self, passes: impl FnMut(&Object) -> bool) {
        self.objects.retain(passes);
        self.tables.clear();
        (0..self.objects.len()).for_each(|index| self.note_table(index));
    }

    /// The table of that name, in upper or lower case.
    pub(super) fn table(&self, name: &str) -> Option<&Object> {
        self.objects.get(*self.tables.get(&name.to_ascii_lowercase())?)
    }

    fn note_table(&mut self, index: usize) {
        if let Some(object) = self.objects.get(index).filter(|object| object.kind == Kind::Table) {
            self.tables.entry(object.name.to_ascii_lowercase()).or_insert(index);
        }
    }

    /// Those of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }
}

fn read(row: Row<'_>, encoding: Encoding, layout: Layout) -> Result<Option<Object>> {
    let pgno = row.pgno;
    let damaged = Error::at_page(ErrorKind::BtreePage, pgno.value());
    let mut slots = Vec::new();
    Slot::read_all(row.record, pgno, &mut slots)?;
    let value = |index: usize| slots.get(index).ok_or(damaged)?.value(row.record, pgno);
    let text = |index: usize| match value(index)? {
        Value::Text(text) => Ok(encoding.decode_lossy(text).into_owned()),
        _ => Err(damaged),
    };
    let kind = match text(0)?.as_str() {
        "table" => Kind::Table,
        "index" => Kind::Index,
        "view" => Kind::View,
        "trigger" => Kind::Trigger,
        _ => return Ok(None),
    };
    let root = match value(3)? {
        Value::Integer(0) | Value::Null => None,
        Value::Integer(root) => {
            let root = u32::try_from(root).map_err(|_| damaged)?;
            Some(layout.pointer(root, pgno)?)
        }
        _ => return Err(damaged),
    };
    let sql = match value(4)? {
        Value::Null => None,
        _ => Some(text(4)?),
    };
    Ok(Some(Object { kind, name: text(1)?, table: text(2)?, root, sql }))
}

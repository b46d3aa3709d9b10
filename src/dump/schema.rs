//! The schema table: what a database is made of (file format, section 2.6).

use core::cell::Cell;
use std::collections::HashMap;

use super::notes::short;
use super::statement;
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
    /// What is not as the schema says it.
    pub(super) remarks: Vec<String>,
}

/// How texts of the schema are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) encoding: Encoding,
    /// Whether SQL stays what it is, however SQLite would write it.
    pub(super) as_it_is: bool,
    /// Whether U+FFFE and U+FFFF are lost when the SQL is loaded.
    pub(super) loses_noncharacters: bool,
}

impl Schema {
    /// Takes a row of the schema table. Without a layout the root page may be one that the database does not have.
    ///
    /// # Errors
    /// `BtreePage`, naming its page, when it is not one that SQLite writes; `SchemaSize`, when there is no room for it.
    pub(super) fn add(&mut self, row: Row<'_>, reading: Reading, layout: Option<Layout>) -> Result<()> {
        let too_much = Error::at_page(ErrorKind::SchemaSize, row.pgno.value());
        // What is not text can take more when it is read than it did before, but not less.
        if row.rest.is_some() || self.size + row.record.len() > MAX_SIZE {
            return Err(too_much);
        }
        let Some((object, oddity)) = read(row, reading, layout)? else { return Ok(()) };
        if let Some(oddity) = oddity {
            self.remarks.push(format!("{}: {oddity}", short(&object.name)));
            // What made the one name the other's would put the rows of both into one table.
            if object.kind == Kind::Table && self.table(&object.name).is_some() {
                self.remarks.push(format!(
                    "{}: there are two of that name then, of which the second is left out",
                    short(&object.name)
                ));
                return Ok(());
            }
        }
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
        self.objects.get(self.table_at(name)?)
    }

    /// Where it is among the objects.
    pub(super) fn table_at(&self, name: &str) -> Option<usize> {
        self.tables.get(&name.to_ascii_lowercase()).copied()
    }

    fn note_table(&mut self, index: usize) {
        if let Some(object) = self.objects.get(index).filter(|object| object.kind == Kind::Table) {
            self.tables.entry(object.name.to_ascii_lowercase()).or_insert(index);
        }
    }

    /// The objects of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }
}

fn read(row: Row<'_>, reading: Reading, layout: Option<Layout>) -> Result<Option<(Object, Option<&'static str>)>> {
    let encoding = reading.encoding;
    let pgno = row.pgno;
    let damaged = Error::at_page(ErrorKind::BtreePage, pgno.value());
    let mut slots = Vec::new();
    Slot::read_all(row.record, pgno, &mut slots)?;
    let value = |index: usize| slots.get(index).ok_or(damaged)?.value(row.record, pgno);
    let oddity = Cell::new(None);
    let text = |index: usize| match value(index)? {
        Value::Text(bytes) => {
            let mut text = encoding.decode_lossy(bytes).into_owned();
            let is_lost = |char| matches!(char, '\u{fffe}' | '\u{ffff}');
            if encoding.decode(bytes).is_none() || reading.loses_noncharacters && text.contains(is_lost) {
                oddity.set(Some("its name or its SQL is not valid text, and has U+FFFD in place of what is not"));
                text = text.replace(is_lost, "\u{fffd}");
            }
            // SQLite reads no further.
            if let Some(end) = text.find('\0') {
                oddity
                    .set(Some("its name or its SQL has a NUL, behind which SQLite reads nothing; it is cut off there"));
                text.truncate(end);
            }
            Ok(text)
        }
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
            match layout {
                Some(layout) => Some(layout.pointer(root, pgno)?),
                None => Pgno::new(root),
            }
        }
        _ => return Err(damaged),
    };
    let sql = match value(4)? {
        Value::Null => None,
        _ if reading.as_it_is => Some(text(4)?),
        _ => Some(statement::as_sqlite_writes(text(4)?)),
    };
    let object = Object { kind, name: text(1)?, table: text(2)?, root, sql };
    Ok(Some((object, oddity.get())))
}

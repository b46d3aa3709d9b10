//! What the schema says, and what of it goes with the tables that are wanted.

use std::collections::HashSet;

use crate::btree::{Encoding, Layout, Row, Slot, Value};
use crate::build;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// What all rows of the schema may take, in bytes.
const MAX_SIZE: usize = 16 << 20;
/// What the tables in which FTS3, FTS4, FTS5 and R-Tree keep what they hold are called, behind the virtual table's name.
const SHADOWS: [&str; 11] =
    ["data", "idx", "content", "docsize", "config", "segments", "segdir", "stat", "node", "rowid", "parent"];

/// Rows of the schema table, in order.
#[derive(Debug)]
pub(super) struct Schema {
    wanted: Vec<String>,
    pub(super) objects: Vec<Object>,
    size: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Object {
    /// In the bytes that it has,
    pub(super) row: build::Object,
    /// and as text.
    name: String,
    table: String,
    pub(super) root: Option<Pgno>,
    kind: Kind,
    /// Whether it is a table with AUTOINCREMENT.
    counts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Table,
    View,
    /// What belongs to one of these.
    Other,
}

impl Schema {
    pub(super) fn new(wanted: Vec<String>) -> Self {
        Self { wanted, objects: Vec::new(), size: 0 }
    }

    /// Takes a row of the schema table.
    ///
    /// # Errors
    /// `BtreePage`, naming its page, when it is not one that SQLite writes; `SchemaSize`, when there is no room for it.
    pub(super) fn add(&mut self, row: Row<'_>, encoding: Encoding, layout: Layout) -> Result<()> {
        self.size += row.record.len();
        if row.rest.is_some() || self.size > MAX_SIZE {
            return Err(Error::at_page(ErrorKind::SchemaSize, row.pgno.value()));
        }
        self.objects.push(Object::read(row, encoding, layout)?);
        Ok(())
    }

    /// The names asked for that no table and no view has.
    pub(super) fn unknown(&self) -> Vec<&str> {
        let is_there = |name: &&String| {
            self.objects.iter().any(|object| object.name.eq_ignore_ascii_case(name) && object.is_table_or_view())
        };
        self.wanted.iter().filter(|name| !is_there(name)).map(String::as_str).collect()
    }

    /// Leaves out what does not go with what is wanted.
    pub(super) fn keep_wanted(&mut self) {
        let mut names: HashSet<String> = self.wanted.iter().map(|name| name.to_ascii_lowercase()).collect();
        let virtual_tables = self.objects.iter().filter(|object| object.is_table() && object.root.is_none());
        let wanted = virtual_tables.map(|table| table.name.to_ascii_lowercase()).filter(|name| names.contains(name));
        let shadows = wanted.flat_map(|name| SHADOWS.map(|suffix| format!("{name}_{suffix}")));
        let shadows: Vec<String> = shadows.collect();
        names.extend(shadows);
        let is_wanted = |object: &Object| names.contains(&object.table.to_ascii_lowercase());
        let counts = self.objects.iter().any(|object| object.counts && is_wanted(object));
        self.objects.retain(|object| match object.name.as_str() {
            "sqlite_sequence" => counts,
            _ => object.is_kept_by_sqlite() || is_wanted(object),
        });
    }
}

impl Object {
    fn read(row: Row<'_>, encoding: Encoding, layout: Layout) -> Result<Self> {
        let damaged = Error::at_page(ErrorKind::BtreePage, row.pgno.value());
        let values = values(row, 5)?;
        let &[kind, name, table, root, sql] = values.as_slice() else { return Err(damaged) };
        let text = |value| match value {
            Value::Text(text) => Ok(text.to_vec()),
            _ => Err(damaged),
        };
        let root = match root {
            Value::Integer(0) | Value::Null => None,
            Value::Integer(root) => Some(layout.pointer(u32::try_from(root).map_err(|_| damaged)?, row.pgno)?),
            _ => return Err(damaged),
        };
        let sql = if sql == Value::Null { None } else { Some(text(sql)?) };
        let decoded = |bytes: &[u8]| encoding.decode_lossy(bytes).into_owned();
        let row =
            build::Object { kind: text(kind)?, name: text(name)?, table: text(table)?, sql, has_tree: root.is_some() };
        let kind = match decoded(&row.kind).as_str() {
            "table" => Kind::Table,
            "view" => Kind::View,
            _ => Kind::Other,
        };
        let statement = row.sql.as_deref().map(decoded).unwrap_or_default().to_ascii_uppercase();
        let counts = kind == Kind::Table && statement.contains("AUTOINCREMENT");
        Ok(Self { name: decoded(&row.name), table: decoded(&row.table), kind, row, root, counts })
    }

    pub(super) fn is_table(&self) -> bool {
        self.kind == Kind::Table
    }

    fn is_table_or_view(&self) -> bool {
        self.kind != Kind::Other
    }

    /// Whether it has rows of all tables: sequences and statistics.
    pub(super) fn is_kept_by_sqlite(&self) -> bool {
        let is_statistics = |name: &str| name.strip_prefix("sqlite_stat").is_some_and(|rest| rest.len() == 1);
        self.is_table() && (self.name == "sqlite_sequence" || is_statistics(&self.name))
    }
}

/// The first `most` values of a record.
///
/// # Errors
/// `BtreePage`, naming its page.
pub(super) fn values(row: Row<'_>, most: usize) -> Result<Vec<Value<'_>>> {
    let mut slots = Vec::new();
    Slot::read_all(row.record, row.pgno, &mut slots)?;
    slots.iter().take(most).map(|slot| slot.value(row.record, row.pgno)).collect()
}

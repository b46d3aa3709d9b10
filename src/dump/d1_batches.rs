//! Rows for D1 in an order that it takes in several transactions: as far as that can be, no row refers to one that is not
//! there yet when a transaction ends. While there are such rows, SQLite looks for them with each row that goes in.
//!
//! Tables go in parents first. Where they refer to each other in a circle, or to themselves, a row first goes in without
//! such a reference, and gets it when all rows are there: by a view, whose trigger takes what is inserted into it.

use super::columns;
use super::foreign_keys::{ForeignKey, circles, parents_first};
use super::identifier::write_quoted;
use super::plan::{Item, Planner, free_name, is_unique_index, sql_of};
use super::row_plan::{Filter, RowPlan, Source, Style};
use super::schema::{Kind, Object};
use super::shape::{Column, Shape, TableShape};
use crate::error::Result;

/// What stands in a column until all rows are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Null,
    /// What this column of the same row has: the row refers to itself.
    Own(usize),
}

/// Columns of a table that get their values later.
type Later = Vec<(usize, Meanwhile)>;

/// A table whose rows go in.
struct Table<'a> {
    object: &'a Object,
    shape: TableShape,
    /// Columns of which no two rows may have the same values, not even for a moment.
    unique: Vec<usize>,
    later: Later,
}

impl<'a> Planner<'a> {
    pub(super) fn rows_for_batches(&mut self, objects: &[&'a Object]) -> Result<()> {
        let mut tables = Vec::new();
        for object in objects {
            if let Shape::Table(shape) = self.parse(object)? {
                let unique = self.unique_columns(object, &shape);
                tables.push(Table { object, shape, unique, later: Later::new() });
            }
        }
        for table in order(&mut tables).into_iter().filter_map(|number| tables.get(number)) {
            let added = self.items.len();
            self.table_rows(table.object)?;
            if let Some(Item::Rows(rows)) = self.items.get_mut(added) {
                without_references(rows, table);
            }
        }
        let name = free_name(self.schema, "later");
        for table in tables.iter().filter(|table| !table.later.is_empty() && !self.options.no_data) {
            self.references(table, &name);
        }
        Ok(())
    }

    fn unique_columns(&self, table: &Object, shape: &TableShape) -> Vec<usize> {
        let indexes = self.schema.of(Kind::Index).filter(|index| index.table.eq_ignore_ascii_case(&table.name));
        let mut unique: Vec<usize> = shape.keys.iter().flatten().map(|&(column, _)| column).collect();
        for index in indexes.filter(|index| is_unique_index(index)) {
            let index = columns::index(sql_of(index)).ok();
            let is_in = |of: &Column| {
                let names = |column: &Option<(String, _)>| {
                    column.as_ref().is_none_or(|(name, _)| name.eq_ignore_ascii_case(&of.name))
                };
                index.as_ref().is_none_or(|index| index.columns.iter().any(names))
            };
            unique.extend(shape.columns.iter().enumerate().filter(|(_, of)| is_in(of)).map(|(at, _)| at));
        }
        unique
    }

    /// Appends what rows of `table` refer to, by way of a view of this `name`.
    fn references(&mut self, Table { object, shape, later, .. }: &Table<'_>, name: &str) {
        let Some(root) = object.root else { return };
        let found = found_by(shape);
        let mut rows = RowPlan::new(&object.name, root, Style::Many { rowid: false });
        rows.prefix = format!("INSERT INTO \"{name}\"").into_bytes();
        rows.filter = Filter::HasOneOf(later.iter().filter_map(|&(column, _)| slot_of(shape, column)).collect());
        let set: Vec<_> = later.iter().map(|&(column, _)| column_of(shape, column)).collect();
        rows.sources = found.iter().chain(&set).map(|(source, _)| source.clone()).collect();
        let names = |columns: &[(Source, &str)], first: usize, between: &str| {
            let equal = columns.iter().enumerate().map(|(at, (_, column))| {
                let mut quoted = Vec::new();
                write_quoted(&mut quoted, column);
                format!("{}=new.c{}", String::from_utf8_lossy(&quoted), first + at)
            });
            equal.collect::<Vec<_>>().join(between)
        };
        let columns: Vec<_> = (0..rows.sources.len()).map(|column| format!("c{column}")).collect();
        let nulls = vec!["NULL"; columns.len()].join(",");
        self.text(&format!("CREATE VIEW \"{name}\"({}) AS SELECT {nulls};\n", columns.join(",")));
        let mut trigger =
            format!("CREATE TRIGGER \"{name}\" INSTEAD OF INSERT ON \"{name}\" BEGIN UPDATE ").into_bytes();
        write_quoted(&mut trigger, &object.name);
        let (set, found) = (names(&set, found.len(), ","), names(&found, 0, " AND "));
        trigger.extend_from_slice(format!(" SET {set} WHERE {found}; END;\n").as_bytes());
        self.append(&trigger);
        self.items.push(Item::Rows(rows));
        self.text(&format!("DROP VIEW \"{name}\";\n"));
    }
}

/// The order of `tables`, as indexes, for which it is noted what comes later. Where rows still refer to each other both
/// ways, no order is right.
fn order(tables: &mut [Table<'_>]) -> Vec<usize> {
    let names: Vec<&str> = tables.iter().map(|table| table.object.name.as_str()).collect();
    let parent_of = |key: &ForeignKey| names.iter().position(|name| name.eq_ignore_ascii_case(&key.parent));
    let mut referenced = vec![Vec::new(); tables.len()];
    let mut parents_of = vec![Vec::new(); tables.len()];
    for (table, parents) in tables.iter().zip(&mut parents_of) {
        for key in &table.shape.foreign_keys {
            let Some(parent) = parent_of(key) else { continue };
            parents.push(parent);
            if let (Some(to), Some(columns)) = (tables.get(parent), referenced.get_mut(parent)) {
                columns.extend(to.shape.referenced_by(key));
            }
        }
    }
    let circle = circles(&parents_of);
    let mut kept = Vec::with_capacity(tables.len());
    for (number, (table, referenced)) in tables.iter_mut().zip(&referenced).enumerate() {
        let Table { shape, unique, .. } = &*table;
        let mut putting_off = PuttingOff { shape, unique, referenced, later: Vec::new() };
        let is_circular = |parent: usize| circle.get(parent) == circle.get(number);
        let mut parents = Vec::new();
        for only_null in [true, false] {
            for key in &shape.foreign_keys {
                let Some(parent) = parent_of(key) else { continue };
                match is_circular(parent) {
                    true if only_null => putting_off.by_null(key),
                    true if putting_off.waits(key) || parent == number && putting_off.by_itself(key) => {}
                    _ => parents.push(parent),
                }
            }
        }
        table.later = putting_off.later;
        kept.push(parents);
    }
    parents_first(&kept)
}

/// Finds columns of a table that can wait.
struct PuttingOff<'s> {
    shape: &'s TableShape,
    unique: &'s [usize],
    /// What foreign keys refer to has to have its values from the first.
    referenced: &'s [usize],
    later: Later,
}

impl PuttingOff<'_> {
    /// Whether a row can go in before what its `key` refers to.
    fn waits(&self, key: &ForeignKey) -> bool {
        self.later.iter().any(|&(column, meanwhile)| meanwhile == Meanwhile::Null && key.columns.contains(&column))
    }

    /// Lets one of the columns of `key` be NULL meanwhile, if that can be.
    fn by_null(&mut self, key: &ForeignKey) {
        let takes_null = |&column: &usize| {
            self.shape.columns.get(column).is_some_and(|of| !of.insists.not_null) && self.can_wait(column)
        };
        if !self.waits(key)
            && let Some(column) = key.columns.iter().copied().find(takes_null)
        {
            self.later.push((column, Meanwhile::Null));
        }
    }

    /// Lets rows refer to themselves meanwhile; `false` if that cannot be.
    fn by_itself(&mut self, key: &ForeignKey) -> bool {
        let to = self.shape.referenced_by(key);
        let is_free = |column: usize| {
            let is_of = |other: &&ForeignKey| other.columns.contains(&column);
            self.can_wait(column)
                && !self.unique.contains(&column)
                && self.shape.foreign_keys.iter().filter(is_of).count() == 1
        };
        let is_stored = |column: usize| self.shape.columns.get(column).is_some_and(|of| !of.generated);
        let pairs = || key.columns.iter().copied().zip(to.iter().copied()).filter(|(column, own)| column != own);
        if to.len() != key.columns.len() || !pairs().all(|(column, own)| is_free(column) && is_stored(own)) {
            return false;
        }
        self.later.extend(pairs().map(|(column, own)| (column, Meanwhile::Own(own))));
        true
    }

    fn can_wait(&self, column: usize) -> bool {
        let Self { shape, unique, referenced, .. } = *self;
        let is_address = shape.without_rowid && shape.primary_key.contains(&column);
        let is_given = shape.columns.get(column).is_none_or(|of| of.generated || of.rowid);
        // What is computed from another value may be refused.
        let is_computed = shape
            .columns
            .iter()
            .enumerate()
            .any(|(at, of)| of.generated && (of.insists.not_null || unique.contains(&at)));
        !is_address && !is_given && !is_computed && !referenced.contains(&column) && !found_by(shape).is_empty()
    }
}

/// Lets rows go in without what comes later.
fn without_references(rows: &mut RowPlan, Table { shape, later, .. }: &Table<'_>) {
    let named = shape.columns.iter().enumerate().filter(|(_, column)| !column.generated).map(|(at, _)| at);
    let skipped = usize::from(matches!(rows.style, Style::Many { rowid: true }));
    for (source, column) in rows.sources.iter_mut().skip(skipped).zip(named) {
        match later.iter().find(|&&(of, _)| of == column) {
            Some((_, Meanwhile::Null)) => *source = Source::null(),
            Some(&(_, Meanwhile::Own(own))) => *source = column_of(shape, own).0,
            None => {}
        }
    }
}

/// By which columns a row is found again; none where there is no way.
fn found_by(shape: &TableShape) -> Vec<(Source, &str)> {
    if shape.without_rowid {
        return shape.primary_key.iter().map(|&column| column_of(shape, column)).collect();
    }
    shape.rowid_name().map(|name| (Source::rowid(), name)).into_iter().collect()
}

fn column_of(shape: &TableShape, column: usize) -> (Source, &str) {
    let Some(of) = shape.columns.get(column) else { return (Source::null(), "") };
    let slot = if of.rowid { None } else { slot_of(shape, column) };
    (Source { slot, affinity: of.affinity, default: of.default.clone() }, &of.name)
}

/// The column's place in a record.
fn slot_of(shape: &TableShape, column: usize) -> Option<usize> {
    shape.stored.iter().position(|&stored| stored == column)
}

//! What goes into the SQL, in which order.

use core::cell::RefCell;
use std::collections::{HashMap, HashSet};

use sqlite3_parser::lexer::sql::TokenType;

use super::columns;
use super::default::Reader;
use super::dumper::refill::Refill;
use super::guard::{Guard, Remedy, has_check};
use super::identifier::{tokens, write_doubling, write_quoted};
use super::notes::Notes;
use super::options::{Dialect, Options, Shell};
use super::row_plan::{Filter, RowPlan, Source, Style};
use super::schema::{Kind, Object, Schema};
use super::shape::{Shape, TableShape};
use super::statement;
use super::virtual_table;
use crate::btree::Encoding;
use crate::error::{ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};

/// What the plans for rows may take, in bytes: a column can be two bytes of SQL, and take fifty here.
const MAX_SIZE: usize = 16 << 20;

/// SQL of which is kept what it came to is no longer, in bytes,
const MAX_KEPT_SQL: usize = 4 << 10;
/// and that of no more objects is kept.
const MAX_KEPT: usize = 256;

/// One part of the SQL.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// SQL as it stands.
    Text(Vec<u8>),
    /// The rows of a b-tree.
    Rows(RowPlan),
    /// Only when the rows before it had an opening and used it.
    Closing(Vec<u8>),
    /// The rows of a full-text table that has its texts elsewhere.
    Refill(Refill),
    UniqueIndex(UniqueIndex),
    /// Rows of pages that nothing points to, in a salvage.
    Orphans,
    /// The end of the table of pieces, if there was need of one.
    DropPieces,
}

/// An index that refuses rows.
#[derive(Clone, Debug)]
pub(super) struct UniqueIndex {
    /// Root of its table.
    pub(super) table: Pgno,
    pub(super) name: String,
    pub(super) sql: String,
    /// What makes it.
    pub(super) text: Vec<u8>,
    /// Whether the schema can be written where it is made.
    pub(super) is_writable: bool,
}

/// A plan being made.
pub(super) struct Planner<'a> {
    pub(super) schema: &'a Schema,
    pub(super) options: &'a Options,
    pub(super) header: &'a DatabaseHeader,
    pub(super) encoding: Encoding,
    pub(super) notes: &'a mut Notes,
    pub(super) items: Vec<Item>,
    /// What those of rows take, in bytes.
    pub(super) size: usize,
    /// What some of the SQL came to: the parser is large, and V8 optimises it after a few runs.
    pub(super) shapes: RefCell<HashMap<String, Shape>>,
}

/// The names in `options` that are no tables and no views, in quotes, with what they are.
pub(super) fn unknown_tables(schema: &Schema, options: &Options) -> Vec<String> {
    let is_named = |object: &&Object, name: &str| object.name.eq_ignore_ascii_case(name);
    let of = |name: &str| schema.objects.iter().find(|object| is_named(object, name));
    let is_view = |name: &str| schema.of(Kind::View).any(|view| is_named(&view, name));
    let unknown = options.tables.iter().filter(|name| schema.table(name).is_none() && !is_view(name));
    let described = unknown.map(|name| match of(name) {
        Some(Object { kind: Kind::Index, table, .. }) => format!("{name:?} (an index, which comes with {table:?})"),
        Some(Object { table, .. }) => format!("{name:?} (a trigger, which comes with {table:?})"),
        None => format!("{name:?}"),
    });
    described.collect()
}

impl<'a> Planner<'a> {
    /// Plans the dialect that the options name.
    ///
    /// # Errors
    /// `SchemaSql` when a table's SQL does not parse, unless the dump is a salvage.
    pub(super) fn plan(mut self) -> Result<Vec<Item>> {
        match self.options.dialect {
            Dialect::Shell(shell) => self.shell(shell)?,
            Dialect::Sqlite => self.sqlite()?,
            Dialect::D1 => self.d1()?,
        }
        Ok(self.items)
    }

    /// A virtual table is put into the schema as it is: its module need not be there, and its shadow tables keep
    /// what they hold.
    pub(super) fn virtual_table(&mut self, table: &Object, writable: &mut bool) {
        let mut out = Vec::new();
        open_schema(&mut out, writable);
        out.extend_from_slice(b"INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',");
        write_doubling(&mut out, table.name.as_bytes(), b'\'');
        out.push(b',');
        write_doubling(&mut out, table.name.as_bytes(), b'\'');
        out.extend_from_slice(b",0,");
        write_doubling(&mut out, sql_of(table).as_bytes(), b'\'');
        out.extend_from_slice(b");\n");
        self.items.push(Item::Text(out));
    }

    /// The rows of a table, with names for all columns, the rowid too where nothing else would keep it.
    pub(super) fn table_rows(&mut self, table: &Object) -> Result<()> {
        self.table_rows_where(table, Filter::All)
    }

    /// Rows that pass `filter`. Where they join rows that may be there already, their rowids are not kept.
    pub(super) fn table_rows_where(&mut self, table: &Object, filter: Filter) -> Result<()> {
        let keep_rowids = filter == Filter::All;
        let added = self.items.len();
        self.rows(table, |prefix, shape, notes| {
            write_quoted(prefix, &table.name);
            prefix.push(b'(');
            let has_alias = shape.columns.iter().any(|column| column.rowid);
            let rowid = if shape.without_rowid || has_alias || !keep_rowids {
                None
            } else {
                let name = shape.rowid_name();
                if name.is_none() {
                    notes.say(format!("{}: rowids are not carried, as columns have all their names", table.name));
                }
                name
            };
            let columns = shape.columns.iter().filter(|column| !column.generated).map(|column| column.name.as_str());
            for (index, name) in rowid.into_iter().chain(columns).enumerate() {
                if index > 0 {
                    prefix.push(b',');
                }
                write_quoted(prefix, name);
            }
            prefix.push(b')');
            Style::Many { rowid: rowid.is_some() }
        })?;
        if let Some(Item::Rows(rows)) = self.items.get_mut(added) {
            rows.filter = filter;
        }
        Ok(())
    }

    /// The rows of a table; `style` appends what stands between INSERT INTO and VALUES.
    pub(super) fn rows(
        &mut self,
        table: &Object,
        style: impl FnOnce(&mut Vec<u8>, &TableShape, &mut Notes) -> Style,
    ) -> Result<()> {
        let (Some(root), false) = (table.root, self.options.no_data) else { return Ok(()) };
        let Some(shape) = self.shape(table)? else { return Ok(()) };
        // A damaged row can be there twice, or break a constraint: the rest must load all the same.
        let is_salvage = self.options.salvage && !matches!(self.options.dialect, Dialect::Shell(_));
        let mut prefix = Vec::from(if is_salvage { "INSERT OR IGNORE INTO " } else { "INSERT INTO " });
        let style = style(&mut prefix, &shape, self.notes);
        let guard = Guard::new(match self.options.dialect {
            Dialect::D1 => Remedy::LeaveOut,
            _ if self.options.no_schema => Remedy::Alone,
            _ => Remedy::Relax,
        });
        let rows = row_plan(table, root, &shape, prefix, style, guard);
        self.size += rows.prefix.len() + rows.sources.len() * size_of::<Source>();
        if self.size > MAX_SIZE {
            return Err(ErrorKind::SchemaSize.into());
        }
        self.items.push(Item::Rows(rows));
        Ok(())
    }

    pub(super) fn parse(&self, table: &Object) -> Result<Shape> {
        let sql = sql_of(table);
        if let Some(shape) = self.shapes.borrow().get(sql) {
            return Ok(shape.clone());
        }
        let reader = match self.options.dialect {
            Dialect::Shell(Shell::V3_40) => Reader::V3_40,
            _ => Reader::Current,
        };
        let shape = columns::parse(sql, reader)?;
        let mut shapes = self.shapes.borrow_mut();
        if sql.len() <= MAX_KEPT_SQL && shapes.len() < MAX_KEPT {
            shapes.insert(sql.to_owned(), shape.clone());
        }
        Ok(shape)
    }

    /// `None` when it does not parse and is given up.
    fn shape(&mut self, table: &Object) -> Result<Option<TableShape>> {
        match self.parse(table) {
            Ok(Shape::Table(shape)) => Ok(Some(shape)),
            _ if self.options.salvage => {
                self.notes.say(format!("{}: its SQL does not parse, so that its rows are left out", table.name));
                Ok(None)
            }
            Ok(Shape::Virtual(_)) => Err(ErrorKind::SchemaSql.into()),
            Err(error) => Err(error),
        }
    }

    /// The tables that were asked for, as the shell orders them.
    pub(super) fn tables_sequence_last(&self) -> Vec<&'a Object> {
        let schema = self.schema;
        let wanted = schema.of(Kind::Table).filter(|table| table.sql.is_some() && self.is_wanted(&table.name));
        let (mut tables, last): (Vec<_>, Vec<_>) = wanted.partition(|table| table.table != "sqlite_sequence");
        tables.extend(last);
        tables
    }

    /// Indexes, views and triggers that go with the tables that were asked for, in the order of the schema.
    pub(super) fn others(&self) -> Vec<&'a Object> {
        let schema = self.schema;
        let others = schema.objects.iter().filter(|object| object.kind != Kind::Table && object.sql.is_some());
        others.filter(|object| self.is_wanted(&object.table)).collect()
    }

    pub(super) fn is_wanted(&self, name: &str) -> bool {
        let tables = &self.options.tables;
        let is_named = |name: &str| tables.iter().any(|table| table.eq_ignore_ascii_case(name));
        // What is about the tables that were asked for comes along, and virtual tables bring their shadows.
        let is_about = name == "sqlite_sequence" || is_statistics(name);
        tables.is_empty() || is_about || is_named(name) || self.owner(name).is_some_and(|owner| is_named(&owner.name))
    }

    /// The tables that were asked for; `None` for all.
    pub(super) fn wanted_names(&self) -> Option<Vec<String>> {
        let all = self.options.tables.is_empty();
        let wanted = self.schema.of(Kind::Table).filter(|table| self.is_wanted(&table.name));
        (!all).then(|| wanted.map(|table| table.name.clone()).collect())
    }

    pub(super) fn is_shadow(&self, name: &str) -> bool {
        self.owner(name).is_some()
    }

    /// The virtual table whose shadow `name` is.
    pub(super) fn owner(&self, name: &str) -> Option<&'a Object> {
        let (before, suffix) = name.rsplit_once('_')?;
        let schema = self.schema;
        let is_owner = |table: &&Object| {
            is_virtual(table)
                && matches!(self.parse(table), Ok(Shape::Virtual(shape)) if virtual_table::has_shadow(&shape, name, suffix))
        };
        schema.table(before).filter(is_owner)
    }

    /// Says that CHECKs are passed over while rows go in, if any of `tables` has one; `true` if so. Rows that break
    /// theirs stay what they are.
    pub(super) fn pass_checks(&mut self, tables: &[&Object]) -> bool {
        let passes = !self.options.no_data && tables.iter().any(|table| has_check(sql_of(table)));
        if passes {
            self.text("PRAGMA ignore_check_constraints=ON;\n");
        }
        passes
    }

    pub(super) fn text(&mut self, text: &str) {
        self.items.push(Item::Text(text.into()));
    }

    /// Goes on with the text that is there.
    pub(super) fn append(&mut self, text: &[u8]) {
        match self.items.last_mut() {
            Some(Item::Text(last)) => last.extend_from_slice(text),
            _ => self.items.push(Item::Text(text.to_vec())),
        }
    }

    pub(super) fn statement(&mut self, sql: &str) {
        let mut out = Vec::new();
        write_statement(&mut out, sql);
        self.items.push(Item::Text(out));
    }

    /// An index that refuses rows: it may have to be made before them, or in another way.
    pub(super) fn unique_index(&self, object: &Object, text: Vec<u8>, is_writable: bool) -> Option<Item> {
        let table = self.schema.table(&object.table).filter(|_| is_unique_index(object))?.root?;
        let (name, sql) = (object.name.clone(), sql_of(object).to_owned());
        Some(Item::UniqueIndex(UniqueIndex { table, name, sql, text, is_writable }))
    }
}

/// Appends SQL and a semicolon, behind the comment in which SQL may end.
pub(super) fn write_statement(out: &mut Vec<u8>, sql: &str) {
    out.extend_from_slice(sql.as_bytes());
    out.extend_from_slice(match statement::end_of(sql) {
        Some(statement::End::Line) => b"\n;\n",
        Some(statement::End::Block) => b"*/;\n",
        Some(statement::End::Token) | None => b";\n",
    });
}

/// Lets what follows write to the schema table.
pub(super) fn open_schema(out: &mut Vec<u8>, writable: &mut bool) {
    if !core::mem::replace(writable, true) {
        out.extend_from_slice(b"PRAGMA writable_schema=ON;\n");
    }
}

/// What ends [`Planner::pass_checks`].
pub(super) const CHECKS_AGAIN: &str = "PRAGMA ignore_check_constraints=OFF;\n";

/// A name that no object has, beginning with `stem`.
pub(super) fn free_name(schema: &Schema, stem: &str) -> String {
    let number = |object: &Object| object.name.to_ascii_lowercase().strip_prefix(stem)?.parse::<u32>().ok();
    let taken: HashSet<u32> = schema.objects.iter().filter_map(number).collect();
    let free = (0u32..).find(|number| !taken.contains(number)).unwrap_or_default();
    format!("{stem}{free}")
}

fn row_plan(
    table: &Object,
    root: Pgno,
    shape: &TableShape,
    prefix: Vec<u8>,
    style: Style,
    mut guard: Guard,
) -> RowPlan {
    let with_rowid = matches!(style, Style::Many { rowid: true });
    let columns = shape.columns.iter().enumerate().filter(|(_, column)| !column.generated).map(|(index, column)| {
        let slot = shape.stored.iter().position(|&stored| stored == index);
        let slot = if column.rowid { None } else { slot };
        if let (Some(slot), Style::Many { .. }) = (slot, style) {
            guard.add(column.insists, slot, &column.default);
        }
        if let Some(slot) = slot.filter(|_| shape.without_rowid && shape.primary_key.contains(&index)) {
            guard.add_key(slot, &column.default);
        }
        Source { slot, affinity: column.affinity, default: column.default.clone() }
    });
    let sources = with_rowid.then(Source::rowid).into_iter().chain(columns).collect();
    RowPlan { prefix, sources, guard, ..RowPlan::new(&table.name, root, style) }
}

pub(super) fn sql_of(object: &Object) -> &str {
    object.sql.as_deref().unwrap_or_default()
}

pub(super) fn is_unique_index(object: &Object) -> bool {
    object.kind == Kind::Index && tokens(sql_of(object)).nth(1).is_some_and(|(_, kind)| kind == TokenType::TK_UNIQUE)
}

pub(super) fn is_virtual(object: &Object) -> bool {
    let sql = sql_of(object).as_bytes();
    sql.get(..20).is_some_and(|start| start.eq_ignore_ascii_case(b"CREATE VIRTUAL TABLE"))
}

/// Whether a table is one of those that SQLite keeps itself, and that go in as rows.
pub(super) fn is_internal(name: &str) -> bool {
    name == "sqlite_sequence" || is_statistics(name)
}

/// Whether SQLite makes nothing of this name, except when its schema may be written.
pub(super) fn is_reserved(name: &str) -> bool {
    let starts = name.as_bytes().get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"));
    starts && !is_internal(name)
}

/// `sqlite_stat1` to `sqlite_stat4`.
pub(super) fn is_statistics(name: &str) -> bool {
    name.strip_prefix("sqlite_stat").is_some_and(|rest| rest.chars().count() == 1)
}

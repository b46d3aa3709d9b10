//! What goes into the SQL, in which order.

use super::columns::{self, Shape, TableShape};
use super::constant::Reader;
use super::identifier::{write_doubling, write_quoted};
use super::notes::Notes;
use super::options::{Dialect, Options, Shell};
use super::rows::{RowPlan, Source, Style};
use super::schema::{Kind, Object, Schema};
use super::shell;
use crate::btree::Encoding;
use crate::error::{ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};

/// One part of the SQL.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// As it is.
    Text(Vec<u8>),
    /// The rows of a b-tree.
    Rows(RowPlan),
    /// Only when the rows before it had an opening and used it.
    Closing(Vec<u8>),
}

/// A plan being made.
pub(super) struct Planner<'a> {
    pub(super) schema: &'a Schema,
    pub(super) options: &'a Options,
    pub(super) header: &'a DatabaseHeader,
    pub(super) encoding: Encoding,
    pub(super) notes: &'a mut Notes,
    pub(super) items: Vec<Item>,
}

/// The names in `options` that are no tables.
pub(super) fn unknown_tables(schema: &Schema, options: &Options) -> Vec<String> {
    let is_table = |name: &String| schema.of(Kind::Table).any(|table| table.name.eq_ignore_ascii_case(name));
    options.tables.iter().filter(|name| !is_table(name)).cloned().collect()
}

impl<'a> Planner<'a> {
    /// Plans the dialect that the options name.
    ///
    /// # Errors
    /// `SchemaSql` when a table's SQL does not parse, unless it is to be salvaged.
    pub(super) fn plan(mut self) -> Result<Vec<Item>> {
        match self.options.dialect {
            Dialect::Shell(shell) => self.shell(shell)?,
            Dialect::Sqlite => self.sqlite()?,
            Dialect::D1 => self.d1()?,
        }
        Ok(self.items)
    }

    fn shell(&mut self, shell: Shell) -> Result<()> {
        let has_schema = !self.options.no_schema;
        let tables = self.tables_sequence_last();
        let is_virtual = |object: &Object| sql_of(object).starts_with("CREATE VIRTUAL TABLE");
        if shell == Shell::V3_54 && tables.iter().any(|table| is_virtual(table)) {
            self.text("/* WARNING: Script requires that SQLITE_DBCONFIG_DEFENSIVE be disabled */\n");
        }
        if has_schema {
            self.text("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
        }
        let mut writable = false;
        let mut may_open = false;
        for table in tables {
            let mut out = Vec::new();
            let mut opening = Vec::new();
            if table.name == "sqlite_sequence" && shell == Shell::V3_54 {
                // Left out when it is empty.
                may_open = !writable;
                open_schema(&mut opening, &mut writable.clone());
                opening.extend_from_slice(b"CREATE TABLE IF NOT EXISTS sqlite_sequence(name,seq);\n");
                opening.extend_from_slice(b"DELETE FROM sqlite_sequence;\n");
            } else if table.name == "sqlite_sequence" {
                out.extend_from_slice(b"DELETE FROM sqlite_sequence;\n");
            } else if is_statistics(&table.name) {
                out.extend_from_slice(b"ANALYZE sqlite_schema;\n");
            } else if table.name.starts_with("sqlite_") {
                continue;
            } else if is_virtual(table) {
                if has_schema {
                    self.virtual_table(table, &mut writable);
                    continue;
                }
            } else {
                shell::write_table(&mut out, sql_of(table));
            }
            if has_schema {
                self.items.push(Item::Text(out));
            }
            if !is_virtual(table) {
                self.rows(table, |prefix, _, _| {
                    shell::write_name(prefix, &table.name);
                    Style::Shell(shell)
                })?;
                if has_schema && let Some(Item::Rows(rows)) = self.items.last_mut() {
                    rows.opening = opening;
                }
            }
        }
        if has_schema {
            let mut others = self.others();
            if shell == Shell::V3_54 {
                others.sort_by_key(|object| match object.kind {
                    Kind::View => 0,
                    Kind::Trigger => 1,
                    _ => 2,
                });
            }
            let mut out = Vec::new();
            for object in others {
                shell::write_other(&mut out, sql_of(object), shell);
            }
            self.items.push(Item::Text(out));
            let close = Vec::from(b"PRAGMA writable_schema=OFF;\n");
            match (writable, may_open) {
                (true, _) => self.items.push(Item::Text(close)),
                (false, true) => self.items.push(Item::Closing(close)),
                (false, false) => {}
            }
            self.text("COMMIT;\n");
        }
        Ok(())
    }

    fn sqlite(&mut self) -> Result<()> {
        let has_schema = !self.options.no_schema;
        self.pragmas();
        let mut writable = false;
        let (internal, tables): (Vec<_>, Vec<_>) =
            self.tables_sequence_last().into_iter().partition(|table| table.name.starts_with("sqlite_"));
        for table in tables {
            if is_virtual(table) {
                if has_schema {
                    self.virtual_table(table, &mut writable);
                }
                continue;
            }
            if has_schema {
                self.statement(sql_of(table));
            } else if self.is_shadow(&table.name) && !self.options.no_data {
                // The virtual table that is there has filled them.
                self.delete_all(&table.name);
            }
            self.table_rows(table)?;
        }
        self.internal_tables(&internal)?;
        let mut out = Vec::new();
        if has_schema {
            for object in self.others() {
                write_statement(&mut out, sql_of(object));
            }
        }
        if writable {
            out.extend_from_slice(b"PRAGMA writable_schema=OFF;\n");
        }
        out.extend_from_slice(b"COMMIT;\n");
        self.items.push(Item::Text(out));
        Ok(())
    }

    fn pragmas(&mut self) {
        if self.options.no_schema {
            return self.text("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
        }
        let encoding = match self.encoding {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16Le => "UTF-16le",
            Encoding::Utf16Be => "UTF-16be",
        };
        let DatabaseHeader { page_size, auto_vacuum, user_version, application_id, .. } = self.header;
        let (page_size, auto_vacuum) = (page_size.value(), *auto_vacuum as u8);
        let format =
            format!("PRAGMA page_size={page_size};PRAGMA encoding='{encoding}';PRAGMA auto_vacuum={auto_vacuum};");
        // Since 3.54 the sqlite3 shell guards the schema, except from what begins with these two lines; but the page
        // size can only be set outside of a transaction.
        self.text(&format!("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCOMMIT;{format}BEGIN TRANSACTION;\n"));
        // They are signed for SQLite.
        let (user_version, application_id) = (*user_version as i32, *application_id as i32);
        self.text(&format!("PRAGMA user_version={user_version};\nPRAGMA application_id={application_id};\n"));
    }

    /// Sequences and statistics, of the tables that were asked for.
    pub(super) fn internal_tables(&mut self, internal: &[&Object]) -> Result<()> {
        for table in internal {
            let is_sequence = table.name == "sqlite_sequence";
            if self.options.no_data || !(is_sequence || is_statistics(&table.name)) {
                continue;
            }
            if !is_sequence && table.name != "sqlite_stat1" {
                self.notes.say(format!("{}: not every SQLite has such a table; run ANALYZE", table.name));
                continue;
            }
            match (self.options.no_schema, is_sequence) {
                (false, true) => self.make_sequence(),
                (false, false) => self.text("ANALYZE sqlite_schema;\n"),
                (true, _) => {}
            }
            let only = self.wanted_names();
            match &only {
                None => self.delete_all(&table.name),
                Some(names) => {
                    let column = if is_sequence { "name" } else { "tbl" };
                    for name in names {
                        let mut out = Vec::from(b"DELETE FROM ");
                        write_quoted(&mut out, &table.name);
                        out.extend_from_slice(format!(" WHERE {column}=").as_bytes());
                        write_doubling(&mut out, name.as_bytes(), b'\'');
                        out.extend_from_slice(b";\n");
                        self.items.push(Item::Text(out));
                    }
                }
            }
            let at = self.items.len();
            self.table_rows(table)?;
            for item in self.items.iter_mut().skip(at) {
                if let Item::Rows(rows) = item {
                    rows.only = only.clone();
                }
            }
        }
        Ok(())
    }

    /// Only an AUTOINCREMENT table brings the table of sequences, and it stays when that is dropped.
    fn make_sequence(&mut self) {
        let brings =
            |table: &Object| matches!(self.parse(table), Ok(Shape::Table(TableShape { autoincrement: true, .. })));
        if !self.tables_sequence_last().into_iter().any(brings) {
            let taken = |name: &String| self.schema.objects.iter().any(|object| object.name.eq_ignore_ascii_case(name));
            let free = (0u32..).map(|n| format!("sequence{n}")).find(|name| !taken(name)).unwrap_or_default();
            self.text(&format!("CREATE TABLE {free}(a INTEGER PRIMARY KEY AUTOINCREMENT);DROP TABLE {free};\n"));
        }
    }

    fn delete_all(&mut self, table: &str) {
        let mut out = Vec::from(b"DELETE FROM ");
        write_quoted(&mut out, table);
        out.extend_from_slice(b";\n");
        self.items.push(Item::Text(out));
    }

    /// A virtual table is put into the schema as it is: its module need not be there, and its shadow tables keep
    /// what they hold.
    fn virtual_table(&mut self, table: &Object, writable: &mut bool) {
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
        self.rows(table, |prefix, shape, notes| {
            write_quoted(prefix, &table.name);
            prefix.push(b'(');
            let rowid = if shape.without_rowid || shape.columns.iter().any(|column| column.rowid) {
                None
            } else {
                let names = ["rowid", "_rowid_", "oid"];
                let is_free = |name: &&str| !shape.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
                let free = names.into_iter().find(is_free);
                if free.is_none() {
                    notes.say(format!("{}: rowids are not carried, as columns have all their names", table.name));
                }
                free
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
        })
    }

    /// The rows of a table; `style` appends what stands between INSERT INTO and VALUES.
    fn rows(
        &mut self,
        table: &Object,
        style: impl FnOnce(&mut Vec<u8>, &TableShape, &mut Notes) -> Style,
    ) -> Result<()> {
        let (Some(root), false) = (table.root, self.options.no_data) else { return Ok(()) };
        let Some(shape) = self.shape(table)? else { return Ok(()) };
        let mut prefix = Vec::from(b"INSERT INTO ");
        let style = style(&mut prefix, &shape, self.notes);
        self.items.push(Item::Rows(row_plan(table, root, &shape, prefix, style)));
        Ok(())
    }

    fn parse(&self, table: &Object) -> Result<Shape> {
        let reader = match self.options.dialect {
            Dialect::Shell(Shell::V3_40) => Reader::V3_40,
            _ => Reader::Current,
        };
        columns::parse(sql_of(table), reader)
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
        let mut tables: Vec<_> = wanted.collect();
        tables.sort_by_key(|table| table.table == "sqlite_sequence");
        tables
    }

    /// Indexes, views and triggers that go with the tables that were asked for, in the order of the schema.
    pub(super) fn others(&self) -> Vec<&'a Object> {
        let schema = self.schema;
        let others = schema.objects.iter().filter(|object| object.kind != Kind::Table && object.sql.is_some());
        others.filter(|object| self.is_wanted(&object.table)).collect()
    }

    fn is_wanted(&self, name: &str) -> bool {
        let tables = &self.options.tables;
        let is_named = |name: &str| tables.iter().any(|table| table.eq_ignore_ascii_case(name));
        // What is about the tables that were asked for comes along, and virtual tables bring their shadows.
        let is_about = name == "sqlite_sequence" || is_statistics(name);
        tables.is_empty() || is_about || is_named(name) || self.owner(name).is_some_and(|owner| is_named(&owner.name))
    }

    /// The tables that were asked for; `None` for all.
    fn wanted_names(&self) -> Option<Vec<String>> {
        let all = self.options.tables.is_empty();
        let wanted = self.schema.of(Kind::Table).filter(|table| self.is_wanted(&table.name));
        (!all).then(|| wanted.map(|table| table.name.clone()).collect())
    }

    pub(super) fn is_shadow(&self, name: &str) -> bool {
        self.owner(name).is_some()
    }

    /// The virtual table whose shadow `name` is.
    fn owner(&self, name: &str) -> Option<&'a Object> {
        let (before, suffix) = name.rsplit_once('_')?;
        let known =
            ["data", "idx", "content", "docsize", "config", "segments", "segdir", "stat", "node", "rowid", "parent"];
        if !known.contains(&suffix) {
            return None;
        }
        let schema = self.schema;
        schema.of(Kind::Table).find(|table| is_virtual(table) && table.name.eq_ignore_ascii_case(before))
    }

    pub(super) fn text(&mut self, text: &str) {
        self.items.push(Item::Text(text.into()));
    }

    pub(super) fn statement(&mut self, sql: &str) {
        let mut out = Vec::new();
        write_statement(&mut out, sql);
        self.items.push(Item::Text(out));
    }
}

/// Appends SQL and a semicolon, on a line of its own where SQL may end in a comment.
pub(super) fn write_statement(out: &mut Vec<u8>, sql: &str) {
    out.extend_from_slice(sql.as_bytes());
    if let Some(comment) = sql.rfind("/*")
        && !sql.get(comment..).is_some_and(|rest| rest.contains("*/"))
    {
        out.extend_from_slice(b"*/");
    }
    out.extend_from_slice(if sql.contains("--") { b"\n;\n" } else { b";\n" });
}

/// Lets what follows write to the schema table.
fn open_schema(out: &mut Vec<u8>, writable: &mut bool) {
    if !core::mem::replace(writable, true) {
        out.extend_from_slice(b"PRAGMA writable_schema=ON;\n");
    }
}

fn row_plan(table: &Object, root: Pgno, shape: &TableShape, prefix: Vec<u8>, style: Style) -> RowPlan {
    let with_rowid = matches!(style, Style::Many { rowid: true });
    let columns = shape.columns.iter().enumerate().filter(|(_, column)| !column.generated).map(|(index, column)| {
        let slot = shape.stored.iter().position(|&stored| stored == index);
        let slot = if column.rowid { None } else { slot };
        Source { slot, affinity: column.affinity, default: column.default.clone() }
    });
    let sources = with_rowid.then(Source::rowid).into_iter().chain(columns).collect();
    RowPlan { table: table.name.clone(), root, prefix, sources, style, only: None, opening: Vec::new() }
}

pub(super) fn sql_of(object: &Object) -> &str {
    object.sql.as_deref().unwrap_or_default()
}

pub(super) fn is_virtual(object: &Object) -> bool {
    let sql = sql_of(object).as_bytes();
    sql.get(..20).is_some_and(|start| start.eq_ignore_ascii_case(b"CREATE VIRTUAL TABLE"))
}

/// `sqlite_stat1` to `sqlite_stat4`.
pub(super) fn is_statistics(name: &str) -> bool {
    name.strip_prefix("sqlite_stat").is_some_and(|rest| rest.chars().count() == 1)
}

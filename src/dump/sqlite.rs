//! The order that any SQLite takes.

use core::mem;
use std::collections::HashSet;

use super::identifier::write_quoted;
use super::options::Dialect;
use super::plan::{
    CHECKS_AGAIN, Item, Planner, is_internal, is_reserved, is_virtual, open_schema, sql_of, write_statement,
};
use super::schema::{Kind, Object};
use super::shape::Shape;
use super::virtual_table::{Content, FullText};
use crate::btree::Encoding;
use crate::error::Result;
use crate::page::DatabaseHeader;

impl Planner<'_> {
    pub(super) fn sqlite(&mut self) -> Result<()> {
        let has_schema = !self.options.no_schema;
        self.pragmas();
        let mut writable = false;
        let (internal, tables): (Vec<_>, Vec<_>) =
            self.tables_sequence_last().into_iter().partition(|table| is_internal(&table.name));
        let others = self.others();
        if has_schema {
            let drops = self
                .drops(&tables.iter().copied().filter(|table| !is_reserved(&table.name)).collect::<Vec<_>>(), &others);
            self.append(&drops);
        }
        let passes_checks = self.pass_checks(&tables);
        let mut made_by_sql = Vec::new();
        for &table in &tables {
            if self.is_made_by_sql(table) {
                made_by_sql.push(table);
                continue;
            }
            if self.owner(&table.name).is_some_and(|owner| self.is_made_by_sql(owner)) {
                continue;
            }
            if is_virtual(table) {
                if has_schema {
                    self.virtual_table(table, &mut writable);
                }
                continue;
            }
            if has_schema && is_reserved(&table.name) {
                self.reserved_table(table, &mut writable);
            } else if has_schema {
                self.statement(sql_of(table));
            } else if self.is_shadow(&table.name) && !self.options.no_data {
                // The virtual table that is there has filled them.
                self.delete_all(&table.name);
            }
            self.table_rows(table)?;
            if let Some(Item::Rows(rows)) = self.items.last_mut() {
                rows.guard.is_writable = writable;
            }
        }
        let mut refills = Vec::new();
        for table in made_by_sql {
            self.virtual_with_rows(table, &HashSet::new(), &mut refills)?;
        }
        self.internal_tables(&internal, &tables)?;
        self.items.push(Item::DropPieces);
        let mut out = Vec::new();
        if has_schema {
            // Texts may be those of a view.
            let (first, others): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|object| !refills.is_empty() && object.kind == Kind::View);
            first.into_iter().for_each(|view| self.statement(sql_of(view)));
            self.items.append(&mut refills);
            for object in others {
                if object.kind == Kind::Index && is_reserved(&object.table) {
                    self.notes
                        .say(format!("{}: SQLite makes no index on {}; it is left out", object.name, object.table));
                    continue;
                }
                if is_reserved(&object.name) {
                    open_schema(&mut out, &mut writable);
                }
                let mut text = Vec::new();
                write_statement(&mut text, sql_of(object));
                match self.unique_index(object, text, writable) {
                    Some(index) if !is_reserved(&object.name) => {
                        self.items.extend([Item::Text(mem::take(&mut out)), index]);
                    }
                    _ => write_statement(&mut out, sql_of(object)),
                }
            }
        }
        if writable {
            out.extend_from_slice(b"PRAGMA writable_schema=OFF;\n");
        }
        if passes_checks {
            out.extend_from_slice(CHECKS_AGAIN.as_bytes());
        }
        out.extend_from_slice(b"COMMIT;\n");
        self.items.push(Item::Text(out));
        Ok(())
    }

    /// Whether a virtual table is made as anyone makes it, and filled with its rows. Where there is a database already, the
    /// sqlite3 shell since 3.54 lets nothing write to the schema, nor to what virtual tables store.
    pub(super) fn is_made_by_sql(&self, table: &Object) -> bool {
        if !self.options.drop || self.options.dialect != Dialect::Sqlite || !is_virtual(table) {
            return false;
        }
        let Ok(Shape::Virtual(shape)) = self.parse(table) else { return false };
        let is_full_text = || {
            let shape = FullText::of(&shape);
            shape.content != Content::None && shape.foreign_tokenizer.is_none() && !shape.locale
        };
        match shape.module.as_str() {
            "fts5" => is_full_text(),
            module => ["rtree", "rtree_i32", "fts5vocab"].contains(&module),
        }
    }

    /// SQLite makes it only while its schema may be written, and does not drop it.
    fn reserved_table(&mut self, table: &Object, writable: &mut bool) {
        let mut out = Vec::new();
        open_schema(&mut out, writable);
        match sql_of(table).strip_prefix("CREATE TABLE ") {
            Some(rest) if self.options.drop => {
                write_statement(&mut out, &format!("CREATE TABLE IF NOT EXISTS {rest}"));
                out.extend_from_slice(b"DELETE FROM ");
                write_quoted(&mut out, &table.name);
                out.extend_from_slice(b";\n");
            }
            _ => write_statement(&mut out, sql_of(table)),
        }
        self.items.push(Item::Text(out));
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
}

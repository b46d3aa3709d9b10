//! The order that any SQLite takes.

use super::plan::{CHECKS_AGAIN, Item, Planner, is_virtual, sql_of, write_statement};
use crate::btree::Encoding;
use crate::error::Result;
use crate::page::DatabaseHeader;

impl Planner<'_> {
    pub(super) fn sqlite(&mut self) -> Result<()> {
        let has_schema = !self.options.no_schema;
        self.pragmas();
        let mut writable = false;
        let (internal, tables): (Vec<_>, Vec<_>) =
            self.tables_sequence_last().into_iter().partition(|table| table.name.starts_with("sqlite_"));
        let passes_checks = self.pass_checks(&tables);
        for &table in &tables {
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
            if let Some(Item::Rows(rows)) = self.items.last_mut() {
                rows.guard.is_writable = writable;
            }
        }
        self.internal_tables(&internal, &tables)?;
        self.items.push(Item::DropPieces);
        let mut out = Vec::new();
        if has_schema {
            for object in self.others() {
                write_statement(&mut out, sql_of(object));
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

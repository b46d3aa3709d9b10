//! The order in which the sqlite3 shell's `.dump` prints.

use core::mem;

use super::options::Shell;
use super::plan::{Item, Planner, is_statistics, open_schema, sql_of};
use super::row_plan::Style;
use super::schema::{Kind, Object};
use super::shell;
use crate::error::Result;

impl Planner<'_> {
    pub(super) fn shell(&mut self, shell: Shell) -> Result<()> {
        let has_schema = !self.options.no_schema;
        let tables = self.tables_sequence_last();
        let is_virtual = |object: &Object| sql_of(object).starts_with("CREATE VIRTUAL TABLE");
        if shell == Shell::V3_54 && tables.iter().any(|table| is_virtual(table)) {
            self.text("/* WARNING: Script requires that SQLITE_DBCONFIG_DEFENSIVE be disabled */\n");
        }
        if has_schema {
            self.text("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
            let made: Vec<_> = tables.iter().copied().filter(|table| !table.name.starts_with("sqlite_")).collect();
            let drops = self.drops(&made, &self.others());
            self.append(&drops);
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
                self.notes.say(format!("{}: the sqlite3 shell leaves such a name out", table.name));
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
                self.rows(table, |prefix, _, notes| {
                    match shell {
                        Shell::V3_54 if table.name.is_empty() => {
                            notes.say(
                                "\"\": the sqlite3 shell calls such a table tab in front of its rows, which are lost"
                                    .into(),
                            );
                            prefix.extend_from_slice(b"tab");
                        }
                        _ => shell::write_name(prefix, &table.name),
                    }
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
                let of = |kind: Kind| others.iter().filter(move |object| object.kind == kind);
                others = of(Kind::View).chain(of(Kind::Trigger)).chain(of(Kind::Index)).copied().collect();
            }
            let mut out = Vec::new();
            for object in others {
                let mut sql = Vec::new();
                shell::write_other(&mut sql, sql_of(object), shell);
                match self.unique_index(object, sql.clone(), false).filter(|_| self.options.salvage) {
                    Some(index) => self.items.extend([Item::Text(mem::take(&mut out)), index]),
                    None => out.append(&mut sql),
                }
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
}

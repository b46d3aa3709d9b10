//! SQLite's own tables: the sequences of AUTOINCREMENT, and what ANALYZE found.

use super::identifier::{write_doubling, write_quoted};
use super::plan::{Item, Planner, free_name, is_statistics};
use super::row_plan::Filter;
use super::schema::Object;
use super::shape::{Shape, TableShape};
use crate::error::Result;

impl Planner<'_> {
    /// Sequences and statistics, of the tables that were asked for; `made` are those of the SQL before.
    pub(super) fn internal_tables(&mut self, internal: &[&Object], made: &[&Object]) -> Result<()> {
        for table in internal {
            let is_sequence = table.name == "sqlite_sequence";
            if self.options.no_data || !(is_sequence || is_statistics(&table.name)) {
                continue;
            }
            if !is_sequence && table.name != "sqlite_stat1" {
                self.notes.say(format!("{}: not every SQLite has such a table; run ANALYZE", table.name));
                continue;
            }
            // With no schema to come, too: the target may have seen neither an AUTOINCREMENT nor an ANALYZE.
            if is_sequence {
                self.make_sequence(made);
            } else {
                self.text("ANALYZE sqlite_schema;\n");
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
            self.table_rows_where(table, only.map_or(Filter::All, Filter::Only))?;
        }
        Ok(())
    }

    /// Only an AUTOINCREMENT table brings the table of sequences, and it stays when that is dropped.
    fn make_sequence(&mut self, made: &[&Object]) {
        let brings =
            |table: &Object| matches!(self.parse(table), Ok(Shape::Table(TableShape { autoincrement: true, .. })));
        if !made.iter().copied().any(brings) {
            let free = free_name(self.schema, "sequence");
            self.text(&format!("CREATE TABLE {free}(a INTEGER PRIMARY KEY AUTOINCREMENT);DROP TABLE {free};\n"));
        }
    }

    pub(super) fn delete_all(&mut self, table: &str) {
        let mut out = Vec::from(b"DELETE FROM ");
        write_quoted(&mut out, table);
        out.extend_from_slice(b";\n");
        self.items.push(Item::Text(out));
    }
}

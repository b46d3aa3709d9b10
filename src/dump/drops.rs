//! What `--drop` begins with: whatever goes in first goes out, so that the SQL can be loaded again and again.

use super::identifier::{write_doubling, write_quoted};
use super::options::Dialect;
use super::plan::{Planner, is_virtual};
use super::schema::{Kind, Object};
use super::shape::Shape;
use super::virtual_table::shadows;

impl Planner<'_> {
    /// Appends statements that drop `tables`, given parents first, and `others`, where they exist.
    pub(super) fn drops(&mut self, tables: &[&Object], others: &[&Object]) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.options.drop {
            return out;
        }
        let of = |kind: Kind| others.iter().filter(move |object| object.kind == kind);
        // Triggers would run, and views would not let go of what they read.
        of(Kind::Trigger).for_each(|trigger| write_drop(&mut out, "TRIGGER", &trigger.name));
        of(Kind::View).for_each(|view| write_drop(&mut out, "VIEW", &view.name));
        let (virtual_tables, plain): (Vec<_>, Vec<_>) = tables.iter().rev().partition(|table| is_virtual(table));
        for table in virtual_tables {
            if self.options.dialect != Dialect::D1 && !self.is_made_by_sql(table) {
                self.notes.say(format!(
                    "{}: to load it over another, the sqlite3 shell since 3.54 needs .dbconfig defensive off",
                    table.name
                ));
                if self.options.dialect == Dialect::Sqlite {
                    self.forget_virtual(&mut out, table);
                }
            }
            write_drop(&mut out, "TABLE", &table.name);
        }
        plain.into_iter().for_each(|table| write_drop(&mut out, "TABLE", &table.name));
        of(Kind::Index).for_each(|index| write_drop(&mut out, "INDEX", &index.name));
        out
    }

    /// Its module need not be there: then DROP TABLE would fail.
    fn forget_virtual(&self, out: &mut Vec<u8>, table: &Object) {
        out.extend_from_slice(
            b"PRAGMA writable_schema=ON;\nDELETE FROM sqlite_schema WHERE rootpage=0 AND type='table' AND name=",
        );
        write_doubling(out, table.name.as_bytes(), b'\'');
        out.extend_from_slice(b" COLLATE NOCASE;\nPRAGMA writable_schema=RESET;\n");
        if let Ok(Shape::Virtual(shape)) = self.parse(table) {
            for name in shadows(&shape, &table.name) {
                write_drop(out, "TABLE", &name);
            }
        }
    }
}

fn write_drop(out: &mut Vec<u8>, kind: &str, name: &str) {
    out.extend_from_slice(format!("DROP {kind} IF EXISTS ").as_bytes());
    write_quoted(out, name);
    out.extend_from_slice(b";\n");
}

//! Virtual tables for D1: made by SQL, and filled with their rows, as what they store is out of reach there.

use std::collections::HashSet;

use super::columns::Shape;
use super::identifier::write_quoted;
use super::plan::{Item, Planner};
use super::row_plan::{Filter, RowPlan, Source, Style};
use super::schema::{Kind, Object};
use super::virtual_table::{Content, FullText, SpatialIndex};
use crate::error::Result;

impl<'a> Planner<'a> {
    /// Appends a virtual table and its rows; what fills those that have no texts of their own goes to `rebuilt`.
    pub(super) fn virtual_with_rows(
        &mut self,
        table: &Object,
        left_out: &HashSet<String>,
        rebuilt: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        let shape = match self.parse(table) {
            Ok(Shape::Virtual(shape)) => shape,
            Ok(Shape::Table(_)) => return Ok(()),
            Err(error) if !self.options.salvage => return Err(error),
            Err(_) => {
                self.notes.say(format!("{}: its SQL does not parse, so that it is left out", table.name));
                return Ok(());
            }
        };
        match shape.module.as_str() {
            "fts5" => self.full_text(table, &FullText::of(&shape), left_out, rebuilt),
            "rtree" | "rtree_i32" => self.spatial_index(table, &SpatialIndex::of(&shape)),
            "fts5vocab" => self.create(table),
            module => self.notes.say(format!("{}: D1 has no module {module}, so that it is left out", table.name)),
        }
        Ok(())
    }

    fn full_text(&mut self, table: &Object, shape: &FullText, left_out: &HashSet<String>, rebuilt: &mut Vec<Vec<u8>>) {
        let name = &table.name;
        if let Some(tokenizer) = &shape.foreign_tokenizer {
            return self.notes.say(format!("{name}: D1 has no tokenizer {tokenizer}, so that it is left out"));
        }
        self.create(table);
        if self.options.no_data {
            return;
        }
        self.full_text_settings(table);
        match &shape.content {
            Content::Own => self.full_text_rows(table, shape),
            Content::Of(content) if left_out.contains(&content.to_ascii_lowercase()) || !self.is_there(content) => {
                self.notes.say(format!("{name}: its texts are those of {content}, which is left out: it stays empty"));
            }
            Content::Of(_) => {
                let mut out = Vec::new();
                write_command(&mut out, name, "");
                out.extend_from_slice(b" VALUES('rebuild');\n");
                rebuilt.push(out);
            }
            Content::None => {
                self.notes.say(format!("{name}: it keeps no texts, so that it stays empty; fill it from their source"));
            }
        }
        if shape.locale {
            self.notes.say(format!("{name}: the locales of its texts are not carried"));
        }
    }

    /// What was set by `INSERT INTO ft(ft, rank)`.
    fn full_text_settings(&mut self, table: &Object) {
        let Some((config, root)) = self.shadow(table, "config") else { return };
        let mut rows = RowPlan::new(&config.name, root, Style::Many { rowid: false });
        rows.prefix = Vec::from(b"");
        write_command(&mut rows.prefix, &table.name, ",rank");
        rows.sources = vec![Source::untyped(0), Source::untyped(1)];
        rows.filter = Filter::Except("version");
        self.items.push(Item::Rows(rows));
    }

    fn full_text_rows(&mut self, table: &Object, shape: &FullText) {
        let Some((content, root)) = self.shadow(table, "content") else {
            return self.notes.say(format!("{}: the table of its texts is missing: it stays empty", table.name));
        };
        self.empty(table);
        let columns = shape.columns.iter().map(String::as_str);
        let mut rows = RowPlan::new(&content.name, root, Style::Many { rowid: true });
        rows.prefix = insert_into(&table.name, core::iter::once("rowid").chain(columns));
        // Behind the id, which is the rowid.
        let values = (1..=shape.columns.len()).map(Source::untyped);
        rows.sources = core::iter::once(Source::rowid()).chain(values).collect();
        self.items.push(Item::Rows(rows));
    }

    fn spatial_index(&mut self, table: &Object, shape: &SpatialIndex) {
        self.create(table);
        if self.options.no_data {
            return;
        }
        let shadows = ["parent", "node", "rowid"].map(|suffix| self.shadow(table, suffix));
        let [Some((_, parents)), Some((nodes, root)), Some((rowids, auxiliary))] = shadows else {
            return self.notes.say(format!("{}: a table it keeps is missing: it stays empty", table.name));
        };
        self.empty(table);
        self.items.push(Item::Rows(RowPlan::new(&table.name, parents, Style::RtreeParents)));
        let mut rows = RowPlan::new(&nodes.name, root, Style::RtreeNodes(shape.nodes));
        let columns = core::iter::once(&shape.id).chain(&shape.coordinates);
        rows.prefix = insert_into(&table.name, columns.map(String::as_str));
        self.items.push(Item::Rows(rows));
        if shape.auxiliary.is_empty() {
            return;
        }
        let mut rows = RowPlan::new(&rowids.name, auxiliary, Style::Update);
        rows.prefix = Vec::from(b"UPDATE ");
        write_quoted(&mut rows.prefix, &table.name);
        for (index, name) in shape.auxiliary.iter().enumerate() {
            rows.labels.push(Vec::from(if index == 0 { " SET " } else { "," }));
            // Behind the id and the node.
            rows.sources.push(Source::untyped(index + 2));
            write_assigned(rows.labels.last_mut(), name);
        }
        rows.labels.push(Vec::from(" WHERE "));
        write_assigned(rows.labels.last_mut(), &shape.id);
        rows.sources.push(Source::rowid());
        self.items.push(Item::Rows(rows));
    }

    /// Triggers of the target may have filled it.
    fn empty(&mut self, table: &Object) {
        if self.options.no_schema {
            self.delete_all(&table.name);
        }
    }

    /// A table that a virtual table keeps, and its root.
    fn shadow(&self, table: &Object, suffix: &str) -> Option<(&'a Object, crate::page::Pgno)> {
        let name = format!("{}_{suffix}", table.name);
        let shadow = self.schema.of(Kind::Table).find(|shadow| shadow.name.eq_ignore_ascii_case(&name))?;
        Some((shadow, shadow.root?))
    }

    /// Whether a table or a view is part of the SQL.
    fn is_there(&self, name: &str) -> bool {
        let objects = self.schema.objects.iter().filter(|object| matches!(object.kind, Kind::Table | Kind::View));
        objects.filter(|object| object.name.eq_ignore_ascii_case(name)).any(|object| self.is_wanted(&object.name))
    }
}

/// Appends what FTS5 takes a command with.
fn write_command(out: &mut Vec<u8>, table: &str, more: &str) {
    out.extend_from_slice(b"INSERT INTO ");
    write_quoted(out, table);
    out.push(b'(');
    write_quoted(out, table);
    out.extend_from_slice(more.as_bytes());
    out.push(b')');
}

fn insert_into<'n>(table: &str, columns: impl Iterator<Item = &'n str>) -> Vec<u8> {
    let mut out = Vec::from(b"INSERT INTO ");
    write_quoted(&mut out, table);
    for (index, name) in columns.enumerate() {
        out.push(if index == 0 { b'(' } else { b',' });
        write_quoted(&mut out, name);
    }
    out.push(b')');
    out
}

/// Appends `"name"=` to a label.
fn write_assigned(label: Option<&mut Vec<u8>>, name: &str) {
    if let Some(label) = label {
        write_quoted(label, name);
        label.push(b'=');
    }
}

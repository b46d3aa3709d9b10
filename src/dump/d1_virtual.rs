//! Virtual tables for D1: made by SQL, and filled with their rows, as what they store is out of reach there.

use std::collections::HashSet;

use super::dumper::refill::Refill;
use super::identifier::write_quoted;
use super::plan::{Item, Planner, is_virtual};
use super::row_plan::{Filter, RowPlan, Source, Style};
use super::schema::{Kind, Object};
use super::shape::Shape;
use super::virtual_table::{Content, FullText, SpatialIndex};
use crate::error::Result;
use crate::page::Pgno;

impl<'a> Planner<'a> {
    /// Appends a virtual table and its rows; what fills those that have no texts of their own goes to `refills`.
    pub(super) fn virtual_with_rows(
        &mut self,
        table: &Object,
        left_out: &HashSet<String>,
        refills: &mut Vec<Item>,
    ) -> Result<()> {
        let Shape::Virtual(shape) = self.parse(table)? else { return Ok(()) };
        match shape.module.as_str() {
            "fts5" => self.full_text(table, &FullText::of(&shape), left_out, refills),
            "rtree" | "rtree_i32" => self.spatial_index(table, &SpatialIndex::of(&shape)),
            _ => self.create(table),
        }
        Ok(())
    }

    fn full_text(&mut self, table: &Object, shape: &FullText, left_out: &HashSet<String>, refills: &mut Vec<Item>) {
        let name = &table.name;
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
            Content::Of(content) => {
                let refill = self.refill(table, shape, content);
                refills.push(Item::Refill(refill));
            }
            Content::None => {
                self.notes.say(format!("{name}: it keeps no texts, so that it stays empty; fill it from their source"));
            }
        }
        if shape.locale {
            self.notes.say(format!("{name}: the locales of its texts are not carried"));
        }
    }

    /// What fills a full-text table with the rows that it has, and appends what tells which those are.
    fn refill(&mut self, table: &Object, shape: &FullText, content: &str) -> Refill {
        let mut rebuild = Vec::new();
        write_command(&mut rebuild, &table.name, "");
        rebuild.extend_from_slice(b" VALUES('rebuild');\n");
        let columns = || shape.columns.iter().map(String::as_str);
        let mut insert = insert_into(&table.name, core::iter::once("rowid").chain(columns()));
        insert.extend_from_slice(b" SELECT ");
        for (index, name) in core::iter::once(shape.rowid.as_str()).chain(columns()).enumerate() {
            insert.extend_from_slice(if index == 0 { b"" } else { b"," });
            write_quoted(&mut insert, name);
        }
        insert.extend_from_slice(b" FROM ");
        write_quoted(&mut insert, content);
        let sizes = self.shadow(table, "docsize").map(|(sizes, root)| {
            let rows = RowPlan { keeps_rowids: true, ..RowPlan::new(&sizes.name, root, Style::Rowids) };
            self.items.push(Item::Rows(rows));
            root
        });
        let (texts, rowid) = (self.keep_rowids(content, &shape.rowid), shape.rowid.clone());
        Refill { name: table.name.clone(), content: content.to_owned(), texts, sizes, rebuild, insert, rowid }
    }

    /// Has the rowids of a table kept, if `column` is that; gives its root.
    fn keep_rowids(&mut self, name: &str, column: &str) -> Option<Pgno> {
        let table = self.schema.table(name).filter(|table| !is_virtual(table))?;
        let Ok(Shape::Table(shape)) = self.parse(table) else { return None };
        let declared = shape.columns.iter().find(|declared| declared.name.eq_ignore_ascii_case(column));
        let is_name = ["rowid", "_rowid_", "oid"].iter().any(|name| name.eq_ignore_ascii_case(column));
        let is_rowid = !shape.without_rowid && declared.map_or(is_name, |declared| declared.rowid);
        let root = table.root.filter(|_| is_rowid)?;
        let rows = self.items.iter_mut().find_map(|item| match item {
            Item::Rows(rows) if rows.root == root && matches!(rows.style, Style::Many { .. }) => Some(rows),
            _ => None,
        });
        rows?.keeps_rowids = true;
        Some(root)
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
    fn shadow(&self, table: &Object, suffix: &str) -> Option<(&'a Object, Pgno)> {
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

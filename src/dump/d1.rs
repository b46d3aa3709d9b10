//! The order that D1 and Durable Objects take: every statement on its own, foreign keys enforced, and no way into the
//! schema table.

use std::collections::{HashMap, HashSet};

use super::foreign_keys::{ForeignKey, parents_first};
use super::literal::BEGIN;
use super::options::Options;
use super::plan::{CHECKS_AGAIN, Item, Planner, is_internal, is_unique_index, is_virtual, sql_of, write_statement};
use super::schema::{Kind, Object};
use super::shape::Shape;
use crate::error::Result;

impl<'a> Planner<'a> {
    pub(super) fn d1(&mut self) -> Result<()> {
        self.say_what_has_no_place();
        self.say_which_are_shadows();
        let left_out = self.left_out();
        let (internal, tables): (Vec<_>, Vec<_>) =
            self.tables_sequence_last().into_iter().partition(|table| is_internal(&table.name));
        let is_there = |name: &str| !left_out.contains(&lower(name));
        let tables = tables.into_iter().filter(|table| is_there(&table.name) && !self.is_shadow(&table.name));
        let (virtual_tables, tables): (Vec<_>, Vec<_>) = tables.partition(|table| is_virtual(table));
        let family = self.family(&tables, &left_out);

        let others = self.others_that_can_be(&left_out);
        if !self.options.in_batches {
            self.text("PRAGMA defer_foreign_keys=TRUE;\n");
        }
        if !self.options.no_schema {
            let all: Vec<_> = family.parents_first.iter().chain(&virtual_tables).copied().collect();
            let drops = self.drops(&all, &others);
            self.append(&drops);
        }
        let passes_checks = self.pass_checks(&tables);
        for table in &tables {
            self.create(table);
        }
        // A foreign key may refer to columns that only such an index makes a key: without it, no row goes in.
        let is_key = |object: &Object| is_unique_index(object) && family.parents.contains(&lower(&object.table));
        let (keys, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|object| is_key(object));
        for key in keys {
            self.create(key);
        }
        // Beside single tables it may be there; of batches, whoever writes them knows that.
        let &Options { in_batches, no_schema, no_data, tables: ref wanted, .. } = self.options;
        let is_all = !(in_batches || no_schema || no_data) && wanted.is_empty();
        let missing = if is_all { family.missing } else { Vec::new() };
        for (parent, keys) in &missing {
            let table = stand_in(parent, keys);
            self.text(&table);
        }
        if self.options.in_batches {
            self.rows_for_batches(&tables)?;
        } else {
            // The check at the end of the transaction takes care of those that refer to each other in a circle.
            for table in family.parents_first {
                self.table_rows(table)?;
            }
        }
        let mut refills = Vec::new();
        for table in virtual_tables {
            self.virtual_with_rows(table, &left_out, &mut refills)?;
        }
        self.internal_tables(&internal, &tables)?;
        self.items.push(Item::DropPieces);
        for (parent, _) in &missing {
            self.text(&format!("DROP TABLE {};\n", quoted(parent)));
        }
        if !missing.is_empty() {
            // SQLite forgets what it was to check at the end: that there is such a parent row.
            self.text("PRAGMA defer_foreign_keys=FALSE;\n");
        }
        let of = |kind: Kind| others.iter().filter(move |object| object.kind == kind);
        for view in of(Kind::View) {
            self.create(view);
        }
        // Their texts may be those of a view.
        self.items.append(&mut refills);
        for object in of(Kind::Index).chain(of(Kind::Trigger)) {
            self.create(object);
        }
        if passes_checks {
            self.text(CHECKS_AGAIN);
        }
        Ok(())
    }

    /// Appends the statement that makes an object.
    pub(super) fn create(&mut self, object: &Object) {
        if self.options.no_schema {
            return;
        }
        let sql = sql_of(object);
        if sql.contains(BEGIN) {
            let name = &object.name;
            // Not word for word: this goes into the SQL, too.
            self.notes.say(format!("{name}: its SQL says BEGIN and TRANSACTION, which wrangler takes out, or refuses"));
        }
        let mut text = Vec::new();
        write_statement(&mut text, sql);
        let item = self.unique_index(object, text, false);
        match item {
            Some(index) => self.items.push(index),
            None => self.statement(sql),
        }
    }

    fn say_what_has_no_place(&mut self) {
        let (user_version, application_id) = (self.header.user_version as i32, self.header.application_id as i32);
        for (name, value) in [("user_version", user_version), ("application_id", application_id)] {
            if value != 0 && !self.options.no_schema {
                self.notes.say(format!("PRAGMA {name} is {value}: D1 has no place for it"));
            }
        }
    }

    /// What foreign keys say about `tables`.
    fn family(&mut self, tables: &[&'a Object], left_out: &HashSet<String>) -> Family<'a> {
        let number: HashMap<String, usize> =
            tables.iter().enumerate().map(|(number, table)| (lower(&table.name), number)).collect();
        let mut parents = HashSet::new();
        let mut missing: Vec<(String, Vec<ForeignKey>)> = Vec::new();
        let mut parents_of = vec![Vec::new(); tables.len()];
        for (table, of) in tables.iter().zip(&mut parents_of) {
            let Ok(Shape::Table(shape)) = self.parse(table) else { continue };
            for key in shape.foreign_keys {
                let parent = lower(&key.parent);
                match number.get(&parent) {
                    Some(&number) => of.push(number),
                    None if self.has_no_parent(table, &key.parent, left_out) => {
                        match missing.iter_mut().find(|(name, _)| *name == parent) {
                            Some((_, keys)) => keys.push(key),
                            None => missing.push((parent.clone(), vec![key])),
                        }
                    }
                    None => {}
                }
                parents.insert(parent);
            }
        }
        let order = parents_first(&parents_of);
        let parents_first = order.into_iter().filter_map(|number| tables.get(number).copied()).collect();
        Family { parents, parents_first, missing }
    }

    /// Whether a table's parent table is nowhere, which is said.
    fn has_no_parent(&mut self, table: &Object, parent: &str, left_out: &HashSet<String>) -> bool {
        let reason = if left_out.contains(&lower(parent)) {
            "is left out"
        } else if self.schema.table(parent).is_none() {
            "does not exist"
        } else {
            // It was not asked for, and may be there already.
            return false;
        };
        let name = &table.name;
        self.notes.say(format!("{name}: D1 takes no more rows whose foreign key refers to {parent}, which {reason}"));
        !is_internal(parent)
    }
}

/// Tables in the light of their foreign keys.
struct Family<'a> {
    /// Names in lower case.
    parents: HashSet<String>,
    parents_first: Vec<&'a Object>,
    /// Parents that are nowhere, in lower case, and what refers to each.
    missing: Vec<(String, Vec<ForeignKey>)>,
}

/// An empty table in the place of a parent that is nowhere: without one, SQLite takes no row of a table that refers to it,
/// not even one that refers to nothing.
fn stand_in(parent: &str, keys: &[ForeignKey]) -> String {
    let (mut columns, mut constraints) = (Vec::new(), Vec::new());
    for key in keys {
        let is_primary = key.to.is_empty();
        let names: Vec<String> = match is_primary {
            true => (0..key.columns.len()).map(|column| format!("\" {column}\"")).collect(),
            false => key.to.iter().map(|name| quoted(&lower(name))).collect(),
        };
        let constraint = format!("{}({})", if is_primary { "PRIMARY KEY" } else { "UNIQUE" }, names.join(","));
        columns.extend(names.into_iter().filter(|name| !columns.contains(name)).collect::<Vec<_>>());
        if !constraints.contains(&constraint) {
            constraints.push(constraint);
        }
    }
    format!("CREATE TABLE {}({},{});\n", quoted(parent), columns.join(","), constraints.join(","))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

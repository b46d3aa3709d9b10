//! The order that D1 and Durable Objects take: every statement on its own, foreign keys enforced, and no way into the
//! schema table.

use std::collections::{HashMap, HashSet};

use super::columns::Shape;
use super::foreign_keys::{ForeignKey, parents_first};
use super::literal::BEGIN;
use super::plan::{CHECKS_AGAIN, Item, Planner, is_internal, is_unique_index, is_virtual, sql_of, write_statement};
use super::schema::{Kind, Object};
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
        if self.options.in_batches {
            self.rows_for_batches(&tables)?;
        } else {
            // Of those that refer to each other in a circle, the check at the end of the transaction takes care.
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
        let mut parents_of = vec![Vec::new(); tables.len()];
        for (table, of) in tables.iter().zip(&mut parents_of) {
            let Ok(Shape::Table(shape)) = self.parse(table) else { continue };
            for ForeignKey { parent, .. } in shape.foreign_keys {
                match number.get(&lower(&parent)) {
                    Some(&number) => of.push(number),
                    None => self.say_if_it_has_no_parent(table, &parent, left_out),
                }
                parents.insert(lower(&parent));
            }
        }
        let order = parents_first(&parents_of);
        Family { parents, parents_first: order.into_iter().filter_map(|number| tables.get(number).copied()).collect() }
    }

    fn say_if_it_has_no_parent(&mut self, table: &Object, parent: &str, left_out: &HashSet<String>) {
        let reason = if left_out.contains(&lower(parent)) {
            "is left out"
        } else if self.schema.table(parent).is_none() {
            "does not exist"
        } else {
            // It was not asked for, and may be there already.
            return;
        };
        let name = &table.name;
        self.notes.say(format!("{name}: D1 takes no rows whose foreign key refers to {parent}, which {reason}"));
    }
}

/// Tables in the light of their foreign keys.
struct Family<'a> {
    /// Names in lower case.
    parents: HashSet<String>,
    parents_first: Vec<&'a Object>,
}

pub(super) fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

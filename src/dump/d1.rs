//! The order that D1 and Durable Objects take: every statement on its own, foreign keys enforced, and no way into the
//! schema table.

use std::collections::{HashMap, HashSet};

use super::columns::{Shape, TableShape};
use super::d1_limits;
use super::literal::BEGIN;
use super::plan::{CHECKS_AGAIN, Item, Planner, is_virtual, sql_of};
use super::schema::{Kind, Object};
use crate::error::Result;

impl<'a> Planner<'a> {
    pub(super) fn d1(&mut self) -> Result<()> {
        self.say_what_has_no_place();
        let left_out = self.left_out();
        let (internal, tables): (Vec<_>, Vec<_>) =
            self.tables_sequence_last().into_iter().partition(|table| table.name.starts_with("sqlite_"));
        let is_there = |name: &str| !left_out.contains(&lower(name));
        let tables = tables.into_iter().filter(|table| is_there(&table.name) && !self.is_shadow(&table.name));
        let (virtual_tables, tables): (Vec<_>, Vec<_>) = tables.partition(|table| is_virtual(table));
        let family = self.family(&tables, &left_out);

        self.text("PRAGMA defer_foreign_keys=TRUE;\n");
        let passes_checks = self.pass_checks(&tables);
        for table in &tables {
            self.create(table);
        }
        // A foreign key may refer to columns that only such an index makes a key: without it, no row goes in.
        let is_key = |object: &Object| is_unique_index(object) && family.parents.contains(&lower(&object.table));
        let others: Vec<_> = self.others_that_can_be(&left_out);
        let (keys, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|object| is_key(object));
        for key in keys {
            self.create(key);
        }
        for table in family.parents_first {
            self.table_rows(table)?;
        }
        let mut rebuilt = Vec::new();
        for table in virtual_tables {
            self.virtual_with_rows(table, &left_out, &mut rebuilt)?;
        }
        self.internal_tables(&internal, &tables)?;
        self.items.push(Item::DropPieces);
        let of = |kind: Kind| others.iter().filter(move |object| object.kind == kind);
        for view in of(Kind::View) {
            self.create(view);
        }
        // Their texts may be those of a view.
        self.items.extend(rebuilt.into_iter().map(Item::Text));
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
        self.statement(sql);
    }

    fn say_what_has_no_place(&mut self) {
        let (user_version, application_id) = (self.header.user_version as i32, self.header.application_id as i32);
        for (name, value) in [("user_version", user_version), ("application_id", application_id)] {
            if value != 0 && !self.options.no_schema {
                self.notes.say(format!("PRAGMA {name} is {value}: D1 has no place for it"));
            }
        }
    }

    /// Tables and views that D1 does not make, in lower case.
    fn left_out(&mut self) -> HashSet<String> {
        let tables = self.tables_sequence_last();
        let views = self.others().into_iter().filter(|object| object.kind == Kind::View);
        let is_own = |object: &&Object| !object.name.starts_with("sqlite_") && !self.is_shadow(&object.name);
        let objects: Vec<_> = tables.into_iter().chain(views).filter(is_own).collect();
        objects.into_iter().filter(|object| self.is_left_out(object)).map(|object| lower(&object.name)).collect()
    }

    /// Indexes, views and triggers that D1 makes.
    fn others_that_can_be(&mut self, left_out: &HashSet<String>) -> Vec<&'a Object> {
        let is_on_what_is_there =
            |object: &&Object| !left_out.contains(&lower(&object.table)) && !self.is_shadow(&object.table);
        let mut others: Vec<_> = self.others().into_iter().filter(is_on_what_is_there).collect();
        if self.options.no_schema {
            self.say_which_triggers_run(&others);
            return Vec::new();
        }
        others.retain(|object| object.kind == Kind::View || !self.is_left_out(object));
        others
    }

    /// Says so if D1 does not make an object.
    fn is_left_out(&mut self, object: &Object) -> bool {
        let name = &object.name;
        let columns = match self.parse(object) {
            Ok(Shape::Table(TableShape { columns, .. })) => columns.len(),
            _ => 0,
        };
        let obstacle = if is_runtimes(name) {
            Some("a name that begins with _cf_ is Cloudflare's own".to_owned())
        } else {
            d1_limits::obstacle(object, columns)
        };
        let Some(obstacle) = obstacle else { return false };
        // The table that every database of D1 has is no news; nor is a view that was not to come anyway.
        if name != "_cf_METADATA" && !(object.kind == Kind::View && self.options.no_schema) {
            self.notes.say(format!("{name}: {obstacle}; it is left out"));
        }
        true
    }

    /// Those that the target has are not ours to stop.
    fn say_which_triggers_run(&mut self, others: &[&Object]) {
        let is_table = |name: &str| self.schema.table(name).is_some();
        for trigger in others {
            if trigger.kind == Kind::Trigger
                && !self.options.no_data
                && is_table(&trigger.table)
                && d1_limits::is_for_inserts(sql_of(trigger))
            {
                let (table, name) = (&trigger.table, &trigger.name);
                self.notes.say(format!("{table}: where its trigger {name} is, it runs for every row; drop it before"));
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
            for parent in shape.parents {
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

/// Each number after those of its parents, else in order. Where parents go in a circle no order is right, and it is
/// left to the check at the end of the transaction.
fn parents_first(parents_of: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(parents_of.len());
    let mut seen = vec![false; parents_of.len()];
    // A path of tables, each with how many of its parents were gone to.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut visit = |number: usize, path: &mut Vec<(usize, usize)>| {
        if let Some(seen) = seen.get_mut(number)
            && !core::mem::replace(seen, true)
        {
            path.push((number, 0));
        }
    };
    for number in 0..parents_of.len() {
        visit(number, &mut path);
        while let Some((table, next)) = path.last_mut() {
            match parents_of.get(*table).and_then(|parents| parents.get(*next)).copied() {
                Some(parent) => {
                    *next += 1;
                    visit(parent, &mut path);
                }
                None => {
                    order.push(*table);
                    path.pop();
                }
            }
        }
    }
    order
}

fn is_runtimes(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("_cf_"))
}

fn is_unique_index(object: &Object) -> bool {
    let mut words = sql_of(object).split_ascii_whitespace().skip(1);
    object.kind == Kind::Index && words.next().is_some_and(|word| word.eq_ignore_ascii_case("UNIQUE"))
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

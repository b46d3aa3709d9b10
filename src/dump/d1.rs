//! The order that D1 and Durable Objects take: every statement on its own, foreign keys enforced, and no way into the
//! schema table.

use std::collections::{HashMap, HashSet};

use super::columns::{Shape, TableShape};
use super::plan::{Item, Planner, is_virtual, sql_of};
use super::schema::{Kind, Object};
use crate::error::Result;

/// The longest statement, in bytes.
const MAX_STATEMENT: usize = 100_000;
/// The most columns of a table.
const MAX_COLUMNS: usize = 100;

impl<'a> Planner<'a> {
    pub(super) fn d1(&mut self) -> Result<()> {
        self.say_what_has_no_place();
        let (internal, tables): (Vec<_>, Vec<_>) =
            self.tables_sequence_last().into_iter().partition(|table| table.name.starts_with("sqlite_"));
        let tables: Vec<_> = tables.into_iter().filter(|table| !self.is_left_out(table)).collect();
        let (virtual_tables, tables): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| is_virtual(table));
        let family = self.family(&tables);

        self.text("PRAGMA defer_foreign_keys=TRUE;\n");
        for table in &tables {
            self.create(table);
        }
        // A foreign key may refer to columns that only such an index makes a key: without it, no row goes in.
        let is_key = |object: &Object| is_unique_index(object) && family.parents.contains(&lower(&object.table));
        let others: Vec<_> = self.others().into_iter().filter(|object| !self.is_on_what_is_left_out(object)).collect();
        let (keys, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|object| is_key(object));
        for key in keys {
            self.create(key);
        }
        for table in family.parents_first {
            self.table_rows(table)?;
        }
        let mut rebuilt = Vec::new();
        for table in virtual_tables {
            self.virtual_with_rows(table, &mut rebuilt)?;
        }
        self.internal_tables(&internal)?;
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
        Ok(())
    }

    /// Appends the statement that makes an object.
    pub(super) fn create(&mut self, object: &Object) {
        if self.options.no_schema {
            return;
        }
        let sql = sql_of(object);
        if sql.len() > MAX_STATEMENT - 4 {
            self.notes.say(format!("{}: its SQL is longer than the {MAX_STATEMENT} bytes that D1 takes", object.name));
        }
        if object.kind == Kind::Table
            && let Ok(Shape::Table(TableShape { columns, .. })) = self.parse(object)
            && columns.len() > MAX_COLUMNS
        {
            self.notes.say(format!("{}: it has more than the {MAX_COLUMNS} columns that D1 takes", object.name));
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

    /// Whether a table is not to be made: it is the runtime's, or it comes with a virtual table.
    fn is_left_out(&mut self, table: &Object) -> bool {
        let is_runtimes = is_runtimes(&table.name);
        // The one that every database of D1 has is no news.
        if is_runtimes && table.name != "_cf_METADATA" {
            self.notes.say(format!("{}: a name that begins with _cf_ is Cloudflare's own; it is left out", table.name));
        }
        is_runtimes || self.is_shadow(&table.name)
    }

    fn is_on_what_is_left_out(&self, object: &Object) -> bool {
        is_runtimes(&object.table) || self.is_shadow(&object.table)
    }

    /// What foreign keys say about `tables`.
    fn family(&mut self, tables: &[&'a Object]) -> Family<'a> {
        let number: HashMap<String, usize> =
            tables.iter().enumerate().map(|(number, table)| (lower(&table.name), number)).collect();
        let mut parents = HashSet::new();
        let mut parents_of = vec![Vec::new(); tables.len()];
        for (table, of) in tables.iter().zip(&mut parents_of) {
            let Ok(Shape::Table(shape)) = self.parse(table) else { continue };
            for parent in shape.parents {
                match number.get(&lower(&parent)) {
                    Some(&number) => of.push(number),
                    None if !self.schema.of(Kind::Table).any(|other| other.name.eq_ignore_ascii_case(&parent)) => {
                        let name = &table.name;
                        self.notes.say(format!(
                            "{name}: D1 takes no rows whose foreign key refers to {parent}, which does not exist"
                        ));
                    }
                    None => {}
                }
                parents.insert(lower(&parent));
            }
        }
        let order = parents_first(&parents_of);
        Family { parents, parents_first: order.into_iter().filter_map(|number| tables.get(number).copied()).collect() }
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

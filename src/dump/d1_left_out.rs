//! What D1 does not make, and what hangs on that.

use std::collections::HashSet;

use super::d1::lower;
use super::d1_functions::foreign_function;
use super::d1_limits;
use super::plan::{Planner, is_internal, is_reserved, is_virtual, sql_of};
use super::references::references;
use super::schema::{Kind, Object};
use super::shape::{Shape, TableShape};
use super::virtual_table::FullText;

impl<'a> Planner<'a> {
    /// Tables and views that D1 does not make, and views that need those, in lower case.
    pub(super) fn left_out(&mut self) -> HashSet<String> {
        let tables = self.tables_sequence_last();
        let views: Vec<_> = self.others().into_iter().filter(|object| object.kind == Kind::View).collect();
        let is_own = |object: &&&Object| !is_internal(&object.name) && !self.is_shadow(&object.name);
        let own: Vec<_> = tables.iter().chain(&views).filter(is_own).copied().collect();
        let mut left_out: HashSet<String> =
            own.into_iter().filter(|object| self.is_left_out(object)).map(|object| lower(&object.name)).collect();
        // D1 has two of SQLite's own tables.
        let is_lacking = |name: &str| is_internal(name) && !["sqlite_sequence", "sqlite_stat1"].contains(&name);
        left_out.extend(tables.iter().filter(|table| is_lacking(&table.name)).map(|table| lower(&table.name)));
        let kept =
            |table: &&&Object| self.owner(&table.name).is_some_and(|owner| left_out.contains(&lower(&owner.name)));
        let shadows: Vec<_> = tables.iter().filter(kept).map(|table| lower(&table.name)).collect();
        left_out.extend(shadows);
        for table in tables {
            if let Some(source) = self.vocabulary_of(table).filter(|source| left_out.contains(source)) {
                self.say_it_hangs(table, &source);
                left_out.insert(lower(&table.name));
            }
        }
        // Through views of views.
        let mut hanging: Vec<_> = if left_out.is_empty() { Vec::new() } else { views };
        while let Some((index, source)) = hanging.iter().enumerate().find_map(|(index, view)| {
            let is_new = !left_out.contains(&lower(&view.name));
            Some((index, references(sql_of(view)).into_iter().find(|name| is_new && left_out.contains(name))?))
        }) {
            let view = hanging.remove(index);
            if !self.options.no_schema {
                self.say_it_hangs(view, &source);
            }
            left_out.insert(lower(&view.name));
        }
        left_out
    }

    /// Indexes, views and triggers that D1 makes, and that work there.
    pub(super) fn others_that_can_be(&mut self, left_out: &HashSet<String>) -> Vec<&'a Object> {
        let mut others = self.others();
        if self.options.no_schema {
            others.retain(|object| !left_out.contains(&lower(&object.table)));
            self.say_which_triggers_run(&others);
            return Vec::new();
        }
        others.retain(|object| {
            let is_out = |name: &String| left_out.contains(name);
            match object.kind {
                Kind::View => !is_out(&lower(&object.name)),
                _ if self.is_shadow(&object.table) => false,
                // The table that every database of D1 has is no news.
                _ if object.table == "_cf_METADATA" => false,
                _ if is_out(&lower(&object.table)) => {
                    self.say_it_hangs(object, &object.table);
                    false
                }
                Kind::Trigger if !left_out.is_empty() => match references(sql_of(object)).into_iter().find(is_out) {
                    Some(name) => {
                        self.say_it_hangs(object, &name);
                        false
                    }
                    None => !self.is_left_out(object),
                },
                _ => !self.is_left_out(object),
            }
        });
        others
    }

    fn say_it_hangs(&mut self, object: &Object, on: &str) {
        self.notes.say(format!("{}: it needs {on}, which is left out; so it is, too", object.name));
    }

    /// The full-text table, in lower case, whose words a virtual table lists.
    fn vocabulary_of(&self, table: &Object) -> Option<String> {
        match self.parse(table) {
            Ok(Shape::Virtual(shape)) if is_virtual(table) && shape.module == "fts5vocab" => {
                let name = shape.arguments.iter().rev().nth(1)?;
                Some(lower(&super::identifier::unquote(name)))
            }
            _ => None,
        }
    }

    /// Says so if D1 does not make an object.
    fn is_left_out(&mut self, object: &Object) -> bool {
        let name = &object.name;
        let is_view = object.kind == Kind::View;
        let mut columns = 0;
        let obstacle = match self.parse(object) {
            _ if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("_cf_")) => {
                Some("a name that begins with _cf_ is Cloudflare's own; it is left out".to_owned())
            }
            _ if is_reserved(name) => {
                Some("a name that begins with sqlite_ is SQLite's own; it is left out".to_owned())
            }
            Ok(Shape::Virtual(shape)) => match shape.module.as_str() {
                "fts5" => FullText::of(&shape)
                    .foreign_tokenizer
                    .map(|tokenizer| format!("D1 has no tokenizer {tokenizer}, so that it is left out")),
                "rtree" | "rtree_i32" | "fts5vocab" => None,
                module => Some(format!("D1 has no module {module}, so that it is left out")),
            },
            Ok(Shape::Table(TableShape { columns: of_table, .. })) => {
                columns = of_table.len();
                None
            }
            Err(_) if self.options.salvage && is_virtual(object) => {
                Some("its SQL does not parse, so that it is left out".to_owned())
            }
            Err(_) => None,
        };
        let limit = || d1_limits::obstacle(object, columns).map(|obstacle| format!("{obstacle}; it is left out"));
        let Some(obstacle) = obstacle.or_else(limit) else {
            if matches!(object.kind, Kind::View | Kind::Trigger) && !self.options.no_schema {
                let function = foreign_function(object);
                function.into_iter().for_each(|function| {
                    self.notes.say(format!("{name}: D1 has no function {function}, so that it fails when it is used"));
                });
            }
            return false;
        };
        // The table that every database of D1 has is no news; nor is a view that was not to come anyway.
        if name != "_cf_METADATA" && !(is_view && self.options.no_schema) {
            self.notes.say(format!("{name}: {obstacle}"));
        }
        true
    }

    /// Says which of the tables that were asked for D1 fills itself.
    pub(super) fn say_which_are_shadows(&mut self) {
        for name in &self.options.tables {
            let is_asked_for = |owner: &str| self.options.tables.iter().any(|table| table.eq_ignore_ascii_case(owner));
            if let Some(owner) = self.owner(name).filter(|owner| !is_asked_for(&owner.name)) {
                self.notes.say(format!(
                    "{name}: it is a part of {}, which D1 fills; it is left out, ask for that",
                    owner.name
                ));
            }
        }
    }

    /// Triggers that only the target has are not looked at.
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
}

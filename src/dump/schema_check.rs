//! Whether what the schema says can be made again.

use std::collections::HashSet;

use super::columns;
use super::notes::Notes;
use super::plan::is_virtual;
use super::schema::{Kind, Object, Schema};
use super::statement;
use crate::error::{ErrorKind, Result};

/// # Errors
/// `SchemaSql` for SQL that is not one statement. Where it matters whether a statement parses, that is found later.
pub(super) fn check(schema: &Schema) -> Result<()> {
    let is_sound = |object: &Object| match &object.sql {
        // It goes into the SQL as a value, or is parsed.
        Some(_) if is_virtual(object) => true,
        Some(sql) => statement::end_of(sql).is_some(),
        None => object.kind == Kind::Index,
    };
    if schema.objects.iter().all(is_sound) { Ok(()) } else { Err(ErrorKind::SchemaSql.into()) }
}

/// Leaves out what the SQL would stop at, and says so.
pub(super) fn salvage(schema: &mut Schema, notes: &mut Notes) {
    let lower = |name: &str| name.to_ascii_lowercase();
    // Tables and views first, as the others are on them. Triggers have names of their own.
    let (mut tables, mut names, mut triggers) = (HashSet::new(), HashSet::new(), HashSet::new());
    for are_tables in [true, false] {
        schema.retain(|object| {
            let is_table = matches!(object.kind, Kind::Table | Kind::View);
            if is_table != are_tables || object.kind == Kind::Index && object.sql.is_none() {
                return true;
            }
            let taken = if object.kind == Kind::Trigger { &mut triggers } else { &mut names };
            let sql = object.sql.as_deref().unwrap_or_default();
            let obstacle = if !columns::name_of(sql).is_ok_and(|name| name.eq_ignore_ascii_case(&object.name)) {
                "its SQL does not parse, so that it is left out"
            } else if !is_table && !tables.contains(&lower(&object.table)) {
                "what it is on is not there, so that it is left out"
            } else if !taken.insert(lower(&object.name)) {
                "there are two of that name, of which the second is left out"
            } else {
                if is_table {
                    tables.insert(lower(&object.name));
                }
                return true;
            };
            notes.say(format!("{}: {obstacle}", object.name));
            false
        });
    }
}

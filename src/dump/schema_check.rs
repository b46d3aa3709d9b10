//! Whether what the schema says can be made again.

use std::collections::HashSet;

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::{tokens, unquote};
use super::malformed::Faults;
use super::malformed_table::{Fault, fault_of};
use super::notes::Notes;
use super::options::Dialect;
use super::parser;
use super::plan::is_virtual;
use super::schema::{Kind, Object, Schema};
use super::statement;
use crate::error::{ErrorKind, Result};

/// Leaves out what the SQL would stop at, and says so. No SQLite reads such a schema, but while it may be written.
///
/// # Errors
/// `SchemaSql` for SQL that is not one statement. Where it matters whether a statement parses, that is found later.
pub(super) fn check(schema: &mut Schema, dialect: Dialect, notes: &mut Notes) -> Result<()> {
    let is_sound = |object: &Object| match &object.sql {
        // It goes into the SQL as a value, or is parsed.
        Some(_) if is_virtual(object) => true,
        Some(sql) => statement::end_of(sql).is_some(),
        None => object.kind == Kind::Index,
    };
    if !schema.objects.iter().all(is_sound) {
        return Err(ErrorKind::SchemaSql.into());
    }
    // The sqlite3 shell prints it, and leaves it out when it loads that.
    let mut printed = matches!(dialect, Dialect::Shell(_)).then(|| schema.clone());
    for Object { name, sql, .. } in printed.iter().flat_map(|schema| &schema.objects) {
        let mut words = tokens(sql.as_deref().unwrap_or_default());
        if words.nth(1).is_some_and(|(_, kind)| kind == TokenType::TK_TEMP) {
            notes.say(format!("{name}: its SQL says TEMP, so that it is gone when what loads it ends"));
        }
    }
    let schema = printed.as_mut().unwrap_or(schema);
    leave_out(schema, notes, "its SQL makes something else, so that it is left out", stated_name);
    Ok(())
}

/// The same of a damaged database, whose SQL may be none.
pub(super) fn salvage(schema: &mut Schema, notes: &mut Notes) {
    leave_out(schema, notes, "its SQL does not parse, so that it is left out", |sql| parser::name_of(sql).ok());
}

fn leave_out(schema: &mut Schema, notes: &mut Notes, other: &str, name_in: impl Fn(&str) -> Option<String>) {
    let lower = |name: &str| name.to_ascii_lowercase();
    leave_out_tables(schema, notes);
    // Tables first, which have rows, then views, as the others are on them. Triggers have names of their own.
    let (mut tables, mut names, mut triggers) = (HashSet::new(), HashSet::new(), HashSet::new());
    for kinds in [&[Kind::Table][..], &[Kind::View], &[Kind::Index, Kind::Trigger]] {
        if kinds.contains(&Kind::View) {
            leave_out_malformed(schema, notes);
        }
        schema.retain(|object| {
            let is_table = matches!(object.kind, Kind::Table | Kind::View);
            if !kinds.contains(&object.kind) || object.kind == Kind::Index && object.sql.is_none() {
                return true;
            }
            let taken = if object.kind == Kind::Trigger { &mut triggers } else { &mut names };
            let sql = object.sql.as_deref().unwrap_or_default();
            let obstacle = if !name_in(sql).is_some_and(|name| name.eq_ignore_ascii_case(&object.name)) {
                other
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

/// Leaves out tables that SQLite does not take, and from others the expressions that it does not take.
fn leave_out_tables(schema: &mut Schema, notes: &mut Notes) {
    let mut passes = Vec::with_capacity(schema.objects.len());
    for object in &mut schema.objects {
        let fault = object.sql.as_deref().filter(|_| object.kind == Kind::Table).and_then(|sql| fault_of(object, sql));
        let said = match fault {
            Some(Fault::Unparsed) => "its SQL does not parse, so that it is left out",
            Some(Fault::Refused) => "SQLite does not take its SQL, so that it is left out",
            Some(Fault::Expression(mended)) => {
                object.sql = Some(mended);
                "SQLite does not take an expression in its SQL, which is 1 in CHECK and NULL elsewhere now"
            }
            None => "",
        };
        if !said.is_empty() {
            notes.say(format!("{}: {said}", object.name));
        }
        passes.push(!said.ends_with("left out"));
    }
    let mut passes = passes.into_iter();
    schema.retain(|_| passes.next().unwrap_or(true));
}

/// Leaves out what SQLite does not make of the tables that are there.
fn leave_out_malformed(schema: &mut Schema, notes: &mut Notes) {
    let mut all = Faults::new(schema);
    let faults: Vec<_> = schema.objects.iter().map(|object| all.of(object)).collect();
    let mut faults = faults.into_iter();
    schema.retain(|object| {
        let fault = faults.next().flatten();
        fault.into_iter().for_each(|fault| notes.say(format!("{}: {fault}", object.name)));
        fault.is_none()
    });
}

/// The name of what `sql` makes, whether it parses or not.
fn stated_name(sql: &str) -> Option<String> {
    let is_kind = |kind: TokenType| {
        matches!(kind, TokenType::TK_TABLE | TokenType::TK_INDEX | TokenType::TK_VIEW | TokenType::TK_TRIGGER)
    };
    let mut tokens = tokens(sql).skip_while(|&(_, kind)| !is_kind(kind)).skip(1).peekable();
    if tokens.next_if(|&(_, kind)| kind == TokenType::TK_IF).is_some() {
        tokens.nth(1);
    }
    tokens.next().map(|(token, _)| unquote(token))
}

//! What SQLite asks of a CREATE TABLE, expressions apart.

use sqlite3_parser::ast::{
    ColumnConstraint, ColumnDefinition, NamedTableConstraint, SortedColumn, TabFlags, TableConstraint,
};

use super::expression_names::is_one_of;
use super::identifier::unquote;
use super::shape::{TableShape, position};

/// The most columns that SQLite takes.
const MAX_COLUMNS: usize = 2_000;

/// Whether SQLite takes what a CREATE TABLE says.
#[inline(never)] // Once in the module.
pub(super) fn is_taken(
    definitions: &[ColumnDefinition<'_>],
    constraints: &[NamedTableConstraint<'_>],
    flags: TabFlags,
    shape: &TableShape,
) -> bool {
    let is_strict = flags.contains(TabFlags::Strict);
    let is_ordered = |terms: &[SortedColumn<'_>]| terms.iter().all(|term| term.nulls.is_none());
    let (mut primary_keys, mut is_taken) = (0, true);
    for (definition, column) in definitions.iter().zip(&shape.columns) {
        let mut values = 0;
        for constraint in definition.constraints {
            match &constraint.constraint {
                ColumnConstraint::PrimaryKey { .. } => primary_keys += 1,
                ColumnConstraint::Default(_) => values += 1,
                ColumnConstraint::Generated { typ, .. } => {
                    values += 1;
                    is_taken &= typ.as_ref().is_none_or(|kind| is_one_of(kind.0, &["STORED", "VIRTUAL"]));
                }
                ColumnConstraint::ForeignKey { clause, .. } => {
                    is_taken &= clause.columns.is_none_or(|columns| columns.len() == 1);
                }
                _ => {}
            }
        }
        let is_known = |name: &str| is_one_of(&unquote(name), &["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"]);
        let declared = definition.col_type.as_ref();
        is_taken &= !is_strict || declared.is_some_and(|declared| declared.size.is_none() && is_known(declared.name));
        is_taken &= !column.generated || values == 1;
    }
    for constraint in constraints {
        match &constraint.constraint {
            TableConstraint::PrimaryKey { columns, .. } => {
                primary_keys += 1;
                is_taken &= is_ordered(columns);
            }
            TableConstraint::Unique { columns, .. } => is_taken &= is_ordered(columns),
            TableConstraint::ForeignKey { columns, clause, .. } => {
                is_taken &=
                    columns.iter().all(|column| position(&shape.columns, &unquote(column.col_name.0)).is_some());
                is_taken &= clause.columns.is_none_or(|others| others.len() == columns.len());
            }
            _ => {}
        }
    }
    let is_generated = |&index: &usize| shape.columns.get(index).is_some_and(|column| column.generated);
    is_taken
        && primary_keys <= 1
        && shape.columns.len() <= MAX_COLUMNS
        && (!shape.without_rowid || primary_keys > 0)
        && (!shape.autoincrement || shape.columns.iter().any(|column| column.rowid))
        && !shape.columns.iter().all(|column| column.generated)
        && !shape.primary_key.iter().any(is_generated)
        && shape.keys.iter().flatten().all(|&(index, _)| index < shape.columns.len())
}

//! What a table's records do not tell about themselves, from the SQL that made the table.

use sqlite3_parser::ast::{
    ColumnConstraint, ColumnDefinition, CreateTableBody, Expr, NamedTableConstraint, SortOrder, SortedColumn, Stmt,
    TabFlags, TableConstraint,
};

use super::affinity::Affinity;
use super::constant::Constant;
use super::default::{self, Reader};
use super::foreign_keys::ForeignKey;
use super::guard::Insists;
use super::identifier::unquote;
use super::parser::parse_statement;
use super::shape::{Column, IndexShape, Shape, TableShape, VirtualTable, position};
use super::table_rules;
use crate::error::{ErrorKind, Result};

/// Reads the SQL of a table.
///
/// # Errors
/// `SchemaSql` when it does not parse or is not a table's.
pub(super) fn parse(sql: &str, reader: Reader) -> Result<Shape> {
    parse_statement(sql, |statement| match statement {
        Stmt::CreateTable { body, .. } => match body {
            CreateTableBody::ColumnsAndConstraints { columns, constraints, flags } => {
                table(&columns, constraints.unwrap_or_default(), flags, reader).map(Shape::Table)
            }
            CreateTableBody::AsSelect(_) => Err(ErrorKind::SchemaSql.into()),
        },
        Stmt::CreateVirtualTable { module_name, args, .. } => Ok(Shape::Virtual(VirtualTable {
            module: unquote(module_name.0).to_ascii_lowercase(),
            arguments: args.unwrap_or_default().iter().map(|argument| argument.trim().to_owned()).collect(),
        })),
        _ => Err(ErrorKind::SchemaSql.into()),
    })
}

/// Reads the SQL of an index.
///
/// # Errors
/// `SchemaSql` when it does not parse.
pub(super) fn index(sql: &str) -> Result<IndexShape> {
    parse_statement(sql, |statement| match statement {
        Stmt::CreateIndex { columns, where_clause, .. } => {
            Ok(IndexShape { columns: columns.iter().map(key_column).collect(), is_partial: where_clause.is_some() })
        }
        _ => Err(ErrorKind::SchemaSql.into()),
    })
}

fn table(
    definitions: &[ColumnDefinition<'_>],
    constraints: &[NamedTableConstraint<'_>],
    flags: TabFlags,
    reader: Reader,
) -> Result<TableShape> {
    let without_rowid = flags.contains(TabFlags::WithoutRowid);
    let mut columns = Vec::with_capacity(definitions.len());
    let mut virtual_columns = Vec::with_capacity(definitions.len());
    let mut collations = Vec::with_capacity(definitions.len());
    let (mut key, mut unique) = (Vec::new(), Vec::new());
    let mut foreign_keys = Vec::new();
    let (mut autoincrement, mut rowid) = (false, None);
    // How many UNIQUEs are before the PRIMARY KEY.
    let mut before_key = 0;
    for (index, definition) in definitions.iter().enumerate() {
        let affinity = Affinity::of(definition.col_type.as_ref().map(|declared| declared.name), is_strict(flags));
        let is_integer = definition
            .col_type
            .as_ref()
            .is_some_and(|declared| declared.size.is_none() && unquote(declared.name).eq_ignore_ascii_case("INTEGER"));
        let mut column = Column {
            name: unquote(definition.col_name.0),
            affinity,
            generated: false,
            rowid: false,
            default: Constant::Null,
            insists: Insists {
                not_null: false,
                kind: definition
                    .col_type
                    .as_ref()
                    .filter(|declared| is_strict(flags) && !is_any(declared.name))
                    .map(|_| affinity),
            },
        };
        let (mut is_virtual, mut collation) = (false, "BINARY".to_owned());
        for constraint in definition.constraints {
            match &constraint.constraint {
                ColumnConstraint::PrimaryKey { order, auto_increment, .. } => {
                    autoincrement |= auto_increment;
                    // INTEGER PRIMARY KEY DESC has been no rowid since an early mistake.
                    if is_integer && *order != Some(SortOrder::Desc) {
                        rowid = Some(index);
                    }
                    key.push((index, None));
                    before_key = unique.len();
                }
                ColumnConstraint::Unique(_) => unique.push(vec![(index, None)]),
                ColumnConstraint::Default(expression) => {
                    column.default = default::evaluate(expression, affinity, reader);
                }
                ColumnConstraint::NotNull { nullable, .. } => column.insists.not_null |= !nullable,
                ColumnConstraint::Collate { collation_name } => collation = unquote(collation_name.0),
                ColumnConstraint::ForeignKey { clause, .. } => foreign_keys.push(ForeignKey::new(vec![index], clause)),
                ColumnConstraint::Generated { typ, .. } => {
                    column.generated = true;
                    is_virtual = !typ.as_ref().is_some_and(|kind| kind.0.eq_ignore_ascii_case("STORED"));
                }
                _ => {}
            }
        }
        columns.push(column);
        virtual_columns.push(is_virtual);
        collations.push(collation);
    }
    for constraint in constraints {
        match &constraint.constraint {
            TableConstraint::PrimaryKey { columns: terms, auto_increment, .. } => {
                autoincrement |= auto_increment;
                key.append(&mut key_of(terms, &columns)?);
                before_key = unique.len();
                if let &[(only, _)] = key.as_slice()
                    && definitions.get(only).and_then(|definition| definition.col_type.as_ref()).is_some_and(
                        |declared| declared.size.is_none() && unquote(declared.name).eq_ignore_ascii_case("INTEGER"),
                    )
                {
                    rowid = Some(only);
                }
            }
            TableConstraint::Unique { columns: terms, .. } => {
                unique.push(key_of(terms, &columns).unwrap_or_else(|_| vec![(usize::MAX, None)]));
            }
            TableConstraint::ForeignKey { columns: named, clause, .. } => {
                let own = named.iter().filter_map(|column| position(&columns, &unquote(column.col_name.0))).collect();
                foreign_keys.push(ForeignKey::new(own, clause));
            }
            _ => {}
        }
    }
    let is_stored = |index: &usize| !virtual_columns.get(*index).copied().unwrap_or(false);
    let stored = if without_rowid {
        key_first(&key, &collations, columns.len()).filter(is_stored).collect()
    } else {
        if is_strict(flags) {
            // Its key must not be NULL, either.
            let keys = key.iter().map(|&(index, _)| index).filter(|&index| Some(index) != rowid);
            keys.for_each(|index| columns.get_mut(index).into_iter().for_each(|column| column.insists.not_null = true));
        }
        if let Some(column) = rowid.and_then(|index| columns.get_mut(index)) {
            column.rowid = true;
        }
        (0..columns.len()).filter(is_stored).collect()
    };
    let primary_key = key.iter().map(|&(index, _)| index).collect();
    let mut place = None;
    if !key.is_empty() && (without_rowid || rowid.is_none()) {
        // Where it could be the rowid but there is none, it is made last.
        let at = if rowid.is_none() { before_key } else { unique.len() };
        unique.insert(at, key);
        place = Some(at);
    }
    let collated = |(index, collation): (usize, Option<String>)| {
        (index, collation.or_else(|| collations.get(index).cloned()).unwrap_or_default())
    };
    let keys = unique.into_iter().map(|key| key.into_iter().map(collated).collect()).collect();
    let mut shape = TableShape {
        columns,
        stored,
        without_rowid,
        autoincrement,
        foreign_keys,
        primary_key,
        keys,
        key: place,
        collations,
        is_taken: false,
    };
    shape.is_taken = table_rules::is_taken(definitions, constraints, flags, &shape);
    Ok(shape)
}

/// The columns that the terms of a PRIMARY KEY or UNIQUE name.
fn key_of(terms: &[SortedColumn<'_>], columns: &[Column]) -> Result<Vec<(usize, Option<String>)>> {
    let found = terms.iter().map(|term| {
        let (name, collation) = key_column(term)?;
        Some((position(columns, &name)?, collation))
    });
    found.collect::<Option<_>>().ok_or(ErrorKind::SchemaSql.into())
}

fn is_any(declared: &str) -> bool {
    unquote(declared).eq_ignore_ascii_case("ANY")
}

fn is_strict(flags: TabFlags) -> bool {
    flags.contains(TabFlags::Strict)
}

/// The column that a term of a PRIMARY KEY, UNIQUE or an index names, and its collation where that is said.
fn key_column(term: &SortedColumn<'_>) -> Option<(String, Option<String>)> {
    let mut expression = &term.expr;
    let mut collation = None;
    loop {
        match expression {
            Expr::Collate(inner, name) => {
                collation.get_or_insert_with(|| unquote(name));
                expression = inner;
            }
            Expr::Parenthesized(inner) => expression = inner.first()?,
            Expr::Id(id) => return Some((unquote(id.0), collation)),
            Expr::Name(name) => return Some((unquote(name.0), collation)),
            Expr::Literal(sqlite3_parser::ast::Literal::String(text)) => return Some((unquote(text), collation)),
            _ => return None,
        }
    }
}

/// The order of a record WITHOUT ROWID: the key, in which a column counts again only with another collation, then all
/// other columns.
fn key_first(key: &[(usize, Option<String>)], collations: &[String], columns: usize) -> impl Iterator<Item = usize> {
    let mut first: Vec<(usize, &str)> = Vec::new();
    for (index, collation) in key {
        let collation = collation.as_deref().or(collations.get(*index).map(String::as_str)).unwrap_or("BINARY");
        if !first.iter().any(|&(other, same)| other == *index && same.eq_ignore_ascii_case(collation)) {
            first.push((*index, collation));
        }
    }
    let rest: Vec<usize> = (0..columns).filter(|index| !first.iter().any(|(other, _)| other == index)).collect();
    let first: Vec<usize> = first.into_iter().map(|(index, _)| index).collect();
    first.into_iter().chain(rest)
}

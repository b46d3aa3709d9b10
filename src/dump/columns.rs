//! What a table's records do not tell about themselves, from the SQL that made the table.

use bumpalo::Bump;
use fallible_iterator::FallibleIterator;
use sqlite3_parser::ast::{
    Cmd, ColumnConstraint, ColumnDefinition, CreateTableBody, Expr, NamedTableConstraint, SortOrder, SortedColumn,
    Stmt, TabFlags, TableConstraint,
};
use sqlite3_parser::lexer::Scanner;
use sqlite3_parser::lexer::sql::{Parser, TokenType, Tokenizer};

use super::affinity::Affinity;
use super::constant::Constant;
use super::default::{self, Reader};
use super::foreign_keys::ForeignKey;
use super::guard::Insists;
use super::identifier::unquote;
use super::statement;
use crate::error::{ErrorKind, Result};

/// The most columns and constraints of a table; SQLite takes 2,000. The parser compares each with all before it.
const MAX_COLUMNS: usize = 2_500;
/// The most tokens that SQL may have: the parser takes up to 400 bytes for each.
const MAX_TOKENS: usize = 1 << 16;
/// What the parser may copy of the words of types, in bytes: it joins them one by one.
const MAX_TYPES: usize = 4 << 20;
/// How deep parentheses may be in each other. SQLite has the same limit for expressions.
const MAX_DEPTH: usize = 1000;

/// A table, as its CREATE TABLE says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TableShape {
    /// In the order of the declaration.
    pub(super) columns: Vec<Column>,
    /// What a record holds: indexes into `columns`, in the order of the record.
    pub(super) stored: Vec<usize>,
    /// Whether it is WITHOUT ROWID.
    pub(super) without_rowid: bool,
    /// Whether it is AUTOINCREMENT.
    pub(super) autoincrement: bool,
    pub(super) foreign_keys: Vec<ForeignKey>,
    /// Also where that is the rowid. Indexes into `columns`.
    pub(super) primary_key: Vec<usize>,
    /// What PRIMARY KEY and UNIQUE say of it, but for a key that is the rowid, in the order in which SQLite numbers their
    /// indexes. A column that does not exist stands for what cannot be read.
    pub(super) keys: Vec<Key>,
    /// Which of them is the PRIMARY KEY.
    pub(super) key: Option<usize>,
    /// The collation of each column.
    pub(super) collations: Vec<String>,
}

impl TableShape {
    /// The columns that `key` refers to, as indexes into those of this table; empty where it lacks one.
    pub(super) fn referenced_by(&self, key: &ForeignKey) -> Vec<usize> {
        if key.to.is_empty() {
            return self.primary_key.clone();
        }
        let position = |name: &String| self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        key.to.iter().map(position).collect::<Option<_>>().unwrap_or_default()
    }

    /// A name of the rowid; `None` where columns have all of them, or there is no rowid.
    pub(super) fn rowid_name(&self) -> Option<&str> {
        if let Some(column) = self.columns.iter().find(|column| column.rowid) {
            return Some(&column.name);
        }
        let is_free = |name: &&str| !self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"].into_iter().filter(|_| !self.without_rowid).find(is_free)
    }
}

/// Columns of which no two rows have the same values, as indexes into those of the table, with their collations.
pub(super) type Key = Vec<(usize, String)>;

/// What a CREATE INDEX says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexShape {
    /// Names and collations, where those are said; `None` for an expression.
    pub(super) columns: Vec<Option<(String, Option<String>)>>,
    /// Whether it has only some of the rows.
    pub(super) is_partial: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) affinity: Affinity,
    /// Whether it is computed, and so cannot be inserted.
    pub(super) generated: bool,
    /// Whether it is the rowid by another name.
    pub(super) rowid: bool,
    /// What rows have that are older than the column.
    pub(super) default: Constant,
    pub(super) insists: Insists,
}

/// What a CREATE VIRTUAL TABLE says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VirtualTable {
    /// In lower case.
    pub(super) module: String,
    pub(super) arguments: Vec<String>,
}

/// Either kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Table(TableShape),
    Virtual(VirtualTable),
}

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

/// The name of what `sql` makes.
///
/// # Errors
/// `SchemaSql` when it does not parse.
pub(super) fn name_of(sql: &str) -> Result<String> {
    parse_statement(sql, |statement| match statement {
        Stmt::CreateTable { tbl_name: name, .. }
        | Stmt::CreateVirtualTable { tbl_name: name, .. }
        | Stmt::CreateIndex { idx_name: name, .. }
        | Stmt::CreateView { view_name: name, .. }
        | Stmt::CreateTrigger { trigger_name: name, .. } => Ok(unquote(name.name.0)),
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

/// Whether SQL of which nothing is needed is a statement to SQLite; `true` where that takes too much to tell.
pub(super) fn parses(sql: &str) -> bool {
    !can_be_parsed(sql) || parse_statement(sql, |_| Ok(())).is_ok()
}

fn parse_statement<T>(sql: &str, read: impl FnOnce(Stmt<'_>) -> Result<T>) -> Result<T> {
    let bump = Bump::new();
    read(statement_of(&bump, sql)?)
}

#[inline(never)] // Once in the module: the parser is most of it.
fn statement_of<'bump>(bump: &'bump Bump, sql: &'bump str) -> Result<Stmt<'bump>> {
    statement::end_of(sql).ok_or(ErrorKind::SchemaSql)?;
    if !can_be_parsed(sql) {
        return Err(ErrorKind::SchemaSql.into());
    }
    match Parser::new(bump, sql.as_bytes()).next() {
        Ok(Some(Cmd::Stmt(statement))) => Ok(statement),
        _ => Err(ErrorKind::SchemaSql.into()),
    }
}

/// Whether the parser has memory and time for `sql`.
fn can_be_parsed(sql: &str) -> bool {
    let mut scanner = Scanner::new(Tokenizer::new());
    let (mut depth, mut columns, mut words, mut types) = (0usize, 0, 0, 0);
    for _ in 0..MAX_TOKENS {
        let (token, kind) = match scanner.scan(sql.as_bytes()) {
            Ok((_, Some(token), _)) => token,
            Ok((_, None, _)) => return true,
            Err(_) => return false,
        };
        match kind {
            TokenType::TK_LP => depth += 1,
            TokenType::TK_RP => depth = depth.saturating_sub(1),
            TokenType::TK_COMMA if depth == 1 => columns += 1,
            _ => {}
        }
        // Words in a row can be a type. Those between which there is one of these are an expression.
        let is_punctuation = |&byte: &u8| byte.is_ascii_punctuation() && !b"_'\"`[".contains(&byte);
        let is_word = token.first().is_some_and(|first| !is_punctuation(first));
        let is_operator = matches!(kind, TokenType::TK_AND | TokenType::TK_OR | TokenType::TK_NOT);
        words = if is_word && !is_operator { words + token.len() } else { 0 };
        types += words;
        if depth > MAX_DEPTH || columns > MAX_COLUMNS || types > MAX_TYPES {
            return false;
        }
    }
    false
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
                let position =
                    |name: &str| columns.iter().position(|column: &Column| column.name.eq_ignore_ascii_case(name));
                let own = named.iter().filter_map(|column| position(&unquote(column.col_name.0))).collect();
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
    Ok(TableShape {
        columns,
        stored,
        without_rowid,
        autoincrement,
        foreign_keys,
        primary_key,
        keys,
        key: place,
        collations,
    })
}

/// The columns that the terms of a PRIMARY KEY or UNIQUE name.
fn key_of(terms: &[SortedColumn<'_>], columns: &[Column]) -> Result<Vec<(usize, Option<String>)>> {
    let found = terms.iter().map(|term| {
        let (name, collation) = key_column(term)?;
        Some((columns.iter().position(|column| column.name.eq_ignore_ascii_case(&name))?, collation))
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

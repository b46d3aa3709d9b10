//! Indexes, views and triggers that SQLite does not take, from a schema that somebody wrote into. It does not open such a
//! database, and SQL with one of them does not load.

use std::collections::HashSet;

use sqlite3_parser::lexer::sql::TokenType;

use super::expression_names::{AGGREGATES, FLEETING, ROWIDS, Role, is_one_of, names};
use super::identifier::{tokens, unquote};
use super::parser;
use super::plan::{is_virtual, sql_of};
use super::schema::{Kind, Object, Schema};

/// How much SQL of tables is looked through for names of columns, in bytes: a hostile schema can be all of one.
const MOST: usize = 1 << 24;

/// Looks through the objects of one schema.
pub(super) struct Faults<'s> {
    schema: &'s Schema,
    /// In lower case.
    views: HashSet<String>,
    room: usize,
}

impl<'s> Faults<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        let views = schema.of(Kind::View).map(|view| view.name.to_ascii_lowercase()).collect();
        Self { schema, views, room: MOST }
    }

    /// Why SQLite does not make an object, as far as that shows without SQLite.
    pub(super) fn of(&mut self, object: &Object) -> Option<&'static str> {
        let sql = sql_of(object);
        if object.kind == Kind::Table || sql.is_empty() {
            return None;
        }
        if !parser::parses(sql) {
            return Some("its SQL does not parse, so that it is left out");
        }
        if tokens(sql).any(|(_, kind)| kind == TokenType::TK_VARIABLE) {
            return Some("its SQL has a parameter, which SQLite does not take there, so that it is left out");
        }
        if object.kind != Kind::View && !on(sql).is_some_and(|table| table.eq_ignore_ascii_case(&object.table)) {
            return Some("its SQL is on another table than the schema says, so that it is left out");
        }
        match object.kind {
            Kind::Index => self.of_index(object),
            _ if names_database(sql) => Some("it names a database where SQLite takes none, so that it is left out"),
            Kind::Trigger => self.of_trigger(object),
            _ => None,
        }
    }

    fn of_trigger(&self, object: &Object) -> Option<&'static str> {
        let mut head = tokens(sql_of(object)).take_while(|&(_, kind)| kind != TokenType::TK_ON);
        let is_instead = head.any(|(_, kind)| kind == TokenType::TK_INSTEAD);
        // The table stays where two have one name. What is on nothing is told as that.
        let is_for = match self.schema.table(&object.table) {
            Some(table) => !is_instead && !is_virtual(table),
            None => is_instead || !self.views.contains(&object.table.to_ascii_lowercase()),
        };
        (!is_for).then_some("SQLite has no such trigger on what it is on, so that it is left out")
    }

    fn of_index(&mut self, object: &Object) -> Option<&'static str> {
        let table = self.schema.table(&object.table)?;
        if is_virtual(table) {
            return Some("SQLite makes no index on a virtual table, so that it is left out");
        }
        let text: Vec<_> = tokens(sql_of(object)).skip_while(|&(_, kind)| kind != TokenType::TK_LP).collect();
        let at = text.iter().position(|&(_, kind)| kind == TokenType::TK_WHERE).unwrap_or(text.len());
        // In a condition columns may be qualified, and the rowid be named.
        let (columns, condition) = text.split_at(at);
        let is_refused = |(name, role): &(String, Role)| match role {
            Role::Function => is_one_of(name, &FLEETING) || is_one_of(name, &AGGREGATES),
            role => *role == Role::Foreign,
        };
        let (columns_named, named) = (names(columns), names(condition));
        let has_nulls = columns
            .windows(2)
            .any(|pair| matches!(pair, [(_, TokenType::TK_NULLS), (_, TokenType::TK_FIRST | TokenType::TK_LAST)]));
        if has_nulls
            || columns_named.iter().any(|(_, role)| *role == Role::Table)
            || columns_named.iter().chain(&named).any(is_refused)
        {
            return Some("SQLite makes no index of such an expression, so that it is left out");
        }
        let mut is_known = |(name, role): &(String, Role)| {
            if *role != Role::Column {
                return true;
            }
            let sql = sql_of(table);
            match self.room.checked_sub(sql.len()) {
                Some(room) => self.room = room,
                None => return true,
            }
            tokens(sql).any(|(word, _)| unquote(word).eq_ignore_ascii_case(name))
        };
        let is_rowid = |(name, _): &(String, Role)| is_one_of(name, &ROWIDS);
        let are_known =
            columns_named.iter().all(&mut is_known) && named.iter().all(|name| is_rowid(name) || is_known(name));
        (!are_known).then_some("its table lacks a column that it names, so that it is left out")
    }
}

/// The table that the SQL of an index or a trigger is on.
fn on(sql: &str) -> Option<String> {
    let mut tokens = tokens(sql).skip_while(|&(_, kind)| kind != TokenType::TK_ON).skip(1).peekable();
    let (mut name, _) = tokens.next()?;
    if tokens.next_if(|&(_, kind)| kind == TokenType::TK_DOT).is_some() {
        (name, _) = tokens.next()?;
    }
    Some(unquote(name))
}

/// Whether a view or a trigger reads a table of a database that is attached, or a trigger says the database that it writes.
fn names_database(sql: &str) -> bool {
    let (mut before, mut place) = (TokenType::TK_SEMI, TokenType::TK_SEMI);
    let mut tokens = tokens(sql).peekable();
    while let Some((token, kind)) = tokens.next() {
        // IS DISTINCT FROM is between values.
        let (reads, writes) = match (place, before) {
            (TokenType::TK_DELETE, TokenType::TK_FROM) | (_, TokenType::TK_INTO | TokenType::TK_UPDATE) => (true, true),
            (place, TokenType::TK_FROM) => (place != TokenType::TK_DISTINCT, false),
            (_, before) => (before == TokenType::TK_JOIN, false),
        };
        let is_qualified = tokens.peek().is_some_and(|&(_, next)| next == TokenType::TK_DOT);
        if reads && is_qualified && (writes || !unquote(token).eq_ignore_ascii_case("main")) {
            return true;
        }
        (place, before) = (before, kind);
    }
    false
}

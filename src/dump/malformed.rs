//! Indexes, views and triggers that SQLite does not take, from a schema that somebody wrote into. It does not open such a
//! database, and SQL with one of them does not load.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::{tokens, unquote};
use super::parser;
use super::plan::{is_virtual, sql_of};
use super::schema::{Kind, Object, Schema};

/// How much SQL of tables is looked through for names of columns, in bytes: a hostile schema can be all of one.
const MOST: usize = 1 << 20;
/// Functions that give another value at each call, for which there is no index.
const FLEETING: [&str; 5] = ["random", "randomblob", "changes", "total_changes", "last_insert_rowid"];

/// Looks through the objects of one schema.
pub(super) struct Faults<'s> {
    schema: &'s Schema,
    /// In lower case.
    views: HashSet<String>,
    /// All words in the SQL of some tables, in lower case.
    words: HashMap<usize, HashSet<String>>,
    room: usize,
}

impl<'s> Faults<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        let views = schema.of(Kind::View).map(|view| view.name.to_ascii_lowercase()).collect();
        Self { schema, views, words: HashMap::new(), room: MOST }
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
        let Self { schema, words, room, .. } = self;
        let at = schema.table_at(&object.table)?;
        let table = schema.objects.get(at)?;
        if is_virtual(table) {
            return Some("SQLite makes no index on a virtual table, so that it is left out");
        }
        let text: Vec<_> = tokens(sql_of(object)).skip_while(|&(_, kind)| kind != TokenType::TK_LP).collect();
        let kind_at = |at: Option<usize>| at.and_then(|at| text.get(at)).map(|&(_, kind)| kind);
        let (mut columns, mut in_type) = (Vec::new(), false);
        for (at, &(token, kind)) in text.iter().enumerate() {
            let (before, next) = (kind_at(at.checked_sub(1)), kind_at(Some(at + 1)));
            in_type = kind == TokenType::TK_ID && (in_type || before == Some(TokenType::TK_AS));
            let is_call = next == Some(TokenType::TK_LP);
            if kind == TokenType::TK_SELECT
                || is_call && FLEETING.iter().any(|name| name.eq_ignore_ascii_case(&unquote(token)))
            {
                return Some("SQLite makes no index of such an expression, so that it is left out");
            }
            // In quotes it can be text.
            let is_plain = kind == TokenType::TK_ID && !token.starts_with(['"', '`', '[']);
            let is_other = is_call
                || in_type
                || matches!(before, Some(TokenType::TK_COLLATE | TokenType::TK_DOT))
                || next == Some(TokenType::TK_DOT);
            if is_plain && !is_other {
                columns.push(token.to_ascii_lowercase());
            }
        }
        let known = match words.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                *room = room.checked_sub(sql_of(table).len())?;
                new.insert(tokens(sql_of(table)).map(|(word, _)| unquote(word).to_ascii_lowercase()).collect())
            }
        };
        let is_known = |name: &String| {
            known.contains(name) || ["rowid", "_rowid_", "oid", "true", "false"].contains(&name.as_str())
        };
        (!columns.iter().all(is_known)).then_some("its table lacks a column that it names, so that it is left out")
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

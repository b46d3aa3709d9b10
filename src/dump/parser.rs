//! One statement of the schema as a tree, within limits of memory and time.

use bumpalo::Bump;
use fallible_iterator::FallibleIterator;
use sqlite3_parser::ast::{Cmd, Stmt};
use sqlite3_parser::lexer::Scanner;
use sqlite3_parser::lexer::sql::{Parser, TokenType, Tokenizer};

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

/// Whether SQL of which nothing is needed is a statement to SQLite; `true` where that takes too much to tell.
pub(super) fn parses(sql: &str) -> bool {
    !can_be_parsed(sql) || parse_statement(sql, |_| Ok(())).is_ok()
}

pub(super) fn parse_statement<T>(sql: &str, read: impl FnOnce(Stmt<'_>) -> Result<T>) -> Result<T> {
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
#[inline(never)] // Once in the module.
pub(super) fn can_be_parsed(sql: &str) -> bool {
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

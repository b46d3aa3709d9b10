//! The tokens of SQL, comments left out.

use sqlite3_parser::lexer::Scanner;
use sqlite3_parser::lexer::sql::{TokenType, Tokenizer};

/// Up to the first that is none.
pub(super) fn tokens(sql: &str) -> impl Iterator<Item = (&str, TokenType)> {
    let mut scanner = Scanner::new(Tokenizer::new());
    core::iter::from_fn(move || match scanner.scan(sql.as_bytes()) {
        Ok((start, Some((_, kind)), end)) => Some((sql.get(start..end)?, kind)),
        _ => None,
    })
}

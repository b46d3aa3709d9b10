//! Names and tokens of SQL.

use sqlite3_parser::lexer::Scanner;
use sqlite3_parser::lexer::sql::{TokenType, Tokenizer};

/// The name that a token stands for: without its quotes, if it has any.
pub(super) fn unquote(token: &str) -> String {
    let quote = match token.chars().next() {
        Some(quote @ ('"' | '`' | '\'')) => quote,
        Some('[') => ']',
        _ => return token.to_owned(),
    };
    let inner = token.get(1..).and_then(|rest| rest.strip_suffix(quote)).unwrap_or_default();
    if quote == ']' {
        return inner.to_owned();
    }
    let doubled: String = [quote, quote].iter().collect();
    inner.replace(&doubled, quote.encode_utf8(&mut [0; 4]))
}

/// Appends `name` in double quotes.
pub(super) fn write_quoted(out: &mut Vec<u8>, name: &str) {
    write_doubling(out, name.as_bytes(), b'"');
}

/// Appends `bytes` between two of `quote`, with those inside doubled.
pub(super) fn write_doubling(out: &mut Vec<u8>, bytes: &[u8], quote: u8) {
    out.push(quote);
    let mut rest = bytes;
    while let Some((piece, after)) = memchr::memchr(quote, rest).and_then(|at| rest.split_at_checked(at + 1)) {
        out.extend_from_slice(piece);
        out.push(quote);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(quote);
}

/// The tokens of SQL up to the first that is none, comments left out.
pub(super) fn tokens(sql: &str) -> impl Iterator<Item = (&str, TokenType)> {
    let mut scanner = Scanner::new(Tokenizer::new());
    core::iter::from_fn(move || match scanner.scan(sql.as_bytes()) {
        Ok((start, Some((_, kind)), end)) => Some((sql.get(start..end)?, kind)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_come_off_and_on() {
        for (token, name) in
            [("a", "a"), ("\"a\"\"b\"", "a\"b"), ("[a]", "a"), ("`a``b`", "a`b"), ("'a''b'", "a'b"), ("\"", "")]
        {
            assert_eq!(unquote(token), name);
        }
        let mut out = Vec::new();
        write_quoted(&mut out, "a\"b");
        assert_eq!(out, b"\"a\"\"b\"");
    }
}

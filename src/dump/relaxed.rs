//! A table's SQL that takes any row: without NOT NULL, STRICT and types. What decides how rows are stored, and which
//! indexes constraints make, stays.

use sqlite3_parser::lexer::sql::TokenType;

use super::columns::TableShape;
use super::identifier::tokens;
use super::literal::write_value;
use crate::btree::{Encoding, Value};

/// Appends what makes the schema say `sql` of a table.
pub(super) fn write_schema(out: &mut Vec<u8>, table: &str, sql: &str, is_writable: bool) {
    let write = |out: &mut Vec<u8>, text: &str| write_value(out, Value::Text(text.as_bytes()), Encoding::Utf8, true);
    out.extend_from_slice(b"PRAGMA writable_schema=ON;\nUPDATE sqlite_schema SET sql=");
    write(out, sql);
    out.extend_from_slice(b" WHERE type='table' AND name=");
    write(out, table);
    out.extend_from_slice(b";\nPRAGMA writable_schema=RESET;\n");
    if is_writable {
        out.extend_from_slice(b"PRAGMA writable_schema=ON;\n");
    }
}

/// What part of a column's definition a token is in.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Name,
    Type,
    Rest,
}

/// Whether types stay: what is computed from values is computed with their types.
pub(super) fn keeps_types(shape: &TableShape) -> bool {
    shape.columns.iter().any(|column| column.generated)
}

/// The SQL of a table that takes any row.
pub(super) fn relaxed(sql: &str, shape: &TableShape) -> String {
    let keeps_types = keeps_types(shape);
    let mut columns = shape.columns.iter();
    let mut column = None;
    let (mut relaxed, mut depth, mut part) = (String::new(), 0usize, Part::Rest);
    let mut options = Vec::new();
    let mut tokens = tokens(sql).peekable();
    let mut is_open = true;
    while let Some((token, kind)) = tokens.next() {
        let begins =
            depth == 1 && matches!(kind, TokenType::TK_COMMA) || depth == 0 && is_open && kind == TokenType::TK_LP;
        match kind {
            TokenType::TK_LP => depth += 1,
            TokenType::TK_RP => depth = depth.saturating_sub(1),
            _ => {}
        }
        if begins {
            (part, is_open) = (Part::Name, false);
        } else if depth == 0 && !is_open && kind != TokenType::TK_RP {
            options.push(token);
            continue;
        } else if part == Part::Name {
            (part, column) = match kind {
                TokenType::TK_CONSTRAINT
                | TokenType::TK_PRIMARY
                | TokenType::TK_UNIQUE
                | TokenType::TK_CHECK
                | TokenType::TK_FOREIGN => (Part::Rest, None),
                _ => (Part::Type, columns.next()),
            };
        } else if part == Part::Type && (depth == 0 || depth == 1 && ends_type(kind)) {
            part = Part::Rest;
        } else if part == Part::Type {
            let is_any = token.eq_ignore_ascii_case("ANY");
            if !is_any && (keeps_types || column.is_some_and(|column| column.rowid)) {
                push(&mut relaxed, token);
            }
            continue;
        }
        if depth == 1 && kind == TokenType::TK_NOT && tokens.peek().is_some_and(|&(_, next)| next == TokenType::TK_NULL)
        {
            tokens.next();
            if tokens.next_if(|&(_, next)| next == TokenType::TK_ON).is_some() {
                // CONFLICT, and how it is resolved.
                tokens.next();
                tokens.next();
            }
            continue;
        }
        push(&mut relaxed, token);
    }
    if options.iter().any(|option| option.eq_ignore_ascii_case("WITHOUT")) {
        relaxed.push_str(" WITHOUT ROWID");
    }
    relaxed
}

fn ends_type(kind: TokenType) -> bool {
    matches!(
        kind,
        TokenType::TK_CONSTRAINT
            | TokenType::TK_PRIMARY
            | TokenType::TK_NOT
            | TokenType::TK_NULL
            | TokenType::TK_UNIQUE
            | TokenType::TK_CHECK
            | TokenType::TK_DEFAULT
            | TokenType::TK_COLLATE
            | TokenType::TK_REFERENCES
            | TokenType::TK_GENERATED
            | TokenType::TK_AS
    )
}

fn push(sql: &mut String, token: &str) {
    if !sql.is_empty() {
        sql.push(' ');
    }
    sql.push_str(token);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::columns::{Shape, parse};
    use crate::dump::default::Reader;

    #[test]
    fn what_rows_can_break_goes_and_what_stores_them_stays() {
        let of = |sql: &str| match parse(sql, Reader::Current).unwrap() {
            Shape::Table(shape) => relaxed(sql, &shape),
            Shape::Virtual(_) => panic!("{sql}"),
        };
        assert_eq!(
            of(r#"CREATE TABLE t(id INTEGER PRIMARY KEY, "a,b" VARCHAR (10, 2) NOT NULL ON CONFLICT IGNORE UNIQUE,
                c TEXT CONSTRAINT n NOT NULL COLLATE nocase, d ANY CHECK (d NOT NULL) -- so
                , e DOUBLE PRECISION DEFAULT (1 IS NOT NULL), CONSTRAINT any CHECK (c > 1), UNIQUE (c, d))"#),
            "CREATE TABLE t ( id INTEGER PRIMARY KEY , \"a,b\" UNIQUE , c CONSTRAINT n COLLATE nocase , d CHECK ( d NOT NULL ) \
             , e DEFAULT ( 1 IS NOT NULL ) , CONSTRAINT any CHECK ( c > 1 ) , UNIQUE ( c , d ) )"
        );
        assert_eq!(
            of(
                "CREATE TABLE 't' (id INTEGER NOT NULL, any INT NOT NULL, g TEXT AS (any + 1) STORED NOT NULL, b ANY, PRIMARY KEY (id)) STRICT"
            ),
            "CREATE TABLE 't' ( id INTEGER , any INT , g TEXT AS ( any + 1 ) STORED , b , PRIMARY KEY ( id ) )"
        );
        assert_eq!(
            of("CREATE TABLE t(a INT, b TEXT NOT NULL, PRIMARY KEY (a DESC)) STRICT, WITHOUT ROWID -- end"),
            "CREATE TABLE t ( a , b , PRIMARY KEY ( a DESC ) ) WITHOUT ROWID"
        );
        assert_eq!(
            of("CREATE TABLE t(a TEXT NOT NULL, id INTEGER PRIMARY KEY AUTOINCREMENT)"),
            "CREATE TABLE t ( a , id INTEGER PRIMARY KEY AUTOINCREMENT )"
        );
    }
}

//! SQL of a table or an index that takes any row: without NOT NULL, STRICT and types, and without UNIQUE where rows repeat
//! a key. What decides how rows are stored stays. An index that a constraint made is one of its own meanwhile.

use core::iter::Peekable;

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::tokens;
use super::literal::write_value;
use super::shape::TableShape;
use crate::btree::{Encoding, Value};

/// What the indexes that constraints made become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyIndexes {
    AsTheyAre,
    /// Indexes of their own, which take any row.
    Plain,
    /// What they were.
    Unique,
}

/// SQL of the index that a constraint made, if it were made by itself.
const PLAIN_INDEX: &str = "(SELECT printf('CREATE INDEX \"%w\" ON \"%w\"(%s)',sqlite_master.name,tbl_name,\
    group_concat(printf('\"%w\" COLLATE \"%w\"%s',x.name,x.coll,iif(x.\"desc\",' DESC',''))))\
     FROM pragma_index_xinfo(sqlite_master.name) AS x WHERE x.key)";

/// Appends what makes the schema say `sql` of a table.
pub(super) fn write_schema(out: &mut Vec<u8>, table: &str, sql: &str, indexes: KeyIndexes, is_writable: bool) {
    out.extend_from_slice(b"PRAGMA writable_schema=ON;\nUPDATE sqlite_schema SET sql=");
    write_text(out, sql);
    out.extend_from_slice(b" WHERE type='table' AND name=");
    write_text(out, table);
    let (sql, which) = match indexes {
        KeyIndexes::AsTheyAre => return reset_schema(out, is_writable),
        KeyIndexes::Plain => (PLAIN_INDEX, "sql IS NULL"),
        KeyIndexes::Unique => ("NULL", "substr(name,1,17)='sqlite_autoindex_'"),
    };
    // The older name: SQLites before 3.41 do not know the other in front of a column.
    out.extend_from_slice(
        format!(";\nUPDATE sqlite_master SET sql={sql} WHERE type='index' AND {which} AND tbl_name=").as_bytes(),
    );
    write_text(out, table);
    reset_schema(out, is_writable);
}

/// Appends what makes an index as if it were not UNIQUE, and lets the schema say that it is.
pub(super) fn write_index(out: &mut Vec<u8>, name: &str, sql: &str, is_writable: bool) {
    let mut relaxed = String::new();
    for (token, _) in tokens(sql).enumerate().filter(|&(at, _)| at != 1).map(|(_, token)| token) {
        push(&mut relaxed, token);
    }
    out.extend_from_slice(relaxed.as_bytes());
    out.extend_from_slice(b";\nPRAGMA writable_schema=ON;\nUPDATE sqlite_schema SET sql=");
    write_text(out, sql);
    out.extend_from_slice(b" WHERE type='index' AND name=");
    write_text(out, name);
    reset_schema(out, is_writable);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_value(out, Value::Text(text.as_bytes()), Encoding::Utf8, true);
}

fn reset_schema(out: &mut Vec<u8>, is_writable: bool) {
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

/// The SQL of a table that takes any row; only `with_keys` it still has PRIMARY KEY and UNIQUE.
pub(super) fn relaxed(sql: &str, shape: &TableShape, with_keys: bool) -> String {
    let has_rowid_key = shape.columns.iter().any(|column| column.rowid);
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
            skip_conflict(&mut tokens);
            continue;
        }
        let is_key = match kind {
            TokenType::TK_UNIQUE => true,
            TokenType::TK_PRIMARY => !column.map_or(has_rowid_key, |column| column.rowid),
            _ => false,
        };
        if is_key && !with_keys && depth == 1 && part == Part::Rest {
            tokens.next_if(|&(_, next)| next == TokenType::TK_KEY);
            tokens.next_if(|&(_, next)| matches!(next, TokenType::TK_ASC | TokenType::TK_DESC));
            if column.is_none() {
                // Its columns, and something that may stand there.
                let mut depth = 0usize;
                for (_, kind) in tokens.by_ref() {
                    depth += usize::from(kind == TokenType::TK_LP);
                    depth -= usize::from(kind == TokenType::TK_RP && depth > 0);
                    if depth == 0 {
                        break;
                    }
                }
                push(&mut relaxed, "CHECK (1)");
            }
            skip_conflict(&mut tokens);
            continue;
        }
        push(&mut relaxed, token);
    }
    if options.iter().any(|option| option.eq_ignore_ascii_case("WITHOUT")) {
        relaxed.push_str(" WITHOUT ROWID");
    }
    relaxed
}

/// Passes over ON CONFLICT, and how it is resolved.
fn skip_conflict<'s>(tokens: &mut Peekable<impl Iterator<Item = (&'s str, TokenType)>>) {
    if tokens.next_if(|&(_, next)| next == TokenType::TK_ON).is_some() {
        tokens.nth(1);
    }
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
    use crate::dump::columns::parse;
    use crate::dump::default::Reader;
    use crate::dump::shape::Shape;

    #[test]
    fn what_rows_can_break_goes_and_what_stores_them_stays() {
        let relaxed_of = |sql: &str, with_keys| match parse(sql, Reader::Current).unwrap() {
            Shape::Table(shape) => relaxed(sql, &shape, with_keys),
            Shape::Virtual(_) => panic!("{sql}"),
        };
        let of = |sql: &str| relaxed_of(sql, true);
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
        let without_keys = |sql: &str| relaxed_of(sql, false);
        assert_eq!(
            without_keys(
                "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, a CONSTRAINT u UNIQUE ON CONFLICT REPLACE NOT NULL,
                 \"unique\" DEFAULT 1, UNIQUE (a, \"unique\" COLLATE nocase) ON CONFLICT IGNORE CONSTRAINT v UNIQUE(a), CHECK (a))"
            ),
            "CREATE TABLE t ( id INTEGER PRIMARY KEY AUTOINCREMENT , a CONSTRAINT u , \"unique\" DEFAULT 1 , CHECK (1) \
             CONSTRAINT v CHECK (1) , CHECK ( a ) )"
        );
        assert_eq!(
            without_keys("CREATE TABLE t(a TEXT PRIMARY KEY DESC ON CONFLICT FAIL, b INTEGER PRIMARY KEY DESC)"),
            "CREATE TABLE t ( a , b )"
        );
        assert_eq!(
            without_keys("CREATE TABLE t(a INTEGER, b, CONSTRAINT k PRIMARY KEY (a))"),
            "CREATE TABLE t ( a INTEGER , b , CONSTRAINT k PRIMARY KEY ( a ) )"
        );
        assert_eq!(
            without_keys("CREATE TABLE t(a, b, PRIMARY KEY (a, b DESC))"),
            "CREATE TABLE t ( a , b , CHECK (1) )"
        );
    }
}

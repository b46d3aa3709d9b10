//! The SQL of the schema as text: whether it is one statement, and how it ends.
//!
//! SQLite writes nothing else; but in a hostile database a second statement could follow, or a quote could stay open
//! and make SQL of what values say. Whoever loads the dump would run that.

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::tokens;

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Token,
    /// In a comment, which goes on to the end of the line.
    Line,
    /// In a comment that is not closed.
    Block,
}

/// What a CREATE TRIGGER has come to: the semicolons in it do not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    No,
    Body,
    Semicolon,
    /// After the END that follows a semicolon.
    End,
}

/// How `sql` ends; `None` when it is not one CREATE statement.
pub(super) fn end_of(sql: &str) -> Option<End> {
    let bytes = sql.as_bytes();
    if !bytes.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"CREATE ")) || bytes.contains(&0) {
        return None;
    }
    let mut trigger = match sql.split_ascii_whitespace().nth(1) {
        Some(word) if word.eq_ignore_ascii_case("TRIGGER") => Trigger::Body,
        _ => Trigger::No,
    };
    let mut end = End::Token;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        end = End::Token;
        let length = match first {
            '-' if rest.starts_with("--") => match rest.find('\n') {
                Some(at) => at + 1,
                None => return (trigger != Trigger::Body && trigger != Trigger::Semicolon).then_some(End::Line),
            },
            '/' if rest.starts_with("/*") => match rest.get(2..).and_then(|inner| inner.find("*/")) {
                Some(at) => at + 4,
                None => {
                    end = End::Block;
                    rest.len()
                }
            },
            first if first.is_ascii_whitespace() => 1,
            first => {
                let length = token(rest, first)?;
                trigger = trigger.behind(rest.get(..length)?)?;
                length
            }
        };
        rest = rest.get(length..)?;
    }
    matches!(trigger, Trigger::No | Trigger::End).then_some(end)
}

/// SQL that means the same to SQLite as what somebody wrote into the schema, as SQLite itself would have written it: the
/// words it begins with apart, no TEMP, which counts for nothing there, and no semicolon. What is none is given as it is.
pub(super) fn as_sqlite_writes(sql: String) -> String {
    let mut rest = sql.as_str();
    let mut words = Vec::new();
    for (token, kind) in tokens(&sql).take(4) {
        if !matches!(kind, TokenType::TK_TEMP) {
            words.push(token);
        }
        if matches!(kind, TokenType::TK_TABLE | TokenType::TK_INDEX | TokenType::TK_VIEW | TokenType::TK_TRIGGER) {
            rest = sql.get(token.as_ptr().addr() - sql.as_ptr().addr() + token.len()..).unwrap_or_default();
            break;
        }
    }
    let begins = sql.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("CREATE"));
    if !begins || rest.len() == sql.len() {
        return sql;
    }
    let start = words.join(" ");
    let is_usual = sql.starts_with(&start) && rest.starts_with(|char: char| char.is_ascii_whitespace());
    let end =
        if is_usual && end_of(&sql).is_some() { rest } else { rest.trim_end_matches([';', ' ', '\t', '\r', '\n']) };
    let space = if end.starts_with(|char: char| char.is_ascii_whitespace()) { "" } else { " " };
    let written = format!("{start}{space}{end}");
    if end_of(&written).is_some() { written } else { sql }
}

/// Length of the token that begins `rest`; `None` when its quote stays open.
fn token(rest: &str, first: char) -> Option<usize> {
    let close = match first {
        '\'' | '"' | '`' => first,
        '[' => ']',
        _ if is_word(first) => return Some(rest.find(|char| !is_word(char)).unwrap_or(rest.len())),
        _ => return Some(first.len_utf8()),
    };
    // A doubled quote ends one literal and begins another, which comes to the same.
    Some(rest.get(1..)?.find(close)? + 2)
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == '$' || !char.is_ascii()
}

impl Trigger {
    /// The state after this token; `None` when it is not of the same statement.
    fn behind(self, token: &str) -> Option<Self> {
        match self {
            Self::No | Self::End if token == ";" => None,
            Self::No => Some(Self::No),
            Self::End => None,
            _ if token == ";" => Some(Self::Semicolon),
            Self::Semicolon if token.eq_ignore_ascii_case("END") => Some(Self::End),
            _ => Some(Self::Body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_is_told_from_more() {
        let one = [
            "CREATE TABLE t (a DEFAULT ';', \"b;\", [c;], `d;`) -- ; \n /* ; */",
            "create index i on t (a)",
            "CREATE VIEW v AS SELECT '/*', 'it''s', '--'",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 2; END",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; -- why\n end /* so */",
        ];
        for sql in one {
            assert_eq!(end_of(sql), Some(End::Token), "{sql}");
        }
        let more = [
            "CREATE VIEW v AS SELECT 1; DROP TABLE t",
            "CREATE VIEW v AS SELECT 1;",
            "CREATE TABLE t (a);\n.shell rm",
            "CREATE VIEW v AS SELECT 'open",
            "CREATE VIEW v AS SELECT [open",
            "CREATE VIEW v AS SELECT \"a\"\"",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; DROP TABLE t; END",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END DROP",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; -- END",
            "CREATE VIEW trigger AS SELECT 1; SELECT 2; END",
            "DROP TABLE t",
            "CREATE TABLE t (a\0)",
            "",
        ];
        for sql in more {
            assert_eq!(end_of(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_somebody_wrote_becomes_what_sqlite_writes() {
        let trigger = "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END";
        for (sql, written) in [
            ("CREATE TEMP TABLE t(a)", "CREATE TABLE t(a)"),
            ("create\ttemporary view v AS SELECT 1", "create view v AS SELECT 1"),
            ("CREATE/*x*/TABLE\n\"t\"(a)", "CREATE TABLE\n\"t\"(a)"),
            ("CREATE TABLE\"t\"(a) ; \n;", "CREATE TABLE \"t\"(a)"),
            ("CREATE  UNIQUE -- x\n INDEX i ON t(a);", "CREATE UNIQUE INDEX i ON t(a)"),
            ("CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END;", trigger),
            ("CREATE VIRTUAL\nTABLE f USING fts5(a)", "CREATE VIRTUAL TABLE f USING fts5(a)"),
        ] {
            assert_eq!(as_sqlite_writes(sql.to_owned()), written);
        }
        for sql in [
            trigger,
            "CREATE TABLE t (a) -- ;",
            "CREATE VIEW v AS SELECT 1; DROP TABLE t;",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1;",
            " CREATE TABLE t(a);",
            "DROP TABLE t;",
            "CREATE TABLE t ('open;",
            "",
        ] {
            assert_eq!(as_sqlite_writes(sql.to_owned()), sql);
        }
    }

    #[test]
    fn comments_at_the_end_stay_open() {
        assert_eq!(end_of("CREATE VIEW v AS SELECT '/*' -- end"), Some(End::Line));
        assert_eq!(end_of("CREATE VIEW v AS SELECT 1 /* '"), Some(End::Block));
        assert_eq!(end_of("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END --"), Some(End::Line));
    }
}

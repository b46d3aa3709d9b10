//! What D1 refuses to make, as far as its SQL tells: one refused statement undoes the whole import.

use sqlite3_parser::lexer::sql::TokenType;

use super::d1_functions::foreign_function;
use super::identifier::{tokens, unquote};
use super::plan::sql_of;
use super::schema::{Kind, Object};

/// The longest statement, in bytes.
const MAX_STATEMENT: usize = 100_000;
/// What ends a statement, in bytes, at most.
const END: usize = 4;
/// The most columns of a table.
const MAX_COLUMNS: usize = 100;
/// The most SELECTs that UNION and its like put together.
const MAX_TERMS: usize = 5;
const COLLATIONS: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];

/// Why D1 does not make `object`, if it does not. A table has so many columns.
pub(super) fn obstacle(object: &Object, columns: usize) -> Option<String> {
    let sql = sql_of(object);
    if sql.len() > MAX_STATEMENT - END {
        return Some(format!("its SQL is longer than the {MAX_STATEMENT} bytes that D1 takes"));
    }
    if columns > MAX_COLUMNS {
        return Some(format!("it has more than the {MAX_COLUMNS} columns that D1 takes"));
    }
    match object.kind {
        // Views and triggers only need their collations when they are used.
        Kind::Table | Kind::Index => {
            let collation = || foreign_collation(sql).map(|collation| format!("D1 has no collation {collation}"));
            foreign_function(object).map(|function| format!("D1 has no function {function}")).or_else(collation)
        }
        Kind::View | Kind::Trigger => (most_terms(sql) > MAX_TERMS)
            .then(|| format!("it puts together more than the {MAX_TERMS} SELECTs that D1 takes")),
    }
}

/// Whether a trigger runs when rows are inserted.
pub(super) fn is_for_inserts(sql: &str) -> bool {
    let is_event = |kind: TokenType| matches!(kind, TokenType::TK_INSERT | TokenType::TK_UPDATE | TokenType::TK_DELETE);
    tokens(sql).find(|&(_, kind)| is_event(kind)).is_some_and(|(_, kind)| kind == TokenType::TK_INSERT)
}

/// The most SELECTs that are put together anywhere in `sql`.
fn most_terms(sql: &str) -> usize {
    // Counts for the statement, and for each parenthesis around the token.
    let mut terms = vec![1];
    let mut most = 1;
    for (_, kind) in tokens(sql) {
        match kind {
            TokenType::TK_LP => terms.push(1),
            TokenType::TK_RP if terms.len() > 1 => drop(terms.pop()),
            TokenType::TK_SEMI => terms = vec![1],
            TokenType::TK_UNION | TokenType::TK_INTERSECT | TokenType::TK_EXCEPT => {
                if let Some(terms) = terms.last_mut() {
                    *terms += 1;
                    most = most.max(*terms);
                }
            }
            _ => {}
        }
    }
    most
}

/// A collation that `sql` names, and that only some programs have.
fn foreign_collation(sql: &str) -> Option<String> {
    let mut tokens = tokens(sql);
    while tokens.any(|(_, kind)| kind == TokenType::TK_COLLATE) {
        let name = unquote(tokens.next()?.0);
        if !COLLATIONS.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_are_counted_where_they_are_put_together() {
        let five = "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4 union SELECT 5";
        assert_eq!(most_terms(&format!("CREATE VIEW v AS {five}")), 5);
        let in_parentheses = format!("CREATE VIEW v AS SELECT a FROM ({five}) UNION SELECT ({five} UNION SELECT 6)");
        assert_eq!(most_terms(&in_parentheses), 6);
        let in_turn = format!("CREATE TRIGGER t AFTER INSERT ON a BEGIN {five}; {five}; END");
        assert_eq!(most_terms(&in_turn), 5);
        assert_eq!(most_terms("CREATE VIEW v AS SELECT 'UNION' AS [UNION] -- UNION\n/* UNION */ FROM \"UNION\""), 1);
    }

    #[test]
    fn collations_of_other_programs_are_found() {
        let of = |sql| foreign_collation(sql);
        assert_eq!(of("CREATE TABLE t (a COLLATE nocase, b COLLATE \"rtrim\" CHECK (b > 'COLLATE x'))"), None);
        assert_eq!(of("CREATE INDEX i ON t (a COLLATE BINARY, b COLLATE \"de ch\")").as_deref(), Some("de ch"));
    }

    #[test]
    fn a_trigger_is_for_one_event() {
        let on = |event: &str| format!("CREATE TRIGGER \"insert\" {event} ON t BEGIN INSERT INTO u VALUES (1); END");
        assert!(is_for_inserts(&on("AFTER INSERT")) && is_for_inserts(&on("")));
        assert!(!is_for_inserts(&on("UPDATE OF a")) && !is_for_inserts(&on("BEFORE DELETE")));
    }
}

//! Functions that D1 lacks. A table or an index with one is refused; a view or a trigger is made, and fails when it is used.

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::{tokens, unquote};
use super::plan::sql_of;
use super::schema::{Kind, Object};

/// Those that it has, in the order of the alphabet: of all that SQLite knows, those that workerd lets pass, tried one by one.
const FUNCTIONS: &str = "abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil changes char coalesce concat concat_ws cos cosh \
    count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format \
    glob group_concat hex highlight ifnull iif instr json json_array json_array_length json_each json_extract json_group_array \
    json_group_object json_insert json_object json_patch json_quote json_remove json_replace json_set json_tree json_type \
    json_valid jsonb jsonb_array jsonb_each jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object \
    jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree julianday lag last_insert_rowid last_value lead length like \
    likelihood likely ln log log2 lower ltrim match max min mod nth_value ntile nullif octet_length percent_rank pi pow printf \
    quote radians random randomblob rank replace round row_number rtreecheck rtrim sign sin sinh snippet sqrt strftime \
    string_agg substr substring sum tan tanh time timediff total total_changes trim trunc typeof unhex unicode unixepoch \
    unlikely upper zeroblob";

/// A function that the SQL of an object calls, and that D1 does not have.
pub(super) fn foreign_function(object: &Object) -> Option<String> {
    // In what makes a table, types and other tables have parentheses of their own, outside of expressions.
    let least = if object.kind == Kind::Table { 2 } else { 0 };
    let mut calls: Vec<Option<&str>> = Vec::new();
    let (mut before, mut in_type) = (None, false);
    let mut name: Option<&str> = None;
    let mut closed: Option<(&str, bool)> = None;
    for (token, kind) in tokens(sql_of(object)) {
        // A name and a parenthesis before AS and another are of WITH.
        closed = match (closed, kind) {
            (Some((call, false)), TokenType::TK_AS) => Some((call, true)),
            (Some((_, true)), TokenType::TK_LP | TokenType::TK_NOT | TokenType::TK_MATERIALIZED) | (None, _) => None,
            (Some((call, _)), _) if is_known(call) => None,
            (Some((call, _)), _) => return Some(unquote(call)),
        };
        match kind {
            TokenType::TK_LIKE_KW if calls.len() >= least && !is_known(token) => return Some(token.to_owned()),
            TokenType::TK_LP => calls.push(name.filter(|_| calls.len() >= least)),
            TokenType::TK_RP => closed = calls.pop().flatten().map(|call| (call, false)),
            _ => {}
        }
        let is_word = matches!(kind, TokenType::TK_ID | TokenType::TK_STRING);
        in_type = is_word && (in_type || before == Some(TokenType::TK_AS));
        let names_other = matches!(
            before,
            Some(
                TokenType::TK_INTO
                    | TokenType::TK_ON
                    | TokenType::TK_DOT
                    | TokenType::TK_VIEW
                    | TokenType::TK_TABLE
                    | TokenType::TK_REFERENCES
            )
        );
        let is_name = matches!(kind, TokenType::TK_ID | TokenType::TK_IF) && !in_type && !names_other;
        name = is_name.then_some(token);
        before = Some(kind);
    }
    closed.map(|(call, _)| call).filter(|call| !is_known(call)).map(unquote)
}

fn is_known(call: &str) -> bool {
    let name = unquote(call).to_ascii_lowercase();
    name.starts_with("pragma_") || FUNCTIONS.split_ascii_whitespace().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_from_all_else_that_has_parentheses() {
        let of = |kind, sql: &str| {
            let (name, table, root) = (String::new(), String::new(), None);
            foreign_function(&Object { kind, name, table, root, sql: Some(sql.to_owned()) })
        };
        for (kind, sql) in [
            (
                Kind::Table,
                "CREATE TABLE odd(a VARCHAR(10) CHECK (length(a) > 1 AND a IN (1)), b DECIMAL(3, 1) DEFAULT (CAST(1 AS big number(3))) \
                 REFERENCES other(c), g AS (a -> '$.x') STORED, FOREIGN KEY (a) REFERENCES odd(b), CONSTRAINT own CHECK (a), UNIQUE(a))",
            ),
            (Kind::Index, "CREATE INDEX odd ON other(lower(a), \"b\") WHERE b IN (1) AND replace(a, 1, 2)"),
            (
                Kind::View,
                "CREATE VIEW odd(a, b) AS WITH RECURSIVE own(x) AS (SELECT 1), own2(y) AS NOT MATERIALIZED (SELECT max(x) FROM own) \
                 SELECT 'f(1)', sum(x) FILTER (WHERE x IN (1)) OVER (ORDER BY x) FROM own2 JOIN json_each('[]') USING (x), pragma_table_info('t') -- f(1)",
            ),
            (
                Kind::Trigger,
                "CREATE TRIGGER odd AFTER UPDATE OF a ON t WHEN (new.a) BEGIN INSERT INTO other(a, b) VALUES (1, 2) \
                 ON CONFLICT (a) DO NOTHING; SELECT RAISE(ABORT, 'no'), CASE WHEN (1) THEN (2) END; END",
            ),
        ] {
            assert_eq!(of(kind, sql), None, "{sql}");
        }
        for (kind, sql, function) in [
            (Kind::Table, "CREATE TABLE t(a CHECK (regexp('x', a)))", "regexp"),
            (Kind::Table, "CREATE TABLE t(a, b AS (abs(\"my f\"(a))) STORED)", "my f"),
            (Kind::Table, "CREATE TABLE t(a DEFAULT (UUID()))", "UUID"),
            (Kind::Index, "CREATE INDEX i ON t(a) WHERE power(a, 2) > 1", "power"),
            (Kind::View, "CREATE VIEW v AS SELECT if(a, 1, 2) FROM t", "if"),
            (Kind::View, "CREATE VIEW v AS SELECT 1 WHERE 'a' REGEXP 'b'", "REGEXP"),
            (Kind::View, "CREATE VIEW v AS SELECT soundex(a) AS b FROM t", "soundex"),
            (Kind::View, "CREATE VIEW v AS SELECT 1 WHERE median(1)", "median"),
            (Kind::Trigger, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT log10(1); END", "log10"),
        ] {
            assert_eq!(of(kind, sql).as_deref(), Some(function), "{sql}");
        }
    }
}

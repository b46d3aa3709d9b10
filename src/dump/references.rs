//! The tables and views that a view or a trigger names.

use std::collections::HashSet;

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::{tokens, unquote};

/// What a parenthesis, or the statement around all of them, has come to.
#[derive(Clone, Copy, Default)]
struct Level<'s> {
    /// In a FROM, where a comma stands before a table.
    from: bool,
    /// The next word is a table.
    expects: bool,
    /// Whether the token before was IN, after which a parenthesis is no list of tables.
    list: bool,
    /// The last name that is no table: with AS behind it, it is one of the statement's own.
    last: Option<&'s str>,
}

/// Their names in lower case.
pub(super) fn references(sql: &str) -> HashSet<String> {
    let (mut names, mut own) = (HashSet::new(), HashSet::new());
    let mut levels = vec![Level::default()];
    let mut tokens = tokens(sql).peekable();
    while let Some((token, kind)) = tokens.next() {
        let next = tokens.peek().map(|&(_, next)| next);
        let depth = levels.len();
        let Some(level) = levels.last_mut() else { break };
        match kind {
            TokenType::TK_FROM | TokenType::TK_JOIN => *level = Level { from: true, expects: true, ..Level::default() },
            TokenType::TK_INTO | TokenType::TK_UPDATE => *level = Level { expects: true, ..Level::default() },
            TokenType::TK_IN => (level.expects, level.list) = (true, true),
            TokenType::TK_COMMA => level.expects = level.from,
            // UPDATE OF a ON t
            TokenType::TK_OF | TokenType::TK_ON => level.expects = false,
            // UPDATE OR IGNORE
            TokenType::TK_OR if level.expects => drop(tokens.next()),
            TokenType::TK_LP => {
                let tables = level.expects && !level.list;
                (level.expects, level.list) = (false, false);
                levels.push(Level { from: tables, expects: tables, ..Level::default() });
            }
            TokenType::TK_RP if depth > 1 => drop(levels.pop()),
            TokenType::TK_AS if !level.expects => {
                let is_own = matches!(next, Some(TokenType::TK_LP | TokenType::TK_NOT | TokenType::TK_MATERIALIZED));
                own.extend(level.last.filter(|_| is_own).map(lower));
            }
            TokenType::TK_WHERE
            | TokenType::TK_GROUP
            | TokenType::TK_ORDER
            | TokenType::TK_HAVING
            | TokenType::TK_LIMIT
            | TokenType::TK_SELECT
            | TokenType::TK_VALUES
            | TokenType::TK_SET
            | TokenType::TK_WINDOW
            | TokenType::TK_SEMI => *level = Level { last: level.last, ..Level::default() },
            _ if level.expects => {
                // The name of a schema stands before a dot.
                if next == Some(TokenType::TK_DOT) {
                    tokens.next();
                } else {
                    names.insert(lower(token));
                    (level.expects, level.list) = (false, false);
                }
            }
            TokenType::TK_ID => level.last = Some(token),
            _ => {}
        }
    }
    names.retain(|name| !own.contains(name));
    names
}

fn lower(token: &str) -> String {
    unquote(token).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Vec<String> {
        let mut names: Vec<String> = references(sql).into_iter().collect();
        names.sort();
        names
    }

    #[test]
    fn tables_are_found_wherever_a_statement_names_them() {
        let view = "CREATE VIEW v (x, y) AS WITH own (n) AS (SELECT 1 FROM a), mine AS NOT MATERIALIZED (SELECT e FROM own)
            SELECT c, max(d, e), (SELECT f FROM main.\"B b\" WHERE g IN (h, i)) FROM [C], (d AS t CROSS JOIN e ON t.x IN f), mine
            LEFT JOIN g('x') USING (h, i), h NOT INDEXED WHERE j IN (SELECT k FROM i) GROUP BY l, m ORDER BY n, o -- FROM j";
        assert_eq!(of(view), ["a", "b b", "c", "d", "e", "f", "g", "h", "i"]);
        let trigger = "CREATE TRIGGER t AFTER UPDATE OF a, b ON other WHEN new.a IN (SELECT x FROM a) BEGIN
            INSERT OR IGNORE INTO b (c, d) VALUES (new.a, 'FROM z'); UPDATE OR FAIL c SET d = e, f = 1 FROM d, e WHERE g; DELETE FROM 'f';
            REPLACE INTO g SELECT * FROM h UNION SELECT * FROM i; UPDATE j SET k = 1; END";
        assert_eq!(of(trigger), ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
    }
}

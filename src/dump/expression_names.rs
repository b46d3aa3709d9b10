//! What an expression of the schema names.

use sqlite3_parser::lexer::sql::TokenType;

use super::identifier::unquote;

/// Functions that give another value at each call, which SQLite keeps nowhere.
pub(super) const FLEETING: [&str; 5] = ["random", "randomblob", "changes", "total_changes", "last_insert_rowid"];
/// Functions of many rows, which no table and no index has.
pub(super) const AGGREGATES: [&str; 8] =
    ["avg", "count", "group_concat", "string_agg", "sum", "total", "json_group_array", "json_group_object"];
pub(super) const ROWIDS: [&str; 3] = ["rowid", "_rowid_", "oid"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Function,
    Column,
    /// In double quotes, where it can be text.
    ColumnOrText,
    /// In front of a column.
    Table,
    /// No name, but a SELECT or a parameter.
    Foreign,
}

/// Names in lower case, each as often as it is there.
#[inline(never)] // Two callers would have it twice.
pub(super) fn names(text: &[(&str, TokenType)]) -> Vec<(String, Role)> {
    let mut names = Vec::new();
    let kind_at = |at: usize| text.get(at).map(|&(_, kind)| kind);
    let (mut before, mut in_type) = (None, false);
    for (at, &(token, kind)) in text.iter().enumerate() {
        let next = kind_at(at + 1);
        let is_word = matches!(kind, TokenType::TK_ID | TokenType::TK_STRING);
        in_type = is_word && (in_type || before == Some(TokenType::TK_AS));
        let role = match kind {
            TokenType::TK_SELECT | TokenType::TK_VARIABLE => Some(Role::Foreign),
            TokenType::TK_ID if next == Some(TokenType::TK_LP) => Some(Role::Function),
            // What is in front of two is a database.
            TokenType::TK_ID if next == Some(TokenType::TK_DOT) => {
                (kind_at(at + 3) != Some(TokenType::TK_DOT)).then_some(Role::Table)
            }
            TokenType::TK_ID if in_type || before == Some(TokenType::TK_COLLATE) => None,
            TokenType::TK_ID if token.starts_with('"') => Some(Role::ColumnOrText),
            TokenType::TK_ID => (!is_one_of(token, &["true", "false"])).then_some(Role::Column),
            _ => None,
        };
        names.extend(role.map(|role| (unquote(token).to_ascii_lowercase(), role)));
        before = Some(kind);
    }
    names
}

/// In upper or lower case.
#[inline(never)]
pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

//! The words that a statement begins with.

/// The first `N` words of a statement, in upper case; empty where it has no word. No keyword that tells one kind of
/// statement from another can be quoted.
pub fn keywords<const N: usize>(sql: &[u8]) -> [String; N] {
    let mut rest = sql;
    core::array::from_fn(|_| {
        rest = after_space(rest);
        let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        String::from_utf8_lossy(word).to_ascii_uppercase()
    })
}

/// The name of a pragma in lower case, if the statement is one: without its schema, and however it is quoted.
pub fn pragma(sql: &[u8]) -> Option<String> {
    let rest = after_space(sql);
    let (word, rest) = rest.split_at_checked("PRAGMA".len())?;
    if !word.eq_ignore_ascii_case(b"PRAGMA") {
        return None;
    }
    if rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return None;
    }
    let (first, rest) = name(rest)?;
    match after_space(rest).strip_prefix(b".") {
        Some(rest) => name(rest).map(|(name, _)| name),
        None => Some(first),
    }
}

/// The name that a text begins with, in lower case, and what follows it.
fn name(sql: &[u8]) -> Option<(String, &[u8])> {
    let sql = after_space(sql);
    let close = match sql.first()? {
        b'[' => Some(b']'),
        &quote @ (b'"' | b'\'' | b'`') => Some(quote),
        _ => None,
    };
    let inside = if close.is_some() { sql.get(1..)? } else { sql };
    let is_end = |byte: &u8| close.map_or(!byte.is_ascii_alphanumeric() && *byte != b'_', |close| *byte == close);
    let end = inside.iter().position(is_end).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let rest = if close.is_some() { rest.get(1..).unwrap_or_default() } else { rest };
    (!name.is_empty()).then(|| (String::from_utf8_lossy(name).to_ascii_lowercase(), rest))
}

/// What follows the space and the comments that a text begins with. A byte-order mark is space to SQLite, too.
fn after_space(mut sql: &[u8]) -> &[u8] {
    loop {
        let trimmed = sql.trim_ascii_start();
        let trimmed = trimmed.strip_prefix(b"\x0b").or(trimmed.strip_prefix("\u{feff}".as_bytes())).unwrap_or(trimmed);
        let rest = if let Some(comment) = trimmed.strip_prefix(b"--") {
            let end = comment.iter().position(|&byte| byte == b'\n').unwrap_or(comment.len());
            comment.get(end..)
        } else if let Some(comment) = trimmed.strip_prefix(b"/*") {
            let end = comment.windows(2).position(|two| two == b"*/").map_or(comment.len(), |at| at + 2);
            comment.get(end..)
        } else {
            Some(trimmed)
        };
        let rest = rest.unwrap_or_default();
        if rest.len() == sql.len() {
            return rest;
        }
        sql = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_behind_space_comments_and_byte_order_marks() {
        let cases = [
            ("BEGIN;", ["BEGIN", "", ""]),
            ("\u{feff}-- one\n/* two */\x0b\x0c pragma\u{feff} x_1 = 2", ["PRAGMA", "X_1", ""]),
            ("rollback/**/to x", ["ROLLBACK", "TO", "X"]),
            ("release \"a\"", ["RELEASE", "", ""]),
            ("/* open", ["", "", ""]),
        ];
        for (sql, words) in cases {
            assert_eq!(keywords::<3>(sql.as_bytes()), words, "{sql}");
        }
    }

    #[test]
    fn pragmas_are_known_by_name_however_they_are_written() {
        for sql in [
            "PRAGMA Foreign_Keys=OFF",
            "pragma/**/main.foreign_keys(0)",
            "\u{feff}PRAGMA \"temp\" . [foreign_keys]",
            "PRAGMA'foreign_keys'",
            "PRAGMA `foreign_keys`",
        ] {
            assert_eq!(pragma(sql.as_bytes()).as_deref(), Some("foreign_keys"), "{sql}");
        }
        for sql in ["", "PRAGMA", "PRAG", "PRAGMA;", "PRAGMAS x", "SELECT pragma"] {
            assert_eq!(pragma(sql.as_bytes()), None, "{sql}");
        }
    }
}

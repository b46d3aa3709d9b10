//! What is said of an import that fails.

use pagemark::sql::{Foreign, Statement, keywords};

use crate::error::{Error, ErrorKind};
use crate::sqlite::{AUTH, CANTOPEN};

/// How much of a failed statement an error shows, in characters.
const SHOWN: usize = 200;
/// How much of SQLite's words, which may quote the statement.
const WORDS: usize = 300;

/// What the input is that is no SQL.
pub(super) fn foreign(foreign: Foreign) -> Error {
    let detail = match foreign {
        Foreign::Database => "it is a SQLite database file, which needs no import".into(),
        Foreign::Packed(how) => format!("it is compressed with {how}; decompress it first"),
        Foreign::BrokenUtf16 => "it is text in UTF-16 that is damaged or cut off; save it as UTF-8".into(),
        _ => "it is not text".into(),
    };
    Error::with_detail(ErrorKind::ImportFormat, detail)
}

/// Says where in the import an error happened, and shows the statement.
pub(super) fn located(error: Error, Statement { sql, line }: Statement<'_>) -> Error {
    let error = about_others(error, sql);
    let sql = shown(&String::from_utf8_lossy(sql), SHOWN);
    let detail = match (&error.kind, &error.detail) {
        (ErrorKind::Sql, Some(words)) => format!("line {line}: {}, in: {sql}", shown(words, WORDS)),
        (_, Some(detail)) => format!("{detail}; line {line}, in: {sql}"),
        (_, None) => format!("line {line}, in: {sql}"),
    };
    Error { detail: Some(detail.into()), line: Some(line), ..of_import(error) }
}

/// Says why a statement for another database fails: SQLite only says that it could not open that, or was told not to.
fn about_others(error: Error, sql: &[u8]) -> Error {
    let [first, second] = keywords(sql);
    let code = error.sqlite.map(|code| code & 0xff);
    let detail = match (first.as_str(), second.as_str()) {
        ("CREATE", "TEMP" | "TEMPORARY") if code == Some(AUTH) => {
            "an import here makes no temporary tables, views and triggers; leave TEMP out".to_owned()
        }
        (first @ ("ATTACH" | "DETACH" | "VACUUM"), _) if matches!(code, Some(CANTOPEN | AUTH)) => {
            let into = if first == "VACUUM" { " INTO" } else { "" };
            format!("{first}{into} is for another database file, and an import opens none; leave it out")
        }
        _ => return error,
    };
    Error { detail: Some(detail.into()), ..error }
}

/// What SQLite refuses is the import's failure.
pub(super) fn of_import(error: Error) -> Error {
    let kind = if error.kind == ErrorKind::Sql { ErrorKind::Import } else { error.kind };
    Error { kind, ..error }
}

/// The error for a line that is a command of the shell.
pub(super) fn shell_command(sql: &[u8]) -> Error {
    let text = String::from_utf8_lossy(sql);
    let name = text.trim().split_ascii_whitespace().next().unwrap_or_default();
    let name = shown(name, 30);
    Error::with_detail(ErrorKind::Sql, format!("{name} is a command of the sqlite3 shell, not SQL; leave it out"))
}

/// Whether a statement is a line for the shell.
pub(super) fn is_shell_command(sql: &[u8]) -> bool {
    let text = String::from_utf8_lossy(sql);
    let mut lines = text.lines().map(|line| line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}'));
    lines.next_back().is_some_and(|line| line.starts_with('.'))
}

/// A text in one line, and not all of a long one.
fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut characters = 0;
    for word in text.split_whitespace() {
        for character in if shown.is_empty() { "" } else { " " }.chars().chain(word.chars()) {
            if characters == most {
                shown.push('…');
                return shown;
            }
            shown.push(if character.is_control() { char::REPLACEMENT_CHARACTER } else { character });
            characters += 1;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_short_line() {
        assert_eq!(shown(" INSERT\n  INTO t\0 ", 200), "INSERT INTO t\u{fffd}");
        assert_eq!(shown(&"é".repeat(500), 3), "ééé…");
        assert_eq!(shown("abc", 3), "abc");
    }

    #[test]
    fn the_shells_lines_are_told_from_sql() {
        for (sql, is) in [("-- x\n.read y\n", true), ("\u{feff}.mode list", true), ("\n SELECT .5;", false)] {
            assert_eq!(is_shell_command(sql.as_bytes()), is, "{sql}");
        }
    }
}

//! The sqlite3 shell's own `.dump`, as two of its versions print it.

use std::borrow::Cow;

use super::cli_real::{self, Shell};
use super::identifier::write_doubling;
use super::literal::{unused, write_hex, write_integer};
use crate::btree::{Encoding, Value};
use crate::sql::is_complete;

/// Text of so many bytes is long.
const LONG: usize = 1 << 20;

/// Appends a value as the shell does, which loses text after a NUL; `false` when it did.
pub(super) fn write_value(out: &mut Vec<u8>, value: Value<'_>, encoding: Encoding, shell: Shell) -> bool {
    match value {
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Integer(integer) => write_integer(out, integer),
        Value::Real(real) => cli_real::write_real(out, real, shell),
        Value::Blob(bytes) => {
            out.extend_from_slice(blob_start(shell));
            write_hex(out, bytes);
            out.push(b'\'');
        }
        Value::Text(text) => {
            let text = match encoding {
                Encoding::Utf8 => Cow::Borrowed(text),
                _ => Cow::Owned(match encoding.decode(text) {
                    Some(text) => text.into_owned().into_bytes(),
                    None => encoding.decode_as_sqlite(text),
                }),
            };
            let end = memchr::memchr(0, &text);
            let shown = end.and_then(|end| text.get(..end)).unwrap_or(&text);
            match shell {
                Shell::V3_40 => write_replacing(out, shown),
                Shell::V3_54 => write_unistr(out, shown),
            }
            return end.is_none();
        }
    }
    true
}

/// What a blob begins with.
pub(super) fn blob_start(shell: Shell) -> &'static [u8] {
    if shell == Shell::V3_40 { b"X'" } else { b"x'" }
}

/// Line ends as marks that are replaced again.
fn write_replacing(out: &mut Vec<u8>, text: &[u8]) {
    let has = |byte| memchr::memchr(byte, text).is_some();
    if !has(b'\n') && !has(b'\r') {
        return write_doubling(out, text, b'\'');
    }
    let newline = has(b'\n').then(|| unused(text, "\\n", "\\012"));
    let carriage_return = has(b'\r').then(|| unused(text, "\\r", "\\015"));
    for _ in newline.iter().chain(&carriage_return) {
        out.extend_from_slice(b"replace(");
    }
    out.push(b'\'');
    for &byte in text {
        match byte {
            b'\'' => out.extend_from_slice(b"''"),
            b'\n' => out.extend_from_slice(newline.as_deref().unwrap_or_default().as_bytes()),
            b'\r' => out.extend_from_slice(carriage_return.as_deref().unwrap_or_default().as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
    for (mark, code) in [(carriage_return, "13"), (newline, "10")] {
        if let Some(mark) = mark {
            out.extend_from_slice(format!(",'{mark}',char({code}))").as_bytes());
        }
    }
}

/// Control characters as escapes, which SQLite knows since 3.50.
fn write_unistr(out: &mut Vec<u8>, text: &[u8]) {
    if !text.iter().any(|&byte| byte < 0x20) {
        return write_doubling(out, text, b'\'');
    }
    // All the room at once, where growing would take as much again.
    if text.len() > LONG {
        let controls = text.iter().filter(|&&byte| byte < 0x20).count();
        out.reserve_exact(text.len() + 5 * controls);
    }
    out.extend_from_slice(b"unistr('");
    for &byte in text {
        match byte {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            ..0x20 => {
                out.extend_from_slice(b"\\u00");
                write_hex(out, &[byte]);
            }
            _ => out.push(byte),
        }
    }
    out.extend_from_slice(b"')");
}

/// A name as the shell writes it: in quotes where it has to be.
pub(super) fn write_name(out: &mut Vec<u8>, name: &str) {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_plain = starts_well && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // No keyword is shorter, and the parser does not want to be asked.
    let is_keyword = name.len() >= 2 && sqlite3_parser::dialect::keyword_token(name.as_bytes()).is_some();
    if is_plain && !is_keyword {
        out.extend_from_slice(name.as_bytes());
    } else {
        write_doubling(out, name.as_bytes(), b'"');
    }
}

/// Appends the statement that makes a table.
pub(super) fn write_table(out: &mut Vec<u8>, sql: &str) {
    let sql = completed(sql);
    match sql.strip_prefix("CREATE TABLE ") {
        Some(rest) if rest.starts_with(['\'', '"']) => {
            out.extend_from_slice(b"CREATE TABLE IF NOT EXISTS ");
            out.extend_from_slice(rest.as_bytes());
        }
        _ => out.extend_from_slice(sql.as_bytes()),
    }
    out.extend_from_slice(b";\n");
}

/// Appends the statement that makes an index, a view or a trigger.
pub(super) fn write_other(out: &mut Vec<u8>, sql: &str, shell: Shell) {
    let has_dashes = sql.contains("--");
    let sql = if shell == Shell::V3_40 { Cow::Borrowed(sql) } else { completed(sql) };
    out.extend_from_slice(sql.as_bytes());
    out.extend_from_slice(if has_dashes { b"\n;\n" } else { b";\n" });
}

/// SQL that ends in a comment, with the comment's end.
fn completed(sql: &str) -> Cow<'_, str> {
    if !sql.contains("--") && !sql.contains("/*") {
        return Cow::Borrowed(sql);
    }
    let ends = ["", "*/", "\n"];
    let end = ends.into_iter().find(|end| is_complete(&format!("{sql}{end};")));
    end.map_or(Cow::Borrowed(sql), |end| Cow::Owned(format!("{sql}{end}")))
}

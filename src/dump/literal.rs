//! Values as SQL that gives back the same value, of the same type, in every SQLite and in D1.

use std::borrow::Cow;
use std::collections::HashSet;

use super::identifier::write_doubling;
use super::real::write_real;
use crate::btree::{Encoding, Value};

/// Text of more lines is written on one: the time that the sqlite3 shell takes for a statement (3.54 at least) grows
/// with its length times its lines.
const MANY_LINES: usize = 16;

/// `wrangler d1 execute --file` takes this out of any SQL, quoted or not, with the first COMMIT; or it refuses the SQL.
pub(super) const BEGIN: &str = "BEGIN TRANSACTION";

/// Room for what stands around a value, in bytes. Found missing behind a long value, it would double the memory of the output.
const AROUND: usize = 4096;

/// What could not be written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    None,
    /// Text in UTF-16 that is not valid went into a database in UTF-8.
    Text,
}

/// Appends a value. `same_encoding` says that the SQL goes into a database that stores text as this one does.
pub(super) fn write_value(out: &mut Vec<u8>, value: Value<'_>, encoding: Encoding, same_encoding: bool) -> Loss {
    match value {
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Integer(integer) => write_integer(out, integer),
        Value::Real(real) => write_real(out, real),
        Value::Blob(bytes) => write_blob(out, bytes),
        Value::Text(text) => return write_text(out, text, encoding, same_encoding),
    }
    Loss::None
}

/// Length of the longest literal for a blob or for text of `size` bytes of UTF-8, in bytes.
pub(super) fn longest(size: usize) -> usize {
    size.saturating_mul(2).saturating_add(64)
}

/// Appends an integer.
pub(super) fn write_integer(out: &mut Vec<u8>, integer: i64) {
    if let digit @ 0..10 = integer {
        return out.push(b'0' + digit as u8);
    }
    out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

/// Appends a blob.
pub(super) fn write_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"X'");
    write_hex(out, bytes);
    out.push(b'\'');
}

/// Appends two lower-case digits a byte.
pub(super) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.reserve(bytes.len() * 2 + AROUND);
    out.resize(start + bytes.len() * 2, 0);
    let (pairs, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>();
    match (pairs.last_chunk_mut::<16>(), bytes.last_chunk::<16>()) {
        // What is behind the last whole block is done as a block, too.
        (Some(last_pairs), Some(last)) => {
            fill_hex(last_pairs, last);
            fill_hex(pairs, bytes.as_chunks::<16>().0.as_flattened());
        }
        _ => fill_hex(pairs, bytes),
    }
}

/// Apart, and without a branch or a table in the loop, so that the compiler does sixteen bytes at a time.
#[inline(never)]
fn fill_hex(pairs: &mut [[u8; 2]], bytes: &[u8]) {
    for (pair, &byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0x0f)];
    }
}

fn digit(nibble: u8) -> u8 {
    nibble + b'0' + if nibble > 9 { b'a' - b'0' - 10 } else { 0 }
}

fn write_text(out: &mut Vec<u8>, text: &[u8], encoding: Encoding, same_encoding: bool) -> Loss {
    out.reserve(text.len() + AROUND);
    if encoding == Encoding::Utf8 && is_plain_ascii(text) {
        out.push(b'\'');
        out.extend_from_slice(text);
        out.push(b'\'');
        return Loss::None;
    }
    let decoded: Option<Cow<'_, [u8]>> = match encoding {
        Encoding::Utf8 => simdutf8::basic::from_utf8(text).is_ok().then_some(Cow::Borrowed(text)),
        _ => encoding.utf16_to_utf8(text).map(Cow::Owned),
    };
    let valid = decoded.is_some();
    let utf8 = match decoded {
        Some(decoded) => decoded,
        None if encoding == Encoding::Utf8 => Cow::Borrowed(text),
        None => Cow::Owned(encoding.decode_lossy(text).into_owned().into_bytes()),
    };
    let is_carried = !(same_encoding && encoding != Encoding::Utf8 && has_noncharacter(&utf8));
    let is_plain = valid && is_carried && memchr::memchr(0, &utf8).is_none() && !begins(&utf8);
    let has_returns = memchr::memchr(b'\r', &utf8).is_some();
    let has_many_lines = memchr::memchr_iter(b'\n', &utf8).nth(MANY_LINES).is_some();
    if is_plain && !has_returns && !has_many_lines {
        write_doubling(out, &utf8, b'\'');
    } else if is_plain && write_marked(out, &utf8, has_returns, has_many_lines) {
    } else {
        // Text after a NUL would be cut off, and what is not text would be altered on the way.
        let bytes = if same_encoding { text } else { &utf8 };
        out.extend_from_slice(b"CAST(");
        write_blob(out, bytes);
        out.extend_from_slice(b" AS TEXT)");
    }
    // UTF-8 that is not valid is carried as it is.
    if valid || same_encoding || encoding == Encoding::Utf8 { Loss::None } else { Loss::Text }
}

/// Whether text has U+FFFE or U+FFFF in it, which SQLite does not turn into UTF-16.
fn has_noncharacter(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b"\xef\xbf").any(|at| text.get(at + 2).is_some_and(|&last| last >= 0xbe))
}

/// Whether text has [`BEGIN`] in it.
fn begins(text: &[u8]) -> bool {
    memchr::memchr_iter(b'B', text).any(|at| text.get(at..).is_some_and(|rest| rest.starts_with(BEGIN.as_bytes())))
}

/// Whether text is what most text is: printable, in ASCII, without a quote and without [`BEGIN`].
fn is_plain_ascii(text: &[u8]) -> bool {
    let is_special = |byte: u8| !(b' '..0x7f).contains(&byte) || byte == b'\'';
    let Some(last) = text.last_chunk::<16>() else {
        // Too short to have that in it.
        return !text.iter().any(|&byte| is_special(byte));
    };
    let mut may_begin = false;
    // All sixteen at a time, which the compiler makes one instruction each; those of the last may come twice.
    for block in text.as_chunks::<16>().0.iter().chain([last]) {
        let (mut special, mut first) = (false, false);
        for &byte in block {
            special |= is_special(byte);
            first |= byte == b'B';
        }
        if special {
            return false;
        }
        may_begin |= first;
    }
    !(may_begin && begins(text))
}

/// Appends text in which marks stand for carriage returns, for newlines, or for both; `false` when nothing was
/// appended, as it would be longer than a literal may be. The sqlite3 shell drops carriage returns that end a line.
fn write_marked(out: &mut Vec<u8>, text: &[u8], returns: bool, newlines: bool) -> bool {
    let start = out.len();
    let mut marked = Cow::Borrowed(text);
    let mut ends = String::new();
    for (is_wanted, byte, first, second) in [(returns, b'\r', "\\r", "\\015"), (newlines, b'\n', "\\n", "\\012")] {
        if is_wanted {
            let mark = unused(&marked, first, second);
            out.extend_from_slice(b"replace(");
            // What was marked last is undone first.
            ends.insert_str(0, &format!(",'{mark}',char({byte}))"));
            marked = Cow::Owned(with_mark(&marked, byte, &mark));
        }
    }
    write_doubling(out, &marked, b'\'');
    out.extend_from_slice(ends.as_bytes());
    let fits = out.len() - start <= longest(text.len());
    if !fits {
        out.truncate(start);
    }
    fits
}

fn with_mark(text: &[u8], byte: u8, mark: &str) -> Vec<u8> {
    let mut marked = Vec::with_capacity(text.len() + text.len() / 8);
    for (index, piece) in text.split(|&each| each == byte).enumerate() {
        if index > 0 {
            marked.extend_from_slice(mark.as_bytes());
        }
        marked.extend_from_slice(piece);
    }
    marked
}

/// A mark that `text` does not contain.
pub(super) fn unused(text: &[u8], first: &'static str, second: &'static str) -> Cow<'static, str> {
    let is_unused = |mark: &str| memchr::memmem::find(text, mark.as_bytes()).is_none();
    if let Some(mark) = [first, second].into_iter().find(|mark| is_unused(mark)) {
        return Cow::Borrowed(mark);
    }
    // All numbers at once: to look for one after the other takes days where a text has a million of them.
    let start = format!("({first}");
    let number = |at: usize| {
        let digits = text.get(at + start.len()..)?.split(|byte| !byte.is_ascii_digit()).next()?;
        let ends = text.get(at + start.len() + digits.len()) == Some(&b')');
        let is_plain = digits == b"0" || !digits.starts_with(b"0");
        core::str::from_utf8(digits).ok().filter(|_| ends && is_plain)?.parse::<u32>().ok()
    };
    let taken: HashSet<u32> = memchr::memmem::find_iter(text, &start).filter_map(number).collect();
    let free = (0u32..).find(|number| !taken.contains(number)).unwrap_or_default();
    format!("({first}{free})").into()
}

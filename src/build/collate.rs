//! How SQLite sorts values, and which of them are the same to it (datatype3, sections 4 and 7).

use core::cmp::Ordering;

use crate::btree::Value;

/// How texts compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collation {
    /// Byte by byte.
    Binary,
    /// The same, with ASCII letters in lower case, up to the first NUL; then the shorter is less.
    Nocase,
    /// Byte by byte, without spaces at the end.
    Rtrim,
}

/// A column of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its place in the record.
    pub place: usize,
    /// How its texts compare.
    pub collation: Collation,
    /// Whether the largest comes first.
    pub is_descending: bool,
}

/// Which value comes first.
pub(super) fn compare(one: Value<'_>, other: Value<'_>, collation: Collation) -> Ordering {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => one.cmp(&other),
        (Value::Real(one), Value::Real(other)) => one.partial_cmp(&other).unwrap_or(Ordering::Equal),
        (Value::Integer(one), Value::Real(other)) => integer_and_real(one, other),
        (Value::Real(one), Value::Integer(other)) => integer_and_real(other, one).reverse(),
        (Value::Text(one), Value::Text(other)) => texts(one, other, collation),
        (Value::Blob(one), Value::Blob(other)) => one.cmp(other),
        _ => class(one).cmp(&class(other)),
    }
}

/// Adds bytes that are the same for values that are the same to SQLite, and others for all others.
pub(super) fn put_same(value: Value<'_>, collation: Collation, into: &mut Vec<u8>) {
    let (tag, number) = match value {
        Value::Null => (0, 0),
        Value::Integer(integer) => (1, integer as u64),
        Value::Real(real) => match real as i64 {
            whole if integer_and_real(whole, real).is_eq() => (1, whole as u64),
            _ => (2, real.to_bits()),
        },
        Value::Text(text) => (3, text.len() as u64),
        Value::Blob(bytes) => (4, bytes.len() as u64),
    };
    let Value::Text(text) = value else {
        into.push(tag);
        into.extend_from_slice(&number.to_be_bytes());
        if let Value::Blob(bytes) = value {
            into.extend_from_slice(bytes);
        }
        return;
    };
    let (length, compared) = match collation {
        Collation::Binary => (text.len(), text),
        Collation::Nocase => (text.len(), text.split(|&byte| byte == 0).next().unwrap_or_default()),
        Collation::Rtrim => (trimmed(text).len(), trimmed(text)),
    };
    into.push(tag);
    into.extend_from_slice(&(length as u64).to_be_bytes());
    let from = into.len();
    into.extend_from_slice(compared);
    if collation == Collation::Nocase {
        into.get_mut(from..).unwrap_or_default().make_ascii_lowercase();
        // Where it ended, as what follows is of the next value.
        into.extend_from_slice(&(compared.len() as u64).to_be_bytes());
    }
}

/// NULL, numbers, texts, blobs.
fn class(value: Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    }
}

/// Exactly: not every integer is a real.
fn integer_and_real(integer: i64, real: f64) -> Ordering {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if real < -END {
        return Ordering::Greater;
    }
    if real >= END {
        return Ordering::Less;
    }
    let whole = real as i64;
    integer.cmp(&whole).then_with(|| (integer as f64).partial_cmp(&real).unwrap_or(Ordering::Equal))
}

fn texts(one: &[u8], other: &[u8], collation: Collation) -> Ordering {
    match collation {
        Collation::Binary => one.cmp(other),
        Collation::Rtrim => trimmed(one).cmp(trimmed(other)),
        Collation::Nocase => {
            for (one, other) in one.iter().zip(other) {
                let order = one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase());
                if order.is_ne() {
                    return order;
                }
                if *one == 0 {
                    break;
                }
            }
            one.len().cmp(&other.len())
        }
    }
}

fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

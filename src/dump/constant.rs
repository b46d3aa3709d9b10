//! Constants, and numbers as SQLite reads them from text.

use crate::btree::Value;

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Integer(i64),
    Real(f64),
    /// TRUE or FALSE, which are 1 and 0.
    Truth(bool),
    /// A number as it is written, before it is known what for.
    Decimal(String),
    /// UTF-8.
    Text(Vec<u8>),
    Blob(Vec<u8>),
    /// An expression of another kind than those that ALTER TABLE allows for a table with rows.
    Unknown,
}

impl Constant {
    /// The constant as a stored value; `None` when it is not known.
    pub(super) fn value(&self) -> Option<Value<'_>> {
        match self {
            Self::Null => Some(Value::Null),
            Self::Integer(number) => Some(Value::Integer(*number)),
            Self::Truth(truth) => Some(Value::Integer((*truth).into())),
            Self::Real(number) => Some(Value::Real(*number)),
            Self::Text(text) => Some(Value::Text(text)),
            Self::Blob(bytes) => Some(Value::Blob(bytes)),
            Self::Decimal(_) | Self::Unknown => None,
        }
    }
}

/// The integer that SQLite stores instead of a real in a column that prefers integers: the same number, and not one
/// of the largest and smallest, where a real has no room for it.
pub(super) fn as_integer(real: f64) -> Option<i64> {
    let integer = real as i64;
    (integer as f64 == real && integer > i64::MIN && integer < i64::MAX).then_some(integer)
}

/// The number that text is, all of it, spaces around aside; `None` for other text.
pub(super) fn number_in(text: &[u8]) -> Option<Constant> {
    let text = core::str::from_utf8(text).ok()?;
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    // Rust's parser knows "inf" and "nan", which SQLite does not.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    text.parse().map(Constant::Integer).or_else(|_| text.parse().map(Constant::Real)).ok()
}

//! Numbers as SQLite reads them from text.

use super::constant::Constant;

/// The integer that SQLite stores instead of a real in a column that prefers integers: the same number, and not one
/// of the largest and smallest, where a real has no room for it.
pub(super) fn as_integer(real: f64) -> Option<i64> {
    let integer = real as i64;
    (integer as f64 == real && integer > i64::MIN && integer < i64::MAX).then_some(integer)
}

/// The number that text is, all of it, spaces around aside; `None` for other text.
pub(super) fn parse(text: &[u8]) -> Option<Constant> {
    let text = core::str::from_utf8(text).ok()?;
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    // Rust's parser knows "inf" and "nan", which SQLite does not.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    text.parse().map(Constant::Integer).or_else(|_| text.parse().map(Constant::Real)).ok()
}

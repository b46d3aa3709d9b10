//! What a column's DEFAULT gives to rows that are older than the column.

use sqlite3_parser::ast::{Expr, Literal, UnaryOperator};

use super::affinity::Affinity;
use super::constant::Constant;
use super::identifier::unquote;

/// The version of SQLite that reads a row that is older than a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// For 3.40, `DEFAULT 1.0` is 1, and `TEXT DEFAULT TRUE` is 1.
    V3_40,
    /// For current versions they are 1.0 and '1'.
    Current,
}

/// What the DEFAULT `expression` gives to a column of this affinity.
pub(super) fn evaluate(expression: &Expr<'_>, affinity: Affinity, reader: Reader) -> Constant {
    match (literal(expression), affinity, reader) {
        (truth @ Constant::Truth(_), _, Reader::V3_40) => truth,
        (constant @ Constant::Decimal(_), Affinity::Blob, Reader::V3_40) => Affinity::Numeric.apply(constant),
        (constant, ..) => affinity.apply(constant),
    }
}

fn literal(mut expression: &Expr<'_>) -> Constant {
    // In a loop, as a hostile schema can have more of these around a constant than the stack has room for.
    let mut minuses = 0;
    let constant = loop {
        expression = match expression {
            Expr::Parenthesized(inner) => match inner.first() {
                Some(inner) => inner,
                None => break Constant::Unknown,
            },
            Expr::Unary(UnaryOperator::Positive, inner) => inner,
            Expr::Unary(UnaryOperator::Negative, inner) => {
                minuses += 1;
                inner
            }
            Expr::Literal(literal) => break plain(literal),
            Expr::Id(id) => break word_or_truth(id.0),
            Expr::Name(name) => break word_or_truth(name.0),
            _ => break Constant::Unknown,
        };
    };
    match (minuses, constant) {
        (0, constant) => constant,
        (_, Constant::Integer(number)) if minuses % 2 == 1 => Constant::Integer(number.wrapping_neg()),
        (_, constant @ Constant::Integer(_)) => constant,
        (1, Constant::Decimal(text)) => Constant::Decimal(format!("-{text}")),
        _ => Constant::Unknown,
    }
}

fn plain(literal: &Literal<'_>) -> Constant {
    match literal {
        Literal::Null => Constant::Null,
        Literal::Numeric(text) => numeric(text),
        Literal::String(text) => Constant::Text(unquote(text).into_bytes()),
        Literal::Blob(hex) => blob(hex).map_or(Constant::Unknown, Constant::Blob),
        Literal::Keyword(word) => word_or_truth(word),
        Literal::CurrentDate | Literal::CurrentTime | Literal::CurrentTimestamp => Constant::Unknown,
    }
}

fn numeric(text: &str) -> Constant {
    let plain: String = text.chars().filter(|&char| char != '_').collect();
    if let Some(hex) = plain.strip_prefix("0x").or(plain.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).map_or(Constant::Unknown, |bits| Constant::Integer(bits as i64));
    }
    // A small integer is one at once; other numbers stay text until a type asks for a number.
    plain.parse::<i32>().map_or(Constant::Decimal(plain), |small| Constant::Integer(small.into()))
}

/// A name for a default is text, except for these two.
fn word_or_truth(word: &str) -> Constant {
    if word.eq_ignore_ascii_case("true") {
        Constant::Truth(true)
    } else if word.eq_ignore_ascii_case("false") {
        Constant::Truth(false)
    } else {
        Constant::Text(unquote(word).into_bytes())
    }
}

fn blob(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.trim_start_matches(['x', 'X']).trim_matches('\'');
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| core::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

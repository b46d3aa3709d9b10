//! Column affinity: what SQLite turns a value into when it is stored (datatypes, section 3).

use super::constant::{Constant, as_integer, number_in};
use crate::btree::{Encoding, Value};

/// The affinity of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Values stay as they are.
    Blob,
    Text,
    Numeric,
    Integer,
    Real,
}

impl Affinity {
    /// The affinity of a declared type (datatypes, section 3.1).
    pub(super) fn of(declared: Option<&str>, strict: bool) -> Self {
        let Some(declared) = declared else { return Self::Blob };
        let declared = declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if strict && declared == "ANY" {
            Self::Blob
        } else if has("INT") {
            Self::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || declared.is_empty() {
            Self::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Real
        } else {
            Self::Numeric
        }
    }

    /// Whether a stored value comes back as it is when it is inserted into such a column. A value that does not was
    /// stored when the column's type was another.
    pub(super) fn keeps(self, value: Value<'_>, encoding: Encoding) -> bool {
        match (self, value) {
            (_, Value::Null | Value::Blob(_)) | (Self::Blob, _) | (Self::Text, Value::Text(_)) => true,
            (Self::Text, _) => false,
            // SQLite reads an integer in a REAL column as the number it was made from.
            (Self::Real, Value::Integer(_) | Value::Real(_)) => true,
            (_, Value::Integer(_)) => true,
            (Self::Numeric | Self::Integer, Value::Real(real)) => as_integer(real).is_none(),
            (_, Value::Text(text)) => {
                let text = encoding.decode_lossy(text);
                // Newer SQLites, D1's too, take what stands before a NUL for all of it.
                number_in(text.split('\0').next().unwrap_or_default().as_bytes()).is_none()
            }
        }
    }

    /// What a constant becomes in such a column.
    pub(super) fn apply(self, constant: Constant) -> Constant {
        match (self, constant) {
            (_, Constant::Truth(truth)) => self.apply(Constant::Integer(truth.into())),
            (Self::Text, Constant::Integer(number)) => Constant::Text(number.to_string().into_bytes()),
            (Self::Text, Constant::Decimal(text)) => Constant::Text(text.into_bytes()),
            (Self::Real, Constant::Integer(number)) => Constant::Real(number as f64),
            (Self::Numeric | Self::Integer, Constant::Real(real)) => {
                as_integer(real).map_or(Constant::Real(real), Constant::Integer)
            }
            (_, Constant::Decimal(text)) => self.apply(number_in(text.as_bytes()).unwrap_or(Constant::Unknown)),
            (Self::Numeric | Self::Integer | Self::Real, Constant::Text(text)) => match number_in(&text) {
                Some(number) => self.apply(number),
                None => Constant::Text(text),
            },
            (_, constant) => constant,
        }
    }
}

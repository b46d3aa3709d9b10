//! Values, states and errors, as the host is told them.

use pagemark::error::Class;
use pagemark::page::{Checksum, PageSize, Txid};

use super::pagemark::engine::types;
use crate::error::{Error, ErrorKind, Result};
use crate::rows::{self, Values};
use crate::store::{CommitRecord, Keep, StoreError};

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        let (code, message) = (error.code().to_owned(), error.to_string());
        let Error { kind, sqlite, offset, line, .. } = error;
        let fault = types::Fault { code, message, sqlite, offset, line };
        match kind.class() {
            Class::Caller => Self::Caller(fault),
            Class::Sql => Self::Sql(fault),
            Class::Input => Self::Input(fault),
            Class::Damage => Self::Damage(fault),
            Class::Busy => Self::Busy(fault),
            Class::Store => Self::Store(fault),
            _ => Self::Defect(fault),
        }
    }
}

impl From<ErrorKind> for types::Error {
    fn from(kind: ErrorKind) -> Self {
        Error::from(kind).into()
    }
}

impl From<CommitRecord> for types::CommitRecord {
    fn from(record: CommitRecord) -> Self {
        let CommitRecord { txid, time_ms, page_size, page_count, checksum } = record;
        Self { txid: txid.0, time_ms, page_size: page_size.value(), page_count, checksum: checksum.value() }
    }
}

impl TryFrom<types::CommitRecord> for CommitRecord {
    type Error = StoreError;

    fn try_from(record: types::CommitRecord) -> Result<Self, StoreError> {
        let types::CommitRecord { txid, time_ms, page_size, page_count, checksum } = record;
        let wrong = || StoreError::Damaged("it answered with something that is no state".into());
        let page_size = PageSize::new(page_size).ok_or_else(wrong)?;
        let checksum = Checksum::new(checksum).ok_or_else(wrong)?;
        Ok(Self { txid: Txid(txid), time_ms, page_size, page_count, checksum })
    }
}

impl From<&Keep> for types::Keep {
    fn from(keep: &Keep) -> Self {
        Self { first: keep.from.0, pins: keep.pins.iter().map(|pin| pin.0).collect() }
    }
}

impl From<types::Keep> for Keep {
    fn from(keep: types::Keep) -> Self {
        Self { from: Txid(keep.first), pins: keep.pins.into_iter().map(Txid).collect() }
    }
}

/// Values as [`crate::rows`] encodes them.
pub(super) fn encoded(values: &[types::Value]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for value in values {
        let value = match value {
            types::Value::Null => rows::Value::Null,
            &types::Value::Integer(integer) => rows::Value::Integer(integer),
            &types::Value::Real(real) => rows::Value::Real(real),
            types::Value::Text(text) => rows::Value::Text(text.as_bytes()),
            types::Value::TextBytes(bytes) => rows::Value::Text(bytes),
            types::Value::Blob(bytes) => rows::Value::Blob(bytes),
        };
        rows::encode(&mut bytes, value)?;
    }
    Ok(bytes)
}

/// Rows of so many columns; without columns there are none.
pub(super) fn decoded(bytes: &[u8], columns: usize) -> Result<Vec<Vec<types::Value>>> {
    let mut values = Values::new(bytes);
    let mut rows = Vec::new();
    while columns > 0 && !values.is_empty() {
        let row = (0..columns).map(|_| values.read().map(value).ok_or(ErrorKind::Values));
        let row = row.collect::<Result<_, _>>()?;
        rows.try_reserve(1)?;
        rows.push(row);
    }
    Ok(rows)
}

fn value(value: rows::Value<'_>) -> types::Value {
    match value {
        rows::Value::Null => types::Value::Null,
        rows::Value::Integer(integer) => types::Value::Integer(integer),
        rows::Value::Real(real) => types::Value::Real(real),
        rows::Value::Text(bytes) => match core::str::from_utf8(bytes) {
            Ok(text) => types::Value::Text(text.to_owned()),
            Err(_) => types::Value::TextBytes(bytes.to_owned()),
        },
        rows::Value::Blob(bytes) => types::Value::Blob(bytes.to_owned()),
    }
}

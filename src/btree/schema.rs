//! Rows of the schema table (file format, section 2.6).

use super::layout::{Layout, damaged};
use super::record::{self, Encoding, Record, Value};
use crate::error::Result;
use crate::page::Pgno;

/// The columns type, name, tbl_name and rootpage. The fifth, sql, can be long and is not needed here.
const COLUMNS: usize = 4;

/// Length of the longest type, `trigger`, in UTF-16, in bytes.
const MAX_TYPE: usize = 14;

/// The most bytes of a row to take in, so that a length in a hostile file is no reason to allocate.
const MAX_ROW: usize = 1 << 20;

/// What a row of the schema table says about a table, or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SchemaTable {
    pub(super) name: String,
    /// `None` for a virtual table.
    pub(super) root: Option<Pgno>,
}

/// Whether the first bytes of a row of `size` bytes are enough for [`parse`].
///
/// # Errors
/// `BtreePage`, naming `pgno`, the page of the row's cell.
pub(super) fn is_enough(prefix: &[u8], size: usize, pgno: Pgno) -> Result<bool> {
    let needed = record::bytes_needed(prefix, COLUMNS, pgno)?;
    if needed > size.min(MAX_ROW) {
        return Err(damaged(pgno));
    }
    Ok(needed <= prefix.len())
}

/// Reads a row from enough of its first bytes; `None` when it is not a table's, nor, where those are wanted, an index's.
///
/// # Errors
/// `BtreePage`, naming `pgno`, the page of the row's cell.
pub(super) fn parse(
    prefix: &[u8],
    encoding: Encoding,
    layout: Layout,
    pgno: Pgno,
    has_indexes: bool,
) -> Result<Option<SchemaTable>> {
    let record = Record::parse(prefix, pgno)?;
    let mut values = record.values().take(COLUMNS);
    let mut next = || values.next().unwrap_or(Err(damaged(pgno)));
    let Value::Text(object) = next()? else { return Err(damaged(pgno)) };
    // By length first: cells of a hostile page may overlap, and then one long text would be decoded for each of them.
    if object.len() > MAX_TYPE {
        return Err(damaged(pgno));
    }
    match &*encoding.decode_lossy(object) {
        "table" => {}
        "index" if has_indexes => {}
        "index" | "view" | "trigger" => return Ok(None),
        _ => return Err(damaged(pgno)),
    }
    let Value::Text(name) = next()? else { return Err(damaged(pgno)) };
    next()?;
    let root = match next()? {
        Value::Integer(0) | Value::Null => None,
        Value::Integer(root) => {
            let root = u32::try_from(root).map_err(|_| damaged(pgno))?;
            Some(layout.pointer(root, pgno)?)
        }
        _ => return Err(damaged(pgno)),
    };
    Ok(Some(SchemaTable { name: encoding.decode_lossy(name).into_owned(), root }))
}

//! Virtual tables as `.dump` writes them: entered into the schema as into a table, before the tables that they live in.
//!
//! A stranger's SQL may not write the schema, as a wrong one breaks more than what it says. This one statement it may
//! have, once it is known what it has entered.

use pagemark::sql::keywords;

use crate::database::whole::each_row;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::Connection;

/// How many entries of the schema are not of virtual tables.
const OTHERS: &str = "SELECT count(*) FROM sqlite_schema WHERE NOT coalesce(type = 'table' AND name = tbl_name AND \
    typeof(rootpage) = 'integer' AND rootpage = 0 AND sql LIKE 'CREATE VIRTUAL TABLE %', 0)";

/// Whether it writes the schema as a table.
pub(super) fn enters(sql: &[u8]) -> bool {
    let [first, second, third] = keywords(sql);
    let is_schema = |word: &str| matches!(word, "SQLITE_SCHEMA" | "SQLITE_MASTER");
    matches!(first.as_str(), "INSERT" | "REPLACE" | "DELETE" | "UPDATE") && (is_schema(&second) || is_schema(&third))
}

/// Runs a statement that enters a virtual table into the schema.
pub(super) fn enter(connection: &Connection, sql: &[u8]) -> Result<()> {
    let before = others(connection)?;
    connection.entering(|| connection.exec(sql)).map_err(|_| refused())?;
    if others(connection)? == before { Ok(()) } else { Err(refused()) }
}

fn others(connection: &Connection) -> Result<Option<i64>> {
    let mut count = None;
    each_row(connection, OTHERS, |row| {
        count = row.integer(0)?;
        Ok(false)
    })?;
    Ok(count)
}

fn refused() -> Error {
    let words = "only a virtual table may be written into the schema; make the dump with --dialect d1";
    Error::with_detail(ErrorKind::Sql, words)
}

//! Foreign keys of what is imported.
//!
//! They are as the database has them: enforced, or not. Dumps, whose rows come in an order of their own, say so:
//! `PRAGMA foreign_keys=OFF`, as `.dump` does, after which all rows are checked when the import ends; or
//! `PRAGMA defer_foreign_keys=TRUE`, as D1 does, after which SQLite checks when the transaction ends.

use pagemark::sql::{keywords, pragma};

use super::problems::{Keys, Problems};
use super::{Import, Transaction};
use crate::database::{Database, ForeignKeyProblem};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::{CONSTRAINT_FOREIGN_KEY, Connection, ERROR};

impl Database {
    /// Runs a statement of an import, or the end of its transaction.
    pub(super) fn run_with_keys(&mut self, import: &mut Import, sql: &[u8]) -> Result<()> {
        let connection = self.importer()?.clone();
        let keys = &mut import.keys;
        let [first] = keywords(sql);
        let is_about_keys = pragma(sql).is_some_and(|name| name == "foreign_keys");
        if keys.awaits_table && (first == "CREATE" || is_about_keys) {
            keys.awaits_table = false;
            connection.set_foreign_keys(true);
        }
        let ends = matches!(first.as_str(), "COMMIT" | "END" | "RELEASE");
        if ends && keys.before.is_some() {
            // SQLite's own count is of some of the rows only.
            connection.exec("PRAGMA defer_foreign_keys = OFF")?;
        }
        let was_enforced = connection.enforces_foreign_keys();
        let ran = connection.exec(sql);
        if was_enforced && is_about_keys && !connection.enforces_foreign_keys() {
            keys.looks_later(&connection);
        }
        let is_left = import.transaction == Transaction::Ours && was_enforced && !keys.enforces;
        let error = match ran {
            // To SQLite each statement outside a transaction is one; in D1 all of them are.
            Ok(()) if is_left && connection.has_open_foreign_keys() => {
                return Err(explained(&connection, sql, true, ErrorKind::ImportForeignKey.into()));
            }
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.sqlite == Some(CONSTRAINT_FOREIGN_KEY) {
            return Err(explained(&connection, sql, ends, error));
        }
        let writes = matches!(first.as_str(), "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "WITH");
        if !writes || !was_enforced || !keys.enforces || error.sqlite != Some(ERROR) || connection.compiles(sql) {
            return Err(error);
        }
        connection.set_foreign_keys(false);
        if connection.compiles(sql) && connection.defers_foreign_keys()? {
            // The table that it refers to is not made yet. That rows are there is looked at when the import ends.
            keys.looks_later(&connection);
            keys.awaits_table = true;
            return connection.exec(sql);
        }
        let is_for_keys = connection.compiles(sql);
        connection.set_foreign_keys(true);
        if !is_for_keys {
            return Err(error);
        }
        let detail = format!("{}, as a foreign key refers to it", error.detail.as_deref().unwrap_or_default());
        Err(Error { kind: ErrorKind::ImportForeignKey, detail: Some(detail.into()), ..error })
    }

    /// Checks rows that were not checked when they came.
    pub(super) fn check_keys(&mut self, keys: &Keys) -> Result<()> {
        let Some(before) = keys.before.as_ref().filter(|_| keys.enforces) else { return Ok(()) };
        match before.new_one(self.importer()?) {
            Ok(None) => Ok(()),
            Ok(Some(problem)) => Err(failed(&problem)),
            // Keys that are wrong in themselves.
            Err(error) if error.kind == ErrorKind::Sql && error.sqlite == Some(ERROR) => {
                Err(Error { kind: ErrorKind::ImportForeignKey, ..error })
            }
            Err(error) => Err(error),
        }
    }
}

/// The failure with the row in it. Unless it was found at the end of a transaction, the statement runs again, as if rows
/// were looked at there only; the import has failed anyway.
fn explained(connection: &Connection, sql: &[u8], at_end: bool, error: Error) -> Error {
    let find = || {
        let before = if at_end { Problems::default() } else { Problems::of(connection)? };
        if !at_end {
            connection.exec("PRAGMA defer_foreign_keys = ON")?;
            connection.exec(sql)?;
        }
        before.new_one(connection)
    };
    let found = if connection.in_transaction() { find().ok().flatten() } else { None };
    let failed = found.map_or_else(|| ErrorKind::ImportForeignKey.into(), |problem| failed(&problem));
    Error { sqlite: error.sqlite, ..failed }
}

fn failed(ForeignKeyProblem { table, rowid, parent, .. }: &ForeignKeyProblem) -> Error {
    let row = rowid.map_or_else(|| "a row".into(), |rowid| format!("row {rowid}"));
    Error::with_detail(ErrorKind::ImportForeignKey, format!("{row} of {table} refers to no row of {parent}"))
}

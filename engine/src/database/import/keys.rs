//! Foreign keys of what is imported.
//!
//! They are as the database has them: enforced, or not. Dumps, whose rows come in an order of their own, say so:
//! `PRAGMA foreign_keys=OFF`, as `.dump` does, after which all rows are checked when the import ends; or
//! `PRAGMA defer_foreign_keys=TRUE`, as D1 does, after which SQLite checks when the transaction ends.

use std::collections::BTreeSet;

use pagemark::sql::{keywords, pragma};

use super::{Import, Transaction};
use crate::database::whole::each_foreign_key_problem;
use crate::database::{Database, ForeignKeyProblem};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::{CONSTRAINT_FOREIGN_KEY, Connection, ERROR};

/// How many rows that referred to none before the import are told from others.
const KNOWN: usize = 10_000;

/// What is known of the foreign keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Whether the database enforces them.
    enforces: bool,
    /// Once they were not enforced: which rows referred to none before.
    before: Option<Problems>,
    /// Whether they are not enforced until another table is made, as the one they refer to is not there yet.
    awaits_table: bool,
}

impl Keys {
    pub(super) fn new(enforces: bool) -> Self {
        Self { enforces, ..Self::default() }
    }

    /// From now on rows are looked at when the import ends.
    fn looks_later(&mut self, connection: &Connection) {
        if self.enforces && self.before.is_none() {
            // When they cannot be told, those that the import brings cannot either.
            let untold = Problems { count: u64::MAX, ..Problems::default() };
            self.before = Some(Problems::of(connection).unwrap_or(untold));
        }
    }
}

/// Rows that refer to none.
#[derive(Debug, Default)]
struct Problems {
    count: u64,
    /// The first [`KNOWN`] of them: table, row and which key.
    rows: BTreeSet<(String, Option<i64>, i64)>,
}

impl Problems {
    fn of(connection: &Connection) -> Result<Self> {
        let mut problems = Self::default();
        each_problem(connection, |problem| {
            problems.count += 1;
            if problems.rows.len() < KNOWN {
                problems.rows.insert(id(&problem));
            }
            true
        })?;
        Ok(problems)
    }

    /// One that there is now and was not in these; one of all when these were too many to tell.
    fn new_one(&self, connection: &Connection) -> Result<Option<ForeignKeyProblem>> {
        if self.count == u64::MAX {
            return Ok(None);
        }
        let is_known = self.count <= KNOWN as u64;
        let (mut count, mut new) = (0, None);
        each_problem(connection, |problem| {
            count += 1;
            if !self.rows.contains(&id(&problem)) {
                new.get_or_insert(problem);
            }
            !is_known || new.is_none()
        })?;
        Ok(new.filter(|_| is_known || count > self.count))
    }
}

fn id(problem: &ForeignKeyProblem) -> (String, Option<i64>, i64) {
    (problem.table.clone(), problem.rowid, problem.key)
}

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

/// Hands every row that refers to none to `action`, which says whether it wants another.
fn each_problem(connection: &Connection, mut action: impl FnMut(ForeignKeyProblem) -> bool) -> Result<()> {
    each_foreign_key_problem(connection, "", |problem| Ok(action(problem)))
}

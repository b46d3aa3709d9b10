//! Rows that refer to none, those of before an import told from those that it brings.

use std::collections::BTreeSet;

use crate::database::ForeignKeyProblem;
use crate::database::whole::each_foreign_key_problem;
use crate::error::Result;
use crate::sqlite::Connection;

/// How many rows that referred to none before the import are told from others.
const KNOWN: usize = 10_000;

/// What is known of the foreign keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Whether the database enforces them.
    pub(super) enforces: bool,
    /// Once they were not enforced: which rows referred to none before.
    pub(super) before: Option<Problems>,
    /// Whether they are not enforced until another table is made, as the one they refer to is not there yet.
    pub(super) awaits_table: bool,
}

impl Keys {
    pub(super) fn new(enforces: bool) -> Self {
        Self { enforces, ..Self::default() }
    }

    /// From now on rows are looked at when the import ends.
    pub(super) fn looks_later(&mut self, connection: &Connection) {
        if self.enforces && self.before.is_none() {
            // When they cannot be told, those that the import brings cannot either.
            let untold = Problems { count: u64::MAX, ..Problems::default() };
            self.before = Some(Problems::of(connection).unwrap_or(untold));
        }
    }
}

/// Rows that refer to none.
#[derive(Debug, Default)]
pub(super) struct Problems {
    count: u64,
    /// The first [`KNOWN`] of them: table, row and which key.
    rows: BTreeSet<(String, Option<i64>, i64)>,
}

impl Problems {
    pub(super) fn of(connection: &Connection) -> Result<Self> {
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
    pub(super) fn new_one(&self, connection: &Connection) -> Result<Option<ForeignKeyProblem>> {
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

/// Hands every row that refers to none to `action`, which says whether it wants another.
fn each_problem(connection: &Connection, mut action: impl FnMut(ForeignKeyProblem) -> bool) -> Result<()> {
    each_foreign_key_problem(connection, "", |problem| Ok(action(problem)))
}

//! Statements about backups, as users of CockroachDB and QuestDB type them: `BACKUP DATABASE app TO 's3://…'`.
//!
//! [`parse`] reads one statement, or says which word is wrong and what could stand there. Nothing of SQL that reaches a
//! database is in this grammar. A [`Statement`] prints as text that parses to an equal one.

mod expected;
mod grammar;
mod options;
mod print;
mod syntax;
mod targets;
#[cfg(test)]
mod tests;
mod token;
mod words;

pub use syntax::{Backup, Base, Full, Place, Restore, Schedule, Statement, TableName, Targets};
pub use token::Problem;

use crate::catalog::Target;

/// Longest statement that is read, in bytes of UTF-8.
pub const LONGEST: usize = 64 << 10;

/// Reads one statement, with or without semicolons at its end. Comments (`--`, `/* */`, also one in another) are space.
///
/// # Errors
/// [`Problem`]: the place of the first word that is wrong, and what could stand there.
pub fn parse(text: &str) -> Result<Statement, Problem> {
    if text.len() > LONGEST {
        return Err(Problem::new(0, format!("a statement is at most {LONGEST} bytes long")));
    }
    let tokens = token::tokens(text)?;
    grammar::statement(&tokens).map_err(|problem| problem.in_units_of(text))
}

impl Statement {
    /// The time that the statement names a state by (`AS OF SYSTEM TIME`), in milliseconds since 1970; nothing where it names
    /// none, or names it by an id, a bookmark or a TXID. Ages count from `now_ms`.
    pub fn time(&self, now_ms: i64) -> Option<i64> {
        let at = match self {
            Self::Backup(Backup { at, .. }) | Self::Restore(Restore { at, .. }) | Self::ShowBackup { at, .. } => at,
            _ => return None,
        };
        match Target::parse(at.as_deref()?, now_ms) {
            Ok(Target::Time(time)) => Some(time),
            _ => None,
        }
    }
}

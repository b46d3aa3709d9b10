//! Options of a dump.

pub use super::cli_real::Shell;
use crate::error::{ErrorKind, Result};

/// Where the SQL is meant to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Any `sqlite3` of the last five years; nothing is lost.
    Sqlite,
    /// Byte for byte what that version of the sqlite3 shell prints for `.dump`, with what it loses.
    Shell(Shell),
    /// D1 and Durable Objects.
    D1,
}

impl Dialect {
    /// The dialects by the names that users give.
    pub const NAMED: [(&'static str, Self); 4] = [
        ("sqlite", Self::Sqlite),
        ("d1", Self::D1),
        ("sqlite3-cli-3.40", Self::Shell(Shell::V3_40)),
        ("sqlite3-cli-3.54", Self::Shell(Shell::V3_54)),
    ];

    /// The dialect of that name.
    ///
    /// # Errors
    /// `Usage`.
    pub fn parse(name: &str) -> Result<Self> {
        let named = Self::NAMED.into_iter().find(|(each, _)| *each == name);
        Ok(named.ok_or(ErrorKind::Usage)?.1)
    }
}

/// Which database goes into SQL, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the SQL is meant to go.
    pub dialect: Dialect,
    /// Only these tables, with their indexes, triggers and sequences; all when there are none.
    pub tables: Vec<String>,
    /// No rows.
    pub no_data: bool,
    /// First drops whatever it makes.
    pub drop: bool,
    /// Only rows.
    pub no_schema: bool,
    /// Goes on behind what is damaged, and says what was left out.
    pub salvage: bool,
    /// With `salvage`: takes pages of the list of free pages for pages that got lost. Mostly they hold what was deleted.
    pub free_pages: bool,
    /// With the dialect D1: is cut into transactions, so that rows should not refer to those that come later.
    pub in_batches: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dialect: Dialect::Sqlite,
            tables: Vec::new(),
            no_data: false,
            drop: false,
            no_schema: false,
            salvage: false,
            free_pages: false,
            in_batches: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_go_by_their_names_alone() {
        for (name, dialect) in Dialect::NAMED {
            assert_eq!(Dialect::parse(name).unwrap(), dialect);
        }
        for name in ["", "SQLITE", "sqlite3-cli", "d1 "] {
            assert_eq!(Dialect::parse(name).unwrap_err().kind, ErrorKind::Usage);
        }
    }
}

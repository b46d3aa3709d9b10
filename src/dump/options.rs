//! Options of a dump.

pub use super::cli_real::Shell;

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
        }
    }
}

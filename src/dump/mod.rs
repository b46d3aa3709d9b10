//! SQL from pages: every row of every table, read from the b-trees without SQLite.
//!
//! | the way data takes | |
//! | --- | --- |
//! | [`dumper`] | steps: which pages are needed, when SQL can be taken |
//! | `schema`, `columns` | what there is, from the schema table and the SQL in it |
//! | `plan` | what goes into the SQL, in which order |
//! | `rows` | rows as INSERT statements |
//! | `literal`, `real`; `shell`, `cli_real` | values as we write them; as the sqlite3 shell does |
//! | `notes` | what is not carried |

mod affinity;
mod cli_real;
mod columns;
mod constant;
mod d1;
pub mod dumper;
mod identifier;
mod literal;
mod notes;
mod number;
pub mod options;
mod plan;
mod real;
mod rows;
mod schema;
mod shell;
#[cfg(test)]
mod tests;

pub use dumper::{Dump, DumpStep};
pub use options::{Dialect, Options, Shell};

//! SQL from pages: every row of every table, read from the b-trees without SQLite.
//!
//! | the way data takes | |
//! | --- | --- |
//! | [`dumper`] | steps: which pages are needed, when SQL can be taken |
//! | `schema`, `schema_check`, `malformed`, `malformed_table`, `table_rules`, `expression_names`, `statement`, `parser`, `columns`, `shape` | what there is, from the schema table and the SQL in it |
//! | `plan`, `internal`, `drops`; `sqlite`, `shell_order` | what goes into the SQL, in which order |
//! | `d1`, `d1_limits`, `d1_functions`, `d1_left_out`, `references` | the same for D1, without what it does not take |
//! | `virtual_table`, `rtree`, `rowids` | full-text and R-Tree tables, from what they store |
//! | `row_plan`, `rows`, `limits`, `repack` | rows as INSERT statements |
//! | `guard`, `relaxed`; `keys`, `repeats` | rows that their own table refuses; those that repeat a key |
//! | `long_row`, `long_record`, `pieces` | rows too long for one statement, or for memory |
//! | `literal`, `real`; `shell`, `cli_real` | values as we write them; as the sqlite3 shell does |
//! | `salvage` | the rows of a damaged database |
//! | `notes` | what is not carried |

mod affinity;
mod cli_real;
mod columns;
mod constant;
mod d1;
mod d1_batches;
mod d1_functions;
mod d1_left_out;
mod d1_limits;
mod d1_virtual;
mod default;
mod digits;
mod drops;
pub mod dumper;
mod expression_names;
mod foreign_keys;
mod guard;
mod identifier;
mod internal;
mod keys;
mod limits;
mod literal;
mod long_record;
mod long_row;
mod malformed;
mod malformed_table;
mod notes;
pub mod options;
mod parser;
mod pieces;
mod plan;
mod real;
mod references;
mod relaxed;
mod repack;
mod repeats;
mod row_plan;
mod rowids;
mod rows;
mod rtree;
mod salvage;
mod schema;
mod schema_check;
mod shape;
mod shell;
mod shell_order;
mod sqlite;
mod statement;
mod table_rules;
#[cfg(test)]
mod tests;
mod virtual_table;

pub use dumper::{Dump, DumpStep, PartStep, PartWriter};
pub use options::{Dialect, Options, Shell};

//! How long statements are, and what stands between the rows in them.

use super::options::Dialect;

/// SQL is handed out in pieces of about this many bytes, or of one long row.
pub(super) const OUTPUT: usize = 256 << 10;

/// What stands between the prefix and the first value.
pub(super) const BEGIN: &[u8] = b" VALUES\n(";
/// What stands between two rows.
pub(super) const JOIN: &[u8] = b",\n(";
/// Length of a statement's end, in bytes.
pub(super) const END: usize = 2;

/// How much goes into a statement, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A statement of several rows is hardly longer, and never longer than half of the next.
    pub(super) several: usize,
    /// No statement is longer; a row for which that is not enough goes through pieces.
    pub(super) statement: usize,
    /// A row that takes more in the database is worth a warning.
    pub(super) row: usize,
    /// A row of more values has a statement of its own.
    pub(super) values: usize,
}

impl Limits {
    pub(super) fn of(dialect: Dialect) -> Self {
        match dialect {
            // D1 also bounds the instructions that a statement becomes, by 25,000: one a value and one a row, each of
            // which takes two bytes or more.
            // D1 takes 100 values a row in a statement of several rows, and the rowid is one of them.
            Dialect::D1 => Self { several: 32 << 10, statement: 100_000, row: 2_000_000, values: 100 },
            // Several rows load faster than one; but the time that the sqlite3 shell takes for a statement (3.54 at
            // least) grows with its length times its lines. Of one statement, SQLite takes ten times as much.
            _ => Self { several: 1 << 10, statement: 100 << 20, row: usize::MAX, values: usize::MAX },
        }
    }

    /// Whether a statement of `length` bytes probably has room for another row of so many `values`.
    pub(super) fn expect_room(self, values: usize, length: u64, last_row: usize) -> bool {
        // Rows of a table are much alike.
        values <= self.values && length + (last_row + END) as u64 <= self.several as u64
    }

    /// Whether a statement may be of several rows and of `length` bytes.
    pub(super) fn have_room(self, length: u64) -> bool {
        length + END as u64 <= self.several.max(self.statement / 2) as u64
    }
}

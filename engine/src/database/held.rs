//! Statements that outlive their connection.

use crate::error::{ErrorKind, Result};
use crate::sqlite::{Connection, Statement};

/// A statement of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub u32);

/// Rows that were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// How many.
    pub rows: u32,
    /// Whether these were the last; the statement has been reset then.
    pub done: bool,
    /// Another number than before when the statement's columns may have changed, with the schema.
    pub shape: u32,
}

impl Fetched {
    /// Size of [`Fetched::head`], in bytes.
    pub const HEAD_SIZE: usize = 9;

    /// What precedes the rows when they cross to JavaScript: how many there are (4 bytes, little-endian), a byte that is 1
    /// when they are the last, and the shape (4 bytes).
    pub fn head(self) -> [u8; Self::HEAD_SIZE] {
        let ([a, b, c, d], [e, f, g, h]) = (self.rows.to_le_bytes(), self.shape.to_le_bytes());
        [a, b, c, d, u8::from(self.done), e, f, g, h]
    }
}

/// A statement by its text, so that it outlives its connection.
pub(super) struct Held {
    pub(super) sql: Box<str>,
    pub(super) compiled: Option<Statement>,
    /// How often it was compiled, without what `compiled` counts.
    pub(super) compilations: u32,
}

impl Held {
    pub(super) fn drop_compiled(&mut self) {
        self.compilations = self.shape();
        self.compiled = None;
    }

    /// See [`Fetched::shape`].
    pub(super) fn shape(&self) -> u32 {
        self.compilations.wrapping_add(self.compiled.as_ref().map_or(0, Statement::compilations))
    }

    pub(super) fn compiled(&mut self, connection: &Connection) -> Result<&mut Statement> {
        let statement = match self.compiled.take() {
            Some(statement) => statement,
            None => {
                let mut sql = self.sql.as_bytes();
                connection.prepare(&mut sql, true)?.ok_or(ErrorKind::StatementUnknown)?
            }
        };
        Ok(self.compiled.insert(statement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_rows_is_as_javascript_reads_it() {
        let head = Fetched { rows: 0x0102_0304, done: true, shape: 5 }.head();
        assert_eq!(head, [4, 3, 2, 1, 1, 5, 0, 0, 0]);
    }
}

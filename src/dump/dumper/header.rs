//! The comment that SQL begins with.

use super::Dump;
use crate::dump::options::Dialect;

/// How much of the SQL may be warnings at its start, in bytes: with the first statement it has to be one that D1 takes.
const HEADER: usize = 32 << 10;

impl Dump {
    /// Says what this is, and what it lacks; the shell's dialect has no room for that.
    pub(super) fn write_header(&mut self) {
        let what = match self.options.dialect {
            Dialect::Shell(_) => return,
            Dialect::Sqlite => "SQL for any sqlite3 since 3.37",
            Dialect::D1 => "SQL for D1 and Durable Objects",
        };
        self.out.extend_from_slice(format!("-- Dumped by Pagemark: {what}.\n").as_bytes());
        let mut room = HEADER;
        for line in self.notes.lines() {
            let line = format!("-- WARNING: {line}\n");
            match room.checked_sub(line.len()) {
                Some(left) => room = left,
                None => {
                    self.out.extend_from_slice(b"-- WARNING: there are more, which have no room here\n");
                    break;
                }
            }
            self.out.extend_from_slice(line.as_bytes());
        }
    }
}

//! The database as a whole: as a file, from a file, compacted, checked.

use pagemark::page::Pgno;

use super::Database;
use crate::error::{ErrorKind, Result};
use crate::rows::Value;
use crate::sqlite::{Compacted as CompactedFile, Connection, Step};
use crate::volume::Loader;

/// A database file on its way in.
#[derive(Debug, Default)]
pub struct Loading(Loader);

/// A compacted copy on its way out.
pub struct Compacted(CompactedFile);

impl Compacted {
    /// In bytes.
    pub fn size(&self) -> u64 {
        self.0.len()
    }

    /// Fills the front of `buffer` with the next bytes; how many, 0 at the end.
    ///
    /// # Errors
    /// What the store says, which has the copy when it is large.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.0.read(buffer)?)
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What `PRAGMA integrity_check` says; empty when all is well.
    pub integrity: Vec<String>,
    /// What `PRAGMA foreign_key_check` says, at most [`Report::LIMIT`] of them.
    pub foreign_keys: Vec<ForeignKeyProblem>,
    /// Why SQLite could not look whether it is whole, such as a collation that is not here.
    pub refused: Option<String>,
    /// Why it could not look at the foreign keys.
    pub foreign_keys_refused: Option<String>,
}

impl Report {
    /// How many problems of each kind are reported.
    pub const LIMIT: usize = 100;

    /// Whether all could be looked at, and nothing was found.
    pub fn is_ok(&self) -> bool {
        let is_complete = self.refused.is_none() && self.foreign_keys_refused.is_none();
        is_complete && self.integrity.is_empty() && self.foreign_keys.is_empty()
    }
}

/// A row that refers to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKeyProblem {
    /// The table with the reference.
    pub table: String,
    /// Its row; `None` in a table without rowids.
    pub rowid: Option<i64>,
    /// The table it refers to.
    pub parent: String,
    /// Which of the table's foreign keys, as `PRAGMA foreign_key_list` numbers them.
    pub key: i64,
}

impl Database {
    /// The newest commit as a database file, whole in memory; a pin and [`Database::page_at`] give it in pieces.
    ///
    /// # Errors
    /// `Memory`, what the store says.
    pub fn serialize(&mut self) -> Result<Vec<u8>> {
        self.volume(|volume| {
            let mut file = Vec::new();
            let Some(record) = volume.newest() else { return Ok(file) };
            let page_size = record.page_size.bytes();
            let size = page_size.checked_mul(record.page_count as usize).ok_or(ErrorKind::Memory)?;
            file.try_reserve_exact(size)?;
            file.resize(size, 0);
            for (pgno, page) in (1..).zip(file.chunks_exact_mut(page_size)) {
                if let Some(pgno) = Pgno::new(pgno) {
                    volume.read_at(&record, pgno, page)?;
                }
            }
            Ok(file)
        })
    }

    /// Takes the next bytes of a file to load, however many. When it is large, the store takes its
    /// pages meanwhile, out of sight. The database may be read; once something is committed, or written in a large
    /// transaction, the file has to come anew.
    ///
    /// # Errors
    /// `DatabaseNotSqlite`, `DatabaseEncrypted`, `DatabaseHeader`, `LoadStale`, `Busy` within a large transaction, what
    /// the store says, `Memory`. The file must be given up then ([`Database::load_abort`]).
    pub fn load_feed(&mut self, loading: &mut Loading, bytes: &[u8], now_ms: i64) -> Result<()> {
        self.at(now_ms)?;
        self.volume(|volume| loading.0.feed(volume, bytes))
    }

    /// Gives up a file that was being loaded.
    pub fn load_abort(&mut self, loading: Loading) {
        let _ = self.volume(|volume| {
            loading.0.owner().into_iter().for_each(|owner| volume.abandon(owner));
            Ok(())
        });
    }

    /// Makes the content that of a whole database file, as one commit. A file in WAL mode becomes one in rollback
    /// mode; its WAL must have been written back. Statements see the new content when they are next run; if the file
    /// has another text encoding, temporary tables and settings made by PRAGMA are gone.
    ///
    /// # Errors
    /// `Busy`, `LoadSize`, `LoadStale`, those of the header, what the store says; nothing has changed then.
    pub fn load(&mut self, loading: Loading, now_ms: i64) -> Result<()> {
        self.at(now_ms)?;
        if self.is_busy() {
            self.load_abort(loading);
            return Err(ErrorKind::Busy.into());
        }
        let reconnect = self.volume(|volume| {
            let encoding = volume.encoding()?;
            volume.replace(loading.0)?;
            // A connection that saw an empty database has settled on UTF-8.
            Ok(volume.encoding()? != encoding.max(1))
        })?;
        self.replaced(reconnect)
    }

    /// A copy without free space (VACUUM INTO), in memory; page size, user_version and application_id are kept.
    ///
    /// # Errors
    /// `Sql` within a transaction, `Memory`, what the store says.
    pub fn compact(&mut self, now_ms: i64) -> Result<Compacted> {
        Ok(Compacted(self.at(now_ms)?.compact()?))
    }

    /// Checks that the database, or one table of it with its indexes, is whole and that foreign keys refer to rows.
    ///
    /// # Errors
    /// What the store says, `Memory`. Damage is no error but what the report is about.
    pub fn check(&mut self, table: Option<&str>, now_ms: i64) -> Result<Report> {
        let connection = self.at(now_ms)?;
        let mut report = Report::default();
        let limit = Report::LIMIT;
        // A table's name in the place of the limit, which is the same unless given.
        let only = table.map(|name| format!("(\"{}\")", name.replace('"', "\"\""))).unwrap_or_default();
        each_row(connection, &format!("PRAGMA integrity_check{only}"), |row| {
            report.integrity.push(row.text(0)?);
            Ok(true)
        })
        .or_else(|error| damage(error, &mut report.integrity, &mut report.refused))?;
        self.could_read(&report.integrity)?;
        let connection = self.at(now_ms)?;
        if report.integrity.iter().all(|line| line == "ok") {
            report.integrity.clear();
        }
        each_foreign_key_problem(connection, &only, |problem| {
            report.foreign_keys.push(problem);
            Ok(report.foreign_keys.len() < limit)
        })
        .or_else(|error| damage(error, &mut report.integrity, &mut report.foreign_keys_refused))?;
        Ok(report)
    }
}

impl Database {
    /// SQLite's check takes a page that it could not read for a damaged one.
    fn could_read(&self, found: &[String]) -> Result<()> {
        if let Some(failure) = self.volume(|volume| Ok(volume.take_failure()))? {
            return Err(failure.into());
        }
        // Without a failure of the store only memory for the page can have been missing: a number that is no page's
        // is reported in other words.
        let unread = |text: &String| text.contains("failed to get page") || text.contains("error code=7");
        if found.iter().any(unread) { Err(ErrorKind::Memory.into()) } else { Ok(()) }
    }
}

/// What SQLite finds malformed is what a check looks for. Whatever else it fails of, it could not look.
fn damage(error: crate::error::Error, found: &mut Vec<String>, refused: &mut Option<String>) -> Result<()> {
    if error.kind != ErrorKind::Sql {
        return Err(error);
    }
    match error.sqlite.map(|code| code & 0xff) {
        Some(CORRUPT | NOT_A_DATABASE) => found.push(error.to_string()),
        _ => *refused = Some(error.to_string()),
    }
    Ok(())
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
const CORRUPT: i32 = 11;
const NOT_A_DATABASE: i32 = 26;

pub(super) struct Row<'a>(&'a mut crate::sqlite::Statement);

impl Row<'_> {
    fn text(&mut self, column: usize) -> Result<String> {
        Ok(match self.0.column(column)? {
            Value::Text(bytes) => {
                // A check's findings can be long, and be asked for just because memory is short.
                let text = String::from_utf8_lossy(bytes);
                let mut owned = String::new();
                owned.try_reserve_exact(text.len())?;
                owned.push_str(&text);
                owned
            }
            _ => String::new(),
        })
    }

    pub(super) fn integer(&mut self, column: usize) -> Result<Option<i64>> {
        Ok(match self.0.column(column)? {
            Value::Integer(value) => Some(value),
            _ => None,
        })
    }
}

/// Hands every row that refers to none to `action`, which says whether it wants another; of one table, when `only` is its
/// name as an argument.
pub(super) fn each_foreign_key_problem(
    connection: &Connection,
    only: &str,
    mut action: impl FnMut(ForeignKeyProblem) -> Result<bool>,
) -> Result<()> {
    each_row(connection, &format!("PRAGMA foreign_key_check{only}"), |row| {
        let (table, parent) = (row.text(0)?, row.text(2)?);
        let (rowid, key) = (row.integer(1)?, row.integer(3)?.unwrap_or(0));
        action(ForeignKeyProblem { table, rowid, parent, key })
    })
}

/// Hands every row to `action`, which says whether it wants another.
pub(super) fn each_row(
    connection: &Connection,
    sql: &str,
    mut action: impl FnMut(&mut Row<'_>) -> Result<bool>,
) -> Result<()> {
    let mut sql = sql.as_bytes();
    let Some(mut statement) = connection.prepare(&mut sql, false)? else { return Ok(()) };
    while statement.step()? == Step::Row && action(&mut Row(&mut statement))? {}
    Ok(())
}

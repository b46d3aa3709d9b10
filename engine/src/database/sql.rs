//! Statements.

use super::Database;
use super::held::{Fetched, Held, StatementId};
use crate::error::{Error, ErrorKind, Result};
use crate::rows::encode;
use crate::sqlite::{Connection, Statement, Step};

impl Database {
    /// Runs a script of any number of statements. Rows are stepped over.
    ///
    /// # Errors
    /// `Sql`, `Store`, `Full`, `Memory`; `offset` is that of the failure in the whole script. The statements before
    /// the failed one have been run.
    pub fn exec(&mut self, sql: &str, now_ms: i64) -> Result<()> {
        self.at(now_ms)?.exec(sql)
    }

    /// Compiles the first statement of `sql`; with it comes the text that follows. `None` when there is only space
    /// and comments.
    ///
    /// # Errors
    /// `Sql`, `Store`, `Memory`.
    pub fn prepare<'a>(&mut self, sql: &'a str, now_ms: i64) -> Result<(Option<StatementId>, &'a str)> {
        let mut bytes = sql.as_bytes();
        let prepared = self.at(now_ms)?.prepare(&mut bytes, true)?;
        // SQLite's statements end between characters.
        let (own, rest) = sql.split_at_checked(sql.len() - bytes.len()).unwrap_or((sql, ""));
        let Some(statement) = prepared else { return Ok((None, rest)) };
        let id = StatementId(self.next_statement);
        self.next_statement = self.next_statement.wrapping_add(1);
        self.statements.insert(id, Held { sql: own.into(), compiled: Some(statement), compilations: 0 });
        Ok((Some(id), rest))
    }

    /// Ends a statement; whether there was one.
    pub fn finalize(&mut self, id: StatementId) -> bool {
        self.statements.remove(&id).is_some()
    }

    /// The names of its columns; none for a statement that returns no rows.
    ///
    /// # Errors
    /// `StatementUnknown`.
    pub fn column_names(&mut self, id: StatementId) -> Result<Vec<String>> {
        let statement = self.statement(id)?;
        Ok((0..statement.columns()).map(|column| statement.column_name(column)).collect())
    }

    /// The names of its parameters with their prefix, the first one's first; `None` for `?`.
    ///
    /// # Errors
    /// `StatementUnknown`.
    pub fn parameter_names(&mut self, id: StatementId) -> Result<Vec<Option<String>>> {
        let statement = self.statement(id)?;
        Ok((1..=statement.parameters()).map(|parameter| statement.parameter_name(parameter)).collect())
    }

    /// How many rows of tables and entries of indexes a statement has looked at since it was compiled, and how many it
    /// wrote; 0 where SQLite does not count them, which only the wasm's does.
    pub fn rows_read_and_written(&mut self, id: StatementId) -> Result<(u32, u32)> {
        Ok(self.statement(id)?.rows_read_and_written())
    }

    /// Whether it leaves the database as it is.
    ///
    /// # Errors
    /// `StatementUnknown`.
    pub fn is_readonly(&mut self, id: StatementId) -> Result<bool> {
        Ok(self.statement(id)?.is_readonly())
    }

    /// Sets its parameters to values encoded as [`crate::rows`] says, as many as it takes. It begins anew.
    ///
    /// # Errors
    /// `StatementUnknown`, `Values`, `Parameters`, `Sql` (a value that is too long), `Memory`.
    pub fn bind(&mut self, id: StatementId, values: &[u8]) -> Result<()> {
        self.statement(id)?.bind(values)
    }

    /// Fetches rows into `out`, encoded as [`crate::rows`] says: until the end, `max_rows` rows, or at least
    /// `max_bytes` bytes. After the end the next call begins anew.
    ///
    /// # Errors
    /// `StatementUnknown`, `Sql`, `Store`, `Full`, `Memory`; the statement has been reset then.
    pub fn fetch(
        &mut self,
        id: StatementId,
        max_rows: u32,
        max_bytes: usize,
        out: &mut Vec<u8>,
        now_ms: i64,
    ) -> Result<Fetched> {
        self.at(now_ms)?.check_limit()?;
        let statement = self.statement(id)?;
        let (mut rows, mut done) = (0, false);
        while rows < max_rows && out.len() < max_bytes {
            done = statement.step()? == Step::Done;
            if done {
                break;
            }
            // The first step compiles it anew if the schema has changed, with other columns maybe.
            for column in 0..statement.columns() {
                let encoded = statement.column(column).and_then(|value| Ok(encode(out, value)?));
                if let Err(error) = encoded {
                    statement.reset();
                    return Err(error);
                }
            }
            rows += 1;
        }
        let shape = self.statements.get(&id).map_or(0, Held::shape);
        Ok(Fetched { rows, done, shape })
    }

    /// Runs it from beginning to end with values encoded as [`crate::rows`] says, without looking at rows; how many
    /// rows it changed (of an INSERT, UPDATE or DELETE). Its parameters are NULL afterwards.
    ///
    /// # Errors
    /// As [`Database::bind`] and [`Database::fetch`].
    pub fn run(&mut self, id: StatementId, values: &[u8], now_ms: i64) -> Result<i64> {
        let connection = self.at(now_ms)?;
        connection.check_limit()?;
        let before = connection.total_changes();
        self.statement(id)?.run(values)?;
        let connection = self.connection()?;
        Ok(if connection.total_changes() == before { 0 } else { connection.changes() })
    }

    /// Makes it begin anew.
    ///
    /// # Errors
    /// `StatementUnknown`.
    pub fn reset(&mut self, id: StatementId) -> Result<()> {
        self.statement(id)?.reset();
        Ok(())
    }

    /// Runs `action` in a transaction, which is rolled back if it fails.
    ///
    /// # Errors
    /// Errors of `action` and of the commit; `Sql` within another transaction.
    pub fn transaction<T>(&mut self, now_ms: i64, action: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.exec("BEGIN IMMEDIATE", now_ms)?;
        let result = action(self).and_then(|value| self.exec("COMMIT", now_ms).map(|()| value));
        if result.is_err() && self.in_transaction() {
            // SQLite has done so itself after the errors that leave nothing to go on with.
            self.exec("ROLLBACK", now_ms)?;
        }
        result
    }

    /// Runs statements with their encoded values in one transaction, handing each one's rows to `rows` with its
    /// index; all of them or none take effect.
    ///
    /// # Errors
    /// The error of the first statement that fails.
    pub fn batch(
        &mut self,
        statements: &[(StatementId, &[u8])],
        now_ms: i64,
        mut rows: impl FnMut(usize, &[u8], Fetched),
    ) -> Result<()> {
        self.transaction(now_ms, |database| {
            let mut out = Vec::new();
            for (index, &(id, values)) in statements.iter().enumerate() {
                database.bind(id, values)?;
                loop {
                    out.clear();
                    let fetched = database.fetch(id, u32::MAX, 64 * 1024, &mut out, now_ms)?;
                    rows(index, &out, fetched);
                    if fetched.done {
                        break;
                    }
                }
            }
            Ok(())
        })
    }

    /// Rows that the last INSERT, UPDATE or DELETE changed.
    pub fn changes(&self) -> i64 {
        self.connection().map_or(0, Connection::changes)
    }

    /// While steps are limited: nothing is larger than D1 allows, and the functions that it refuses are refused.
    ///
    /// # Errors
    /// What the connection was closed for.
    pub fn limit_as_d1(&mut self, limited: bool) -> Result<()> {
        self.connection()?.limit_as_d1(limited);
        Ok(())
    }

    /// Statements are a stranger's from now on: whatever takes more than about `steps` of SQLite's instructions, or of
    /// four bytes of memory filled, or of 14 ns of work inside a function, all counted together, fails with `Sql` and
    /// SQLite's code 9. A value has 16 MiB at most, a pattern of LIKE 250 bytes; there are no temporary tables, and
    /// nothing reaches past SQL into the file. With `read_only` whatever is not known to be a look is not authorized, and
    /// a commit that would change anything fails with `ReadOnly`. 0 steps end all of that.
    ///
    /// # Errors
    /// `Closed`.
    pub fn limit_steps(&mut self, steps: u64, read_only: bool) -> Result<()> {
        self.volume(|volume| {
            volume.refuse_commits(steps > 0 && read_only);
            Ok(())
        })?;
        self.connection()?.limit_steps(steps, read_only);
        Ok(())
    }

    /// Rows that all statements since the database was opened changed.
    pub fn total_changes(&self) -> i64 {
        self.connection().map_or(0, Connection::total_changes)
    }

    /// The rowid of the last INSERT.
    pub fn last_insert_rowid(&self) -> i64 {
        self.connection().map_or(0, Connection::last_insert_rowid)
    }

    /// Whether a transaction was begun and not ended.
    pub fn in_transaction(&self) -> bool {
        self.connection().is_ok_and(Connection::in_transaction)
    }

    /// Whether a transaction or a statement that was not read to its end is open.
    pub fn is_busy(&self) -> bool {
        let stepping = |held: &Held| held.compiled.as_ref().is_some_and(Statement::is_busy);
        self.importing.is_some() || self.in_transaction() || self.statements.values().any(stepping)
    }

    pub(crate) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| ErrorKind::Busy.into())
    }

    fn statement(&mut self, id: StatementId) -> Result<&mut Statement> {
        let connection = self.connection.as_ref().ok_or(Error::from(ErrorKind::Busy))?;
        self.statements.get_mut(&id).ok_or(ErrorKind::StatementUnknown)?.compiled(connection)
    }
}

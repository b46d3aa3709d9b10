//! Statements: compiling and running them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use pagemark::sql::Scanner;

use super::connection::Connection;
use super::ffi;
use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Value, Values};

/// A statement, finalised when dropped.
pub(crate) struct Statement {
    statement: *mut ffi::sqlite3_stmt,
    connection: Connection,
    /// Whether it was stepped since it was last reset.
    begun: bool,
}

/// The numbers of the counters that scripts/lib/sqlite.mjs adds to SQLite's.
const ROWS_READ: c_int = 9;
const ROWS_WRITTEN: c_int = 10;

/// What SQLite does with the bytes of a parameter.
#[derive(Clone, Copy)]
enum Keeping {
    /// It copies them.
    Copy,
    /// It reads them whenever it needs them.
    Borrow,
}

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A row, to be read before the next step.
    Row,
    /// The end; the next step begins anew.
    Done,
}

impl Connection {
    /// Runs every statement of a script, which need not be UTF-8 throughout, without looking at rows.
    pub(crate) fn exec(&self, sql: impl AsRef<[u8]>) -> Result<()> {
        let sql = sql.as_ref();
        let mut rest = sql;
        while let Some(mut statement) = self.prepare(&mut rest, false).map_err(|error| error.within(sql, rest))? {
            while let Step::Row = statement.step()? {}
        }
        Ok(())
    }

    /// Compiles the first statement of `sql` and leaves what follows it there; `None` when nothing but space and
    /// comments is left. `lasting` says that it will be run many times.
    pub(crate) fn prepare(&self, sql: &mut &[u8], lasting: bool) -> Result<Option<Statement>> {
        self.trust();
        loop {
            let longest = self.longest_statement();
            let piece = sql.get(..longest).unwrap_or(sql);
            let len = c_int::try_from(piece.len()).map_err(|_| self.error(ffi::SQLITE_TOOBIG))?;
            let flags = if lasting { ffi::SQLITE_PREPARE_PERSISTENT } else { 0 };
            let start: *const c_char = sql.as_ptr().cast();
            let (mut statement, mut tail) = (ptr::null_mut(), start);
            // SAFETY: SQLite reads `len` bytes, no NUL needed, and `tail` then points into or behind them.
            let (code, used) = unsafe {
                let code = self.budget().charging_compilation(|| {
                    ffi::sqlite3_prepare_v3(self.db(), start, len, flags, &raw mut statement, &raw mut tail)
                });
                (code, if tail.is_null() { 0 } else { tail.offset_from(start) })
            };
            let used = usize::try_from(used).unwrap_or(0);
            let statement = (!statement.is_null()).then(|| Statement::new(self.clone(), statement));
            // What was compiled, or failed, may be a part of a statement.
            if piece.len() < sql.len() && (code != ffi::SQLITE_OK || used == piece.len()) && !is_whole(piece) {
                let mut error = Error::with_detail(
                    ErrorKind::Sql,
                    format!("the statement is longer than the {longest} bytes that one may have here which only reads"),
                );
                error.sqlite = Some(ffi::SQLITE_TOOBIG);
                return Err(error);
            }
            if code != ffi::SQLITE_OK {
                return Err(self.error(code));
            }
            *sql = sql.get(used..).unwrap_or_default();
            // SQLite takes a NUL for the end, and what follows it would be passed over in silence.
            if sql.starts_with(&[0]) {
                return Err(Error::with_detail(ErrorKind::Sql, "there is a NUL character in the SQL"));
            }
            if statement.is_some() || sql.is_empty() || used == 0 {
                return Ok(statement);
            }
        }
    }

    /// Whether foreign keys are looked at when the transaction ends.
    pub(crate) fn defers_foreign_keys(&self) -> Result<bool> {
        let mut sql = &b"PRAGMA defer_foreign_keys"[..];
        let Some(mut statement) = self.prepare(&mut sql, false)? else { return Ok(false) };
        Ok(statement.step()? == Step::Row && statement.column(0)? == Value::Integer(1))
    }
}

/// Whether the first statement of a text is whole, or there is not even the beginning of one.
fn is_whole(sql: &[u8]) -> bool {
    let mut scanner = Scanner::of_scripts();
    let ends = |&byte: &u8| {
        let has_begun = scanner.has_begun();
        scanner.scan(byte) && has_begun
    };
    sql.iter().any(ends) || sql.iter().all(|byte| b"; \t\r\n".contains(byte))
}

impl Error {
    /// Makes an offset in the rest of a script one in the whole.
    fn within(mut self, whole: &[u8], rest: &[u8]) -> Self {
        let before = u32::try_from(whole.len().saturating_sub(rest.len())).unwrap_or(0);
        self.offset = self.offset.map(|offset| offset.saturating_add(before));
        self
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement is SQLite's and live; its connection is closed later.
        unsafe { ffi::sqlite3_finalize(self.statement) };
    }
}

impl Statement {
    /// `statement` must be a live one of `connection`, and nobody else's.
    pub(super) fn new(connection: Connection, statement: *mut ffi::sqlite3_stmt) -> Self {
        Self { statement, connection, begun: false }
    }

    /// Goes on to the next row or to the end. After an error or the end it has been reset.
    pub(crate) fn step(&mut self) -> Result<Step> {
        self.begun = true;
        // SAFETY: the statement is live, here and below.
        match self.connection.budget().charging(|| unsafe { ffi::sqlite3_step(self.statement) }) {
            ffi::SQLITE_ROW => Ok(Step::Row),
            ffi::SQLITE_DONE => {
                self.reset();
                self.connection.unreported().map_or(Ok(Step::Done), Err)
            }
            code => {
                let error = self.connection.error(code);
                self.reset();
                Err(error)
            }
        }
    }

    /// Begins anew; the parameters stay. What went wrong before has been said.
    pub(crate) fn reset(&mut self) {
        if self.begun {
            // SAFETY: the statement is live.
            unsafe { ffi::sqlite3_reset(self.statement) };
            self.begun = false;
        }
    }

    /// Whether it has begun and not ended.
    pub(crate) fn is_busy(&self) -> bool {
        // SAFETY: the statement is live.
        unsafe { ffi::sqlite3_stmt_busy(self.statement) != 0 }
    }

    /// How often SQLite has compiled it: once, and then whenever the schema had changed.
    pub(crate) fn compilations(&self) -> u32 {
        // SAFETY: the statement is live.
        let again = unsafe { ffi::sqlite3_stmt_status(self.statement, ffi::SQLITE_STMTSTATUS_REPREPARE, 0) };
        u32::try_from(again).unwrap_or(0).wrapping_add(1)
    }

    /// How many rows of tables and entries of indexes it has looked at since it was compiled, and how many it wrote. Only
    /// the wasm's SQLite counts them (scripts/lib/sqlite.mjs); elsewhere both are 0.
    pub(crate) fn rows_read_and_written(&self) -> (u32, u32) {
        let count = |counter: c_int| match cfg!(target_arch = "wasm32") {
            // SAFETY: the statement is live, and that SQLite has these two counters.
            true => unsafe { ffi::sqlite3_stmt_status(self.statement, counter, 0) as u32 },
            false => 0,
        };
        (count(ROWS_READ), count(ROWS_WRITTEN))
    }

    /// Whether it leaves the database as it is.
    pub(crate) fn is_readonly(&self) -> bool {
        // SAFETY: the statement is live.
        unsafe { ffi::sqlite3_stmt_readonly(self.statement) != 0 }
    }

    /// How many columns its rows have.
    pub(crate) fn columns(&self) -> usize {
        // SAFETY: the statement is live.
        usize::try_from(unsafe { ffi::sqlite3_column_count(self.statement) }).unwrap_or(0)
    }

    /// The name of a column.
    pub(crate) fn column_name(&self, column: usize) -> String {
        let Ok(column) = c_int::try_from(column) else { return String::new() };
        // SAFETY: SQLite's text, if not null, ends with NUL and stays until the next call for this column.
        unsafe {
            let text = ffi::sqlite3_column_name(self.statement, column);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }

    /// How many parameters it takes: the highest number of one.
    pub(crate) fn parameters(&self) -> usize {
        // SAFETY: the statement is live.
        usize::try_from(unsafe { ffi::sqlite3_bind_parameter_count(self.statement) }).unwrap_or(0)
    }

    /// The name of a parameter with its prefix, counted from 1; `None` for `?`.
    pub(crate) fn parameter_name(&self, parameter: usize) -> Option<String> {
        let parameter = c_int::try_from(parameter).ok()?;
        // SAFETY: SQLite's text, if not null, ends with NUL and stays as long as the statement.
        unsafe {
            let text = ffi::sqlite3_bind_parameter_name(self.statement, parameter);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// Sets its parameters to encoded values, as many as it takes. It begins anew.
    pub(crate) fn bind(&mut self, values: &[u8]) -> Result<()> {
        self.reset();
        let bound = self.bind_all(values, Keeping::Copy);
        if bound.is_err() {
            self.clear_bindings();
        }
        bound
    }

    /// Runs it from beginning to end with encoded values, without looking at rows. Its parameters are NULL afterwards.
    pub(crate) fn run(&mut self, values: &[u8]) -> Result<()> {
        self.reset();
        let ran = self.bind_all(values, Keeping::Borrow).and_then(|()| {
            while self.step()? == Step::Row {}
            Ok(())
        });
        // After its end or an error it has been reset: nothing has the borrowed bytes but the parameters.
        self.clear_bindings();
        ran
    }

    fn bind_all(&mut self, values: &[u8], keeping: Keeping) -> Result<()> {
        let mut values = Values::new(values);
        for parameter in 1..=self.parameters() {
            if values.is_empty() {
                return Err(ErrorKind::Parameters.into());
            }
            self.bind_one(parameter, values.read().ok_or(ErrorKind::Values)?, keeping)?;
        }
        if values.is_empty() { Ok(()) } else { Err(ErrorKind::Parameters.into()) }
    }

    /// Makes every parameter NULL.
    fn clear_bindings(&mut self) {
        // SAFETY: the statement is live.
        unsafe { ffi::sqlite3_clear_bindings(self.statement) };
    }

    /// Sets a parameter, counted from 1. What is borrowed must be cleared before the bytes go.
    fn bind_one(&mut self, parameter: usize, value: Value<'_>, keeping: Keeping) -> Result<()> {
        let statement = self.statement;
        let at = c_int::try_from(parameter).map_err(|_| Error::from(ErrorKind::Parameters))?;
        let bytes = |bytes: &[u8]| (bytes.as_ptr().cast::<c_void>(), bytes.len() as u64);
        let keeping = match keeping {
            Keeping::Copy => ffi::SQLITE_TRANSIENT(),
            Keeping::Borrow => ffi::SQLITE_STATIC(),
        };
        // SAFETY: the statement is live, and SQLite either copies the bytes before it returns or is made to forget them
        // by the only caller that lends them (`run`).
        let code = unsafe {
            match value {
                Value::Null => ffi::sqlite3_bind_null(statement, at),
                Value::Integer(value) => ffi::sqlite3_bind_int64(statement, at, value),
                Value::Real(value) => ffi::sqlite3_bind_double(statement, at, value),
                Value::Text(text) => {
                    let (start, len) = bytes(text);
                    ffi::sqlite3_bind_text64(statement, at, start.cast(), len, keeping, ffi::SQLITE_UTF8 as u8)
                }
                Value::Blob(blob) => {
                    let (start, len) = bytes(blob);
                    ffi::sqlite3_bind_blob64(statement, at, start, len, keeping)
                }
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.connection.error(code)) }
    }

    /// A value of the row that the last step led to. It must be done with before the next call on this statement,
    /// which the borrow sees to.
    pub(crate) fn column(&mut self, column: usize) -> Result<Value<'_>> {
        let Ok(column) = c_int::try_from(column) else { return Ok(Value::Null) };
        // SAFETY: the statement is live; SQLite's bytes stay until the next call for this row, and `self` is borrowed
        // for as long as they are. A column that is not there is NULL.
        unsafe {
            Ok(match ffi::sqlite3_column_type(self.statement, column) {
                ffi::SQLITE_INTEGER => Value::Integer(ffi::sqlite3_column_int64(self.statement, column)),
                ffi::SQLITE_FLOAT => Value::Real(ffi::sqlite3_column_double(self.statement, column)),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_column_text(self.statement, column);
                    Value::Text(self.bytes(start.cast(), column)?)
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(self.statement, column);
                    Value::Blob(self.bytes(start.cast(), column)?)
                }
                _ => Value::Null,
            })
        }
    }

    /// # Safety
    /// `start` must be what SQLite just gave for that text or blob.
    unsafe fn bytes(&self, start: *const u8, column: c_int) -> Result<&[u8]> {
        // SAFETY: the statement is live.
        let len = unsafe { ffi::sqlite3_column_bytes(self.statement, column) };
        if !start.is_null() {
            // SAFETY: SQLite says how many bytes there are.
            return Ok(unsafe { std::slice::from_raw_parts(start, usize::try_from(len).unwrap_or(0)) });
        }
        // Null is an empty blob, or a conversion for which there was no memory.
        // SAFETY: the connection is open.
        match unsafe { ffi::sqlite3_errcode(self.connection.db()) } & 0xff {
            ffi::SQLITE_NOMEM => Err(self.connection.error(ffi::SQLITE_NOMEM)),
            _ => Ok(&[]),
        }
    }
}

//! Importing SQL: what `.dump` prints, D1's exports and our own dumps, in one transaction.

use pagemark::sql::{Statement, Statements};

use super::Database;
use super::whole::each_row;
use crate::error::{Error, ErrorKind, Result};

/// The longest statement that is taken, in bytes: what SQLite itself takes, and less than what it would need of memory.
const LONGEST: usize = 256 << 20;
/// How much of a failed statement an error shows, in bytes.
const SHOWN: usize = 200;

/// SQL on its way in.
///
/// It runs while it comes, in a transaction that [`Database::import`] ends: nothing of it stays unless all of it does.
#[derive(Debug, Default)]
pub struct Import {
    statements: Statements,
    phase: Phase,
    /// How many were run.
    count: u64,
    /// Whether the database enforces foreign keys, and did not while it imports.
    foreign_keys: bool,
    /// Whether an empty database was given another page size or encoding.
    wrote_settings: bool,
    /// Whether the schema was written as a table, which SQLite does not notice by itself.
    wrote_schema: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Start,
    Transaction,
    Failed,
}

/// What a statement is, as far as an import cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Begins or ends a transaction, which all of this is already; or says what an import decides by itself.
    Skipped,
    /// Takes effect only before anything is written.
    Setting,
    /// Ends a dump that its maker could not finish.
    Rollback,
    /// Lets the statements that follow write the schema as a table.
    WritableSchema,
    Other,
}

impl Database {
    /// Runs the statements of `text`, the next piece of the SQL to import, as far as they are whole.
    ///
    /// # Errors
    /// `Busy`; `Import`, whose `line` is that of the statement that failed, with SQLite's words. Nothing of the import
    /// stays then.
    pub fn import_feed(&mut self, import: &mut Import, text: &[u8], now_ms: i64) -> Result<()> {
        if import.phase == Phase::Failed || import.phase == Phase::Start && self.is_busy() {
            return Err(ErrorKind::Busy.into());
        }
        import.statements.push(text);
        let fed = self.feed(import, now_ms);
        self.or_undo(import, fed, now_ms)
    }

    /// Ends the import: commits it. Gives how many statements were run.
    ///
    /// # Errors
    /// As [`Database::import_feed`]; also for SQL that is cut off, and for rows whose foreign keys refer to none.
    pub fn import(&mut self, mut import: Import, now_ms: i64) -> Result<u64> {
        if import.phase == Phase::Failed {
            return Err(ErrorKind::Busy.into());
        }
        let ended = self.end(&mut import, now_ms);
        self.or_undo(&mut import, ended, now_ms)?;
        self.after(&import, now_ms)?;
        Ok(import.count)
    }

    /// Gives an import up: nothing of it stays.
    ///
    /// # Errors
    /// What the store says.
    pub fn import_abort(&mut self, mut import: Import, now_ms: i64) -> Result<()> {
        self.undo(&mut import, now_ms)
    }

    fn feed(&mut self, import: &mut Import, now_ms: i64) -> Result<()> {
        loop {
            // Taken out of it for as long as a statement borrows from it.
            let mut statements = core::mem::take(&mut import.statements);
            let ran = statements.next_whole().map(|statement| self.run_imported(import, statement, now_ms));
            let ran = match ran {
                Some(ran) => ran.map(|()| true),
                None if statements.held() > LONGEST => Err(ErrorKind::ImportSize.into()),
                None => Ok(false),
            };
            import.statements = statements;
            if !ran? {
                return Ok(());
            }
        }
    }

    fn run_imported(&mut self, import: &mut Import, statement: Statement<'_>, now_ms: i64) -> Result<()> {
        let Statement { sql, line } = statement;
        let located = |error: Error| located(error, sql, line);
        match kind(sql) {
            Kind::Skipped => return Ok(()),
            Kind::Rollback => return Err(located(ErrorKind::ImportRollback.into())),
            Kind::Setting if self.bookmark().is_ok() => return Ok(()),
            Kind::Setting => import.wrote_settings = true,
            Kind::WritableSchema => import.wrote_schema = true,
            Kind::Other => {}
        }
        self.begin(import, now_ms)?;
        self.at(now_ms)?.exec(sql).map_err(located)?;
        import.count += 1;
        // COMMIT in disguise: what follows would stay whatever happens.
        if self.in_transaction() { Ok(()) } else { Err(located(ErrorKind::ImportRollback.into())) }
    }

    fn begin(&mut self, import: &mut Import, now_ms: i64) -> Result<()> {
        if import.phase == Phase::Start {
            // A dump has its rows in an order of its own; they are checked when all of them are there.
            import.foreign_keys = self.enforces_foreign_keys(now_ms)?;
            // Not IMMEDIATE, which would settle the page size.
            self.exec("PRAGMA foreign_keys = OFF; BEGIN", now_ms)?;
            import.phase = Phase::Transaction;
        }
        Ok(())
    }

    fn end(&mut self, import: &mut Import, now_ms: i64) -> Result<()> {
        let statements = core::mem::take(&mut import.statements);
        if let Some(rest) = statements.rest() {
            // The last statement needs no semicolon; what is cut off does not compile.
            self.run_imported(import, rest, now_ms)?;
        }
        self.begin(import, now_ms)?;
        if import.foreign_keys && !self.check_foreign_keys(now_ms)? {
            return Err(ErrorKind::ImportForeignKey.into());
        }
        self.exec("COMMIT", now_ms)
    }

    /// Whether every foreign key refers to a row.
    fn check_foreign_keys(&mut self, now_ms: i64) -> Result<bool> {
        let mut is_whole = true;
        each_row(self.at(now_ms)?, "PRAGMA foreign_key_check", |_| {
            is_whole = false;
            Ok(false)
        })?;
        Ok(is_whole)
    }

    fn enforces_foreign_keys(&mut self, now_ms: i64) -> Result<bool> {
        let mut enforced = false;
        each_row(self.at(now_ms)?, "PRAGMA foreign_keys", |row| {
            enforced = row.integer(0)? == Some(1);
            Ok(false)
        })?;
        Ok(enforced)
    }

    fn or_undo<T>(&mut self, import: &mut Import, result: Result<T>, now_ms: i64) -> Result<T> {
        if result.is_err() {
            // What failed first is what the caller is to hear.
            let _ = self.undo(import, now_ms);
        }
        result
    }

    fn undo(&mut self, import: &mut Import, now_ms: i64) -> Result<()> {
        let phase = core::mem::replace(&mut import.phase, Phase::Failed);
        if phase == Phase::Transaction && self.in_transaction() {
            self.exec("ROLLBACK", now_ms)?;
        }
        match phase {
            Phase::Transaction if import.wrote_settings => self.connect(),
            Phase::Transaction => self.after(import, now_ms),
            Phase::Start | Phase::Failed => Ok(()),
        }
    }

    /// Puts the connection's settings back.
    fn after(&mut self, import: &Import, now_ms: i64) -> Result<()> {
        if import.wrote_schema {
            self.exec("PRAGMA writable_schema = RESET", now_ms)?;
        }
        if import.foreign_keys {
            self.exec("PRAGMA foreign_keys = ON", now_ms)?;
        }
        Ok(())
    }
}

/// Says where in the import an error happened, and shows the statement.
fn located(error: Error, sql: &[u8], line: u64) -> Error {
    let text = String::from_utf8_lossy(sql);
    let shown: String = text.trim().chars().take(SHOWN).collect();
    let detail = format!("line {line}: {error}, in: {shown}");
    let kind = match error.kind {
        ErrorKind::Sql => ErrorKind::Import,
        kind => kind,
    };
    Error { kind, detail: Some(detail.into()), line: Some(line), ..error }
}

fn kind(sql: &[u8]) -> Kind {
    let words = words(sql);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["BEGIN" | "COMMIT" | "END", ..] => Kind::Skipped,
        ["ROLLBACK", "TO", ..] | ["ROLLBACK", "TRANSACTION", "TO"] => Kind::Other,
        ["ROLLBACK", ..] => Kind::Rollback,
        ["PRAGMA", "FOREIGN_KEYS" | "DEFER_FOREIGN_KEYS", ..] => Kind::Skipped,
        ["PRAGMA", "PAGE_SIZE" | "ENCODING" | "AUTO_VACUUM", ..] => Kind::Setting,
        ["PRAGMA", "WRITABLE_SCHEMA", ..] => Kind::WritableSchema,
        _ => Kind::Other,
    }
}

/// The first three words of a statement, in upper case, as far as it begins with words.
fn words(sql: &[u8]) -> Vec<String> {
    let mut rest = sql;
    let mut words = Vec::new();
    while words.len() < 3 {
        rest = rest.trim_ascii_start();
        if let Some(comment) = rest.strip_prefix(b"--") {
            let end = comment.iter().position(|&byte| byte == b'\n').unwrap_or(comment.len());
            rest = comment.get(end..).unwrap_or_default();
        } else if let Some(comment) = rest.strip_prefix(b"/*") {
            let end = comment.windows(2).position(|two| two == b"*/").map_or(comment.len(), |at| at + 2);
            rest = comment.get(end..).unwrap_or_default();
        } else {
            let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            if word.is_empty() {
                break;
            }
            words.push(String::from_utf8_lossy(word).to_ascii_uppercase());
            rest = after;
        }
    }
    words
}

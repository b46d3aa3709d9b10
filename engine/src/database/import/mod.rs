//! Importing SQL: what `.dump` prints, D1's exports, our own dumps, and scripts.
//!
//! An import does what the `sqlite3` shell does with a file, on a connection of its own: transactions, settings and
//! VACUUM are SQLite's own affair there, and whatever the SQL sets on its connection ends with it. What it commits is
//! held back (see `volume`), so that all of it becomes one commit, or nothing of it stays.
//!
//! Statements outside a transaction of the SQL's own run in one that is begun for them, which spares a commit for each.
//! It is ended before what SQLite does not take, or takes differently, within one.

mod keys;
mod problems;
mod virtual_tables;
mod wording;

use pagemark::sql::{Input, Statement, Statements, keywords, pragma};

use self::problems::Keys;
use self::wording::{foreign, located};
use super::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::Connection;

/// The longest statement that is taken, in bytes: what SQLite itself takes, and less than what it would need of memory.
const LONGEST: usize = 256 << 20;

/// SQL on its way in.
///
/// It runs while it comes, and [`Database::import`] ends it: nothing of it stays unless all of it does.
#[derive(Debug, Default)]
pub struct Import {
    input: Input,
    statements: Statements,
    phase: Phase,
    transaction: Transaction,
    keys: Keys,
    /// See [`Database::limit_steps`]; 0 when the SQL is not a stranger's.
    steps: u64,
    /// How many statements were run.
    count: u64,
    /// Whether the schema was written as a table, which SQLite does not notice by itself.
    wrote_schema: bool,
    /// The text encoding that the database had, as [`crate::volume::Volume::encoding`] says it.
    encoding: u32,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// How many statements were run.
    pub statements: u64,
    /// How many rows they inserted, updated or deleted.
    pub changes: i64,
    /// The rowid of the last row that was inserted.
    pub last_insert_rowid: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Start,
    Running,
    Ended,
}

/// Which transaction is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Transaction {
    #[default]
    None,
    /// The one that is begun for statements outside any.
    Ours,
    /// One that the SQL began, in this line.
    Its(u64),
}

/// How a statement is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In a transaction, of the SQL's own or ours.
    Within,
    /// In no transaction of ours.
    Apart,
    /// Like that, but not in a transaction of its own, and not when it is a stranger's.
    Vacuum,
    /// Ends a dump that its maker could not finish.
    Rollback,
    /// A line that is a command of the `sqlite3` shell.
    Shell,
}

impl Import {
    /// An import of a stranger's SQL: each piece of it may take as much as [`Database::limit_steps`] says; 0 is no limit.
    pub fn limited(steps: u64) -> Self {
        Self { steps, ..Self::default() }
    }
}

impl Database {
    /// Runs the statements of `text`, the next piece of the SQL to import, as far as they are whole. Until the import has
    /// ended nothing else runs on the database.
    ///
    /// # Errors
    /// `Busy`; `ImportFormat` for what is no SQL; `Import` and others, whose `line` is that of the statement that failed.
    /// Nothing of the import stays then.
    pub fn import_feed(&mut self, import: &mut Import, text: &[u8], now_ms: i64) -> Result<()> {
        let fed = self.begin(import, now_ms).and_then(|()| {
            let text = import.input.decode(text).map_err(foreign)?;
            import.statements.push(&text);
            self.limiting(import.steps, |database| database.run_whole(import))
        });
        self.or_undo(import, fed)
    }

    /// Ends the import: commits it.
    ///
    /// # Errors
    /// As [`Database::import_feed`]; also for SQL that is cut off, and for rows whose foreign keys refer to none.
    pub fn import(&mut self, mut import: Import, now_ms: i64) -> Result<Imported> {
        let ended = self.begin(&mut import, now_ms).and_then(|()| {
            let text = import.input.end().map_err(foreign)?;
            import.statements.push(&text);
            self.limiting(import.steps, |database| database.run_rest(&mut import))
        });
        let imported = self.or_undo(&mut import, ended)?;
        import.phase = Phase::Ended;
        self.importing = None;
        let other_encoding = self.volume(|volume| {
            volume.hand_on()?;
            Ok(volume.encoding()? != import.encoding.max(1))
        })?;
        if import.wrote_schema {
            self.connection()?.forget_schema()?;
        }
        self.replaced(other_encoding)?;
        Ok(imported)
    }

    /// Gives an import up: nothing of it stays.
    pub fn import_abort(&mut self, mut import: Import) {
        self.undo(&mut import);
    }

    fn begin(&mut self, import: &mut Import, now_ms: i64) -> Result<()> {
        if import.phase == Phase::Ended || import.phase == Phase::Start && self.is_busy() {
            return Err(ErrorKind::Busy.into());
        }
        self.note(now_ms)?;
        if import.phase == Phase::Start {
            let enforces = self.connection()?.enforces_foreign_keys();
            self.connection()?.release_memory();
            let connection = self.new_connection()?;
            connection.set_foreign_keys(enforces);
            connection.set_importing();
            import.keys = Keys::new(enforces);
            import.encoding = self.volume(|volume| Ok(volume.encoding()?))?;
            self.volume(|volume| volume.hold())?;
            self.importing = Some(connection);
            import.phase = Phase::Running;
        }
        Ok(())
    }

    /// Runs `action`, in which statements may take so much.
    fn limiting<T>(&mut self, steps: u64, action: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let connection = self.importer()?.clone();
        connection.limit_steps(steps, false);
        let result = action(self);
        connection.limit_steps(0, false);
        result
    }

    fn importer(&self) -> Result<&Connection> {
        self.importing.as_ref().ok_or_else(|| ErrorKind::Busy.into())
    }

    fn run_whole(&mut self, import: &mut Import) -> Result<()> {
        loop {
            // Taken out of it for as long as a statement borrows from it.
            let mut statements = core::mem::take(&mut import.statements);
            let ran = statements.next_whole().map(|statement| self.run_imported(import, statement));
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

    fn run_rest(&mut self, import: &mut Import) -> Result<Imported> {
        self.run_whole(import)?;
        let statements = core::mem::take(&mut import.statements);
        if let Some(rest) = statements.rest() {
            // The last statement needs no semicolon; what is cut off does not compile.
            self.run_imported(import, rest)?;
        }
        if let Transaction::Its(line) = import.transaction {
            return Err(Error {
                line: Some(line),
                ..Error::with_detail(ErrorKind::ImportCutOff, format!("line {line}"))
            });
        }
        self.end_ours(import)?;
        self.check_keys(&import.keys)?;
        let connection = self.importer()?;
        if import.wrote_schema {
            // A schema that does not parse would make the database unusable.
            let read = connection.exec("PRAGMA writable_schema = RESET; SELECT 1 FROM sqlite_schema LIMIT 1");
            read.map_err(wording::of_import)?;
        }
        let (changes, last_insert_rowid) = (connection.total_changes(), connection.last_insert_rowid());
        Ok(Imported { statements: import.count, changes, last_insert_rowid })
    }

    fn run_imported(&mut self, import: &mut Import, statement: Statement<'_>) -> Result<()> {
        let ran = self.run_statement(import, statement);
        ran.map_err(|error| located(error, statement))
    }

    fn run_statement(&mut self, import: &mut Import, statement: Statement<'_>) -> Result<()> {
        let Statement { sql, line } = statement;
        match way(sql) {
            Way::Shell => return Err(wording::shell_command(sql)),
            Way::Rollback => return Err(ErrorKind::ImportRollback.into()),
            Way::Vacuum if import.steps > 0 || matches!(import.transaction, Transaction::Its(_)) => return Ok(()),
            Way::Within if import.transaction == Transaction::None => {
                self.importer()?.exec("BEGIN")?;
                import.transaction = Transaction::Ours;
            }
            Way::Vacuum | Way::Apart => self.end_ours(import)?,
            Way::Within => {}
        }
        import.wrote_schema |= pragma(sql).is_some_and(|name| name == "writable_schema" || name == "schema_version");
        if import.steps > 0 && virtual_tables::enters(sql) {
            import.wrote_schema = true;
            virtual_tables::enter(self.importer()?, sql)?;
        } else {
            self.run_with_keys(import, sql)?;
        }
        import.count += 1;
        let is_open = self.importer()?.in_transaction();
        import.transaction = match import.transaction {
            // It ended with what ran in it, and what was in it is not there any more.
            Transaction::Ours if !is_open => return Err(ErrorKind::ImportRollback.into()),
            Transaction::None if is_open => Transaction::Its(line),
            open if is_open => open,
            _ => Transaction::None,
        };
        Ok(())
    }

    /// Ends the transaction that is ours.
    fn end_ours(&mut self, import: &mut Import) -> Result<()> {
        if import.transaction == Transaction::Ours {
            self.run_with_keys(import, b"COMMIT")?;
            import.transaction = Transaction::None;
        }
        Ok(())
    }

    fn or_undo<T>(&mut self, import: &mut Import, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.undo(import);
        }
        result
    }

    fn undo(&mut self, import: &mut Import) {
        if core::mem::replace(&mut import.phase, Phase::Ended) == Phase::Running {
            self.importing = None;
            // It is borrowed only while a store is called.
            let _ = self.volume(|volume| {
                volume.give_up();
                Ok(())
            });
        }
    }
}

fn way(sql: &[u8]) -> Way {
    let [first, second, third, fourth] = keywords(sql);
    match first.as_str() {
        "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "CREATE" | "DROP" | "ALTER" | "WITH" | "SELECT" | "VALUES"
        | "ANALYZE" | "REINDEX" => Way::Within,
        // Without a transaction of its own a script is one transaction, as in D1, whose dumps begin with this.
        "PRAGMA" if pragma(sql).is_some_and(|name| name == "defer_foreign_keys") => Way::Within,
        "ROLLBACK" if second == "TO" || second == "TRANSACTION" && (third == "TO" || fourth == "TO") => Way::Apart,
        "ROLLBACK" => Way::Rollback,
        "VACUUM" if second != "INTO" && third != "INTO" => Way::Vacuum,
        "" if wording::is_shell_command(sql) => Way::Shell,
        _ => Way::Apart,
    }
}

//! Opening and SQL.

use pagemark::bookmark::Lineage;
use pagemark::page::PageSize;

use super::Component;
use super::exports::pagemark::engine::sqlite::{self, Guest, GuestDatabase, GuestStatement};
use super::pagemark::engine::{clock, random, store::PageStore as HostedPages, types};
use super::shared::{Shared, now_ms};
use super::states::{Moment, state_of};
use super::store::HostStore;
use super::told::{decoded, encoded};
use super::whole::{Loading, Script};
use crate::database::StatementId;
use crate::error::{Error, ErrorKind, Result};
use crate::history::Window;
use crate::memory::put_aside;
use crate::sqlite::host;
use crate::store::{MemoryStore, PageStore};
use crate::{Database as Engine, Options};

type Told<T> = Result<T, types::Error>;

/// Rows are encoded, and then decoded, in pieces of so many bytes, roughly.
const PIECE: usize = 64 * 1024;

impl Guest for Component {
    type Database = Database;
    type Statement = Statement;
    type Moment = Moment;
    type Loading = Loading;
    type Script = Script;
}

pub(super) struct Database(Shared);

impl GuestDatabase for Database {
    fn open(store: Option<HostedPages>, options: sqlite::Options) -> Told<sqlite::Database> {
        put_aside()?;
        host::set_random(random::bytes);
        host::set_utc_offset(Box::new(|seconds| Some(clock::utc_offset(seconds))));
        let bits = random::bytes(8).try_into().map_err(|_| pagemark::error::ErrorKind::Usage);
        let lineage = Lineage(u64::from_le_bytes(bits.map_err(Error::from)?));
        let store: Box<dyn PageStore> = match store {
            Some(store) => Box::new(HostStore(store)),
            None => Box::new(MemoryStore::default()),
        };
        let engine = Engine::open(store, meant(options, lineage)?, now_ms())?;
        Ok(sqlite::Database::new(Self(Shared::new(engine))))
    }

    fn execute(&self, sql: String) -> Told<()> {
        Ok(self.0.engine()?.exec(&sql, now_ms())?)
    }

    fn prepare(&self, sql: String) -> Told<sqlite::Statement> {
        Ok(sqlite::Statement::new(Statement::new(&self.0, &sql)?))
    }

    fn query(&self, sql: String, parameters: Vec<types::Value>) -> Told<sqlite::Rows> {
        let statement = Statement::new(&self.0, &sql)?;
        statement.bind(parameters)?;
        statement.next(u32::MAX)
    }

    fn in_transaction(&self) -> bool {
        self.0.engine().is_ok_and(|engine| engine.in_transaction())
    }

    fn bookmark(&self) -> Told<String> {
        Ok(self.0.engine()?.bookmark()?.to_string())
    }

    fn bookmark_at(&self, at: String) -> Told<String> {
        Ok(self.0.engine()?.bookmark_at(&at, now_ms())?.to_string())
    }

    fn states(&self) -> Vec<sqlite::State> {
        let Ok(engine) = self.0.engine() else { return Vec::new() };
        engine.states().iter().map(|record| state_of(&engine, record)).collect()
    }

    fn restore(&self, at: String, undo_ms: i64) -> Told<String> {
        Ok(self.0.engine()?.restore(&at, undo_ms, now_ms())?.to_string())
    }

    fn hold(&self, at: String, lease_ms: i64) -> Told<sqlite::Moment> {
        Ok(sqlite::Moment::new(Moment::new(&self.0, &at, lease_ms)?))
    }

    fn load(&self) -> sqlite::Loading {
        sqlite::Loading::new(Loading::new(&self.0))
    }

    fn import(&self) -> sqlite::Script {
        sqlite::Script::new(Script::new(&self.0))
    }

    fn check(&self, table: Option<String>) -> Told<sqlite::Report> {
        Ok(self.0.engine()?.check(table.as_deref(), now_ms())?.into())
    }
}

fn meant(options: sqlite::Options, lineage: Lineage) -> Result<Options> {
    let sqlite::Options { page_size, cache_kib, foreign_keys, history_commits, history_ms } = options;
    let page_size = page_size.map(|bytes| PageSize::new(bytes).ok_or(pagemark::error::ErrorKind::Usage)).transpose()?;
    let defaults = Options::new(lineage);
    let cache_kib = cache_kib.unwrap_or(defaults.cache_kib);
    let window = Window { commits: history_commits, age_ms: history_ms };
    Ok(Options { page_size, cache_kib, foreign_keys, window, ..defaults })
}

/// A statement, which ends when it is dropped.
pub(super) struct Statement {
    database: Shared,
    id: StatementId,
}

impl Statement {
    fn new(database: &Shared, sql: &str) -> Result<Self> {
        let none = || Error::with_detail(ErrorKind::Sql, "there is no statement in it");
        let (id, rest) = database.engine()?.prepare(sql, now_ms())?;
        let statement = Self { database: database.clone(), id: id.ok_or_else(none)? };
        let (after, _) = database.engine()?.prepare(rest, now_ms())?;
        let Some(after) = after else { return Ok(statement) };
        database.engine()?.finalize(after);
        let offset = u32::try_from(sql.len() - rest.len()).ok();
        let several = "this takes one statement, and here another one begins; execute takes any number";
        Err(Error { offset, ..Error::with_detail(ErrorKind::Sql, several) })
    }
}

impl GuestStatement for Statement {
    fn columns(&self) -> Told<Vec<String>> {
        Ok(self.database.engine()?.column_names(self.id)?)
    }

    fn parameters(&self) -> Told<Vec<Option<String>>> {
        Ok(self.database.engine()?.parameter_names(self.id)?)
    }

    fn is_read_only(&self) -> Told<bool> {
        Ok(self.database.engine()?.is_readonly(self.id)?)
    }

    fn run(&self, parameters: Vec<types::Value>) -> Told<sqlite::Outcome> {
        let values = encoded(&parameters)?;
        let mut engine = self.database.engine()?;
        let changes = engine.run(self.id, &values, now_ms())?;
        Ok(sqlite::Outcome { changes, last_insert_rowid: engine.last_insert_rowid() })
    }

    fn bind(&self, parameters: Vec<types::Value>) -> Told<()> {
        let values = encoded(&parameters)?;
        Ok(self.database.engine()?.bind(self.id, &values)?)
    }

    fn next(&self, most: u32) -> Told<sqlite::Rows> {
        let mut engine = self.database.engine()?;
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
        let mut left = most;
        loop {
            bytes.clear();
            let fetched = engine.fetch(self.id, left, PIECE, &mut bytes, now_ms())?;
            // The schema may have changed before the first row.
            let columns = engine.column_names(self.id)?;
            rows.extend(decoded(&bytes, columns.len())?);
            left -= fetched.rows.min(left);
            if fetched.done || left == 0 {
                return Ok(sqlite::Rows { columns, rows, done: fetched.done });
            }
        }
    }

    fn reset(&self) -> Told<()> {
        Ok(self.database.engine()?.reset(self.id)?)
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        let _ = self.database.engine().map(|mut engine| engine.finalize(self.id));
    }
}

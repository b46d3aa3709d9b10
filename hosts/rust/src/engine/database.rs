//! An open database: an instance of the component, and what it was lent.

use std::io::{Read, Write};
use std::time::Duration;

use wasmtime::component::{Resource, ResourceAny, ResourceTable};
use wasmtime::{Engine, Store};

use super::bindings::exports::pagemark::engine::sqlite::{self, Guest, Outcome, Report, Rows, State};
use super::bindings::pagemark::engine::{clock, random, store, types};
use super::bindings::{self, EnginePre};
use super::lend::{Commit, Failure, Keep, Lent, PageStore, StoreState, Surroundings};
use super::sqlite::Options;
use super::{Fault, Value};
use crate::error::{Error, Result};
use crate::limits::{Limits, Memory};

/// Of a file that is read or loaded, in bytes and in pages.
const PIECE: usize = 1 << 20;
const PAGES: u32 = 64;
const LEASE_MS: i64 = 60_000;

type Told<T> = wasmtime::Result<std::result::Result<T, types::Error>>;

/// An open database. Dropped, it is closed, and what is not committed is rolled back.
///
/// Out of fuel or memory it may be closed, too (`ENGINE_CLOSED`): what was committed is in the store, which is opened again.
/// `at` is a bookmark, a TXID of 16 hex digits, a time (RFC 3339, or seconds since 1970), an age such as `-1m`, or `latest`.
pub struct Database {
    wasm: Store<Host>,
    exports: bindings::Engine,
    handle: ResourceAny,
    limits: Limits,
    is_stopped: bool,
}

impl Database {
    pub(super) fn open(
        engine: &Engine,
        databases: &EnginePre<Host>,
        host: Host,
        store: Option<Box<dyn PageStore>>,
        options: &Options,
    ) -> Result<Self> {
        let limits = host.limits;
        let mut wasm = Store::new(engine, host);
        wasm.limiter(|host| &mut host.memory);
        refuel(&mut wasm, limits).map_err(Error::Wasm)?;
        let exports = databases.instantiate(&mut wasm).map_err(|error| wasm.data().memory.stopped(error))?;
        let options = sqlite::Options {
            page_size: options.page_size,
            cache_kib: options.cache_kib,
            foreign_keys: options.foreign_keys,
            history_commits: options.history_commits,
            history_ms: millis(options.history),
        };
        let lent = store.map(|store| wasm.data_mut().table.push(Lent(store))).transpose();
        let lent = lent.map_err(|error| Error::Wasm(error.into()))?;
        let opened = exports.pagemark_engine_sqlite().database().call_open(&mut wasm, lent, options);
        let handle = opened.map_err(|error| wasm.data().memory.stopped(error))??;
        Ok(Self { wasm, exports, handle, limits, is_stopped: false })
    }

    /// Runs any number of statements, whose rows nobody looks at.
    ///
    /// # Errors
    /// [`Error::Sql`]; what the store fails with.
    pub fn execute(&mut self, sql: &str) -> Result<()> {
        self.call(|wasm, exports, database| exports.database().call_execute(wasm, database, sql))
    }

    /// Runs one statement and gives all of its rows.
    ///
    /// # Errors
    /// As [`Database::execute`]; `ENGINE_PARAMETERS`.
    pub fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Rows> {
        self.call(|wasm, exports, database| exports.database().call_query(wasm, database, sql, parameters))
    }

    /// Runs one statement, whose rows nobody looks at.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn run(&mut self, sql: &str, parameters: &[Value]) -> Result<Outcome> {
        self.run_many(sql, [parameters])
    }

    /// Runs one statement for each of several rows of parameters; within a transaction that makes one commit.
    ///
    /// # Errors
    /// As [`Database::query`]. What ran before stays, as its transaction does.
    pub fn run_many<'a>(&mut self, sql: &str, rows: impl IntoIterator<Item = &'a [Value]>) -> Result<Outcome> {
        let statement = self.call(|wasm, exports, database| exports.database().call_prepare(wasm, database, sql))?;
        self.with(statement, |this| {
            let mut all = Outcome { changes: 0, last_insert_rowid: 0 };
            for parameters in rows {
                let done = this.call(|wasm, exports, _| exports.statement().call_run(wasm, statement, parameters))?;
                all = Outcome { changes: all.changes + done.changes, ..done };
            }
            Ok(all)
        })
    }

    /// Whether a transaction is open.
    ///
    /// # Errors
    /// [`Error::OutOfFuel`], and what else stops a component.
    pub fn in_transaction(&mut self) -> Result<bool> {
        self.call(|wasm, exports, database| Ok(Ok(exports.database().call_in_transaction(wasm, database)?)))
    }

    /// The bookmark of the newest commit.
    ///
    /// # Errors
    /// `DATABASE_EMPTY` before the first.
    pub fn bookmark(&mut self) -> Result<String> {
        self.call(|wasm, exports, database| exports.database().call_bookmark(wasm, database))
    }

    /// The bookmark of a state.
    ///
    /// # Errors
    /// `AT_SYNTAX`, and others that say why there is none.
    pub fn bookmark_at(&mut self, at: &str) -> Result<String> {
        self.call(|wasm, exports, database| exports.database().call_bookmark_at(wasm, database, at))
    }

    /// The states that can be read, the oldest first.
    ///
    /// # Errors
    /// [`Error::OutOfFuel`], and what else stops a component.
    pub fn states(&mut self) -> Result<Vec<State>> {
        self.call(|wasm, exports, database| Ok(Ok(exports.database().call_states(wasm, database)?)))
    }

    /// Goes back to a state, in a new commit. Gives the bookmark that undoes it, which is kept for so long.
    ///
    /// # Errors
    /// As [`Database::bookmark_at`]; what the store fails with.
    pub fn restore(&mut self, at: &str, undo: Duration) -> Result<String> {
        let undo_ms = millis(undo);
        self.call(|wasm, exports, database| exports.database().call_restore(wasm, database, at, undo_ms))
    }

    /// Writes a state as a database file. It is whole once this has returned.
    ///
    /// # Errors
    /// As [`Database::bookmark_at`]; [`Error::Io`] with what `output` fails with.
    pub fn write_file(&mut self, at: &str, mut output: impl Write) -> Result<()> {
        let moment = self.call(|wasm, exports, database| exports.database().call_hold(wasm, database, at, LEASE_MS))?;
        self.with(moment, |this| {
            let held = this.call(|wasm, exports, _| Ok(Ok(exports.moment().call_held(wasm, moment)?)))?;
            for first in (1..=held.page_count).step_by(PAGES as usize) {
                this.call(|wasm, exports, _| exports.moment().call_renew(wasm, moment, LEASE_MS))?;
                let count = PAGES.min(held.page_count + 1 - first);
                let bytes = this.call(|wasm, exports, _| exports.moment().call_read(wasm, moment, first, count))?;
                output.write_all(&bytes)?;
            }
            Ok(output.flush()?)
        })
    }

    /// Makes the content that of a database file, as one commit.
    ///
    /// # Errors
    /// `DATABASE_NOT_SQLITE` and others; [`Error::Io`] with what `input` fails with. Nothing has changed then.
    pub fn load(&mut self, input: impl Read) -> Result<()> {
        let loading = self.call(|wasm, exports, database| Ok(Ok(exports.database().call_load(wasm, database)?)))?;
        self.with(loading, |this| {
            this.feed(input, |wasm, exports, piece| exports.loading().call_feed(wasm, loading, piece))?;
            this.call(|wasm, exports, _| exports.loading().call_finish(wasm, loading))
        })
    }

    /// Runs SQL, a dump for one, as one commit: all of it or nothing takes effect.
    ///
    /// # Errors
    /// `IMPORT_STATEMENT` with its line; [`Error::Io`] with what `input` fails with. Nothing has changed then.
    pub fn import(&mut self, input: impl Read) -> Result<Outcome> {
        let script = self.call(|wasm, exports, database| Ok(Ok(exports.database().call_import(wasm, database)?)))?;
        self.with(script, |this| {
            this.feed(input, |wasm, exports, piece| exports.script().call_feed(wasm, script, piece))?;
            this.call(|wasm, exports, _| exports.script().call_finish(wasm, script))
        })
    }

    /// Whether it, or one table of it, is whole, and its foreign keys refer to rows.
    ///
    /// # Errors
    /// As [`Database::execute`].
    pub fn check(&mut self, table: Option<&str>) -> Result<Report> {
        self.call(|wasm, exports, database| exports.database().call_check(wasm, database, table))
    }

    /// Gives a resource all pieces of what comes in.
    fn feed(
        &mut self,
        mut input: impl Read,
        mut take: impl FnMut(&mut Store<Host>, &Guest, &[u8]) -> Told<()>,
    ) -> Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            match input.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => self.call(|wasm, exports, _| take(wasm, exports, &piece[..length]))?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Does something with what the component made, which ends with it.
    fn with<T>(&mut self, made: ResourceAny, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let done = run(self);
        if !self.is_stopped {
            self.call(|wasm, _, _| Ok(Ok(made.resource_drop(wasm)?)))?;
        }
        done
    }

    fn call<T>(&mut self, run: impl FnOnce(&mut Store<Host>, &Guest, ResourceAny) -> Told<T>) -> Result<T> {
        if self.is_stopped {
            return Err(types::Error::Caller(closed()).into());
        }
        refuel(&mut self.wasm, self.limits).map_err(Error::Wasm)?;
        match run(&mut self.wasm, self.exports.pagemark_engine_sqlite(), self.handle) {
            Ok(told) => Ok(told?),
            Err(error) => {
                // Nothing can be called in an instance that has trapped.
                self.is_stopped = true;
                Err(self.wasm.data().memory.stopped(error))
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let handle = self.handle;
        let _ = self.call(|wasm, _, _| Ok(Ok(handle.resource_drop(wasm)?)));
    }
}

fn refuel(wasm: &mut Store<Host>, limits: Limits) -> wasmtime::Result<()> {
    limits.fuel.map_or(Ok(()), |fuel| wasm.set_fuel(fuel))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn closed() -> Fault {
    let message = "the database is closed; open it again".to_owned();
    Fault { code: "ENGINE_CLOSED".to_owned(), message, sqlite: None, offset: None, line: None }
}

/// What an instance is lent.
pub(super) struct Host {
    limits: Limits,
    memory: Memory,
    surroundings: Box<dyn Surroundings>,
    table: ResourceTable,
}

impl Host {
    pub(super) fn new(limits: Limits, surroundings: Box<dyn Surroundings>) -> Self {
        Self { limits, memory: Memory::new(limits), surroundings, table: ResourceTable::new() }
    }

    fn store(&mut self, store: &Resource<Lent>) -> std::result::Result<&mut dyn PageStore, Failure> {
        match self.table.get_mut(store) {
            Ok(lent) => Ok(lent.0.as_mut()),
            Err(error) => Err(Failure::Failed(error.to_string())),
        }
    }
}

impl types::Host for Host {}

impl store::Host for Host {}

impl store::HostPageStore for Host {
    fn open(&mut self, store: Resource<Lent>) -> std::result::Result<Option<StoreState>, Failure> {
        self.store(&store)?.open()
    }

    fn read(&mut self, store: Resource<Lent>, page: u32, txid: u64) -> std::result::Result<Vec<u8>, Failure> {
        self.store(&store)?.read(page, txid)
    }

    fn commit(&mut self, store: Resource<Lent>, commit: Commit) -> std::result::Result<(), Failure> {
        self.store(&store)?.commit(commit)
    }

    fn retain(&mut self, store: Resource<Lent>, keep: Keep) -> std::result::Result<(), Failure> {
        self.store(&store)?.retain(keep)
    }

    fn changed(&mut self, store: Resource<Lent>, after: u64, upto: u64) -> std::result::Result<Vec<u32>, Failure> {
        self.store(&store)?.changed(after, upto)
    }

    fn drop(&mut self, store: Resource<Lent>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl clock::Host for Host {
    fn now_ms(&mut self) -> i64 {
        self.surroundings.now_ms()
    }

    fn utc_offset(&mut self, seconds: i64) -> i32 {
        self.surroundings.utc_offset(seconds)
    }
}

impl random::Host for Host {
    fn bytes(&mut self, count: u32) -> Vec<u8> {
        self.surroundings.random(count)
    }
}

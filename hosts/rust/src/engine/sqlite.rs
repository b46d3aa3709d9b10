//! The engine's component, compiled once.

use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};

use super::bindings::{self, EnginePre};
use super::database::{Database, Host};
use super::lend::{PageStore, Surroundings, System};
use crate::error::{Error, Result};
use crate::limits::{Limits, compile};

/// The component as it is built beside this crate.
const COMPONENT: &[u8] = include_bytes!("../../component/engine.wasm");

/// How a database is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// In bytes, for a database that holds nothing yet; 4096 unless given.
    pub page_size: Option<u32>,
    /// Limit of SQLite's page cache, in KiB; 16 MiB unless given.
    pub cache_kib: Option<u32>,
    /// Whether foreign keys are enforced.
    pub foreign_keys: bool,
    /// States are kept so many commits back,
    pub history_commits: u32,
    /// and so far back.
    pub history: Duration,
}

/// The engine's component, ready to open databases. Make one for a process. [`Limits`] are those of a database: of its memory,
/// and of the work of each call.
#[derive(Clone)]
pub struct Sqlite {
    engine: wasmtime::Engine,
    databases: EnginePre<Host>,
    limits: Limits,
}

impl Sqlite {
    /// The component that was built with this crate.
    ///
    /// # Errors
    /// [`Error::Wasm`] when this machine cannot run it.
    pub fn new(limits: Limits) -> Result<Self> {
        let load = || {
            let (engine, component) = compile(COMPONENT, limits)?;
            let mut linker = Linker::new(&engine);
            bindings::Engine::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)?;
            let databases = EnginePre::new(linker.instantiate_pre(&component)?)?;
            Ok(Self { engine, databases, limits })
        };
        load().map_err(Error::Wasm)
    }

    /// Opens what a store holds.
    ///
    /// # Errors
    /// `ENGINE_DAMAGED` and others; what the store fails with.
    pub fn open(&self, store: impl PageStore + 'static, options: &Options) -> Result<Database> {
        self.open_in(System::default(), Some(Box::new(store)), options)
    }

    /// An empty database in memory, which is gone when it is dropped.
    ///
    /// # Errors
    /// `USAGE` for a page size that SQLite does not have.
    pub fn open_in_memory(&self, options: &Options) -> Result<Database> {
        self.open_in(System::default(), None, options)
    }

    /// With another clock and other random bytes than this machine's; in memory without a store.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_in(
        &self,
        surroundings: impl Surroundings + 'static,
        store: Option<Box<dyn PageStore>>,
        options: &Options,
    ) -> Result<Database> {
        let host = Host::new(self.limits, Box::new(surroundings));
        Database::open(&self.engine, &self.databases, host, store, options)
    }
}

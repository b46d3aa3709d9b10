//! The component, compiled once.

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::backups::Backups;
use crate::bindings;
use crate::error::{Error, Result};
use crate::job::{Job, Lent};
use crate::lend::Store;
use crate::limits::{Limits, compile};
use crate::{StoredDatabase, backups};

/// The component as it is built beside this crate.
const COMPONENT: &[u8] = include_bytes!("../component/pagemark.wasm");

/// The component, ready to run jobs. Make one for a process. The first on a machine takes a second or two of a processor;
/// what was compiled is kept where wasmtime keeps such things, `~/.cache/wasmtime`.
#[derive(Clone)]
pub struct Pagemark {
    engine: Engine,
    backups: bindings::BackupsPre<Lent>,
    limits: Limits,
}

impl Pagemark {
    /// The component that was built with this crate.
    ///
    /// # Errors
    /// [`Error::Wasm`] when this machine cannot run it.
    pub fn new(limits: Limits) -> Result<Self> {
        Self::from_bytes(COMPONENT, limits)
    }

    /// Another build of it, of the same or an older minor version.
    ///
    /// # Errors
    /// [`Error::Wasm`] when it is no component, or one of another version.
    pub fn from_bytes(component: &[u8], limits: Limits) -> Result<Self> {
        let load = || {
            let (engine, component) = compile(component, limits)?;
            let mut linker = Linker::new(&engine);
            bindings::Backups::add_to_linker::<_, HasSelf<Lent>>(&mut linker, |lent| lent)?;
            let backups = bindings::BackupsPre::new(linker.instantiate_pre(&component)?)?;
            Ok(Self { engine, backups, limits })
        };
        load().map_err(Error::Wasm)
    }

    /// The backups of the database that goes by `name` in `store`.
    pub fn backups(&self, name: &str, store: Arc<dyn Store>) -> Backups {
        Backups::new(self.clone(), name, store)
    }

    /// The databases that have backups in a store, by name.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn databases(&self, store: Arc<dyn Store>) -> Result<Vec<StoredDatabase>> {
        backups::databases(self, store)
    }

    /// The same component with other limits. With fuel where there was none, or the other way round, it is compiled anew.
    ///
    /// # Errors
    /// As [`Pagemark::new`].
    pub fn with_limits(&self, limits: Limits) -> Result<Self> {
        match limits.fuel.is_some() == self.limits.fuel.is_some() {
            true => Ok(Self { limits, ..self.clone() }),
            false => Self::new(limits),
        }
    }

    /// A new instance, for one job.
    pub(crate) fn begin(&self, lent: Lent) -> Result<Job> {
        Job::begin(&self.engine, &self.backups, self.limits, lent)
    }
}

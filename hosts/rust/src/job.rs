//! One instance of the component, what it was lent, and what it is held to.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::Engine;
use wasmtime::component::{Resource, ResourceTable};

use crate::bindings::pagemark::core::{clock, database, output, progress, random, store, types};
use crate::bindings::{self, BackupsPre};
use crate::error::{Error, Result};
use crate::lend::{Database, Failure, Files, Layout, Listing, Part, Progress, Store, Upload, failure};
use crate::limits::{Limits, Memory};

/// An object that the component writes.
pub struct Begun(Box<dyn Upload>);

type Done<T> = std::result::Result<T, Failure>;
/// Takes what a restore or a dump writes.
pub(crate) type Output = Box<dyn FnMut(&[u8]) -> std::io::Result<()> + Send>;
/// Is told how far a job is; `false` cancels it.
pub(crate) type OnProgress = Box<dyn FnMut(Progress) -> bool + Send>;

/// What a job is lent.
pub(crate) struct Lent {
    store: Arc<dyn Store>,
    database: Option<Box<dyn Database>>,
    output: Option<Output>,
    on_progress: Option<OnProgress>,
    uploads: ResourceTable,
    memory: Memory,
    /// What the output failed with, which is the caller's own.
    failed: Option<std::io::Error>,
}

impl Lent {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let uploads = ResourceTable::new();
        let (database, output, on_progress, failed) = (None, None, None, None);
        let memory = Memory::new(Limits::default());
        Self { store, database, output, on_progress, uploads, memory, failed }
    }

    /// With a database, too.
    pub(crate) fn database(self, database: impl Database + 'static) -> Self {
        Self { database: Some(Box::new(database)), ..self }
    }

    /// With what takes what the job writes.
    pub(crate) fn output(self, write: impl FnMut(&[u8]) -> std::io::Result<()> + Send + 'static) -> Self {
        Self { output: Some(Box::new(write)), ..self }
    }

    /// Told how far the job is.
    pub(crate) fn telling(self, on_progress: impl FnMut(Progress) -> bool + Send + 'static) -> Self {
        Self { on_progress: Some(Box::new(on_progress)), ..self }
    }

    fn lent(&mut self) -> Done<&mut dyn Database> {
        match &mut self.database {
            Some(database) => Ok(database.as_mut()),
            None => Err(failure("HOST_ANSWER", "no database was lent for this job")),
        }
    }

    fn upload(&mut self, upload: &Resource<Begun>) -> Done<&mut dyn Upload> {
        let begun = self.uploads.get_mut(upload).map_err(|error| failure("HOST_ANSWER", error.to_string()))?;
        Ok(begun.0.as_mut())
    }
}

/// An instance.
pub(crate) struct Job {
    wasm: wasmtime::Store<Lent>,
    exports: bindings::Backups,
}

impl Job {
    pub(crate) fn begin(engine: &Engine, backups: &BackupsPre<Lent>, limits: Limits, mut lent: Lent) -> Result<Self> {
        lent.memory = Memory::new(limits);
        let mut wasm = wasmtime::Store::new(engine, lent);
        wasm.limiter(|lent| &mut lent.memory);
        let begin = || {
            if let Some(fuel) = limits.fuel {
                wasm.set_fuel(fuel)?;
            }
            let exports = backups.instantiate(&mut wasm)?;
            Ok(Self { wasm, exports })
        };
        begin().map_err(Error::Wasm)
    }

    /// Calls an export, and says why it came to nothing.
    pub(crate) fn call<T>(
        &mut self,
        run: impl FnOnce(
            &mut wasmtime::Store<Lent>,
            &bindings::Backups,
        ) -> wasmtime::Result<std::result::Result<T, types::Error>>,
    ) -> Result<T> {
        let outcome = run(&mut self.wasm, &self.exports);
        let lent = self.wasm.data_mut();
        if let Some(error) = lent.failed.take() {
            return Err(Error::Io(error));
        }
        match outcome {
            Ok(outcome) => Ok(outcome?),
            Err(error) => Err(lent.memory.stopped(error)),
        }
    }
}

impl types::Host for Lent {}

impl store::Host for Lent {
    fn layout_of(&mut self) -> Layout {
        self.store.layout()
    }

    fn list_page(&mut self, prefix: String, cursor: Option<String>) -> Done<Listing> {
        self.store.list(&prefix, cursor.as_deref())
    }

    fn get(&mut self, key: String, offset: u64, length: u32) -> Done<Vec<u8>> {
        self.store.get(&key, offset, length)
    }

    fn delete(&mut self, key: String) -> Done<()> {
        self.store.delete(&key)
    }

    fn create(&mut self, key: String, modified_ms: i64) -> Done<Resource<Begun>> {
        let begun = Begun(self.store.create(&key, modified_ms)?);
        self.uploads.push(begun).map_err(|error| failure("HOST_ANSWER", error.to_string()))
    }
}

impl store::HostUpload for Lent {
    fn append(&mut self, upload: Resource<Begun>, bytes: Vec<u8>) -> Done<()> {
        self.upload(&upload)?.append(&bytes)
    }

    fn finish(&mut self, upload: Resource<Begun>) -> Done<()> {
        self.upload(&upload)?.finish()
    }

    fn drop(&mut self, upload: Resource<Begun>) -> wasmtime::Result<()> {
        self.uploads.delete(upload)?;
        Ok(())
    }
}

impl database::Host for Lent {
    fn pin(&mut self) -> Done<Files> {
        self.lent()?.pin()
    }

    fn read(&mut self, part: Part, offset: u64, length: u32) -> Done<Vec<u8>> {
        self.lent()?.read(part, offset, length)
    }

    fn release(&mut self) -> Done<()> {
        self.lent()?.release()
    }
}

impl output::Host for Lent {
    fn write(&mut self, bytes: Vec<u8>) -> Done<()> {
        let Some(output) = &mut self.output else {
            return Err(failure("HOST_ANSWER", "nothing takes what this job writes"));
        };
        output(&bytes).map_err(|error| {
            self.failed = Some(error);
            Failure::Canceled
        })
    }
}

impl clock::Host for Lent {
    fn now_ms(&mut self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn wait(&mut self, ms: u32) {
        std::thread::sleep(Duration::from_millis(ms.into()));
    }
}

impl random::Host for Lent {
    fn bytes(&mut self, count: u32) -> Vec<u8> {
        let mut bytes = vec![0; count.min(1024) as usize];
        // Without random numbers the component says that its host has none.
        getrandom::fill(&mut bytes).map_or(Vec::new(), |()| bytes)
    }
}

impl progress::Host for Lent {
    fn report(&mut self, phase: progress::Phase, done: u64, total: u64) -> bool {
        self.on_progress.as_mut().is_none_or(|on_progress| on_progress(Progress { phase, done, total }))
    }
}

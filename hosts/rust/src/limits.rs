//! What an instance may use, and how it ends when it wants more.

use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config, Engine, ResourceLimiter, Trap};

use crate::error::Error;

/// What one job, or one call of a database, may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Memory, in bytes; 64 MiB are enough for backups of databases of some 5 GB.
    pub memory: usize,
    /// Work, in wasmtime's units, about one an instruction; `None` does not bound it.
    pub fuel: Option<u64>,
}

impl Default for Limits {
    /// 64 MiB, and as much work as it takes.
    fn default() -> Self {
        Self { memory: 64 << 20, fuel: None }
    }
}

/// The memory of an instance.
pub(crate) struct Memory {
    allowed: usize,
    is_refused: bool,
}

impl Memory {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { allowed: limits.memory, is_refused: false }
    }

    /// Why an instance stopped.
    pub(crate) fn stopped(&self, error: wasmtime::Error) -> Error {
        match error.downcast_ref() {
            Some(&Trap::OutOfFuel) => Error::OutOfFuel,
            _ if self.is_refused => Error::OutOfMemory,
            _ => Error::Wasm(error),
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let is_allowed = desired <= self.allowed;
        self.is_refused |= !is_allowed;
        Ok(is_allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}

/// Compiles a component, or takes what an earlier process compiled and wasmtime kept.
pub(crate) fn compile(component: &[u8], limits: Limits) -> wasmtime::Result<(Engine, Component)> {
    let mut config = Config::new();
    config.consume_fuel(limits.fuel.is_some());
    // Where there is no folder for it, the component is compiled each time.
    config.cache(Cache::new(CacheConfig::new()).ok());
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    Ok((engine, component))
}

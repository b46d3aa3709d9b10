//! Why a job came to nothing.

use std::fmt;

use crate::bindings::pagemark::core::types::{self, Fault, Place};
use crate::engine;

/// What a job comes to.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a job came to nothing: whose matter it is. Match on [`Error::code`], which is stable.
#[derive(Debug)]
pub enum Error {
    /// The caller's: what was asked for is not there, or cannot be.
    Caller(Fault),
    /// That of whoever wrote the SQL: SQLite refuses it, or it failed ([`engine`]).
    Sql(engine::Fault),
    /// That of whoever handed in the database: it is none, or is damaged.
    Input(Fault),
    /// That of whoever keeps the store: objects are not what was stored.
    Damage(Fault),
    /// Somebody else's at the moment: the same call may do later.
    Busy(Fault),
    /// The store's or the host's: it failed, or is full.
    Store(Fault),
    /// Nobody's: the job was canceled, and nothing half-done is listed.
    Canceled,
    /// A defect of the host, which answered what the interface does not allow, or of Pagemark.
    Defect(Fault),
    /// The job used up its fuel. Nothing half-done is listed; give it more, or go on from a saved state.
    OutOfFuel,
    /// The job wanted more memory than [`Limits`](crate::Limits) allows. Nothing half-done is listed.
    OutOfMemory,
    /// The component cannot be loaded, or stopped: a defect of Pagemark or of wasmtime.
    Wasm(wasmtime::Error),
    /// What this crate itself did with files failed.
    Io(std::io::Error),
}

impl Error {
    /// Stable; see docs/errors.md.
    pub fn code(&self) -> &str {
        match self {
            Self::Canceled => "CANCELED",
            Self::OutOfFuel => "OUT_OF_FUEL",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::Wasm(_) => "WASM_STOPPED",
            Self::Io(_) => "IO_FAILED",
            Self::Sql(fault) => &fault.code,
            _ => self.fault().map_or("", |fault| &fault.code),
        }
    }

    /// What the component says of it, but of SQL.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Caller(fault)
            | Self::Input(fault)
            | Self::Damage(fault)
            | Self::Busy(fault)
            | Self::Store(fault)
            | Self::Defect(fault) => Some(fault),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => f.write_str("CANCELED: the job was canceled; nothing half-done is left"),
            Self::OutOfFuel => {
                f.write_str("OUT_OF_FUEL: the job used up its fuel; give it more, or go on from a saved state")
            }
            Self::OutOfMemory => {
                f.write_str("OUT_OF_MEMORY: the job wants more memory than it may have; allow it more")
            }
            Self::Wasm(error) => write!(f, "WASM_STOPPED: {error:#}"),
            Self::Io(error) => write!(f, "IO_FAILED: {error}"),
            Self::Sql(fault) => write!(f, "{}: {}", fault.code, fault.message),
            _ => self.fault().map_or(Ok(()), |Fault { code, message, .. }| write!(f, "{code}: {message}")),
        }
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Caller(fault) => Self::Caller(fault),
            types::Error::Input(fault) => Self::Input(fault),
            types::Error::Damage(fault) => Self::Damage(fault),
            types::Error::Busy(fault) => Self::Busy(fault),
            types::Error::Store(fault) => Self::Store(fault),
            types::Error::Canceled => Self::Canceled,
            types::Error::Defect(fault) => Self::Defect(fault),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        let plain = |fault: engine::Fault| {
            let at = fault.offset.map_or(Place::Whole, |offset| Place::Offset(offset.into()));
            Fault { code: fault.code, message: fault.message, at, name: None }
        };
        match error {
            engine::Error::Caller(fault) => Self::Caller(plain(fault)),
            engine::Error::Sql(fault) => Self::Sql(fault),
            engine::Error::Input(fault) => Self::Input(plain(fault)),
            engine::Error::Damage(fault) => Self::Damage(plain(fault)),
            engine::Error::Busy(fault) => Self::Busy(plain(fault)),
            engine::Error::Store(fault) => Self::Store(plain(fault)),
            engine::Error::Defect(fault) => Self::Defect(plain(fault)),
        }
    }
}

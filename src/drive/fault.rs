//! Why a job came to nothing, as whoever called it is told.

use core::fmt;

use super::lend::HostError;
use crate::catalog::PlanError;
use crate::catalog::identity::Sign;
use crate::error::{At, Class, Error, ErrorKind};
use crate::run::{Failure, FailureKind};

/// Why a job came to nothing. Match on the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose matter it is.
    pub class: Class,
    /// Stable; see docs/errors.md.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// Where in what is named.
    pub at: At,
    /// Key of the object, or name of the database.
    pub name: Option<String>,
    /// What machines must know of it.
    pub(super) kind: FailureKind,
}

/// What comes of a step of a job.
pub(super) type Done<T> = Result<T, Fault>;

impl Fault {
    /// A fault of this class and code, about `name`.
    pub(super) fn new(class: Class, code: &str, name: Option<&str>, message: impl Into<String>) -> Self {
        let name = name.map(str::to_owned);
        Self { class, code: code.to_owned(), message: message.into(), at: At::Input, name, kind: FailureKind::Other }
    }

    /// A stored object is not what was stored.
    pub(super) fn damaged(key: &str, what: impl fmt::Display) -> Self {
        let message = format!("{key} {what}: it is damaged; restore another backup, or put the object back");
        Self { kind: FailureKind::Damaged, ..Self::new(Class::Damage, "OBJECT_DAMAGED", Some(key), message) }
    }

    /// The host did what its interface does not allow.
    pub(super) fn host(what: impl fmt::Display) -> Self {
        let message = format!("the host {what}; this is a defect of the host");
        Self::new(Class::Defect, "HOST_ANSWER", None, message)
    }

    /// The store is encrypted, and nothing here has keys.
    pub(super) fn encrypted() -> Self {
        let message = "the store is encrypted, and this host opens none; use `pagemark` (npm) with its key";
        Self::new(Class::Caller, "KEY_WRONG", None, message)
    }

    /// The job was canceled.
    pub(super) fn canceled() -> Self {
        let fault = Self::new(Class::Caller, "CANCELED", None, "it was canceled; nothing half-done is left");
        Self { kind: FailureKind::Canceled, ..fault }
    }

    /// The database changed while it was read.
    pub(super) fn changed() -> Self {
        let message = "the database was changed while it was read; try again, preferably when nobody writes to it";
        Self { kind: FailureKind::Changed, ..Self::new(Class::Busy, "SOURCE_CHANGED", None, message) }
    }

    /// A fault of the host, about the object or database `name`.
    pub(super) fn lent(error: HostError, name: &str) -> Self {
        let known = |kind, class, code, message: String| Self { kind, ..Self::new(class, code, Some(name), message) };
        match error {
            HostError::Exists => {
                let message = format!("the store already holds {name:?}");
                known(FailureKind::Exists, Class::Busy, "OBJECT_EXISTS", message)
            }
            HostError::Missing => {
                let what = "it was deleted or moved; put it back, or restore another backup";
                let message = format!("the store lacks {name:?}: {what}");
                known(FailureKind::Missing, Class::Damage, "OBJECT_MISSING", message)
            }
            HostError::Changed => Self::changed(),
            HostError::Canceled => Self::canceled(),
            HostError::Failed { code, message } => known(FailureKind::Other, Class::Store, &code, message),
        }
    }

    /// A fault of the core, in the object or database `name`.
    pub(super) fn of(error: Error, name: Option<&str>) -> Self {
        let class = error.kind.class();
        let message = match name {
            Some(name) => format!("{name}: {error}"),
            None => error.to_string(),
        };
        let kind = if class == Class::Damage { FailureKind::Damaged } else { FailureKind::Other };
        Self { at: error.at, kind, ..Self::new(class, error.kind.code(), name, message) }
    }

    /// What a machine came to, about the database `name`. `faults` are what its requests failed with.
    pub(super) fn told(failure: Failure, name: &str, faults: &mut Vec<Self>) -> Self {
        let about = |class, code, message: String| Self::new(class, code, Some(name), message);
        match failure {
            Failure::Core(error, key) => Self::of(error, key.as_deref().or(Some(name))),
            Failure::Plan(PlanError::Refused(error)) => Self::of(error, Some(name)),
            Failure::Host(failure) if (failure.token as usize) < faults.len() => {
                faults.swap_remove(failure.token as usize)
            }
            Failure::Host(_) => Self::of(ErrorKind::Usage.into(), Some(name)),
            Failure::Unsure(failure) => Self::told(*failure, name, faults),
            Failure::Conflict => {
                about(Class::Busy, "CONFLICT", format!("another backup of {name:?} finished first; run this one again"))
            }
            Failure::OtherDatabase(sign) => {
                let message = format!(
                    "{name:?} in this store is another database: {}. Back this one up under another name, or say once that \
                     it is the same, moved or made anew",
                    sign_text(&sign)
                );
                about(Class::Caller, "OTHER_DATABASE", message)
            }
            Failure::OtherName { name: other, folder } => {
                let message = format!(
                    "{folder}: the backups in this folder are of {other:?}: it was renamed, or swapped with that database's. Give it \
                     back its name; where {other:?} is called {name:?} now, back it up once and say that it is the same"
                );
                about(Class::Caller, "OTHER_NAME", message)
            }
            Failure::OtherState { given, wanted } => {
                let message = format!("{name} is at {given}, but this backup is of {wanted}");
                about(Class::Busy, "SOURCE_OTHER_STATE", message)
            }
            Failure::CutOff(error) => {
                let what = "the header says that the database ends before pages which its schema points to";
                let advice = "run `pagemark dump --salvage` on it, or `.recover` in sqlite3, and load what comes out";
                let message = format!("{name}: {what}; {advice}");
                Self { at: error.at, ..about(Class::Input, "DATABASE_HEADER", message) }
            }
            Failure::Undeleted { failure, gone, total } => {
                let fault = Self::told(Failure::Host(failure), name, faults);
                let message = format!(
                    "{}; {gone} of {total} objects were deleted. The next removal with the right to delete goes on here",
                    fault.message
                );
                Self { message, ..fault }
            }
            Failure::LostFingerprints => Self::of(ErrorKind::Fingerprints.into(), Some(name)),
            Failure::Plan(PlanError::Lost { key, size: None, .. }) => Self::lent(HostError::Missing, &key),
            Failure::Plan(PlanError::Lost { key, size: Some(size), wanted }) => {
                Self::damaged(&key, format!("has {size} bytes instead of {wanted}"))
            }
            Failure::Plan(PlanError::Needed { needed, by, txid }) => {
                let message = format!("backup {needed} is part of backup {by}; delete that one first");
                Self { at: At::Txid(txid.0), ..about(Class::Caller, "BACKUP_NEEDED", message) }
            }
        }
    }

    /// What machines must know of it.
    pub(super) fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether the job was canceled.
    pub fn is_canceled(&self) -> bool {
        self.kind == FailureKind::Canceled
    }
}

impl From<HostError> for Fault {
    fn from(error: HostError) -> Self {
        Self::lent(error, "the host")
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::of(error, None)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl core::error::Error for Fault {}

fn sign_text(sign: &Sign) -> &'static str {
    match sign.name() {
        "beside" => "that one lies elsewhere, and this one was there when it was backed up last",
        "elsewhere" => "that one lies elsewhere, and this one lacks rows of its last backup",
        _ => "this one has next to nothing in common with its last backup",
    }
}

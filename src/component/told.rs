//! What jobs come to, as the host is told.

use super::exports::pagemark::core::jobs;
use super::pagemark::core::types;
use crate::catalog::{BackupView, Kind, StoredFile};
use crate::drive::{Fault, Restored, Verified};
use crate::error::{At, Class, Error};
use crate::run::{Made, StoredDatabase};

impl From<Fault> for types::Fault {
    fn from(fault: Fault) -> Self {
        let Fault { code, message, at, name, .. } = fault;
        Self { code, message, at: at.into(), name }
    }
}

impl From<At> for types::Place {
    fn from(at: At) -> Self {
        match at {
            At::Input => Self::Whole,
            At::Offset(offset) => Self::Offset(offset),
            At::Page(page) => Self::Page(page),
            At::Txid(txid) => Self::Txid(txid),
            At::Row(row) => Self::Row(row),
        }
    }
}

impl From<Fault> for types::Error {
    fn from(fault: Fault) -> Self {
        if fault.is_canceled() {
            return Self::Canceled;
        }
        match fault.class {
            Class::Caller | Class::Sql => Self::Caller(fault.into()),
            Class::Input => Self::Input(fault.into()),
            Class::Damage => Self::Damage(fault.into()),
            Class::Busy => Self::Busy(fault.into()),
            Class::Store => Self::Store(fault.into()),
            Class::Defect => Self::Defect(fault.into()),
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<BackupView> for jobs::Backup {
    fn from(view: BackupView) -> Self {
        let damage = view.error.map(|problem| types::Fault {
            code: problem.code.to_owned(),
            message: problem.message,
            at: types::Place::Whole,
            name: Some(view.txid.clone()),
        });
        Self {
            id: view.id,
            bookmark: view.bookmark,
            txid: view.txid,
            created_at: view.created_at,
            kind: if view.kind == Kind::Full { jobs::Kind::Full } else { jobs::Kind::Incremental },
            tables: view.tables,
            size: view.size,
            stored_size: view.stored_size,
            page_size: view.page_size,
            page_count: view.page_count,
            changed_pages: view.changed_pages,
            safety: view.safety,
            damage,
        }
    }
}

impl From<Made> for jobs::Made {
    fn from(made: Made) -> Self {
        let warnings = crate::drive::warnings(&made);
        let Made { record, full_because, .. } = made;
        Self { backup: BackupView::from(&record).into(), full_because, warnings }
    }
}

impl From<StoredDatabase> for jobs::StoredDatabase {
    fn from(stored: StoredDatabase) -> Self {
        let StoredDatabase { name, backups, newest, stored_size, .. } = stored;
        Self { name, backups, newest: newest.map(jobs::Backup::from), stored_size }
    }
}

impl From<StoredFile> for jobs::StoredFile {
    fn from(file: StoredFile) -> Self {
        let StoredFile { key, size, sha256, .. } = file;
        Self { key, size, sha256 }
    }
}

impl From<Restored> for jobs::Restored {
    fn from(restored: Restored) -> Self {
        let Restored { backup, note } = restored;
        Self { backup: backup.map(jobs::Backup::from), note }
    }
}

impl From<Verified> for jobs::Verification {
    fn from(verified: Verified) -> Self {
        let Verified { sound, problems, bytes } = verified;
        let sound = sound.into_iter().map(jobs::Backup::from).collect();
        Self { sound, problems: problems.into_iter().map(Into::into).collect(), bytes }
    }
}

//! Whole jobs, one call each.

use super::exports::pagemark::core::jobs::{
    Backup, BackupOptions, DumpOptions, Error, Guest, Made, Restored, StoredDatabase, StoredFile, Verification,
};
use super::host::{self, Imports};
use super::{Component, dumps};
use crate::drive::{self, Backups, Options};

impl Guest for Component {
    fn create(name: String, options: BackupOptions) -> Result<Made, Error> {
        Ok(backups(&name)?.create(&Imports, &backup_options(options))?.into())
    }

    fn list_all(name: String) -> Result<Vec<Backup>, Error> {
        Ok(backups(&name)?.list()?.into_iter().map(Backup::from).collect())
    }

    fn databases() -> Result<Vec<StoredDatabase>, Error> {
        Ok(drive::databases(&Imports, &Imports)?.into_iter().map(StoredDatabase::from).collect())
    }

    fn find(name: String, at: String) -> Result<Backup, Error> {
        Ok(backups(&name)?.find(&at)?.into())
    }

    fn restore(name: String, at: String) -> Result<Restored, Error> {
        Ok(backups(&name)?.restore(&at, host::write)?.into())
    }

    fn verify(name: String, at: Option<String>) -> Result<Verification, Error> {
        Ok(backups(&name)?.verify(at.as_deref())?.into())
    }

    fn dump(name: String, at: Option<String>, options: DumpOptions) -> Result<Vec<String>, Error> {
        dumps::dump(&backups(&name)?, at, options)
    }

    fn remove(name: String, ids: Vec<String>) -> Result<(), Error> {
        Ok(backups(&name)?.remove(&ids)?)
    }

    fn ltx(name: String, at: String) -> Result<Vec<StoredFile>, Error> {
        Ok(backups(&name)?.files(&at)?.into_iter().map(StoredFile::from).collect())
    }
}

fn backups(name: &str) -> Result<Backups<'static>, Error> {
    Ok(Backups::new(name, &Imports, &Imports)?)
}

pub(super) fn backup_options(options: BackupOptions) -> Options {
    Options {
        full: options.contains(BackupOptions::FULL),
        same_database: options.contains(BackupOptions::SAME_DATABASE),
        safety: options.contains(BackupOptions::SAFETY),
    }
}

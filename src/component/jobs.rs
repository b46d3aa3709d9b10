//! Whole jobs, one call each.

use super::Component;
use super::exports::pagemark::core::jobs::{
    Backup, BackupOptions, Dialect, DumpOptions, Error, Guest, Made, Restored, StoredDatabase, StoredFile, Verification,
};
use super::host::{self, Imports};
use crate::drive::{self, Backups, Options};
use crate::dump;

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
        let (backups, options) = (backups(&name)?, dump_options(options));
        let dumped = match at {
            Some(at) => backups.dump(&at, &options, host::write)?,
            None => backups.dump_now(&Imports, &options, host::write)?,
        };
        Ok(dumped.warnings)
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

pub(super) fn dump_options(options: DumpOptions) -> dump::Options {
    let DumpOptions { dialect, tables, no_data, no_schema, salvage } = options;
    let dialect = match dialect {
        Dialect::Sqlite => dump::Dialect::Sqlite,
        Dialect::D1 => dump::Dialect::D1,
        Dialect::Shell340 => dump::Dialect::Shell(dump::Shell::V3_40),
        Dialect::Shell354 => dump::Dialect::Shell(dump::Shell::V3_54),
    };
    dump::Options { dialect, tables, no_data, no_schema, salvage, ..dump::Options::default() }
}

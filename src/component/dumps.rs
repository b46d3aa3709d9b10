//! Dumps, in the build that makes them.

use super::exports::pagemark::core::jobs::{Dialect, DumpOptions, Error};
use super::exports::pagemark::core::machines::{Job, Outcome, Subject};
use super::host::{self, Imports};
use super::{jobs, machines};
use crate::{drive, dump};

pub(super) fn dump(name: &str, at: Option<String>, options: DumpOptions) -> Result<Vec<String>, Error> {
    let (backups, options) = (jobs::backups(name)?, dump_options(options));
    let dumped = match at {
        Some(at) => backups.dump(&at, &options, host::write)?,
        None => backups.dump_now(&Imports, &options, host::write)?,
    };
    Ok(dumped.warnings)
}

pub(super) fn begin(subject: &Subject, at: Option<String>, options: DumpOptions) -> Result<Job, Error> {
    let job = drive::Job::dump(machines::of(subject), at, dump_options(options))?;
    Ok(machines::begin(job, |dumped| Outcome::Dumped(dumped.warnings)))
}

fn dump_options(options: DumpOptions) -> dump::Options {
    let DumpOptions { dialect, tables, no_data, no_schema, salvage } = options;
    let dialect = match dialect {
        Dialect::Sqlite => dump::Dialect::Sqlite,
        Dialect::D1 => dump::Dialect::D1,
        Dialect::Shell340 => dump::Dialect::Shell(dump::Shell::V3_40),
        Dialect::Shell354 => dump::Dialect::Shell(dump::Shell::V3_54),
    };
    dump::Options { dialect, tables, no_data, no_schema, salvage, ..dump::Options::default() }
}

//! Dumps, in the build that makes them and in the one without.

pub(super) use build::{begin, dump, warnings};

#[cfg(feature = "dump")]
mod build {
    use super::super::exports::pagemark::core::jobs::{Dialect, DumpOptions, Error};
    use super::super::host::{self, Imports};
    use crate::drive::{Backups, Dumped, Job, Of};
    use crate::dump;

    pub(crate) fn dump(backups: &Backups<'_>, at: Option<String>, options: DumpOptions) -> Result<Vec<String>, Error> {
        let options = dump_options(options);
        let dumped = match at {
            Some(at) => backups.dump(&at, &options, host::write)?,
            None => backups.dump_now(&Imports, &options, host::write)?,
        };
        Ok(warnings(dumped))
    }

    pub(crate) fn begin(of: Of<'_>, at: Option<String>, options: DumpOptions) -> Result<Job<Dumped>, Error> {
        Ok(Job::dump(of, at, dump_options(options))?)
    }

    pub(crate) fn warnings(dumped: Dumped) -> Vec<String> {
        dumped.warnings
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
}

#[cfg(not(feature = "dump"))]
mod build {
    use super::super::exports::pagemark::core::jobs::{DumpOptions, Error};
    use super::super::pagemark::core::types::{Fault, Place};
    use crate::drive::{Backups, Job, Of};

    pub(crate) fn dump(_: &Backups<'_>, _: Option<String>, _: DumpOptions) -> Result<Vec<String>, Error> {
        Err(left_out())
    }

    pub(crate) fn begin(_: Of<'_>, _: Option<String>, _: DumpOptions) -> Result<Job<Vec<String>>, Error> {
        Err(left_out())
    }

    pub(crate) fn warnings(dumped: Vec<String>) -> Vec<String> {
        dumped
    }

    fn left_out() -> Error {
        let message =
            "this build of the component makes no dumps; load pagemark.wasm instead of backups.wasm".to_owned();
        Error::Caller(Fault { code: "DUMP_LEFT_OUT".to_owned(), message, at: Place::Whole, name: None })
    }
}

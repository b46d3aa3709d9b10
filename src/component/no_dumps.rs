//! Dumps, in the build without them.

use super::exports::pagemark::core::jobs::{DumpOptions, Error};
use super::exports::pagemark::core::machines::{Job, Subject};
use super::pagemark::core::types::{Fault, Place};

pub(super) fn dump(_: &str, _: Option<String>, _: DumpOptions) -> Result<Vec<String>, Error> {
    Err(left_out())
}

pub(super) fn begin(_: &Subject, _: Option<String>, _: DumpOptions) -> Result<Job, Error> {
    Err(left_out())
}

fn left_out() -> Error {
    let message = "this build of the component makes no dumps; load pagemark.wasm instead of backups.wasm";
    Error::Caller(Fault { code: "DUMP_LEFT_OUT".to_owned(), message: message.to_owned(), at: Place::Whole, name: None })
}

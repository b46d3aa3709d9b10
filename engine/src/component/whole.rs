//! The database as a whole: loaded from a file, or from SQL; checked.

use std::cell::RefCell;

use super::exports::pagemark::engine::sqlite::{GuestLoading, GuestScript, Outcome, Report};
use super::pagemark::engine::types;
use super::shared::{Shared, now_ms};
use crate::database;
use crate::error::{Error, Result};

type Told<T> = Result<T, types::Error>;

/// A file on its way in; none once it has been taken, or given up.
pub(super) struct Loading {
    database: Shared,
    file: RefCell<Option<database::Loading>>,
}

impl Loading {
    pub(super) fn new(database: &Shared) -> Self {
        Self { database: database.clone(), file: RefCell::new(Some(database::Loading::default())) }
    }

    fn give_up(&self) {
        if let (Some(file), Ok(mut engine)) = (self.file.take(), self.database.engine()) {
            engine.load_abort(file);
        }
    }
}

impl GuestLoading for Loading {
    fn feed(&self, bytes: Vec<u8>) -> Told<()> {
        let fed = match self.file.borrow_mut().as_mut() {
            Some(file) => self.database.engine()?.load_feed(file, &bytes, now_ms()),
            None => Err(ended()),
        };
        if fed.is_err() {
            self.give_up();
        }
        Ok(fed?)
    }

    fn finish(&self) -> Told<()> {
        let file = self.file.take().ok_or_else(ended)?;
        Ok(self.database.engine()?.load(file, now_ms())?)
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// SQL on its way in; none once it has taken effect, or failed.
pub(super) struct Script {
    database: Shared,
    import: RefCell<Option<database::Import>>,
}

impl Script {
    pub(super) fn new(database: &Shared) -> Self {
        Self { database: database.clone(), import: RefCell::new(Some(database::Import::default())) }
    }
}

impl GuestScript for Script {
    fn feed(&self, sql: Vec<u8>) -> Told<()> {
        let fed = match self.import.borrow_mut().as_mut() {
            Some(import) => self.database.engine()?.import_feed(import, &sql, now_ms()),
            None => Err(ended()),
        };
        if fed.is_err() {
            // It has been undone.
            self.import.take();
        }
        Ok(fed?)
    }

    fn finish(&self) -> Told<Outcome> {
        let import = self.import.take().ok_or_else(ended)?;
        let database::Imported { changes, last_insert_rowid, .. } = self.database.engine()?.import(import, now_ms())?;
        Ok(Outcome { changes, last_insert_rowid })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let (Some(import), Ok(mut engine)) = (self.import.take(), self.database.engine()) {
            engine.import_abort(import);
        }
    }
}

/// It was finished, or it failed.
fn ended() -> Error {
    pagemark::error::ErrorKind::Usage.into()
}

impl From<database::Report> for Report {
    fn from(report: database::Report) -> Self {
        let database::Report { integrity, foreign_keys, refused, foreign_keys_refused } = report;
        let foreign_keys = foreign_keys.into_iter().map(in_words).collect();
        Self { integrity, foreign_keys, refused: refused.into_iter().chain(foreign_keys_refused).collect() }
    }
}

fn in_words(database::ForeignKeyProblem { table, rowid, parent, .. }: database::ForeignKeyProblem) -> String {
    match rowid {
        Some(rowid) => format!("row {rowid} of table {table} refers to none of table {parent}"),
        None => format!("a row of table {table} refers to none of table {parent}"),
    }
}

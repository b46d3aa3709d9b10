//! States, and those that are held.

use pagemark::page::{Pgno, Txid};

use super::exports::pagemark::engine::sqlite::{GuestMoment, State};
use super::pagemark::engine::types;
use super::shared::{Shared, now_ms};
use crate::Database as Engine;
use crate::error::{ErrorKind, Result};
use crate::history::PinId;
use crate::store::CommitRecord;

pub(super) fn state_of(engine: &Engine, record: &CommitRecord) -> State {
    let bookmark = engine.bookmark_of(record).to_string();
    let types::CommitRecord { txid, time_ms, page_size, page_count, checksum } = (*record).into();
    State { bookmark, txid, time_ms, page_size, page_count, checksum }
}

/// A pin, which is released when it is dropped.
pub(super) struct Moment {
    database: Shared,
    pin: PinId,
    held: State,
}

impl Moment {
    pub(super) fn new(database: &Shared, at: &str, lease_ms: i64) -> Result<Self> {
        let mut engine = database.engine()?;
        let (pin, record) = engine.pin(at, lease_ms, now_ms())?;
        Ok(Self { database: database.clone(), pin, held: state_of(&engine, &record) })
    }
}

impl GuestMoment for Moment {
    fn held(&self) -> State {
        self.held.clone()
    }

    fn renew(&self, lease_ms: i64) -> Result<(), types::Error> {
        Ok(self.database.engine()?.renew(self.pin, lease_ms, now_ms())?)
    }

    fn read(&self, first: u32, count: u32) -> Result<Vec<u8>, types::Error> {
        let usage = || crate::error::Error::from(pagemark::error::ErrorKind::Usage);
        let page_size = self.held.page_size as usize;
        let end = first.checked_add(count).ok_or_else(usage)?;
        let size = (count as usize).checked_mul(page_size).ok_or_else(usage)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| ErrorKind::Memory)?;
        bytes.resize(size, 0);
        let mut engine = self.database.engine()?;
        for (pgno, page) in (first..end).zip(bytes.chunks_mut(page_size)) {
            engine.page_at(self.pin, Pgno::new(pgno).ok_or_else(usage)?, page, now_ms())?;
        }
        Ok(bytes)
    }

    fn changed_since(&self, txid: u64) -> Result<Vec<u32>, types::Error> {
        let pages = self.database.engine()?.changed_since(self.pin, Txid(txid), now_ms())?;
        Ok(pages.into_iter().map(Pgno::value).collect())
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        let _ = self.database.engine().map(|mut engine| engine.release(self.pin, now_ms()));
    }
}

//! One store for the database and for the temporary files beside it.

use std::cell::RefCell;
use std::rc::Rc;

use pagemark::page::{Pgno, Txid};

use super::{Commit, Keep, PageStore, Scratch, StoreError};

/// A store that several hold; it is gone with the last of them.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: Rc<RefCell<Box<dyn PageStore>>>,
    /// Whether it takes what is not committed.
    spills: bool,
}

impl SharedStore {
    pub(crate) fn new(mut store: Box<dyn PageStore>) -> Self {
        let spills = store.scratch().is_some();
        Self { store: Rc::new(RefCell::new(store)), spills }
    }

    /// Whether it takes what is not committed.
    pub(crate) fn spills(&self) -> bool {
        self.spills
    }

    pub(crate) fn read(&self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        self.with(|store| store.read(pgno, txid, page))
    }

    pub(crate) fn commit(&self, commit: &mut Commit) -> Result<(), StoreError> {
        self.with(|store| store.commit(commit))
    }

    pub(crate) fn retain(&self, keep: &Keep) -> Result<(), StoreError> {
        self.with(|store| store.retain(keep))
    }

    pub(crate) fn changed(&self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        self.with(|store| store.changed(after, upto))
    }

    pub(crate) fn is_crowded(&self) -> Result<bool, StoreError> {
        self.with(|store| store.is_crowded())
    }

    pub(crate) fn size(&self) -> u64 {
        self.store.try_borrow().map_or(0, |store| store.size())
    }

    pub(crate) fn scratch<T>(
        &self,
        action: impl FnOnce(&mut dyn Scratch) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(|store| match store.scratch() {
            Some(scratch) => action(scratch),
            None => Err(StoreError::Memory),
        })
    }

    fn with<T>(&self, action: impl FnOnce(&mut dyn PageStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // In use only when it calls back into the database that called it.
        match self.store.try_borrow_mut() {
            Ok(mut store) => action(&mut **store),
            Err(_) => Err(StoreError::Io("it was called in the middle of a call of its own".into())),
        }
    }
}

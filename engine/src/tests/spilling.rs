//! A store with room for what is not committed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use pagemark::page::{Pgno, Txid};

use super::support::Shared;
use crate::store::{Commit, Keep, PageStore, Scratch, StoreError, StoreState};

type Staged = BTreeMap<Pgno, Box<[u8]>>;
type Blocks = BTreeMap<(u32, u32), Vec<u8>>;

/// A store that takes what is not committed. It outlives its database, and is meant to be right by looking at it.
#[derive(Clone, Default)]
pub(super) struct Spilling {
    pub(super) inner: Shared,
    /// The TXID that they are for, and the pages.
    staged: Rc<RefCell<(u64, Staged)>>,
    blocks: Rc<RefCell<Blocks>>,
    /// How many pages were staged, and blocks written.
    pub(super) spilled: Rc<Cell<(u64, u64)>>,
}

impl Spilling {
    /// Counts on, in `spilled`.
    pub(super) fn counting(spilled: &Rc<Cell<(u64, u64)>>) -> Self {
        Self { spilled: Rc::clone(spilled), ..Self::default() }
    }

    /// How many pages are staged, and how many blocks there are.
    pub(super) fn scratch_held(&self) -> (usize, usize) {
        (self.staged.borrow().1.len(), self.blocks.borrow().len())
    }
}

impl PageStore for Spilling {
    fn open(&mut self) -> Result<StoreState, StoreError> {
        self.staged.borrow_mut().1.clear();
        self.blocks.borrow_mut().clear();
        self.inner.open()
    }
    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        let staged = self.staged.borrow();
        match staged.1.get(&pgno).filter(|_| staged.0 == txid.0) {
            Some(staged) => page.copy_from_slice(staged),
            None => self.inner.read(pgno, txid, page)?,
        }
        Ok(())
    }
    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        let mut staged = self.staged.borrow_mut();
        assert!(staged.1.is_empty() || staged.0 == commit.record.txid.0);
        let mut pages = staged.1.clone();
        pages.retain(|pgno, _| pgno.value() <= commit.record.page_count);
        pages.extend(core::mem::take(&mut commit.pages));
        commit.pages = pages.into_iter().collect();
        self.inner.commit(commit)?;
        staged.1.clear();
        Ok(())
    }
    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError> {
        self.inner.retain(keep)
    }
    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        self.inner.changed(after, upto)
    }
    fn scratch(&mut self) -> Option<&mut dyn Scratch> {
        Some(self)
    }
}

impl Scratch for Spilling {
    fn stage(&mut self, txid: Txid, pages: &[(Pgno, Box<[u8]>)]) -> Result<(), StoreError> {
        let mut staged = self.staged.borrow_mut();
        assert!(staged.1.is_empty() || staged.0 == txid.0);
        staged.0 = txid.0;
        staged.1.extend(pages.iter().cloned());
        let (pages_before, blocks) = self.spilled.get();
        self.spilled.set((pages_before + pages.len() as u64, blocks));
        Ok(())
    }
    fn unstage(&mut self) -> Result<(), StoreError> {
        self.staged.borrow_mut().1.clear();
        Ok(())
    }
    fn write_block(&mut self, file: u32, block: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.blocks.borrow_mut().insert((file, block), bytes.to_vec());
        let (pages, blocks) = self.spilled.get();
        self.spilled.set((pages, blocks + 1));
        Ok(())
    }
    fn read_block(&mut self, file: u32, block: u32, bytes: &mut [u8]) -> Result<(), StoreError> {
        bytes.copy_from_slice(&self.blocks.borrow()[&(file, block)]);
        Ok(())
    }
    fn drop_file(&mut self, file: u32) -> Result<(), StoreError> {
        self.blocks.borrow_mut().retain(|place, _| place.0 != file);
        Ok(())
    }
}

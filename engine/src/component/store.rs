//! A store of the host's.

use pagemark::bookmark::Lineage;
use pagemark::page::{Pgno, Txid};

use super::pagemark::engine::store::{self, Failure};
use crate::store::{Commit, Keep, PageStore, StoreError, StoreState};

/// [`PageStore`] over a resource of the host's.
pub(super) struct HostStore(pub(super) store::PageStore);

impl PageStore for HostStore {
    fn open(&mut self) -> Result<StoreState, StoreError> {
        let Some(store::State { lineage, commits, keep }) = self.0.open()? else { return Ok(StoreState::default()) };
        let commits = commits.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(StoreState { lineage: Some(Lineage(lineage)), commits, keep: keep.into() })
    }

    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        let bytes = self.0.read(pgno.value(), txid.0)?;
        if bytes.len() != page.len() {
            return Err(StoreError::Damaged(format!("page {pgno} of TXID {txid}").into()));
        }
        page.copy_from_slice(&bytes);
        Ok(())
    }

    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        let pages = commit.pages.iter();
        let pages = pages.map(|(pgno, bytes)| store::Page { number: pgno.value(), bytes: bytes.to_vec() }).collect();
        let Commit { record, lineage, keep, .. } = commit;
        let record = (*record).into();
        Ok(self.0.commit(&store::Commit { record, lineage: lineage.0, pages, keep: (&*keep).into() })?)
    }

    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError> {
        Ok(self.0.retain(&keep.into())?)
    }

    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        let pages = self.0.changed(after.0, upto.0)?.into_iter();
        let pages = pages.map(|page| Pgno::new(page).ok_or_else(|| StoreError::Damaged("it has a page 0".into())));
        pages.collect()
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(why) => Self::Io(why.into()),
            Failure::Full(why) => Self::Full(why.into()),
            Failure::Damaged(why) => Self::Damaged(why.into()),
        }
    }
}

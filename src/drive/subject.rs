//! The backups of one database, as jobs know them: what each does, told from its beginning to its end.

use super::ask::Lender;
use super::fault::{Done, Fault};
use super::folder::{StoreHost, load};
use super::machine;
use super::restore::{self, Restored};
use super::verify::{self, Verified};
use crate::catalog::{BackupView, Folder, Layout, Name, Plan, StoredFile, Target};
use crate::run::{self, Machine, Place, StoredDatabase};

/// A database's folder in a store.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) lender: Lender,
    pub(super) name: String,
    pub(super) place: Place,
}

impl Subject {
    pub(super) async fn list(&self) -> Done<Vec<BackupView>> {
        let mut backups = self.load(None).await?.list().map_err(|error| Fault::of(error, Some(&self.name)))?;
        backups.reverse();
        Ok(backups)
    }

    pub(super) async fn find(&self, at: &str) -> Done<BackupView> {
        let (target, folder) = (self.target(at)?, self.load(Some(at)).await?);
        folder.history.find(&target).map(BackupView::from).map_err(|error| Fault::of(error, Some(&self.name)))
    }

    /// What a restore to `at` reads; all of it is there.
    pub(super) async fn plan(&self, at: &str) -> Done<Plan> {
        let (target, folder) = (self.target(at)?, self.load(Some(at)).await?);
        let plan = folder.plan(&target);
        let plan = plan.map_err(|error| Fault::told(run::Failure::Plan(error), &self.name, &mut Vec::new()))?;
        restore::complete(&self.lender, plan, &target).await
    }

    pub(super) async fn restore(&self, at: &str) -> Done<Restored> {
        let plan = self.plan(at).await?;
        restore::restore(&self.lender, plan).await
    }

    pub(super) async fn verify(&self, at: Option<&str>) -> Done<Verified> {
        let target = at.map(|at| self.target(at)).transpose()?;
        verify::verify(&self.lender, self.place.clone(), target, &self.name).await
    }

    /// `random` names the note of what must go.
    pub(super) async fn remove(&self, ids: Vec<String>, random: [u8; 16]) -> Done<()> {
        let place = self.place.clone();
        let mut machine = Machine::new(|asked| async move { run::remove(&asked, &place, &ids, random).await });
        let (outcome, mut faults) = machine::run(&mut machine, &mut StoreHost::new(&self.lender)).await;
        outcome.map_err(|failure| Fault::told(failure, &self.name, &mut faults))
    }

    pub(super) async fn files(&self, at: &str) -> Done<Vec<StoredFile>> {
        self.plan(at).await.map(|plan| plan.files)
    }

    async fn load(&self, at: Option<&str>) -> Done<Folder> {
        load(&self.lender, &self.place, at.map(str::to_owned).into_iter().collect(), &self.name).await
    }

    fn target(&self, at: &str) -> Done<Target> {
        Target::parse(at, self.lender.now_ms()).map_err(|error| Fault::of(error, None))
    }
}

/// Where the backups of the database `name` are.
pub(super) fn place_of(name: &str, layout: Layout) -> Done<Place> {
    let parsed = Name::parse(name).map_err(|error| Fault::of(error, Some(name)))?;
    Ok(Place { segment: parsed.segment(), layout })
}

/// The databases that have backups in a store, by name.
pub(super) async fn databases(lender: &Lender, layout: Layout) -> Done<Vec<StoredDatabase>> {
    let mut machine = Machine::new(|asked| async move { run::survey(&asked, layout).await });
    let (outcome, mut faults) = machine::run(&mut machine, &mut StoreHost::new(lender)).await;
    let mut found = outcome.map_err(|failure| Fault::told(failure, "the store", &mut faults))?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

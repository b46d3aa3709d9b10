//! The backups of one database, for a host that answers at once.

use super::backup::back_up;
use super::fault::{Done, Fault};
use super::folder::{Host, StoreHost, load};
use super::lend::{Database, HostError, Lent, Store, Surroundings};
use super::machine;
use super::restore::{self, Restored};
use super::verify::{self, Verified};
use crate::catalog::{BackupView, Folder, Label, Name, Plan, StoredFile, Target};
use crate::run::{self, BackupOptions, Machine, Made, Place, StoredDatabase, Which};

/// How a backup is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Makes a full backup even where an incremental one would do.
    pub full: bool,
    /// Says that this is the database whose backups go by that name, where it looks like another one (`OTHER_DATABASE`).
    pub same_database: bool,
    /// Whether a restore makes it of what it is about to replace.
    pub safety: bool,
}

/// The backups of one database.
///
/// `at` is a backup's id or the first digits of it, a bookmark, a TXID, a time, an age such as `-1h`, or `latest`; empty, it
/// is the newest backup that no restore made of what it replaced.
pub struct Backups<'a> {
    pub(super) host: Host<'a>,
    pub(super) name: String,
    place: Place,
}

impl<'a> Backups<'a> {
    /// Of the database that goes by `name` in the store.
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn new(name: &str, store: &'a dyn Store, around: &'a dyn Surroundings) -> Result<Self, Fault> {
        let parsed = Name::parse(name).map_err(|error| Fault::of(error, Some(name)))?;
        let place = Place { segment: parsed.segment(), layout: store.layout() };
        Ok(Self { host: Host { store, around }, name: name.to_owned(), place })
    }

    /// Makes a backup: incremental when it can be.
    ///
    /// # Errors
    /// `CONFLICT`, `OTHER_DATABASE`, `SOURCE_CHANGED`; what the host fails with; any code of what is no database.
    pub fn create(&self, database: &dyn Database, options: &Options) -> Result<Made, Fault> {
        let &Options { full, same_database, safety } = options;
        let random = self.random()?;
        let options = BackupOptions {
            place: self.place.clone(),
            name: self.name.clone(),
            safety,
            full,
            same_database,
            watching: false,
            pages: None,
            in_steps: false,
            at: None,
            label: Label::default(),
            random,
        };
        back_up(self.host, database, options)
    }

    /// Every backup, newest first; one whose record is damaged is listed as such.
    ///
    /// # Errors
    /// `REPLICA_OLD`; what the host fails with.
    pub fn list(&self) -> Result<Vec<BackupView>, Fault> {
        let mut backups = self.load(Which::All)?.list().map_err(|error| Fault::of(error, Some(&self.name)))?;
        backups.reverse();
        Ok(backups)
    }

    /// The backup that `at` means.
    ///
    /// # Errors
    /// `BACKUP_NONE`, `BACKUP_UNKNOWN`, `AT_SYNTAX` and others that say why there is none.
    pub fn find(&self, at: &str) -> Result<BackupView, Fault> {
        let (target, folder) = (self.target(at)?, self.load(Which::of(at))?);
        folder.history.find(&target).map(BackupView::from).map_err(|error| Fault::of(error, Some(&self.name)))
    }

    /// What a restore to `at` reads; all of it is there.
    ///
    /// # Errors
    /// As [`Backups::find`]; `OBJECT_MISSING`, `OBJECT_DAMAGED`.
    pub fn plan(&self, at: &str) -> Result<Plan, Fault> {
        let (target, folder) = (self.target(at)?, self.load(Which::of(at))?);
        let plan = folder.plan(&target);
        let plan = plan.map_err(|error| Fault::told(run::Failure::Plan(error), &self.name, &mut Vec::new()))?;
        restore::complete(self.host.store, plan, &target)
    }

    /// Gives `sink` the bytes of the database file as it was, in order. They are what was backed up only if this returns
    /// without an error: write them beside the place where they are wanted.
    ///
    /// # Errors
    /// As [`Backups::plan`]; any code of damage; what `sink` fails with.
    pub fn restore(&self, at: &str, mut sink: impl FnMut(&[u8]) -> Lent<()>) -> Result<Restored, Fault> {
        let plan = self.plan(at)?;
        restore::restore(self.host, plan, &mut |bytes| sink(bytes).map_err(written))
    }

    /// Reads every object of every backup against its recorded digest, and puts the newest (or the one that `at` means)
    /// together as a restore does.
    ///
    /// # Errors
    /// What the host fails with that says nothing of what is stored; why there is no such backup.
    pub fn verify(&self, at: Option<&str>) -> Result<Verified, Fault> {
        let target = at.map(|at| self.target(at)).transpose()?;
        verify::verify(self.host, &self.place, target, &self.name)
    }

    /// Removes backups by their ids, with all that belongs to them, after what another removal has left.
    ///
    /// # Errors
    /// `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of one of them; what the host fails with: the next
    /// removal goes on there.
    pub fn remove(&self, ids: &[String]) -> Result<(), Fault> {
        let (place, ids) = (self.place.clone(), ids.to_vec());
        let random = *self.random()?.first_chunk().unwrap_or(&[0; 16]);
        let mut machine = Machine::new(|asked| async move { run::remove(&asked, &place, &ids, random).await });
        let (outcome, mut faults) = machine::run(&mut machine, &mut StoreHost::new(self.host));
        outcome.map_err(|failure| Fault::told(failure, &self.name, &mut faults))
    }

    /// The LTX files that a restore to `at` reads, oldest first: what `litestream` reads, too.
    ///
    /// # Errors
    /// As [`Backups::plan`].
    pub fn files(&self, at: &str) -> Result<Vec<StoredFile>, Fault> {
        self.plan(at).map(|plan| plan.files)
    }

    fn random(&self) -> Done<[u8; 24]> {
        self.host.around.random().ok_or_else(|| Fault::host("gives no random bytes"))
    }

    fn load(&self, which: Which) -> Done<Folder> {
        load(self.host, &self.place, which, &self.name)
    }

    fn target(&self, at: &str) -> Done<Target> {
        Target::parse(at, self.host.around.now_ms()).map_err(|error| Fault::of(error, None))
    }
}

/// The databases that have backups in a store, by name.
///
/// # Errors
/// What the host fails with.
pub fn databases(store: &dyn Store, around: &dyn Surroundings) -> Result<Vec<StoredDatabase>, Fault> {
    let host = Host { store, around };
    let layout = store.layout();
    let mut machine = Machine::new(|asked| async move { run::survey(&asked, layout).await });
    let (outcome, mut faults) = machine::run(&mut machine, &mut StoreHost::new(host));
    let mut found = outcome.map_err(|failure| Fault::told(failure, "the store", &mut faults))?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What was found on the way to a backup, a sentence each; the backup itself is whole.
pub fn warnings(made: &Made) -> Vec<String> {
    let because = made.full_because.as_deref().filter(|_| made.damaged);
    let damaged = because.map(|why| format!("this is a full backup because {why}; run verify to see what is left"));
    let lacking = made.lack.as_ref().map(|lack| {
        format!(
            "the header says that the database ends after page {}, but {} pages follow in the file: the backup lacks what {} \
             has there. Run `pagemark dump --salvage` on it, or `.recover` in sqlite3, and load what comes out",
            lack.page_count,
            lack.beyond,
            lack.tables.join(", ")
        )
    });
    damaged.into_iter().chain(lacking).collect()
}

/// What whoever takes a restored file fails with.
pub(super) fn written(error: HostError) -> Fault {
    Fault::lent(error, "the output")
}

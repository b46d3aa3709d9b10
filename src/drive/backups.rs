//! The backups of one database, for a host that answers at once.

use super::backup::Options;
#[cfg(feature = "dump")]
use super::dump::Dumped;
use super::fault::Fault;
use super::job::{Job, Of};
use super::lend::{Database, Lent, Store, Surroundings};
use super::perform::Performer;
use super::restore::Restored;
use super::subject::place_of;
use super::verify::Verified;
use crate::catalog::{BackupView, Plan, StoredFile};
#[cfg(feature = "dump")]
use crate::dump;
use crate::run::{Made, StoredDatabase};

/// The backups of one database.
///
/// `at` is a backup's id or the first digits of it, a bookmark, a TXID, a time, an age such as `-1h`, or `latest`; empty, it
/// is the newest backup that no restore made of what it replaced.
pub struct Backups<'a> {
    name: String,
    store: &'a dyn Store,
    around: &'a dyn Surroundings,
}

impl<'a> Backups<'a> {
    /// The backups of the database that goes by `name` in the store.
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn new(name: &str, store: &'a dyn Store, around: &'a dyn Surroundings) -> Result<Self, Fault> {
        place_of(name, store.layout())?;
        Ok(Self { name: name.to_owned(), store, around })
    }

    /// Makes a backup: incremental when it can be.
    ///
    /// # Errors
    /// `CONFLICT`, `OTHER_DATABASE`, `SOURCE_CHANGED`; what the host fails with; any code of what is no database.
    pub fn create(&self, database: &dyn Database, options: &Options) -> Result<Made, Fault> {
        let job = Job::backup(self.of(), options, false, self.random()?)?;
        self.performer().database(database).run(job)
    }

    /// Every backup, newest first; one whose record is damaged is listed as such.
    ///
    /// # Errors
    /// `REPLICA_OLD`; what the host fails with.
    pub fn list(&self) -> Result<Vec<BackupView>, Fault> {
        self.performer().run(Job::list(self.of())?)
    }

    /// The backup that `at` means.
    ///
    /// # Errors
    /// `BACKUP_NONE`, `BACKUP_UNKNOWN`, `AT_SYNTAX` and others that say why there is none.
    pub fn find(&self, at: &str) -> Result<BackupView, Fault> {
        self.performer().run(Job::find(self.of(), at.to_owned())?)
    }

    /// What a restore to `at` reads; all of it is there.
    ///
    /// # Errors
    /// As [`Backups::find`]; `OBJECT_MISSING`, `OBJECT_DAMAGED`.
    pub fn plan(&self, at: &str) -> Result<Plan, Fault> {
        self.performer().run(Job::plan(self.of(), at.to_owned())?)
    }

    /// Gives `sink` the bytes of the database file as it was, in order. They are what was backed up only if this returns
    /// without an error: write them beside the place where they are wanted.
    ///
    /// # Errors
    /// As [`Backups::plan`]; `BACKUP_PARTIAL`; any code of damage; what `sink` fails with.
    pub fn restore(&self, at: &str, mut sink: impl FnMut(&[u8]) -> Lent<()>) -> Result<Restored, Fault> {
        let job = Job::restore(self.of(), at.to_owned())?;
        self.performer().sink(&mut sink).run(job)
    }

    /// Reads every object of every backup against its recorded digest, and puts the newest (or the one that `at` means)
    /// together as a restore does.
    ///
    /// # Errors
    /// What the host fails with that says nothing of what is stored; why there is no such backup.
    pub fn verify(&self, at: Option<&str>) -> Result<Verified, Fault> {
        self.performer().run(Job::verify(self.of(), at.map(str::to_owned))?)
    }

    /// Gives `sink` a backup as SQL, in order. Nothing is restored first.
    ///
    /// # Errors
    /// As [`Backups::plan`]; any code of damage; `TABLE_UNKNOWN`; what `sink` fails with.
    #[cfg(feature = "dump")]
    pub fn dump(
        &self,
        at: &str,
        options: &dump::Options,
        mut sink: impl FnMut(&[u8]) -> Lent<()>,
    ) -> Result<Dumped, Fault> {
        let job = Job::dump(self.of(), Some(at.to_owned()), options.clone())?;
        self.performer().sink(&mut sink).run(job)
    }

    /// Gives `sink` the database as it is now as SQL, in order.
    ///
    /// # Errors
    /// Any code of what is no database, or is damaged; `TABLE_UNKNOWN`; what the host and `sink` fail with.
    #[cfg(feature = "dump")]
    pub fn dump_now(
        &self,
        database: &dyn Database,
        options: &dump::Options,
        mut sink: impl FnMut(&[u8]) -> Lent<()>,
    ) -> Result<Dumped, Fault> {
        let job = Job::dump(self.of(), None, options.clone())?;
        self.performer().database(database).sink(&mut sink).run(job)
    }

    /// Removes backups by their ids, with all that belongs to them, after what another removal has left.
    ///
    /// # Errors
    /// `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of one of them; what the host fails with: the next
    /// removal goes on there.
    pub fn remove(&self, ids: &[String]) -> Result<(), Fault> {
        let random = *self.random()?.first_chunk().unwrap_or(&[0; 16]);
        self.performer().run(Job::remove(self.of(), ids.to_vec(), random)?)
    }

    /// The LTX files that a restore to `at` reads, oldest first: what `litestream` reads, too.
    ///
    /// # Errors
    /// As [`Backups::plan`].
    pub fn files(&self, at: &str) -> Result<Vec<StoredFile>, Fault> {
        self.performer().run(Job::files(self.of(), at.to_owned())?)
    }

    fn of(&self) -> Of<'_> {
        Of { name: &self.name, layout: self.store.layout() }
    }

    fn performer(&self) -> Performer<'_> {
        Performer::new(self.store, self.around)
    }

    fn random(&self) -> Result<[u8; 24], Fault> {
        self.around.random().ok_or_else(|| Fault::host("gives no random bytes"))
    }
}

/// The databases that have backups in a store, by name.
///
/// # Errors
/// What the host fails with.
pub fn databases(store: &dyn Store, around: &dyn Surroundings) -> Result<Vec<StoredDatabase>, Fault> {
    Performer::new(store, around).run(Job::databases(store.layout()))
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

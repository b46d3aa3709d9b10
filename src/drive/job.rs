//! One job under way, for a host of any pace: it asks, the host does it and gives, and the job goes on.
//!
//! The order of calls is that of [`crate::run`]: [`Job::poll`] until it asks for nothing more, [`Job::give`] for each that was
//! asked, until [`Job::take_outcome`] says what the job came to. Between two polls nothing is done, so that the host holds
//! the pace; a poll packs at most a MiB of pages. Dropped before its end, a job leaves in the store what is invisible, and
//! what was begun with [`Ask::Create`] to the host.

use core::cell::RefCell;
use std::rc::Rc;

use super::ask::{Ask, Given, Lender};
use super::backup::{Options, back_up, go_on};
#[cfg(feature = "dump")]
use super::dump::Dumped;
use super::fault::{Done, Fault};
use super::restore::Restored;
use super::saved::SavedJob;
use super::subject::{Subject, databases, place_of};
use super::verify::Verified;
use crate::catalog::{BackupView, Label, Layout, Plan, StoredFile};
#[cfg(feature = "dump")]
use crate::dump;
use crate::run::{BackupOptions, Id, Made, StoredDatabase, Telling};

/// A job that comes to a `T`.
pub struct Job<T> {
    telling: Telling<Done<T>, Ask, Given>,
    saved: Rc<RefCell<SavedJob>>,
}

/// Whose backups a job is about.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The database's name in the store.
    pub name: &'a str,
    /// How LTX files are named there.
    pub layout: Layout,
}

impl<T: 'static> Job<T> {
    /// The next thing to do, with the number that its answer must have; `None` when answers are needed first, or when the
    /// job has ended. `now_ms` is the time, in milliseconds since 1970.
    pub fn poll(&mut self, now_ms: i64) -> Option<(Id, Ask)> {
        self.telling.poll(now_ms)
    }

    /// Takes what came of it. What nothing waits for any more, or comes twice, changes nothing.
    pub fn give(&mut self, id: Id, given: Given) {
        self.telling.answer(id, given);
    }

    /// What the job came to; `None` while it is under way, and once it was taken.
    pub fn take_outcome(&mut self) -> Option<Result<T, Fault>> {
        self.telling.take_outcome()
    }

    /// The state at the last [`Ask::Save`], from which [`Job::resume`] goes on; `None` before the first.
    pub fn save(&self) -> Option<Vec<u8>> {
        self.saved.borrow().encode()
    }

    pub(super) fn new<F: Future<Output = Done<T>> + 'static>(
        of: Of<'_>,
        story: impl FnOnce(Subject) -> F + 'static,
    ) -> Result<Self, Fault> {
        let (name, place) = (of.name.to_owned(), place_of(of.name, of.layout)?);
        Ok(Self::telling(|lender, _| story(Subject { lender, name, place })))
    }

    fn telling<F: Future<Output = Done<T>> + 'static>(story: impl FnOnce(Lender, Rc<RefCell<SavedJob>>) -> F) -> Self {
        let saved = Rc::new(RefCell::new(SavedJob::default()));
        let kept = saved.clone();
        Self { telling: Telling::new(|host| story(Lender::new(host), kept)), saved }
    }
}

impl Job<Made> {
    /// Makes a backup. With `in_steps` it can be saved every 256 KiB of pages ([`Ask::Save`]).
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn backup(of: Of<'_>, options: &Options, in_steps: bool, random: [u8; 24]) -> Result<Self, Fault> {
        let &Options { full, same_database, safety } = options;
        let options = BackupOptions {
            place: place_of(of.name, of.layout)?,
            name: of.name.to_owned(),
            safety,
            full,
            same_database,
            watching: false,
            pages: None,
            in_steps,
            at: None,
            label: Label::default(),
            random,
        };
        Ok(Self::telling(|lender, saved| async move { back_up(&lender, options, saved).await }))
    }

    /// Goes on with a backup that was saved. The database must be in the state in which it was, or the job ends with
    /// `SOURCE_OTHER_STATE`.
    ///
    /// # Errors
    /// `SAVED_STATE` when it is damaged.
    pub fn resume(saved: &[u8]) -> Result<Self, Fault> {
        let state = SavedJob::decode(saved)?;
        let backup = state.resume()?;
        let job = Self::telling(|lender, saved| async move { go_on(&lender, backup, saved).await });
        job.saved.replace(state);
        Ok(job)
    }
}

/// Jobs that need no database; see [`super::Backups`], whose methods they are.
impl Job<()> {
    /// See [`super::Backups::list`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn list(of: Of<'_>) -> Result<Job<Vec<BackupView>>, Fault> {
        Job::new(of, |subject| async move { subject.list().await })
    }

    /// See [`super::Backups::find`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn find(of: Of<'_>, at: String) -> Result<Job<BackupView>, Fault> {
        Job::new(of, |subject| async move { subject.find(&at).await })
    }

    /// See [`super::Backups::plan`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn plan(of: Of<'_>, at: String) -> Result<Job<Plan>, Fault> {
        Job::new(of, |subject| async move { subject.plan(&at).await })
    }

    /// See [`super::Backups::restore`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn restore(of: Of<'_>, at: String) -> Result<Job<Restored>, Fault> {
        Job::new(of, |subject| async move { subject.restore(&at).await })
    }

    /// See [`super::Backups::verify`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn verify(of: Of<'_>, at: Option<String>) -> Result<Job<Verified>, Fault> {
        Job::new(of, |subject| async move { subject.verify(at.as_deref()).await })
    }

    /// See [`super::Backups::dump`], or without `at` [`super::Backups::dump_now`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    #[cfg(feature = "dump")]
    pub fn dump(of: Of<'_>, at: Option<String>, options: dump::Options) -> Result<Job<Dumped>, Fault> {
        Job::new(of, |subject| async move { subject.dump(at.as_deref(), options).await })
    }

    /// See [`super::Backups::remove`]. `random` are bytes that nobody can guess.
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn remove(of: Of<'_>, ids: Vec<String>, random: [u8; 16]) -> Result<Self, Fault> {
        Self::new(of, move |subject| async move { subject.remove(ids, random).await })
    }

    /// See [`super::Backups::files`].
    ///
    /// # Errors
    /// `NAME_INVALID`.
    pub fn files(of: Of<'_>, at: String) -> Result<Job<Vec<StoredFile>>, Fault> {
        Job::new(of, |subject| async move { subject.files(&at).await })
    }

    /// See [`super::databases`].
    pub fn databases(layout: Layout) -> Job<Vec<StoredDatabase>> {
        Job::telling(move |lender, _| async move { databases(&lender, layout).await })
    }
}

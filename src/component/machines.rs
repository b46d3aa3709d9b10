//! The same jobs as resources that ask and are given.

use core::cell::RefCell;

use super::exports::pagemark::core::jobs::{self, BackupOptions, DumpOptions};
use super::exports::pagemark::core::machines::{
    Ask, Beginning, Error, Extent, Given, Guest, GuestJob, Job, Layout, Listing, Outcome, Piece, Range, Report, Subject,
};
use super::host;
use super::jobs::backup_options;
use super::pagemark::core::database::Part;
use super::{Component, dumps};
use crate::drive::{self, HostError, Of};
use crate::error::{self, ErrorKind};

impl Guest for Component {
    type Job = Machine;
}

/// A job of any kind.
pub(super) struct Machine(RefCell<Box<dyn Running>>);

/// A job whose outcome is one of all.
trait Running {
    fn poll(&mut self, now_ms: i64) -> Option<(u32, drive::Ask)>;
    fn give(&mut self, id: u32, given: drive::Given);
    fn take_outcome(&mut self) -> Option<Result<Outcome, Error>>;
    fn save(&self) -> Option<Vec<u8>>;
}

struct Told<T, F>(drive::Job<T>, F);

impl<T: 'static, F: Fn(T) -> Outcome> Running for Told<T, F> {
    fn poll(&mut self, now_ms: i64) -> Option<(u32, drive::Ask)> {
        self.0.poll(now_ms)
    }

    fn give(&mut self, id: u32, given: drive::Given) {
        self.0.give(id, given);
    }

    fn take_outcome(&mut self) -> Option<Result<Outcome, Error>> {
        Some(self.0.take_outcome()?.map(&self.1).map_err(Error::from))
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.0.save()
    }
}

impl GuestJob for Machine {
    fn back_up(subject: Subject, options: BackupOptions, in_steps: bool, random: Vec<u8>) -> Result<Job, Error> {
        let job = drive::Job::backup(of(&subject), &backup_options(options), in_steps, drawn(&random)?)?;
        Ok(begin(job, made))
    }

    fn resume(saved: Vec<u8>) -> Result<Job, Error> {
        Ok(begin(drive::Job::resume(&saved)?, made))
    }

    fn list_all(subject: Subject) -> Result<Job, Error> {
        let told = |backups: Vec<_>| Outcome::Listed(backups.into_iter().map(jobs::Backup::from).collect());
        Ok(begin(drive::Job::list(of(&subject))?, told))
    }

    fn find(subject: Subject, at: String) -> Result<Job, Error> {
        Ok(begin(drive::Job::find(of(&subject), at)?, |found| Outcome::Found(found.into())))
    }

    fn databases(layout: Layout) -> Job {
        let told = |found: Vec<_>| Outcome::Databases(found.into_iter().map(jobs::StoredDatabase::from).collect());
        begin(drive::Job::databases(host::layout(layout)), told)
    }

    fn restore(subject: Subject, at: String) -> Result<Job, Error> {
        Ok(begin(drive::Job::restore(of(&subject), at)?, |restored| Outcome::Restored(restored.into())))
    }

    fn verify(subject: Subject, at: Option<String>) -> Result<Job, Error> {
        Ok(begin(drive::Job::verify(of(&subject), at)?, |verified| Outcome::Verified(verified.into())))
    }

    fn dump(subject: Subject, at: Option<String>, options: DumpOptions) -> Result<Job, Error> {
        let told = |dumped| Outcome::Dumped(dumps::warnings(dumped));
        Ok(begin(dumps::begin(of(&subject), at, options)?, told))
    }

    fn remove(subject: Subject, ids: Vec<String>, random: Vec<u8>) -> Result<Job, Error> {
        let [random @ .., _, _, _, _, _, _, _, _] = drawn(&random)?;
        Ok(begin(drive::Job::remove(of(&subject), ids, random)?, |()| Outcome::Removed))
    }

    fn ltx(subject: Subject, at: String) -> Result<Job, Error> {
        let told = |files: Vec<_>| Outcome::Files(files.into_iter().map(jobs::StoredFile::from).collect());
        Ok(begin(drive::Job::files(of(&subject), at)?, told))
    }

    fn poll(&self, now_ms: i64) -> Option<(u32, Ask)> {
        let (id, ask) = self.0.borrow_mut().poll(now_ms)?;
        Some((id, ask.into()))
    }

    fn give(&self, id: u32, given: Given) {
        self.0.borrow_mut().give(id, given.into());
    }

    fn take_outcome(&self) -> Option<Result<Outcome, Error>> {
        self.0.borrow_mut().take_outcome()
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.0.borrow().save()
    }
}

fn begin<T: 'static>(job: drive::Job<T>, outcome: impl Fn(T) -> Outcome + 'static) -> Job {
    Job::new(Machine(RefCell::new(Box::new(Told(job, outcome)))))
}

fn made(made: crate::run::Made) -> Outcome {
    Outcome::Made(made.into())
}

fn of(subject: &Subject) -> Of<'_> {
    Of { name: &subject.name, layout: host::layout(subject.layout) }
}

fn drawn(random: &[u8]) -> Result<[u8; 24], Error> {
    random.try_into().map_err(|_| error::Error::from(ErrorKind::Usage).into())
}

impl From<drive::Ask> for Ask {
    fn from(ask: drive::Ask) -> Self {
        match ask {
            drive::Ask::List { prefix, cursor } => Self::ListPage(Listing { prefix, cursor }),
            drive::Ask::Get { key, offset, length } => Self::Get(Range { key, offset, length }),
            drive::Ask::Delete { key } => Self::Delete(key),
            drive::Ask::Create { upload, key, modified_ms } => {
                Self::Create(Beginning { upload, key, modified_ms, size: 0 })
            }
            drive::Ask::Resume { upload, key, modified_ms, size } => {
                Self::Resume(Beginning { upload, key, modified_ms, size })
            }
            drive::Ask::Append { upload, bytes } => Self::Append(Piece { upload, bytes }),
            drive::Ask::Finish { upload } => Self::Finish(upload),
            drive::Ask::Abort { upload } => Self::Abort(upload),
            drive::Ask::Pin => Self::Pin,
            drive::Ask::Read { part, offset, length } => {
                let part = if part == drive::Part::Main { Part::Main } else { Part::Wal };
                Self::Read(Extent { part, offset, length })
            }
            drive::Ask::Release => Self::Release,
            drive::Ask::Write { bytes } => Self::Write(bytes),
            drive::Ask::Wait { ms } => Self::Wait(ms),
            drive::Ask::Progress(drive::Progress { phase, done, total }) => {
                Self::Progress(Report { phase: host::phase(phase), done, total })
            }
            drive::Ask::Save => Self::Save,
        }
    }
}

impl From<Given> for drive::Given {
    fn from(given: Given) -> Self {
        match given {
            Given::Done => Self::Done,
            Given::Listed(page) => Self::Listing(page.into()),
            Given::Bytes(bytes) => Self::Bytes(bytes),
            Given::Pinned(files) => Self::Pinned(files.into()),
            Given::Failed(failure) => Self::Failed(HostError::from(failure)),
        }
    }
}

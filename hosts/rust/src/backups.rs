//! The backups of one database.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bindings::exports::pagemark::core::jobs::{
    Backup, BackupOptions, DumpOptions, Made, Restored, StoredDatabase, StoredFile, Verification,
};
use crate::error::{Error, Result};
use crate::job::{Job, Lent};
use crate::lend::{Database, Progress, Store};
use crate::pagemark::Pagemark;
use crate::steps::Steps;

/// How a backup is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A full backup even where an incremental one would do.
    pub full: bool,
    /// It is the database whose backups go by that name, where it looks like another one (`OTHER_DATABASE`).
    pub same_database: bool,
    /// A restore makes it of what it is about to replace.
    pub safety: bool,
}

impl Options {
    pub(crate) fn flags(self) -> BackupOptions {
        let set = [
            (self.full, BackupOptions::FULL),
            (self.same_database, BackupOptions::SAME_DATABASE),
            (self.safety, BackupOptions::SAFETY),
        ];
        set.into_iter().filter(|(is_set, _)| *is_set).fold(BackupOptions::empty(), |flags, (_, flag)| flags | flag)
    }
}

/// The backups of the database that goes by a name in a store.
///
/// `at` is a backup's id or the first digits of it, a bookmark, a TXID, a time (RFC 3339), an age such as `-1h`, or `latest`;
/// empty, it is the newest backup that no restore made of what it replaced. `on_progress` is told how far a job is, and
/// cancels it by `false`. Each method works in an instance of its own; call them from a thread that may block.
#[derive(Clone)]
pub struct Backups {
    pagemark: Pagemark,
    name: String,
    store: Arc<dyn Store>,
}

impl Backups {
    pub(crate) fn new(pagemark: Pagemark, name: &str, store: Arc<dyn Store>) -> Self {
        Self { pagemark, name: name.to_owned(), store }
    }

    /// Makes a backup: incremental when it can be. Once this returns it is in the store, and is listed.
    ///
    /// # Errors
    /// `CONFLICT`, `OTHER_DATABASE`, `SOURCE_CHANGED` and others; what the store and the database fail with.
    pub fn create(
        &self,
        database: impl Database + 'static,
        options: &Options,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Made> {
        let lent = self.lent().database(database).telling(on_progress);
        let flags = options.flags();
        self.begin_job(lent)?.call(|wasm, exports| exports.pagemark_core_jobs().call_create(wasm, &self.name, flags))
    }

    /// Makes a backup in pieces, which goes on when the fuel of one is used up. The database stays pinned in between.
    pub fn begin(
        &self,
        database: impl Database + 'static,
        options: &Options,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Steps {
        Steps::new(self.clone(), *options, database, on_progress)
    }

    /// Goes on with a backup from what [`Steps::save`] gave. The database must be in the state in which it was, or the backup
    /// ends with `SOURCE_OTHER_STATE`.
    ///
    /// # Errors
    /// `SAVED_STATE` when it is damaged; some damage is only noticed by [`Steps::step`].
    pub fn resume(
        &self,
        saved: &[u8],
        database: impl Database + 'static,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Steps> {
        self.begin(database, &Options::default(), on_progress).resume(saved)
    }

    /// Every backup, newest first; one whose record is damaged is listed as such.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn list(&self) -> Result<Vec<Backup>> {
        self.begin_job(self.lent())?.call(|wasm, exports| exports.pagemark_core_jobs().call_list_all(wasm, &self.name))
    }

    /// The backup that `at` means.
    ///
    /// # Errors
    /// `BACKUP_NONE`, `BACKUP_UNKNOWN`, `AT_SYNTAX` and others that say why there is none.
    pub fn find(&self, at: &str) -> Result<Backup> {
        self.begin_job(self.lent())?.call(|wasm, exports| exports.pagemark_core_jobs().call_find(wasm, &self.name, at))
    }

    /// Writes the database as it was to a new file. A crash leaves the whole file, or none under that name.
    ///
    /// # Errors
    /// As [`Backups::restore_to`]; [`Error::Io`] when there is such a file already, or none can be written.
    pub fn restore(
        &self,
        path: impl AsRef<Path>,
        at: &str,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Restored> {
        let target = path.as_ref();
        for ending in ["", "-wal", "-journal"] {
            let taken = with_ending(target, ending);
            if fs::symlink_metadata(&taken).is_ok() {
                let message = format!("{} is there; give a new path, or move it away", taken.display());
                return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, message).into());
            }
        }
        let beside = Beside(with_ending(target, &format!(".{}~", crate::folder::tag())));
        let file = OpenOptions::new().write(true).create_new(true).open(&beside.0);
        let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", target.display()));
        let mut file = file.map_err(named)?;
        let synced = file.try_clone()?;
        let restored = self.restore_to(move |bytes| file.write_all(bytes), at, on_progress)?;
        synced.sync_all()?;
        // A link, unlike a rename, replaces nothing.
        fs::hard_link(&beside.0, target)?;
        sync_folder(target)?;
        Ok(restored)
    }

    /// Gives `write` the bytes of the database file, in order: of use only once this has returned.
    ///
    /// # Errors
    /// Any code of damage; why there is no such backup; [`Error::Io`] with what `write` fails with.
    pub fn restore_to(
        &self,
        write: impl FnMut(&[u8]) -> std::io::Result<()> + Send + 'static,
        at: &str,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Restored> {
        let lent = self.lent().output(write).telling(on_progress);
        self.begin_job(lent)?.call(|wasm, exports| exports.pagemark_core_jobs().call_restore(wasm, &self.name, at))
    }

    /// Reads every object of every backup, or of the one that `at` means, and puts the newest of them together.
    ///
    /// # Errors
    /// What the store fails with that says nothing of what is stored; why there is no such backup.
    pub fn verify(
        &self,
        at: Option<&str>,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Verification> {
        let lent = self.lent().telling(on_progress);
        self.begin_job(lent)?.call(|wasm, exports| exports.pagemark_core_jobs().call_verify(wasm, &self.name, at))
    }

    /// Gives `write` the backup that `at` means as SQL, in order. Returns what the SQL does not carry, a sentence each.
    ///
    /// # Errors
    /// As [`Backups::restore_to`]; `TABLE_UNKNOWN`.
    pub fn dump(
        &self,
        write: impl FnMut(&[u8]) -> std::io::Result<()> + Send + 'static,
        at: &str,
        options: &DumpOptions,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Vec<String>> {
        let lent = self.lent().output(write).telling(on_progress);
        self.begin_job(lent)?
            .call(|wasm, exports| exports.pagemark_core_jobs().call_dump(wasm, &self.name, Some(at), options))
    }

    /// Removes backups by their ids, with all that belongs to them. One that another is made of is refused.
    ///
    /// # Errors
    /// `BACKUP_UNKNOWN`, `BACKUP_NEEDED`; what the store fails with: the next removal goes on there.
    pub fn remove(&self, ids: &[String]) -> Result<()> {
        self.begin_job(self.lent())?
            .call(|wasm, exports| exports.pagemark_core_jobs().call_remove(wasm, &self.name, ids))
    }

    /// The LTX files that a restore reads, oldest first.
    ///
    /// # Errors
    /// As [`Backups::find`]; `OBJECT_MISSING`, `OBJECT_DAMAGED`.
    pub fn files(&self, at: &str) -> Result<Vec<StoredFile>> {
        self.begin_job(self.lent())?.call(|wasm, exports| exports.pagemark_core_jobs().call_ltx(wasm, &self.name, at))
    }

    fn lent(&self) -> Lent {
        Lent::new(self.store.clone())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    pub(crate) fn begin_job(&self, lent: Lent) -> Result<Job> {
        self.pagemark.begin(lent)
    }
}

/// The databases that have backups in a store, by name.
pub(crate) fn databases(pagemark: &Pagemark, store: Arc<dyn Store>) -> Result<Vec<StoredDatabase>> {
    pagemark.begin(Lent::new(store))?.call(|wasm, exports| exports.pagemark_core_jobs().call_databases(wasm))
}

/// A file that does not stay.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Makes a name in a folder durable.
fn sync_folder(path: &Path) -> std::result::Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(folder)?.sync_all()?)
}

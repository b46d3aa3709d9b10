//! A SQLite file as what is backed up, also while others read and write it.
//!
//! SQLite's own locks hold the moment: a read transaction of a connection that may only read, and so never checkpoints. In
//! WAL mode it keeps nobody from writing; in rollback mode writers wait until the backup is done. The component reads the
//! file and its write-ahead log as they lie.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::folder::read_at;
use crate::lend::{Database, Failure, Files, Part, failure, system};

/// Descriptors on databases, by device and inode. POSIX drops every lock that a process holds on a file as soon as it
/// closes any descriptor of that file (https://www.sqlite.org/howtocorrupt.html, section 2.2): those of SQLite in this
/// process, ours and the application's. So none is ever closed.
static DESCRIPTORS: LazyLock<Mutex<Descriptors>> = LazyLock::new(Mutex::default);

type Descriptors = HashMap<(u64, u64), Arc<File>>;

/// The database at a path.
pub struct FileDatabase {
    path: PathBuf,
    busy_timeout: Duration,
    held: Option<Held>,
}

/// What is kept while the database is pinned.
struct Held {
    main: Arc<File>,
    wal: Option<File>,
    real: PathBuf,
    /// In a read transaction, where SQLite can have one.
    connection: Option<Connection>,
    /// Without one: what the files looked like.
    stamps: Option<Stamps>,
}

type Stamps = [Option<(u64, u64, i64, i64, i64, i64)>; 3];

impl FileDatabase {
    /// The database at `path`; ten seconds are waited for a writer to let go of its lock.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), busy_timeout: Duration::from_secs(10), held: None }
    }

    /// Waits so long for a writer to let go of its lock.
    #[must_use]
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        Self { busy_timeout, ..self }
    }

    fn held(&self) -> Result<&Held, Failure> {
        self.held.as_ref().ok_or_else(|| failure("HOST_ANSWER", "the database is not pinned"))
    }

    fn open(&self) -> Result<(Arc<File>, PathBuf), Failure> {
        let shown = self.path.display();
        let opened = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => failure("SOURCE_MISSING", format!("{shown}: there is no such file; check the path")),
            ErrorKind::PermissionDenied => failure("SOURCE_DENIED", format!("{shown}: may not be read by this user")),
            _ => system(&error, &self.path),
        };
        let real = self.path.canonicalize().map_err(opened)?;
        let found = fs::metadata(&real).map_err(opened)?;
        if !found.is_file() {
            return Err(failure("SOURCE_NOT_A_FILE", format!("{shown}: is not a file; give the database file itself")));
        }
        let mut known = DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known.get(&key(&found)) {
            return Ok((file.clone(), real));
        }
        let file = Arc::new(File::open(&real).map_err(opened)?);
        // The file at the path may be another one by now.
        let opened = key(&file.metadata().map_err(opened)?);
        Ok((known.entry(opened).or_insert(file).clone(), real))
    }

    /// A connection in a read transaction, if SQLite can have one.
    fn begin(&self, real: &Path) -> Result<Option<Connection>, Failure> {
        let begin = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(real, flags)?;
            connection.busy_timeout(self.busy_timeout)?;
            connection.execute_batch("BEGIN; SELECT 1 FROM sqlite_master LIMIT 1")?;
            Ok(connection)
        };
        let error: rusqlite::Error = match begin() {
            Ok(connection) => return Ok(Some(connection)),
            Err(error) => error,
        };
        let shown = self.path.display();
        if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) {
            let message = format!(
                "{shown}: another process has kept it locked for {} s; let it end its transaction or its exclusive \
                 locking mode, then try again",
                self.busy_timeout.as_secs_f32()
            );
            return Err(failure("SOURCE_BUSY", message));
        }
        if fs::metadata(beside(real, "-journal")).is_ok_and(|found| found.len() > 0) {
            let message = format!(
                "{shown}: a process ended within a transaction and left a journal; let SQLite open the database once, \
                 which rolls it back (sqlite3 \"{shown}\" \"PRAGMA schema_version\"), then try again"
            );
            return Err(failure("SOURCE_JOURNAL", message));
        }
        // Not a database, or one that SQLite cannot lock here: the component says what is wrong with it, if anything is.
        Ok(None)
    }
}

impl Database for FileDatabase {
    fn pin(&mut self) -> Result<Files, Failure> {
        let (main, real) = self.open()?;
        let wal_path = beside(&real, "-wal");
        // Without both files nobody uses the database in WAL mode, and SQLite would make them.
        let is_used = !is_wal(&main) || (wal_path.exists() && beside(&real, "-shm").exists());
        let connection = if is_used { self.begin(&real)? } else { None };
        let stamps = connection.is_none().then(|| stamps_of(&real));
        let failed = |error: std::io::Error| system(&error, &self.path);
        let found = main.metadata().map_err(failed)?;
        if fs::metadata(&real).map_or(true, |now| key(&now) != key(&found)) {
            return Err(Failure::Changed);
        }
        let wal = if is_wal(&main) { File::open(&wal_path).ok() } else { None };
        let wal_size = wal.as_ref().map_or(Ok(0), |wal| wal.metadata().map(|found| found.len())).map_err(failed)?;
        let born = found.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let files = Files {
            main_size: found.len(),
            wal_size,
            place: real.to_str().map(str::to_owned),
            file: born.map(|born| format!("{}:{}", found.ino(), born.as_nanos())),
            born_ms: born.map(|born| born.as_millis() as i64),
        };
        self.held = Some(Held { main, wal, real, connection, stamps });
        Ok(files)
    }

    fn read(&mut self, part: Part, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        let held = self.held()?;
        let file = match part {
            Part::Main => &held.main,
            Part::Wal => held.wal.as_ref().ok_or(Failure::Changed)?,
        };
        let bytes = read_at(file, offset, length as usize).map_err(|error| system(&error, &self.path))?;
        if bytes.len() == length as usize { Ok(bytes) } else { Err(Failure::Changed) }
    }

    fn release(&mut self) -> Result<(), Failure> {
        self.held()?;
        let Some(Held { connection, real, stamps, .. }) = self.held.take() else { return Ok(()) };
        drop(connection);
        if stamps.is_none_or(|stamps| stamps == stamps_of(&real)) { Ok(()) } else { Err(Failure::Changed) }
    }
}

fn is_wal(main: &File) -> bool {
    read_at(main, 18, 2).is_ok_and(|versions| versions == [2, 2])
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn key(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn stamps_of(real: &Path) -> Stamps {
    ["", "-wal", "-journal"].map(|ending| {
        let found = fs::metadata(beside(real, ending)).ok()?;
        Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()))
    })
}

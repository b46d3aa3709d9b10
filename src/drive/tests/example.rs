use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pagemark::drive::lend::{ListedObject, Listing};
use pagemark::drive::{Backups, Database, Fault, Files, HostError, Lent, Options, Part, Store, Surroundings, Upload};

/// Objects as files below a folder.
struct Folder(PathBuf);

impl Store for Folder {
    fn list(&self, prefix: &str, _: Option<&str>) -> Lent<Listing> {
        let mut objects = Vec::new();
        walk(&self.0, "", &mut objects).map_err(failed)?;
        objects.retain(|object| object.key.starts_with(prefix));
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Listing { objects, cursor: None })
    }

    fn get(&self, key: &str, offset: u64, length: u32) -> Lent<Vec<u8>> {
        let mut file = File::open(self.0.join(key)).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(length.into()).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn delete(&self, key: &str) -> Lent<()> {
        match fs::remove_file(self.0.join(key)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn create<'a>(&'a self, key: &str, _: i64) -> Lent<Box<dyn Upload + 'a>> {
        let place = self.0.join(key);
        fs::create_dir_all(place.parent().unwrap_or(&self.0)).map_err(failed)?;
        let beside = place.with_extension("part~");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside).map_err(failed)?;
        Ok(Box::new(NewFile { file, beside, place }))
    }
}

/// A file beside its place.
struct NewFile {
    file: File,
    beside: PathBuf,
    place: PathBuf,
}

impl Upload for NewFile {
    fn append(&mut self, bytes: &[u8]) -> Lent<()> {
        self.file.write_all(bytes).map_err(failed)
    }

    fn finish(self: Box<Self>) -> Lent<()> {
        self.file.sync_all().map_err(failed)?;
        // A link, unlike a rename, replaces nothing.
        fs::hard_link(&self.beside, &self.place).map_err(failed)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.beside);
    }
}

/// A database that nobody writes to: otherwise `pin` begins a read transaction, and `release` ends it.
struct Quiet(PathBuf);

impl Database for Quiet {
    fn pin(&self) -> Lent<Files> {
        let main_size = fs::metadata(&self.0).map_err(failed)?.len();
        Ok(Files { main_size, ..Files::default() })
    }

    fn read(&self, _: Part, offset: u64, length: u32) -> Lent<Vec<u8>> {
        let mut file = File::open(&self.0).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn release(&self) -> Lent<()> {
        Ok(())
    }
}

/// This machine.
struct Here;

impl Surroundings for Here {
    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn wait(&self, ms: u32) {
        std::thread::sleep(Duration::from_millis(ms.into()));
    }

    fn random(&self) -> Option<[u8; 24]> {
        let mut bytes = [0; 24];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).ok()?;
        Some(bytes)
    }
}

/// Backs a database up, and writes what was backed up to a new file.
fn there_and_back(database: &Path, folder: &Path, restored: &Path) -> Result<(), Fault> {
    let store = Folder(folder.to_owned());
    let backups = Backups::new("app", &store, &Here)?;
    let made = backups.create(&Quiet(database.to_owned()), &Options::default())?;
    let mut output = File::create(restored).map_err(|error| Fault::from(failed(error)))?;
    backups.restore(&made.record.id, |bytes| output.write_all(bytes).map_err(failed))?;
    Ok(())
}

fn walk(folder: &Path, prefix: &str, into: &mut Vec<ListedObject>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), into)?;
        } else if !name.ends_with('~') {
            into.push(ListedObject { key: format!("{prefix}{name}"), size: entry.metadata()?.len(), modified_ms: 0 });
        }
    }
    Ok(())
}

fn failed(error: io::Error) -> HostError {
    match error.kind() {
        ErrorKind::NotFound => HostError::Missing,
        ErrorKind::AlreadyExists => HostError::Exists,
        _ => HostError::Failed { code: "STORE_FAILED".to_owned(), message: error.to_string() },
    }
}

#[test]
fn a_database_is_backed_up_and_restored() {
    let folder = std::env::temp_dir().join(format!("pagemark-example-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let database = folder.join("app.db");
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1)")
        .unwrap();
    let restored = folder.join("restored.db");
    there_and_back(&database, &folder.join("backups"), &restored).unwrap();
    there_and_back(&database, &folder.join("backups"), &restored).unwrap();
    assert_eq!(fs::read(&restored).unwrap(), fs::read(&database).unwrap());
    fs::remove_dir_all(&folder).unwrap();
}

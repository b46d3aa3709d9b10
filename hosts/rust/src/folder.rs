//! A folder as the store, as `pagemark` (npm) and `litestream` keep it.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::lend::{Failure, Listing, Object, Store, Upload, failure, system};

const MOST_KEY: usize = 1024;
/// Objects of a page of a listing.
const PAGE: usize = 1000;
/// Where objects are until they are whole. No key has such a segment.
const TEMPORARY: &str = ".pagemark/tmp";

/// Objects as files below a folder. An object gets its name once it is whole and durable, and none is overwritten. The file
/// system must have hard links.
pub struct FolderStore {
    path: PathBuf,
}

impl FolderStore {
    /// Below `path`, which is made when something is stored.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn place(&self, key: &str) -> Result<PathBuf, Failure> {
        if key.len() > MOST_KEY || !key.split('/').all(is_segment) {
            let message = format!("{key:?} is no key: use segments of A-Z a-z 0-9 . _ - % joined by '/'");
            return Err(failure("STORE_KEY", message));
        }
        Ok(self.path.join(key))
    }

    /// Keys below `folder` after the cursor, ascending: a folder stands where its name and a slash would.
    fn walk(&self, folder: &str, prefix: &str, cursor: &str, found: &mut Vec<Object>) -> std::io::Result<()> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(self.path.join(folder)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_segment(&name) && folder.len() + name.len() <= MOST_KEY {
                let kind = entry.file_type()?;
                let slash = if kind.is_dir() { "/" } else { "" };
                names.extend((kind.is_dir() || kind.is_file()).then(|| format!("{folder}{name}{slash}")));
            }
        }
        names.sort_unstable();
        for name in names {
            // One more than a page shows that there are more.
            if found.len() > PAGE {
                break;
            }
            if name.ends_with('/') {
                let (is_wanted, is_ahead) =
                    (name.starts_with(prefix) || prefix.starts_with(&name), name.as_str() > cursor);
                if is_wanted && (is_ahead || cursor.starts_with(&name)) {
                    self.walk(&name, prefix, cursor, found)?;
                }
            } else if name.starts_with(prefix) && name.as_str() > cursor {
                found.extend(self.describe(name)?);
            }
        }
        Ok(())
    }

    /// Nothing where it was deleted meanwhile.
    fn describe(&self, key: String) -> std::io::Result<Option<Object>> {
        let found = match fs::symlink_metadata(self.path.join(&key)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        let since = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ms = (since + Duration::from_micros(500)).as_millis() as i64;
        Ok(Some(Object { key, size: found.len(), modified_ms }))
    }
}

impl Store for FolderStore {
    fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, Failure> {
        let mut objects = Vec::new();
        let walked = self.walk("", prefix, cursor.unwrap_or_default(), &mut objects);
        walked.map_err(|error| system(&error, &self.path))?;
        let has_more = objects.len() > PAGE;
        objects.truncate(PAGE);
        let cursor = objects.last().filter(|_| has_more).map(|last| last.key.clone());
        Ok(Listing { objects, cursor })
    }

    fn get(&self, key: &str, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        let place = self.place(key)?;
        let read = File::open(&place).and_then(|file| read_at(&file, offset, length as usize));
        read.map_err(|error| system(&error, &place))
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        let place = self.place(key)?;
        match fs::remove_file(&place).map_err(|error| system(&error, &place)) {
            Err(Failure::Missing) => Ok(()),
            deleted => deleted,
        }
    }

    fn create(&self, key: &str, modified_ms: i64) -> Result<Box<dyn Upload>, Failure> {
        let place = self.place(key)?;
        if fs::symlink_metadata(&place).is_ok() {
            return Err(Failure::Exists);
        }
        // "~" is in no key.
        let beside = self.path.join(TEMPORARY).join(format!("{}~", tag()));
        let begin = || {
            fs::create_dir_all(beside.parent().unwrap_or(&self.path))?;
            // A backup holds a whole database, so that only its owner may read it.
            OpenOptions::new().append(true).create_new(true).mode(0o600).open(&beside)
        };
        let file = begin().map_err(|error| system(&error, &beside))?;
        Ok(Box::new(FolderUpload { file, beside, place, modified: time_of(modified_ms), is_kept: false }))
    }

    fn reopen(&self, name: &str, key: &str, modified_ms: i64) -> Result<Box<dyn Upload>, Failure> {
        let place = self.place(key)?;
        if !is_segment(name) {
            return Err(Failure::Missing);
        }
        let beside = self.path.join(TEMPORARY).join(format!("{name}~"));
        let file = OpenOptions::new().append(true).open(&beside).map_err(|error| system(&error, &beside))?;
        Ok(Box::new(FolderUpload { file, beside, place, modified: time_of(modified_ms), is_kept: true }))
    }
}

/// A file that is written beside its place.
struct FolderUpload {
    file: File,
    beside: PathBuf,
    place: PathBuf,
    modified: SystemTime,
    is_kept: bool,
}

impl Upload for FolderUpload {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| system(&error, &self.beside))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let finish = || {
            self.file.set_times(FileTimes::new().set_modified(self.modified))?;
            self.file.sync_all()?;
            let folder = self.place.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            // A link, unlike a rename, replaces nothing.
            fs::hard_link(&self.beside, &self.place)?;
            File::open(folder)?.sync_all()
        };
        self.is_kept = false;
        finish().map_err(|error| system(&error, &self.place))
    }

    fn truncate(&mut self, size: u64) -> Result<(), Failure> {
        let truncate = || match self.file.metadata()?.len() {
            // Something is gone that was appended.
            length if length < size => Err(std::io::ErrorKind::NotFound.into()),
            _ => self.file.set_len(size),
        };
        truncate().map_err(|error| system(&error, &self.beside))
    }

    fn keep(&mut self, is_kept: bool) -> Option<String> {
        self.is_kept = is_kept;
        let name = self.beside.file_name()?.to_str()?;
        name.strip_suffix('~').map(str::to_owned)
    }
}

impl Drop for FolderUpload {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

fn time_of(modified_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(modified_ms.max(0) as u64)
}

/// A name that no other process, thread or job uses.
pub(crate) fn tag() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 8];
    let _ = getrandom::fill(&mut random);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-{:016x}", std::process::id(), u64::from_ne_bytes(random))
}

/// As many bytes as the file has there; a read may give fewer than were asked for.
pub(crate) fn read_at(file: &File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn is_segment(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._%-".contains(&byte);
    let reserved = [".", "..", ".pagemark"].iter().any(|reserved| name.eq_ignore_ascii_case(reserved));
    !name.is_empty() && name.bytes().all(allowed) && !reserved
}

//! A host in memory, and all that it can answer wrongly.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use crate::drive::lend::{ListedObject, Listing};
use crate::drive::{Database, Files, HostError, Lent, Part, Progress, Store, Surroundings, Upload};

/// What a host does instead of answering rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// It fails.
    Fails,
    /// It does what it was asked for, and says that it failed.
    FailsAfter,
    /// It says that the job was canceled.
    Cancels,
    /// It says that the object is not there.
    Missing,
    /// It says that the database changed.
    Changed,
    /// It gives less than was asked for, or a shorter size.
    Less,
    /// It gives more.
    More,
    /// It gives other bytes.
    Other,
    /// It gives a listing in another order, or for ever.
    Order,
}

pub(super) const LIES: [Lie; 9] = [
    Lie::Fails,
    Lie::FailsAfter,
    Lie::Cancels,
    Lie::Missing,
    Lie::Changed,
    Lie::Less,
    Lie::More,
    Lie::Other,
    Lie::Order,
];

/// A store, a database and a clock.
#[derive(Default)]
pub(super) struct World {
    pub(super) objects: RefCell<BTreeMap<String, (Vec<u8>, i64)>>,
    pub(super) main: RefCell<Vec<u8>>,
    pub(super) wal: RefCell<Vec<u8>>,
    /// The call with this number, counted from 1, is answered by this.
    pub(super) lie: Option<(usize, Lie)>,
    pub(super) calls: Cell<usize>,
    pub(super) pins: Cell<i32>,
    /// Whether it was a pin that was answered so.
    pub(super) failed_pin: Cell<bool>,
    now_ms: Cell<i64>,
}

impl World {
    pub(super) fn new(main: Vec<u8>, wal: Vec<u8>) -> Self {
        Self { main: main.into(), wal: wal.into(), now_ms: Cell::new(1_700_000_000_000), ..Self::default() }
    }

    /// The same store and database, with a host that answers one call so.
    pub(super) fn lying(&self, call: usize, lie: Lie) -> Self {
        let world = Self::new(self.main.borrow().clone(), self.wal.borrow().clone());
        world.objects.replace(self.objects.borrow().clone());
        world.now_ms.set(self.now_ms.get() + 1000);
        Self { lie: Some((call, lie)), ..world }
    }

    pub(super) fn honest(self) -> Self {
        Self { lie: None, ..self }
    }

    /// The lie that is told now, if one is.
    fn lie(&self) -> Option<Lie> {
        self.calls.set(self.calls.get() + 1);
        self.lie.filter(|(call, _)| *call == self.calls.get()).map(|(_, lie)| lie)
    }

    fn answer<T>(&self, run: impl FnOnce() -> Lent<T>, bend: impl FnOnce(&mut T, Lie)) -> Lent<T> {
        let failed = || HostError::Failed { code: "STORE_FULL".to_owned(), message: "it is full".to_owned() };
        match self.lie() {
            None => run(),
            Some(Lie::Fails) => Err(failed()),
            Some(Lie::FailsAfter) => run().and_then(|_| Err(failed())),
            Some(Lie::Cancels) => Err(HostError::Canceled),
            Some(Lie::Missing) => Err(HostError::Missing),
            Some(Lie::Changed) => Err(HostError::Changed),
            Some(lie) => run().map(|mut answer| {
                bend(&mut answer, lie);
                answer
            }),
        }
    }
}

fn bend_bytes(bytes: &mut Vec<u8>, lie: Lie) {
    match lie {
        Lie::Less => bytes.truncate(bytes.len() / 2),
        Lie::More => bytes.extend_from_slice(&[7; 100]),
        Lie::Other => bytes.iter_mut().for_each(|byte| *byte ^= 0x55),
        _ => bytes.reverse(),
    }
}

impl Store for World {
    fn list(&self, prefix: &str, cursor: Option<&str>) -> Lent<Listing> {
        let run = || {
            let objects = self.objects.borrow();
            let wanted = objects.iter().filter(|(key, _)| key.starts_with(prefix));
            let mut left = wanted.filter(|(key, _)| cursor.is_none_or(|cursor| key.as_str() > cursor));
            let listed = |(key, (bytes, modified_ms)): (&String, &(Vec<u8>, i64))| ListedObject {
                key: key.clone(),
                size: bytes.len() as u64,
                modified_ms: *modified_ms,
            };
            let objects: Vec<_> = left.by_ref().take(2).map(listed).collect();
            let cursor = left.next().and(objects.last()).map(|last| last.key.clone());
            Ok(Listing { objects, cursor })
        };
        self.answer(run, |page, lie| match lie {
            Lie::Less => page.objects.clear(),
            Lie::More => page.objects.iter_mut().for_each(|object| object.size = u64::MAX),
            Lie::Other => page.objects.iter_mut().for_each(|object| object.key = "elsewhere/x".to_owned()),
            _ => {
                page.objects.reverse();
                page.cursor = Some(String::new());
            }
        })
    }

    fn get(&self, key: &str, offset: u64, length: u32) -> Lent<Vec<u8>> {
        let run = || {
            let objects = self.objects.borrow();
            let (bytes, _) = objects.get(key).ok_or(HostError::Missing)?;
            let start = bytes.len().min(offset as usize);
            Ok(bytes[start..bytes.len().min(start + length as usize)].to_vec())
        };
        self.answer(run, bend_bytes)
    }

    fn delete(&self, key: &str) -> Lent<()> {
        let run = || {
            self.objects.borrow_mut().remove(key);
            Ok(())
        };
        self.answer(run, |(), _| {})
    }

    fn create<'a>(&'a self, key: &str, modified_ms: i64) -> Lent<Box<dyn Upload + 'a>> {
        let upload = Uploading { world: self, key: key.to_owned(), modified_ms, bytes: Vec::new() };
        self.answer(|| Ok(Box::new(upload) as Box<dyn Upload>), |_, _| {})
    }
}

struct Uploading<'a> {
    world: &'a World,
    key: String,
    modified_ms: i64,
    bytes: Vec<u8>,
}

impl Upload for Uploading<'_> {
    fn append(&mut self, bytes: &[u8]) -> Lent<()> {
        let world = self.world;
        let run = || {
            self.bytes.extend_from_slice(bytes);
            Ok(())
        };
        world.answer(run, |(), _| {})
    }

    fn finish(self: Box<Self>) -> Lent<()> {
        let Self { world, key, modified_ms, bytes } = *self;
        let run = || {
            if world.objects.borrow().contains_key(&key) {
                return Err(HostError::Exists);
            }
            world.objects.borrow_mut().insert(key, (bytes, modified_ms));
            Ok(())
        };
        world.answer(run, |(), _| {})
    }
}

impl Database for World {
    fn pin(&self) -> Lent<Files> {
        self.failed_pin.set(self.failed_pin.get() || self.lie.is_some_and(|(call, _)| call == self.calls.get() + 1));
        let run = || {
            self.pins.set(self.pins.get() + 1);
            let (main_size, wal_size) = (self.main.borrow().len() as u64, self.wal.borrow().len() as u64);
            Ok(Files { main_size, wal_size, place: Some("/app.db".to_owned()), ..Files::default() })
        };
        self.answer(run, |files, lie| match lie {
            Lie::Less => (files.main_size, files.wal_size) = (files.main_size / 2, files.wal_size / 2),
            Lie::More => (files.main_size, files.wal_size) = (u64::MAX, u64::MAX),
            Lie::Other => files.main_size = 0,
            _ => core::mem::swap(&mut files.main_size, &mut files.wal_size),
        })
    }

    fn read(&self, part: Part, offset: u64, length: u32) -> Lent<Vec<u8>> {
        let run = || {
            let file = if part == Part::Main { &self.main } else { &self.wal }.borrow();
            let bytes = file.get(offset as usize..).and_then(|rest| rest.get(..length as usize));
            bytes.map(<[u8]>::to_vec).ok_or(HostError::Changed)
        };
        self.answer(run, bend_bytes)
    }

    fn release(&self) -> Lent<()> {
        self.pins.set(self.pins.get() - 1);
        self.answer(|| Ok(()), |(), _| {})
    }
}

impl Surroundings for World {
    fn now_ms(&self) -> i64 {
        self.now_ms.set(self.now_ms.get() + 1);
        self.now_ms.get()
    }

    fn wait(&self, ms: u32) {
        self.now_ms.set(self.now_ms.get() + i64::from(ms));
    }

    fn random(&self) -> Option<[u8; 24]> {
        let drawn = self.now_ms.get().wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64).to_be_bytes();
        [drawn; 3].concat().try_into().ok()
    }

    fn progress(&self, progress: &Progress) -> bool {
        assert!(progress.done <= progress.total, "{progress:?}");
        !matches!(self.lie(), Some(Lie::Cancels))
    }
}

/// The files of a database: the main file and its log, with what `sql` does to it.
pub(super) fn database(sql: &[&str], is_wal: bool) -> (Vec<u8>, Vec<u8>) {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("pagemark-drive-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("app.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "page_size", 1024).unwrap();
    if is_wal {
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    }
    sql.iter().for_each(|sql| connection.execute_batch(sql).unwrap());
    let files = (std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("db-wal")).unwrap_or_default());
    drop(connection);
    std::fs::remove_dir_all(&folder).unwrap();
    files
}

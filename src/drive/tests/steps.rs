//! Jobs that are stopped, saved and gone on with by a host that asks and gives.

use std::collections::BTreeMap;

use super::world::{World, database};
use super::*;
use crate::catalog::Layout;
use crate::run::Made;

const LARGE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800)
    INSERT INTO t SELECT i, hex(randomblob(200)) FROM n;";
/// It is stopped so many requests later each time.
const STRIDE: usize = 13;
const CHANGE: &str = "UPDATE t SET text = 'changed' WHERE id % 50 = 0";

fn begin(options: &Options) -> Job<Made> {
    Job::backup(Of { name: "app", layout: Layout::Folder }, options, true, [7; 24]).unwrap()
}

/// A host whose uploads outlive a job.
struct Steps<'a> {
    world: &'a World,
    uploads: BTreeMap<String, Vec<u8>>,
    /// Keys of the objects by their numbers.
    keys: BTreeMap<UploadId, (String, i64)>,
    now_ms: i64,
}

impl<'a> Steps<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, uploads: BTreeMap::new(), keys: BTreeMap::new(), now_ms: 1_800_000_000_000 }
    }

    /// Goes on until the job has ended, or until `before` says so of what is asked: nothing then.
    fn run(&mut self, job: &mut Job<Made>, mut before: impl FnMut(&Ask) -> bool) -> Option<Result<Made, Fault>> {
        while let Some((id, ask)) = job.poll(self.now_ms) {
            if !before(&ask) {
                return None;
            }
            let given = self.perform(ask).unwrap_or_else(Given::Failed);
            job.give(id, given);
        }
        job.take_outcome()
    }

    fn perform(&mut self, ask: Ask) -> Lent<Given> {
        self.now_ms += 1;
        let world = self.world;
        match ask {
            Ask::List { prefix, cursor } => return world.list(&prefix, cursor.as_deref()).map(Given::Listing),
            Ask::Get { key, offset, length } => return world.get(&key, offset, length).map(Given::Bytes),
            Ask::Delete { key } => world.delete(&key)?,
            Ask::Create { upload, key, modified_ms } => {
                if world.objects.borrow().contains_key(&key) {
                    return Err(HostError::Exists);
                }
                self.uploads.insert(key.clone(), Vec::new());
                self.keys.insert(upload, (key, modified_ms));
            }
            Ask::Resume { upload, key, modified_ms, size } => {
                self.uploads.get_mut(&key).ok_or(HostError::Missing)?.truncate(size as usize);
                self.keys.insert(upload, (key, modified_ms));
            }
            Ask::Append { upload, bytes } => {
                self.uploads.get_mut(&self.keys[&upload].0).unwrap().extend_from_slice(&bytes);
            }
            Ask::Finish { upload } => {
                let (key, modified_ms) = self.keys.remove(&upload).unwrap();
                let bytes = self.uploads.remove(&key).unwrap();
                if world.objects.borrow().contains_key(&key) {
                    return Err(HostError::Exists);
                }
                world.objects.borrow_mut().insert(key, (bytes, modified_ms));
            }
            Ask::Abort { upload } => {
                self.keys.remove(&upload).and_then(|(key, _)| self.uploads.remove(&key));
            }
            Ask::Pin => return world.pin().map(Given::Pinned),
            Ask::Read { part, offset, length } => return world.read(part, offset, length).map(Given::Bytes),
            Ask::Release => world.release()?,
            Ask::Write { .. } | Ask::Wait { .. } | Ask::Progress(_) | Ask::Save => {}
        }
        Ok(Given::Done)
    }
}

/// A world with a backup, whose database has changed since.
fn changed(is_wal: bool) -> World {
    let (main, wal) = database(&[LARGE], is_wal);
    let world = World::new(main, wal);
    backups(&world).create(&world, &Options::default()).unwrap();
    let (main, wal) = database(&[LARGE, CHANGE], is_wal);
    world.main.replace(main);
    world.wal.replace(wal);
    world
}

#[test]
fn a_backup_is_gone_on_with_wherever_it_was_stopped() {
    for (full, is_wal) in [(false, false), (true, true)] {
        let options = Options { full, same_database: true, safety: false };
        let whole = changed(is_wal);
        let mut asked = 0;
        let count = |_: &Ask| {
            asked += 1;
            true
        };
        Steps::new(&whole).run(&mut begin(&options), count).unwrap().unwrap();
        let expected = restored(&whole, "").unwrap();
        // Each time it is stopped a step later.
        for stop in (1..asked).step_by(STRIDE) {
            let world = changed_like(&whole);
            let mut host = Steps::new(&world);
            let (mut left, mut saved) = (stop, None);
            let mut job = begin(&options);
            let outcome = host.run(&mut job, |_| {
                left -= 1;
                left > 0
            });
            assert!(outcome.is_none());
            saved = job.save().or(saved);
            drop(job);
            let mut again = saved.map_or_else(|| begin(&options), |saved| Job::resume(&saved).unwrap());
            let made = host.run(&mut again, |_| true).unwrap();
            made.unwrap_or_else(|fault| panic!("{stop}: {fault:?}"));
            assert_eq!(restored(&world, "").unwrap(), expected, "{stop}");
            assert!(backups(&world).verify(None).unwrap().problems.is_empty());
            assert_eq!(backups(&world).list().unwrap().len(), 2, "{stop}");
            assert!(host.uploads.is_empty(), "{stop}: something is left");
        }
    }
}

/// The same database and store as before its second backup.
fn changed_like(whole: &World) -> World {
    let world = World::new(whole.main.borrow().clone(), whole.wal.borrow().clone());
    let first = |(key, _): &(&String, &(Vec<u8>, i64))| key.contains("0000000000000001");
    let objects = whole.objects.borrow();
    let kept = objects.iter().filter(first).map(|(key, object)| (key.clone(), object.clone())).collect();
    world.objects.replace(kept);
    world
}

#[test]
fn a_saved_backup_of_another_state_is_refused_and_a_damaged_one_too() {
    let world = changed(false);
    let mut host = Steps::new(&world);
    let mut job = begin(&Options { full: true, same_database: true, safety: false });
    let mut saves = 0;
    let stopped = host.run(&mut job, |ask| {
        saves += u32::from(*ask == Ask::Save);
        saves < 2
    });
    assert!(stopped.is_none());
    let saved = job.save().unwrap();
    for at in 0..saved.len() {
        let mut damaged = saved.clone();
        damaged[at] ^= 1 << (at % 8);
        assert_eq!(Job::resume(&damaged).err().unwrap().code, "SAVED_STATE", "{at}");
        assert!(Job::resume(&saved[..at]).is_err());
    }
    // The change counter of the header.
    world.main.borrow_mut()[27] ^= 1;
    let refused = host.run(&mut Job::resume(&saved).unwrap(), |_| true).unwrap().unwrap_err();
    assert_eq!(refused.code, "SOURCE_OTHER_STATE");
    assert_eq!(backups(&world).list().unwrap().len(), 1);
}

#[test]
fn a_log_that_starts_over_while_it_is_read_is_a_changed_source() {
    let (main, wal) = database(&[FIRST], true);
    let world = World::new(main, wal);
    let mut job = begin(&Options::default());
    let mut host = Steps::new(&world);
    let outcome = host.run(&mut job, |ask| {
        // Its header is read again before it is let go.
        if matches!(ask, Ask::Read { part: Part::Wal, offset: 0, length: 32 }) {
            world.wal.borrow_mut()[16] ^= 1;
        }
        true
    });
    assert_eq!(outcome.unwrap().unwrap_err().code, "SOURCE_CHANGED");
    assert_eq!(world.pins.get(), 0);
}

//! What the host lends, as the core knows it.

use super::pagemark::core::progress::Phase;
use super::pagemark::core::{clock, database, output, progress, random, store, types};
use crate::drive::lend::{Layout, ListedObject, Listing};
use crate::drive::{Database, Files, HostError, Lent, Part, Progress, Store, Surroundings, Upload};

/// All that is imported.
pub(super) struct Imports;

impl From<types::Failure> for HostError {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::Exists => Self::Exists,
            types::Failure::Missing => Self::Missing,
            types::Failure::Changed => Self::Changed,
            types::Failure::Canceled => Self::Canceled,
            types::Failure::Failed(types::Reason { code, message }) => Self::Failed { code, message },
        }
    }
}

impl Store for Imports {
    fn layout(&self) -> Layout {
        match store::layout_of() {
            store::Layout::Folder => Layout::Folder,
            store::Layout::Bucket => Layout::Bucket,
        }
    }

    fn list(&self, prefix: &str, cursor: Option<&str>) -> Lent<Listing> {
        let store::Page { objects, cursor } = store::list_page(prefix, cursor)?;
        let objects = objects.into_iter();
        let objects = objects.map(|store::Object { key, size, modified_ms }| ListedObject { key, size, modified_ms });
        Ok(Listing { objects: objects.collect(), cursor })
    }

    fn get(&self, key: &str, offset: u64, length: u32) -> Lent<Vec<u8>> {
        Ok(store::get(key, offset, length)?)
    }

    fn delete(&self, key: &str) -> Lent<()> {
        Ok(store::delete(key)?)
    }

    fn create<'a>(&'a self, key: &str, modified_ms: i64) -> Lent<Box<dyn Upload + 'a>> {
        Ok(Box::new(Uploading(store::create(key, modified_ms)?)))
    }
}

struct Uploading(store::Upload);

impl Upload for Uploading {
    fn append(&mut self, bytes: &[u8]) -> Lent<()> {
        Ok(self.0.append(bytes)?)
    }

    fn finish(self: Box<Self>) -> Lent<()> {
        Ok(self.0.finish()?)
    }
}

impl Database for Imports {
    fn pin(&self) -> Lent<Files> {
        let database::Files { main_size, wal_size, place, file, born_ms } = database::pin()?;
        Ok(Files { main_size, wal_size, place, file, born_ms })
    }

    fn read(&self, part: Part, offset: u64, length: u32) -> Lent<Vec<u8>> {
        let part = match part {
            Part::Main => database::Part::Main,
            Part::Wal => database::Part::Wal,
        };
        Ok(database::read(part, offset, length)?)
    }

    fn release(&self) -> Lent<()> {
        Ok(database::release()?)
    }
}

impl Surroundings for Imports {
    fn now_ms(&self) -> i64 {
        clock::now_ms()
    }

    fn wait(&self, ms: u32) {
        clock::wait(ms);
    }

    fn random(&self) -> Option<[u8; 24]> {
        random::bytes(24).try_into().ok()
    }

    fn progress(&self, &Progress { phase, done, total }: &Progress) -> bool {
        let phase = match phase {
            crate::drive::Phase::Pages => Phase::Pages,
            crate::drive::Phase::Restore => Phase::Restore,
            crate::drive::Phase::Verify => Phase::Verify,
            crate::drive::Phase::Dump => Phase::Dump,
        };
        progress::report(phase, done, total)
    }
}

/// Hands bytes of a restore or a dump to the host.
pub(super) fn write(bytes: &[u8]) -> Lent<()> {
    Ok(output::write(bytes)?)
}

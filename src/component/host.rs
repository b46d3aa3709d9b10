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
        layout(store::layout_of())
    }

    fn list(&self, prefix: &str, cursor: Option<&str>) -> Lent<Listing> {
        Ok(store::list_page(prefix, cursor)?.into())
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
        Ok(database::pin()?.into())
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
        progress::report(self::phase(phase), done, total)
    }
}

/// Hands bytes of a restore or a dump to the host.
pub(super) fn write(bytes: &[u8]) -> Lent<()> {
    Ok(output::write(bytes)?)
}

pub(super) fn layout(layout: store::Layout) -> Layout {
    match layout {
        store::Layout::Folder => Layout::Folder,
        store::Layout::Bucket => Layout::Bucket,
    }
}

pub(super) fn phase(phase: crate::drive::Phase) -> Phase {
    match phase {
        crate::drive::Phase::Pages => Phase::Pages,
        crate::drive::Phase::Restore => Phase::Restore,
        crate::drive::Phase::Verify => Phase::Verify,
        crate::drive::Phase::Dump => Phase::Dump,
    }
}

impl From<store::Page> for Listing {
    fn from(page: store::Page) -> Self {
        let store::Page { objects, cursor } = page;
        let objects = objects.into_iter();
        let objects = objects.map(|store::Object { key, size, modified_ms }| ListedObject { key, size, modified_ms });
        Self { objects: objects.collect(), cursor }
    }
}

impl From<database::Files> for Files {
    fn from(files: database::Files) -> Self {
        let database::Files { main_size, wal_size, place, file, born_ms } = files;
        Self { main_size, wal_size, place, file, born_ms }
    }
}

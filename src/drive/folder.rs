//! What machines ask of a store.

use std::collections::BTreeMap;

use super::fault::{Done, Fault};
use super::lend::{Phase, Progress, Store, Surroundings};
use super::machine::{self, Performer};
use super::object::{ObjectReader, get, get_all};
use super::upload::Uploaded;
use crate::catalog::{Folder, StoredFile};
use crate::error::ErrorKind;
use crate::run::{Answer, Id, Listing, Machine, Place, Request, Which};

/// What is lent to every job.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) around: &'a dyn Surroundings,
}

impl Host<'_> {
    /// Tells of progress.
    ///
    /// # Errors
    /// When the job is canceled.
    pub(super) fn tell(&self, phase: Phase, done: u64, total: u64) -> Done<()> {
        if self.around.progress(&Progress { phase, done, total }) { Ok(()) } else { Err(Fault::canceled()) }
    }
}

/// Performs what a store alone can do.
pub(super) struct StoreHost<'a> {
    pub(super) host: Host<'a>,
    readers: BTreeMap<String, ObjectReader<'a>>,
    /// Sizes of what was listed.
    listed: BTreeMap<String, u64>,
    /// Of the last page of a listing.
    last_key: String,
}

impl<'a> StoreHost<'a> {
    pub(super) fn new(host: Host<'a>) -> Self {
        Self { host, readers: BTreeMap::new(), listed: BTreeMap::new(), last_key: String::new() }
    }

    /// A page of a listing that is one: keys that ascend, and do so from page to page, or the listing would never end.
    fn list(&mut self, prefix: &str, cursor: Option<&str>) -> Done<Answer> {
        let Listing { objects, cursor: next } =
            self.host.store.list(prefix, cursor).map_err(|error| Fault::lent(error, prefix))?;
        if cursor.is_none() {
            self.last_key.clear();
        }
        for object in &objects {
            if !object.key.starts_with(prefix) || object.key <= self.last_key {
                return Err(Fault::host(format_args!("lists {:?}, which is not the next key there", object.key)));
            }
            self.last_key.clone_from(&object.key);
            self.listed.insert(object.key.clone(), object.size);
        }
        if next.is_some() && objects.is_empty() {
            return Err(Fault::host("lists no object, and says that there are more"));
        }
        Ok(Answer::Listing(Listing { objects, cursor: next }))
    }

    fn read(&mut self, file: StoredFile) -> Done<Answer> {
        let key = file.key.clone();
        let store = self.host.store;
        let reader = self.readers.entry(key.clone()).or_insert_with(|| ObjectReader::new(store, file, super::TRANSFER));
        let read = reader.next();
        if read.as_ref().map_or(true, Vec::is_empty) {
            self.readers.remove(&key);
        }
        read.map(Answer::Bytes)
    }
}

impl Performer for StoreHost<'_> {
    fn now_ms(&self) -> i64 {
        self.host.around.now_ms()
    }

    fn perform(&mut self, _: Id, request: Request) -> Done<Answer> {
        let store = self.host.store;
        match request {
            Request::List { prefix, cursor } => self.list(&prefix, cursor.as_deref()),
            Request::Get { key, most } => {
                let size = self.listed.get(&key).map(|&size| size.min(u64::from(most)));
                let bytes = size.map_or_else(|| get(store, &key, 0, most), |size| get_all(store, &key, 0, size));
                bytes.map(Answer::Bytes)
            }
            Request::Put { key, modified_ms, bytes } => {
                let mut object = Uploaded::begin(store, key, modified_ms);
                object.append(&bytes)?;
                object.finish().map(|_| Answer::Done)
            }
            Request::Delete { key } | Request::Remove { key } => {
                store.delete(&key).map_err(|error| Fault::lent(error, &key)).map(|()| Answer::Done)
            }
            Request::Read { key, proof } => self.read(StoredFile::new((key, proof))),
            Request::Close { key } => {
                self.readers.remove(&key);
                Ok(Answer::Done)
            }
            Request::Wait { ms } => {
                self.host.around.wait(ms);
                Ok(Answer::Done)
            }
            // Nobody asks a store for anything else.
            _ => Err(Fault::of(ErrorKind::Usage.into(), None)),
        }
    }
}

/// Lists a database's folder and reads its records.
pub(super) fn load(host: Host<'_>, place: &Place, which: Which, name: &str) -> Done<Folder> {
    let place = place.clone();
    let mut machine = Machine::new(|asked| async move { crate::run::load(&asked, &place, which).await });
    let (outcome, mut faults) = machine::run(&mut machine, &mut StoreHost::new(host));
    outcome.map_err(|failure| Fault::told(failure, name, &mut faults))
}

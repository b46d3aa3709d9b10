//! What machines ask of a store.

use std::collections::BTreeMap;

use super::ask::{Ask, Lender};
use super::fault::{Done, Fault};
use super::machine::{self, Performer};
use super::object::{ObjectReader, get_all};
use super::upload::Uploaded;
use crate::catalog::{Folder, StoredFile};
use crate::error::ErrorKind;
use crate::run::{Answer, Id, Listing, Machine, Place, Request};

/// Where an encrypted store has the keys of its users.
const KEYS: &str = "%keys/";

/// Performs what a store alone can do.
pub(super) struct StoreHost {
    pub(super) lender: Lender,
    /// The last number that an object was begun under.
    pub(super) last_upload: u32,
    /// Readers of the few objects that are being read.
    readers: Vec<ObjectReader>,
    /// Sizes of what was listed.
    listed: BTreeMap<String, u64>,
    /// The last key of the last page of a listing.
    last_key: String,
    /// Whether the store is known not to be encrypted.
    is_plain: bool,
}

impl StoreHost {
    pub(super) fn new(lender: &Lender) -> Self {
        let (readers, listed, last_key) = (Vec::new(), BTreeMap::new(), String::new());
        Self { lender: lender.clone(), last_upload: 0, readers, listed, last_key, is_plain: false }
    }

    /// A number for an object that is begun.
    pub(super) fn next_upload(&mut self) -> u32 {
        self.last_upload += 1;
        self.last_upload
    }

    /// An encrypted store is refused before anything else is asked of it: its backups would look damaged, and plain ones would
    /// lie among them.
    async fn refuse_encrypted(&mut self) -> Done<()> {
        if !self.is_plain && !self.lender.list(KEYS, None).await?.objects.is_empty() {
            return Err(Fault::encrypted());
        }
        self.is_plain = true;
        Ok(())
    }

    /// A page of a listing that is one: keys that ascend, and do so from page to page, or the listing would never end.
    async fn list(&mut self, prefix: &str, cursor: Option<&str>) -> Done<Answer> {
        self.refuse_encrypted().await?;
        let Listing { objects, cursor: next } = self.lender.list(prefix, cursor).await?;
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

    async fn read(&mut self, file: StoredFile) -> Done<Answer> {
        let at = self.readers.iter().position(|reader| reader.key() == file.key).unwrap_or_else(|| {
            self.readers.push(ObjectReader::new(&self.lender, file, super::TRANSFER));
            self.readers.len() - 1
        });
        let read = self.readers[at].next().await;
        if read.as_ref().map_or(true, Vec::is_empty) {
            self.readers.swap_remove(at);
        }
        read.map(Answer::Bytes)
    }
}

impl<M> Performer<M> for StoreHost {
    fn now_ms(&self) -> i64 {
        self.lender.now_ms()
    }

    async fn perform(&mut self, _: Id, request: Request, _: &M) -> Done<Answer> {
        match request {
            Request::List { prefix, cursor } => self.list(&prefix, cursor.as_deref()).await,
            Request::Get { key, most } => {
                let bytes = match self.listed.get(&key) {
                    Some(&size) => get_all(&self.lender, &key, 0, size.min(u64::from(most))).await,
                    None => self.lender.get(&key, 0, most).await,
                };
                bytes.map(Answer::Bytes)
            }
            Request::Put { key, modified_ms, bytes } => {
                let upload = self.next_upload();
                let mut object = Uploaded::begin(&self.lender, upload, key, modified_ms);
                object.append(&bytes).await?;
                object.finish().await.map(|_| Answer::Done)
            }
            Request::Delete { key } | Request::Remove { key } => self.lender.delete(&key).await.map(|()| Answer::Done),
            Request::Read { key, proof } => self.read(StoredFile::new((key, proof))).await,
            Request::Close { key } => {
                self.readers.retain(|reader| reader.key() != key);
                Ok(Answer::Done)
            }
            Request::Wait { ms } => self.lender.done(Ask::Wait { ms }, "the host").await.map(|()| Answer::Done),
            // Nobody asks a store for anything else.
            _ => Err(Fault::of(ErrorKind::Usage.into(), None)),
        }
    }
}

/// Lists a database's folder and reads its records, as many as finding what `ats` mean takes; all without.
pub(super) async fn load(lender: &Lender, place: &Place, ats: Vec<String>, name: &str) -> Done<Folder> {
    let (place, now_ms) = (place.clone(), Some(lender.now_ms()));
    let mut machine = Machine::new(|asked| async move { crate::run::load_for(&asked, &place, &ats, now_ms).await });
    let (outcome, mut faults) = machine::run(&mut machine, &mut StoreHost::new(lender)).await;
    outcome.map_err(|failure| Fault::told(failure, name, &mut faults))
}

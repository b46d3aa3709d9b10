//! A job run to its end for a host that answers at once.

use super::ask::{Ask, Given, UploadId};
use super::fault::Fault;
use super::job::Job;
use super::lend::{Database, HostError, Lent, Store, Surroundings, Upload};

/// Takes what a job writes, in order.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Lent<()>;

/// What a job is lent.
pub(super) struct Performer<'a> {
    store: &'a dyn Store,
    around: &'a dyn Surroundings,
    database: Option<&'a dyn Database>,
    sink: Option<Sink<'a>>,
    /// Two at most.
    uploads: Vec<(UploadId, Box<dyn Upload + 'a>)>,
}

impl<'a> Performer<'a> {
    pub(super) fn new(store: &'a dyn Store, around: &'a dyn Surroundings) -> Self {
        Self { store, around, database: None, sink: None, uploads: Vec::new() }
    }

    /// Lends a database, too.
    pub(super) fn database(self, database: &'a dyn Database) -> Self {
        Self { database: Some(database), ..self }
    }

    /// Takes what the job writes.
    pub(super) fn sink(self, sink: Sink<'a>) -> Self {
        Self { sink: Some(sink), ..self }
    }

    /// Does all that a job asks for.
    pub(super) fn run<T: 'static>(mut self, mut job: Job<T>) -> Result<T, Fault> {
        while let Some((id, ask)) = job.poll(self.around.now_ms()) {
            let given = self.perform(ask).unwrap_or_else(Given::Failed);
            job.give(id, given);
        }
        // Everything that was asked was answered, so that it has ended.
        job.take_outcome().unwrap_or_else(|| Err(Fault::host("was not asked to the end")))
    }

    fn perform(&mut self, ask: Ask) -> Lent<Given> {
        match ask {
            Ask::List { prefix, cursor } => return self.store.list(&prefix, cursor.as_deref()).map(Given::Listing),
            Ask::Get { key, offset, length } => return self.store.get(&key, offset, length).map(Given::Bytes),
            Ask::Delete { key } => self.store.delete(&key)?,
            Ask::Create { upload, key, modified_ms } => {
                let begun = self.store.create(&key, modified_ms)?;
                self.uploads.push((upload, begun));
            }
            // Nothing was saved.
            Ask::Resume { .. } => return Err(HostError::Missing),
            Ask::Append { upload, bytes } => {
                let at = self.begun(upload).ok_or(HostError::Missing)?;
                self.uploads[at].1.append(&bytes)?;
            }
            Ask::Finish { upload } => {
                let at = self.begun(upload).ok_or(HostError::Missing)?;
                self.uploads.swap_remove(at).1.finish()?;
            }
            Ask::Abort { upload } => {
                if let Some(at) = self.begun(upload) {
                    self.uploads.swap_remove(at);
                }
            }
            Ask::Pin => return self.lent()?.pin().map(Given::Pinned),
            Ask::Read { part, offset, length } => return self.lent()?.read(part, offset, length).map(Given::Bytes),
            Ask::Release => self.lent()?.release()?,
            Ask::Write { bytes } => self.sink.as_mut().map_or(Err(HostError::Missing), |sink| sink(&bytes))?,
            Ask::Wait { ms } => self.around.wait(ms),
            Ask::Progress(progress) => {
                if !self.around.progress(&progress) {
                    return Err(HostError::Canceled);
                }
            }
            Ask::Save => {}
        }
        Ok(Given::Done)
    }

    /// Where among the uploads one is.
    fn begun(&self, upload: UploadId) -> Option<usize> {
        self.uploads.iter().position(|(each, _)| *each == upload)
    }

    fn lent(&self) -> Lent<&'a dyn Database> {
        self.database.ok_or(HostError::Missing)
    }
}

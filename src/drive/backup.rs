//! Making a backup: what its machine asks of pages, packers and files.

use std::collections::BTreeMap;

use super::fault::{Done, Fault};
use super::folder::{Host, StoreHost};
use super::lend::{Database, Phase};
use super::machine::{self, Performer};
use super::moment::{Moment, Paged};
use super::stored::StoredPages;
use super::upload::Uploaded;
use crate::error::{Error, ErrorKind};
use crate::page::PageSize;
use crate::run::{self, Answer, BackupOptions, File, Id, Made, Packers, Request};
use crate::snapshot::Packer;
use crate::snapshot::fingerprint::decode_states;

/// What is packed at a time, in bytes.
const BATCH: u32 = 1 << 20;

/// Backs `database` up.
pub(super) fn back_up(host: Host<'_>, database: &dyn Database, options: BackupOptions) -> Done<Made> {
    let name = options.name.clone();
    let mut performer = BackupHost {
        store: StoreHost::new(host),
        database,
        name: &name,
        moment: None,
        stored: None,
        packer: None,
        frames: BTreeMap::new(),
        files: Vec::new(),
        has_name: false,
        is_canceled: false,
    };
    let mut backup = run::Backup::new(options, None);
    let (outcome, mut faults) = machine::run(&mut backup, &mut performer);
    let made = outcome.map_err(|failure| Fault::told(failure, &name, &mut faults))?;
    // Nobody gave it up.
    made.ok_or_else(|| Fault::of(ErrorKind::Usage.into(), Some(&name)))
}

struct BackupHost<'a> {
    store: StoreHost<'a>,
    database: &'a dyn Database,
    name: &'a str,
    moment: Option<Moment<'a>>,
    stored: Option<StoredPages<'a>>,
    packer: Option<Packer>,
    /// Of packs that were not appended yet.
    frames: BTreeMap<Id, Vec<u8>>,
    files: Vec<(File, Uploaded<'a>)>,
    /// Whether the fingerprint file is stored: the LTX file of that name is this backup's, too, and nobody else's.
    has_name: bool,
    is_canceled: bool,
}

impl<'a> BackupHost<'a> {
    fn pack(&mut self, id: Id, runs: &[u32], states: Option<&[u8]>) -> Done<Answer> {
        let about = |error: Error| Fault::of(error, Some(self.name));
        let previous = states.map(decode_states).transpose().map_err(about)?;
        let (Some(moment), Some(packer)) = (&mut self.moment, &mut self.packer) else {
            return Err(about(ErrorKind::Usage.into()));
        };
        let mut pages = Vec::new();
        let (runs, _) = runs.as_chunks::<2>();
        for &[first, count] in runs {
            pages.extend_from_slice(&moment.read(first, count)?);
        }
        packer.add_runs(runs, &pages, previous.as_deref()).map_err(about)?;
        let packed = packer.take();
        let summary = packed.summary();
        self.frames.insert(id, packed.frames.bytes);
        Ok(Answer::Bytes(summary))
    }

    fn pin(&mut self, since: Option<&str>) -> Done<Answer> {
        // The one before, if it was not let go.
        self.moment = None;
        let (moment, pinned) = Moment::pin(self.database, self.name, since)?;
        self.moment = Some(moment);
        Ok(Answer::Pinned(pinned))
    }

    fn finish(&mut self, file: File) -> Done<Answer> {
        let proof = self.file(file)?.finish()?;
        self.has_name |= file == File::Fingerprints;
        Ok(Answer::Proof(proof))
    }

    fn abort(&mut self, file: File) -> Done<Answer> {
        let is_ours = self.has_name && file == File::Ltx;
        let begun = self.files.iter_mut().find(|(each, _)| *each == file);
        begun.map_or(Ok(()), |(_, object)| object.abort(is_ours)).map(|()| Answer::Done)
    }

    fn file(&mut self, file: File) -> Done<&mut Uploaded<'a>> {
        let begun = self.files.iter_mut().find(|(each, _)| *each == file);
        begun.map(|(_, object)| object).ok_or_else(|| Fault::of(ErrorKind::Usage.into(), Some(self.name)))
    }

    /// A canceled job does nothing more but let go, and leave nothing half-done.
    fn check(&self, request: &Request) -> Done<()> {
        let cleans_up = matches!(
            request,
            Request::Release
                | Request::Close { .. }
                | Request::CloseStored
                | Request::Abort { .. }
                | Request::Delete { .. }
        );
        if self.is_canceled && !cleans_up { Err(Fault::canceled()) } else { Ok(()) }
    }

    fn answer(&mut self, id: Id, request: Request) -> Done<Answer> {
        self.check(&request)?;
        let unknown = || Fault::of(ErrorKind::Usage.into(), Some(self.name));
        match request {
            Request::Pin { since, .. } => return self.pin(since.as_deref()),
            Request::ReadPages { first, count } => {
                return self.moment.as_mut().ok_or_else(unknown)?.read(first, count).map(Answer::Bytes);
            }
            Request::Release => {
                if let Some(mut moment) = self.moment.take() {
                    moment.release()?;
                }
            }
            Request::OpenStored { files, page_size, page_count } => {
                let shape = Some((page_size, page_count));
                self.stored = Some(StoredPages::open(self.store.host.store, files, shape, None)?);
            }
            Request::ReadStored { pgno } => {
                return self.stored.as_ref().ok_or_else(unknown)?.page(pgno).map(Answer::Bytes);
            }
            Request::CloseStored => self.stored = None,
            Request::OpenPackers { page_size, .. } => {
                self.packer = Some(Packer::new(PageSize::new(page_size).ok_or_else(unknown)?));
                return Ok(Answer::Packers(Packers { concurrency: 1, batch: BATCH }));
            }
            Request::Pack { runs, states } => return self.pack(id, &runs, states.as_deref()),
            Request::Create { file, key, modified_ms } => {
                self.files.retain(|(each, _)| *each != file);
                self.files.push((file, Uploaded::begin(self.store.host.store, key, modified_ms)));
            }
            Request::Append { file, bytes } => self.file(file)?.append(&bytes)?,
            Request::AppendPacked { pack, fingerprints, done, total, .. } => {
                let frames = self.frames.remove(&pack).unwrap_or_default();
                self.file(File::Ltx)?.append(&frames)?;
                self.file(File::Fingerprints)?.append(&fingerprints)?;
                self.store.host.tell(Phase::Pages, done.into(), total.into())?;
            }
            Request::Finish { file } => return self.finish(file),
            Request::Abort { file } => return self.abort(file),
            Request::Save => {}
            request => return self.store.perform(id, request),
        }
        Ok(Answer::Done)
    }
}

impl Performer for BackupHost<'_> {
    fn now_ms(&self) -> i64 {
        self.store.now_ms()
    }

    fn perform(&mut self, id: Id, request: Request) -> Done<Answer> {
        let answer = self.answer(id, request);
        self.is_canceled |= answer.as_ref().is_err_and(Fault::is_canceled);
        answer
    }
}

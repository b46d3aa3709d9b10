//! Making a backup: what its machine asks of pages, packers and files.

use core::cell::RefCell;
use std::rc::Rc;

use super::ask::{Ask, Lender};
use super::fault::{Done, Fault};
use super::folder::StoreHost;
use super::lend::Phase;
use super::machine::{self, Performer};
use super::moment::Moment;
use super::saved::SavedJob;
use super::stored::StoredPages;
use super::upload::Uploaded;
use crate::error::{Error, ErrorKind};
use crate::page::PageSize;
use crate::run::{self, Answer, BackupOptions, File, Id, Made, Packers, Request};
use crate::snapshot::Packer;
use crate::snapshot::fingerprint::decode_states;

/// What is packed at a time, in bytes.
const BATCH: u32 = 1 << 20;

/// How a backup is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Makes a full backup even where an incremental one would do.
    pub full: bool,
    /// Says that this is the database whose backups go by that name, where it looks like another one (`OTHER_DATABASE`).
    pub same_database: bool,
    /// Whether a restore makes it of what it is about to replace.
    pub safety: bool,
}

/// Backs the database up.
pub(super) async fn back_up(lender: &Lender, options: BackupOptions, saved: Rc<RefCell<SavedJob>>) -> Done<Made> {
    saved.borrow_mut().name.clone_from(&options.name);
    let host = BackupHost::new(lender, &options.name, options.in_steps, saved);
    host.run(run::Backup::new(options, None)).await
}

/// Goes on with a backup that was saved.
pub(super) async fn go_on(lender: &Lender, backup: run::Backup, saved: Rc<RefCell<SavedJob>>) -> Done<Made> {
    let state = saved.borrow().clone();
    let mut host = BackupHost::new(lender, &state.name, true, saved);
    host.has_name = state.has_name;
    host.store.last_upload = state.last_upload;
    host.files = state.files(lender)?;
    for (_, object) in &mut host.files {
        object.go_on().await?;
    }
    host.run(backup).await
}

struct BackupHost {
    store: StoreHost,
    lender: Lender,
    name: String,
    /// Whether it can be saved, and so must name the moment.
    in_steps: bool,
    saved: Rc<RefCell<SavedJob>>,
    moment: Option<Moment>,
    stored: Option<StoredPages>,
    packer: Option<Packer>,
    /// Frames of packs that were not appended yet.
    frames: Vec<(Id, Vec<u8>)>,
    files: Vec<(File, Uploaded)>,
    /// Whether the fingerprint file is stored: the LTX file of that name is this backup's, too, and nobody else's.
    has_name: bool,
    is_canceled: bool,
}

impl BackupHost {
    fn new(lender: &Lender, name: &str, in_steps: bool, saved: Rc<RefCell<SavedJob>>) -> Self {
        Self {
            store: StoreHost::new(lender),
            lender: lender.clone(),
            name: name.to_owned(),
            in_steps,
            saved,
            moment: None,
            stored: None,
            packer: None,
            frames: Vec::new(),
            files: Vec::new(),
            has_name: false,
            is_canceled: false,
        }
    }

    async fn run(mut self, mut backup: run::Backup) -> Done<Made> {
        let (outcome, mut faults) = machine::run(&mut backup, &mut self).await;
        let made = outcome.map_err(|failure| Fault::told(failure, &self.name, &mut faults))?;
        // Nobody gave it up.
        made.ok_or_else(|| Fault::of(ErrorKind::Usage.into(), Some(&self.name)))
    }

    async fn pack(&mut self, id: Id, runs: &[u32], states: Option<&[u8]>) -> Done<Answer> {
        let about = |error: Error| Fault::of(error, Some(&self.name));
        let previous = states.map(decode_states).transpose().map_err(about)?;
        let (Some(moment), Some(packer)) = (&self.moment, &mut self.packer) else {
            return Err(about(ErrorKind::Usage.into()));
        };
        let mut pages = Vec::new();
        let (runs, _) = runs.as_chunks::<2>();
        for &[first, count] in runs {
            pages.extend_from_slice(&moment.read(first, count).await?);
        }
        packer.add_runs(runs, &pages, previous.as_deref()).map_err(about)?;
        let packed = packer.take();
        let summary = packed.summary();
        self.frames.push((id, packed.frames.bytes));
        Ok(Answer::Bytes(summary))
    }

    async fn pin(&mut self, since: Option<&str>) -> Done<Answer> {
        // The one before, if it was not let go.
        self.moment = None;
        let (moment, mut pinned) = Moment::pin(&self.lender, &self.name, since).await?;
        if self.in_steps {
            pinned.bookmark = Some(moment.state_name(pinned.mark.as_deref()).await?);
        }
        self.moment = Some(moment);
        Ok(Answer::Pinned(pinned))
    }

    async fn finish(&mut self, file: File) -> Done<Answer> {
        let proof = self.file(file)?.finish().await?;
        self.has_name |= file == File::Fingerprints;
        Ok(Answer::Proof(proof))
    }

    async fn abort(&mut self, file: File) -> Done<Answer> {
        let is_ours = self.has_name && file == File::Ltx;
        if let Some((_, object)) = self.files.iter_mut().find(|(each, _)| *each == file) {
            object.abort(is_ours).await?;
        }
        Ok(Answer::Done)
    }

    /// Lets the host save the job, if it wants to.
    async fn save(&mut self, backup: &run::Backup) -> Done<Answer> {
        for (_, object) in &mut self.files {
            object.flush().await?;
        }
        {
            let mut saved = self.saved.borrow_mut();
            (saved.has_name, saved.last_upload) = (self.has_name, self.store.last_upload);
            saved.note(backup, &self.files);
        }
        self.lender.done(Ask::Save, "the host").await.map(|()| Answer::Done)
    }

    fn file(&mut self, file: File) -> Done<&mut Uploaded> {
        let begun = self.files.iter_mut().find(|(each, _)| *each == file);
        begun.map(|(_, object)| object).ok_or_else(|| Fault::of(ErrorKind::Usage.into(), Some(&self.name)))
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

    async fn answer(&mut self, id: Id, request: Request, backup: &run::Backup) -> Done<Answer> {
        self.check(&request)?;
        let unknown = || Fault::of(ErrorKind::Usage.into(), None);
        match request {
            Request::Pin { since, .. } => return self.pin(since.as_deref()).await,
            Request::ReadPages { first, count } => {
                return self.moment.as_ref().ok_or_else(unknown)?.read(first, count).await.map(Answer::Bytes);
            }
            Request::Release => {
                if let Some(mut moment) = self.moment.take() {
                    moment.release().await?;
                }
            }
            Request::OpenStored { files, page_size, page_count } => {
                let shape = Some((page_size, page_count));
                self.stored = Some(StoredPages::open(&self.lender, files, shape, None).await?);
            }
            Request::ReadStored { pgno } => {
                return self.stored.as_ref().ok_or_else(unknown)?.page(pgno).await.map(Answer::Bytes);
            }
            Request::CloseStored => self.stored = None,
            Request::OpenPackers { page_size, .. } => {
                self.packer = Some(Packer::new(PageSize::new(page_size).ok_or_else(unknown)?));
                return Ok(Answer::Packers(Packers { concurrency: 1, batch: BATCH }));
            }
            Request::Pack { runs, states } => return self.pack(id, &runs, states.as_deref()).await,
            Request::Create { file, key, modified_ms } => {
                self.files.retain(|(each, _)| *each != file);
                let upload = self.store.next_upload();
                let object = Uploaded::begin(&self.lender, upload, key, modified_ms);
                self.files.push((file, object));
            }
            Request::Append { file, bytes } => self.file(file)?.append(&bytes).await?,
            Request::AppendPacked { pack, fingerprints, done, total, .. } => {
                if let Some(at) = self.frames.iter().position(|(id, _)| *id == pack) {
                    let (_, frames) = self.frames.swap_remove(at);
                    self.file(File::Ltx)?.append(&frames).await?;
                }
                self.file(File::Fingerprints)?.append(&fingerprints).await?;
                self.lender.tell(Phase::Pages, done.into(), total.into()).await?;
            }
            Request::Finish { file } => return self.finish(file).await,
            Request::Abort { file } => return self.abort(file).await,
            Request::Save => return self.save(backup).await,
            request => return self.store.perform(id, request, backup).await,
        }
        Ok(Answer::Done)
    }
}

impl Performer<run::Backup> for BackupHost {
    fn now_ms(&self) -> i64 {
        self.lender.now_ms()
    }

    async fn perform(&mut self, id: Id, request: Request, backup: &run::Backup) -> Done<Answer> {
        let answer = self.answer(id, request, backup).await;
        self.is_canceled |= answer.as_ref().is_err_and(Fault::is_canceled);
        answer
    }
}

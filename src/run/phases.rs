//! The phases of a backup, each of which can be begun again from a saved state.

use super::ask::{MOST_RECORD_BYTES, abort, append, is_recorded, pin, sweep};
use super::draft::Draft;
use super::notes::{BackupOptions, Made, Notes};
use super::pages::{Pages, Position, pages_per_batch};
use super::request::{Answer, FailureKind, File, Packers, Request};
use super::saved::{Phase, Saved};
use super::states::States;
use super::story::Story;
use super::{Failure, Outcome};
use crate::catalog::Record;
use crate::catalog::record::Object;
use crate::error::ErrorKind;
use crate::page::{Checksum, PageSize};
use crate::snapshot::{Sha256, Writer, hex_digits};

/// What is packed at a time where the state is saved in between, in bytes.
const STEP_BATCH: u32 = 256 << 10;

impl Story {
    /// Goes on from a saved state.
    pub(super) async fn go_on(&self, mut state: Saved, position: Position, writer: Option<Writer>) -> Outcome<Made> {
        self.run(&mut state, position, writer, false, &BackupOptions::of_step()).await.map_err(Failure::plain)
    }

    /// All phases that are left.
    pub(super) async fn run(
        &self,
        state: &mut Saved,
        mut position: Position,
        mut writer: Option<Writer>,
        mut is_pinned: bool,
        options: &BackupOptions,
    ) -> Outcome<Made> {
        loop {
            match state.phase {
                Phase::Pages => {
                    if !is_pinned {
                        // Begun by another process: the same state is held again.
                        pin(&self.host, state.since.clone(), state.at.clone()).await?;
                        is_pinned = true;
                    }
                    let packing = writer.take().ok_or(ErrorKind::SavedState)?;
                    match self.pack(state, &mut position, packing, options).await {
                        Err(Failure::LostFingerprints) => {
                            position = Position::START;
                            writer = Some(self.become_full(options, state).await?);
                            continue;
                        }
                        packed => packed?,
                    }
                    state.phase = Phase::Fingerprints;
                }
                // One after the other: of two backups at once, whoever gets the first name gets the second too. And an
                // LTX file of ours never lies there without its fingerprints, which tell it from one that Litestream wrote.
                Phase::Fingerprints => {
                    state.fingerprints = Some(self.finish(File::Fingerprints, state).await?);
                    state.phase = Phase::Ltx;
                }
                Phase::Ltx => {
                    let ltx = self.finish(File::Ltx, state).await?;
                    let checksum = Checksum::new(state.checksum).ok_or(ErrorKind::SavedState)?;
                    let fingerprints = state.fingerprints.clone().ok_or(ErrorKind::SavedState)?;
                    let record = state.draft.finish(checksum, state.pages, ltx, fingerprints);
                    state.record = Some(record.encode()?.text);
                    state.phase = Phase::Record;
                }
                Phase::Record => {
                    self.put_record(state).await?;
                    state.phase = Phase::Sweep;
                }
                Phase::Sweep => {
                    sweep(&self.host, &state.leftovers).await;
                    break;
                }
            }
            if options.in_steps {
                self.save(state, position, None).await?;
            }
        }
        Ok(Made {
            record: Record::decode(state.record.as_deref().unwrap_or_default())?.0,
            full_because: state.full_because.clone(),
            damaged: state.damaged,
            lack: state.lack.clone(),
            most_pages: state.most_pages,
        })
    }

    /// All pages into both files, to their ends.
    async fn pack(
        &self,
        state: &mut Saved,
        position: &mut Position,
        mut writer: Writer,
        options: &BackupOptions,
    ) -> Outcome<()> {
        let host = &self.host;
        let record = &state.draft.record;
        let page_size = PageSize::new(record.page_size).ok_or(ErrorKind::SavedState)?;
        let is_told = state.told_checksum.is_some();
        // A full backup has nothing that pages could be unchanged against.
        let changed = self.notes.borrow().changed.clone().filter(|_| is_told || !state.base.is_empty());
        let mut pages = Pages {
            page_size,
            page_count: record.page_count,
            changed,
            is_told,
            complete: record.complete,
            per_batch: 1,
            concurrency: 1,
        };
        let total = if options.in_steps { 0 } else { pages.total_bytes() };
        let Answer::Packers(Packers { concurrency, batch }) =
            host.call(Request::OpenPackers { page_size: page_size.value(), total }).await?
        else {
            return Err(ErrorKind::Usage.into());
        };
        let batch = if options.in_steps { STEP_BATCH } else { batch };
        pages.per_batch = pages_per_batch(page_size, batch, options.pages);
        if !options.in_steps {
            state.most_pages = Some(pages_per_batch(page_size, batch, None));
            pages.concurrency = concurrency.max(1) as usize;
        }
        // A batch of pages that are told to have changed holds no more than there are.
        if let Some(changed) = pages.changed.as_ref().filter(|_| is_told) {
            pages.per_batch = pages.per_batch.min(changed.len().max(1) as u32);
        }
        let mut states = None;
        if !state.base.is_empty() {
            let checksum = Checksum::new(state.base_checksum).ok_or(ErrorKind::SavedState)?;
            let mut proved = core::mem::take(&mut self.notes.borrow_mut().proved);
            let of = (page_size, state.base_pages, checksum);
            let mut opened = States::open(host, &state.base, of, &mut proved).await?;
            self.notes.borrow_mut().proved = proved;
            pages.skip(&mut opened, *position).await?;
            states = Some(opened);
        }
        let unchanged = &*state;
        let save = async |writer: &Writer, position: Position| match options.in_steps {
            true => self.save(unchanged, position, Some(writer)).await,
            false => Ok(()),
        };
        let packed = pages.pack(host, &mut writer, &mut states, position, save).await;
        if let Some(states) = states {
            states.close().await;
        }
        packed?;
        append(host, File::Fingerprints, writer.fingerprint_end()).await?;
        let directory = writer.directory();
        let sha256 = hex_digits(&Sha256::of(&directory));
        state.draft.record.directory = Some(Object { sha256, size: directory.len() as u64 });
        append(host, File::Fingerprints, directory).await?;
        // The moment held, or this fails: all that follows is only storing.
        host.perform(Request::Release).await?;
        state.pages = writer.pages();
        let (tail, checksum) = writer.finish()?;
        for piece in tail {
            append(host, File::Ltx, piece).await?;
        }
        state.checksum = state.told_checksum.unwrap_or(checksum.value());
        Ok(())
    }

    /// Makes a file's object.
    async fn finish(&self, file: File, state: &Saved) -> Outcome<Object> {
        match self.host.call(Request::Finish { file }).await {
            Ok(Answer::Proof(proof)) => Ok(proof),
            Ok(_) => Err(ErrorKind::Usage.into()),
            Err(failure) => Err(self.conflict(failure, state).await),
        }
    }

    /// Stores the record. A store may have done so and still report an error: then it counts.
    async fn put_record(&self, state: &Saved) -> Outcome<()> {
        let Draft { record_key: key, now_ms, .. } = &state.draft;
        let bytes = state.record.clone().unwrap_or_default().into_bytes();
        let put = Request::Put { key: key.clone(), modified_ms: *now_ms, bytes: bytes.clone() };
        let Err(failure) = self.host.perform(put).await else { return Ok(()) };
        if matches!(&failure, Failure::Host(failure) if failure.kind == FailureKind::Canceled) {
            return Err(failure);
        }
        let there = self.host.bytes(Request::Get { key: key.clone(), most: MOST_RECORD_BYTES }).await;
        if there.is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        match self.conflict(failure, state).await {
            Failure::Conflict => Err(Failure::Conflict),
            // It may be there all the same, and must not lose its files then.
            failure => Err(Failure::Unsure(Box::new(failure))),
        }
    }

    /// What a failure to make an object comes to. When another has its name, another backup was quicker, and nothing of
    /// this one stays.
    async fn conflict(&self, failure: Failure, state: &Saved) -> Failure {
        let Failure::Host(of_host) = &failure else { return failure };
        if of_host.kind != FailureKind::Exists {
            return failure;
        }
        match is_recorded(&self.host, &state.draft).await {
            Ok(true) => failure,
            // The files are swept by the next backup.
            Err(_) => Failure::Conflict,
            Ok(false) => {
                let _ = abort(&self.host).await;
                Failure::Conflict
            }
        }
    }

    /// Notes the state down, and gives the host the chance to keep it.
    pub(super) async fn save(&self, state: &Saved, position: Position, writer: Option<&Writer>) -> Outcome<()> {
        {
            let mut notes = self.notes.borrow_mut();
            if let Some(writer) = writer {
                let Notes { log, logged, .. } = &mut *notes;
                writer.log(logged, log);
            }
            notes.saved = state.encode(position, writer, &notes.log)?;
            notes.phase = Some(state.phase);
        }
        self.host.perform(Request::Save).await
    }
}

//! A database put together from its stored files.

use super::TRANSFER;
use super::ask::Lender;
use super::fault::{Done, Fault};
use super::lend::Phase;
use super::object::{ObjectReader, get_all};
use crate::bookmark::Bookmark;
use crate::catalog::{BackupView, Plan, StoredFile, Target};
use crate::error::{Error, ErrorKind};
use crate::ltx::HEADER_SIZE;
use crate::snapshot::{Restore, RestoreEvent};

/// Memory for reading files side by side, in bytes.
const READ_AHEAD: u32 = 8 << 20;
const LEAST_STEP: u32 = 16 << 10;

/// What a restore came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup; none where Litestream wrote the folder.
    pub backup: Option<BackupView>,
    /// What a user should know of what was found.
    pub note: Option<String>,
}

/// Restores what a plan says.
pub(super) async fn restore(lender: &Lender, plan: Plan) -> Done<Restored> {
    let Plan { files, backup, note, .. } = plan;
    if backup.as_ref().is_some_and(|backup| !backup.view.partial.is_empty()) {
        return Err(Fault::of(ErrorKind::BackupPartial.into(), None));
    }
    let bookmark = backup.as_ref().map(|backup| backup.view.bookmark.clone());
    put_together(lender, files, bookmark.as_deref(), Phase::Restore).await?;
    Ok(Restored { backup: backup.map(|backup| backup.view), note })
}

/// Puts files together, oldest first, and proves every digest and the database checksum in `bookmark`. Only a restore writes
/// what comes out.
pub(super) async fn put_together(
    lender: &Lender,
    files: Vec<StoredFile>,
    bookmark: Option<&str>,
    phase: Phase,
) -> Done<()> {
    let total = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
    let step = (READ_AHEAD / files.len().max(1) as u32).clamp(LEAST_STEP, TRANSFER);
    let mut readers: Vec<_> = files.into_iter().map(|file| ObjectReader::new(lender, file, step)).collect();
    let mut restore = Restore::new(readers.len(), bookmark.is_some() && phase == Phase::Restore);
    let (mut current, mut done) = (0, 0);
    loop {
        let event = restore.poll().map_err(|error| Fault::of(error, readers.get(current).map(ObjectReader::key)))?;
        match event {
            RestoreEvent::NeedInput(file) => {
                current = file;
                let Some(reader) = readers.get_mut(file) else { return Err(Fault::of(ErrorKind::Usage.into(), None)) };
                let bytes = reader.next().await?;
                done += bytes.len() as u64;
                restore.feed(file, &bytes).map_err(|error| Fault::of(error, Some(reader.key())))?;
                lender.tell(phase, done, total).await?;
            }
            RestoreEvent::Output => {
                let output = restore.take_output();
                for piece in output.chunks(TRANSFER as usize).filter(|_| phase == Phase::Restore) {
                    lender.write(piece.to_vec()).await?;
                }
                lender.tell(phase, done, total).await?;
            }
            RestoreEvent::End(checksum) => {
                for reader in &mut readers {
                    // The last bytes of an LTX file end it for the core; its digest needs them all to have been read.
                    if !reader.next().await?.is_empty() {
                        return Err(Fault::of(ErrorKind::LtxTrailing.into(), Some(reader.key())));
                    }
                }
                let proved = bookmark.map(|text| {
                    let bookmark: Bookmark = text.parse()?;
                    bookmark.prove(bookmark.lineage, checksum)
                });
                return proved.unwrap_or(Ok(())).map_err(|error: Error| Fault::of(error, None));
            }
        }
    }
}

/// A plan whose backup is the state that it leads to: of a state between backups only the last of its files tells.
pub(super) async fn complete(lender: &Lender, mut plan: Plan, target: &Target) -> Done<Plan> {
    let (Some(_), Some(last)) = (&plan.after, plan.files.last()) else { return Ok(plan) };
    let (key, size) = (last.key.clone(), last.size);
    let start = get_all(lender, &key, 0, size.min(HEADER_SIZE as u64)).await?;
    plan.complete(&start, target).map_err(|error| {
        let about = Some(key.as_str()).filter(|_| error.kind != ErrorKind::BookmarkUnknown);
        Fault::of(error, about)
    })?;
    Ok(plan)
}

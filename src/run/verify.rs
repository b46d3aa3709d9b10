//! Proving what is stored: every object once, then the newest backup put together as a restore would.

use std::collections::VecDeque;

use super::load::{Place, Which, load};
use super::request::{HostFailure, Request};
use super::{Failure, Host, Outcome};
use crate::catalog::follow::Followed;
use crate::catalog::{BackupView, Folder, Kind, Link, Problem, Record, StoredFile, Target};
use crate::error::{Error, ErrorKind};
use crate::page::Txid;

/// Objects that are read at a time.
const AT_ONCE: usize = 4;

/// What a verification found.
#[derive(Debug, Default)]
pub struct Verification {
    /// Backups that can be restored.
    pub sound: Vec<BackupView>,
    /// What is wrong; empty when all is well.
    pub wrong: Vec<Wrong>,
    /// Keys of files that are made of others, where all backups were verified. They prove themselves, and no backup is lost with one.
    pub merged: Vec<String>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// What the records say.
    Known(Problem),
    /// What the host found, and the key of the object or the TXID of the state.
    Found(HostFailure, String),
}

/// Verifies every backup, or the one that `at` means.
///
/// # Errors
/// What the host fails with that says nothing of what is stored; what [`crate::catalog::History::find`] refuses.
pub async fn verify(host: &Host, place: &Place, at: Option<&Target>) -> Outcome<Verification> {
    let folder = load(host, place, Which::All).await?;
    let mut found = Verification::default();
    if at.is_none() {
        found.merged = folder.merged().map(|(_, key)| key.to_owned()).collect();
    }
    if folder.history.entries().next().is_none() {
        let plan = folder.plan(at.unwrap_or(&Target::Unsaid)).map_err(Failure::Plan)?;
        put_together(host, plan.files, None, folder.prefix().trim_end_matches('/'), &mut found).await?;
        return Ok(found);
    }
    let links = links(&folder, at, &mut found)?;
    found.wrong.extend(foreign(&folder));
    let bad = prove(host, &folder, &links, &mut found).await?;
    let mut sound = Vec::new();
    for Link { record, ltx, .. } in &links {
        let stands =
            |record: &Record| record.previous.as_ref().is_some_and(|before| sound.binary_search(&before.first).is_ok());
        if !bad.contains(ltx) && (record.kind == Kind::Full || stands(record)) {
            sound.push(record.first);
        }
    }
    let wanted =
        if at.is_none() { links.as_slice() } else { links.get(links.len().saturating_sub(1)..).unwrap_or_default() };
    let restorable: Vec<&Record> =
        wanted.iter().map(|link| link.record).filter(|r| sound.binary_search(&r.first).is_ok()).collect();
    found.sound = restorable.iter().map(|&record| BackupView::from(record)).collect();
    if let Some(newest) = restorable.last() {
        let chain = folder.chain(newest)?;
        let files = folder.shortest(&chain);
        let bookmark = Some(newest.bookmark.to_string());
        if !put_together(host, files, bookmark, &newest.txid().to_string(), &mut found).await? {
            found.sound.retain(|backup| backup.id != newest.id);
        } else if at.is_none() {
            follow(host, &folder, newest, &mut found).await?;
        }
    }
    Ok(found)
}

/// Proves the states that were stored after the newest backup.
async fn follow(host: &Host, folder: &Folder, newest: &Record, found: &mut Verification) -> Outcome<()> {
    let followed = folder.followed(newest, &Target::Latest)?;
    let reached = followed.as_ref().map_or(newest.txid(), |followed| followed.txid);
    if let Some(Followed { files, txid, .. }) = followed {
        let chain = folder.chain(newest)?;
        let all = folder.shortest(&chain).into_iter().chain(files).collect();
        put_together(host, all, None, &txid.to_string(), found).await?;
    }
    if folder.is_cut(reached) {
        let code = ErrorKind::ChainGap.code();
        let message = format!("the states after {reached} cannot be restored: the file that follows it is missing");
        found.wrong.push(Wrong::Known(Problem { code, message, name: Some(reached.to_string()) }));
    }
    Ok(())
}

/// The backups to look at, oldest first; what their records show to be wrong is noted down.
fn links<'a>(folder: &'a Folder, at: Option<&Target>, found: &mut Verification) -> Outcome<Vec<Link<'a>>> {
    let mut note = |first: Txid, error: Error| {
        let name = Some(first.to_string());
        found.wrong.push(Wrong::Known(Problem { name, ..Problem::of_record(first, error) }));
    };
    match at {
        None => {
            let checked = folder.history.checked().collect::<Vec<_>>().into_iter();
            let sound = checked.filter_map(|(first, entry)| entry.map_err(|error| note(first, error)).ok());
            Ok(sound.map(|record| folder.link(record)).collect())
        }
        Some(target) => {
            let record = folder.history.find(target)?;
            Ok(folder.chain(record).unwrap_or_else(|error| {
                note(record.first, error);
                Vec::new()
            }))
        }
    }
}

/// A full backup names no digest that would show where it comes from, but its lineage does.
fn foreign(folder: &Folder) -> Vec<Wrong> {
    let records: Vec<&Record> = folder.history.entries().filter_map(|(_, record)| record.ok()).collect();
    let differ = records.windows(2).filter_map(|pair| match pair {
        [before, record] if before.lineage() != record.lineage() => Some(record.first),
        _ => None,
    });
    let message =
        "the backup is not of the same database as the one before it (its lineage differs): it was copied here";
    let problem = |first: Txid| Problem {
        code: ErrorKind::ChainLineage.code(),
        message: message.to_owned(),
        name: Some(first.to_string()),
    };
    differ.map(|first| Wrong::Known(problem(first))).collect()
}

/// Reads each object once, a few at a time; gives the keys of the bad ones, which are noted down in the objects' order.
async fn prove(host: &Host, folder: &Folder, links: &[Link<'_>], found: &mut Verification) -> Outcome<Vec<String>> {
    let mut bad = Vec::new();
    let sizes = links.iter().flat_map(|link| [link.record.ltx.size, link.record.fingerprints.size]);
    let total = sizes.fold(0, u64::saturating_add);
    let mut left = links.iter().flat_map(|link| [link.ltx_file(), link.fingerprint_file()]);
    let mut under_way = VecDeque::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(file) = left.next()
        {
            let key = file.0.clone();
            let listed = folder.object(&key).map(|listed| listed.size);
            under_way.push_back((key, host.call(Request::Prove { file: StoredFile::new(file), listed, total })));
        }
        let Some((key, call)) = under_way.pop_front() else { return Ok(bad) };
        match call.await {
            Ok(_) => {}
            Err(Failure::Host(failure)) if failure.kind.is_of_store() => {
                found.wrong.push(Wrong::Found(failure, key.clone()));
                bad.push(key);
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Whether the files make what the bookmark names; if not, it is noted down under `name`.
async fn put_together(
    host: &Host,
    files: Vec<StoredFile>,
    bookmark: Option<String>,
    name: &str,
    found: &mut Verification,
) -> Outcome<bool> {
    match host.perform(Request::PutTogether { files, bookmark }).await {
        Ok(()) => Ok(true),
        Err(Failure::Host(failure)) if failure.kind.is_of_store() => {
            found.wrong.push(Wrong::Found(failure, name.to_owned()));
            Ok(false)
        }
        Err(failure) => Err(failure),
    }
}

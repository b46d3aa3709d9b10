//! What backups ask of their host in more than one place.

use super::draft::Draft;
use super::request::{Answer, FailureKind, File, Pinned, Request};
use super::{Failure, Host, Outcome};
use crate::catalog::Record;
use crate::error::ErrorKind;

/// Larger than any record, in bytes.
pub(super) const MOST_RECORD_BYTES: u32 = 1 << 20;

pub(super) async fn pin(host: &Host, since: Option<String>, at: Option<String>) -> Outcome<Pinned> {
    let wanted = at.clone();
    match host.call(Request::Pin { since, at }).await? {
        Answer::Pinned(moment) if wanted.is_none() || moment.bookmark == wanted => Ok(moment),
        Answer::Pinned(moment) => {
            let _ = host.perform(Request::Release).await;
            let [given, wanted] = [moment.bookmark, wanted].map(Option::unwrap_or_default);
            Err(Failure::OtherState { given, wanted })
        }
        _ => Err(ErrorKind::Usage.into()),
    }
}

pub(super) async fn append(host: &Host, file: File, bytes: Vec<u8>) -> Outcome<()> {
    host.perform(Request::Append { file, bytes }).await
}

/// Gives both files up. The fingerprints last: an LTX file without them would be taken for one that Litestream wrote.
pub(super) async fn abort(host: &Host) -> Outcome<()> {
    host.perform(Request::Abort { file: File::Ltx }).await?;
    host.perform(Request::Abort { file: File::Fingerprints }).await
}

/// Whether the backup's record was stored, by this process or one before.
pub(super) async fn is_recorded(host: &Host, draft: &Draft) -> Outcome<bool> {
    match host.bytes(Request::Get { key: draft.record_key.clone(), most: MOST_RECORD_BYTES }).await {
        Err(Failure::Host(failure)) if failure.kind == FailureKind::Missing => Ok(false),
        Err(failure) => Err(failure),
        // Damaged, it is perhaps of this backup, which must not lose its files.
        Ok(bytes) => {
            let read = Record::decode(&String::from_utf8_lossy(&bytes));
            Ok(read.is_err() || read.is_ok_and(|(record, _)| record.id == draft.record.id))
        }
    }
}

/// Deletes in that order. What cannot be deleted now is invisible, and goes the next time.
pub(super) async fn sweep(host: &Host, keys: &[String]) {
    for key in keys {
        if host.perform(Request::Delete { key: key.clone() }).await.is_err() {
            return;
        }
    }
}

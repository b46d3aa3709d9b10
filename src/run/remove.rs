//! Deleting backups for good. What must go is noted down in the store first: without its record a file is not found again.
//!
//! The note is `pagemark/removal-<UUID>.txt` in the database's folder, one line each:
//!
//! | line | how many |
//! | --- | --- |
//! | `pagemark removal 1` | one: the version |
//! | `backup`, a space, its id | one a backup |
//! | `object`, a space, its key | one an object, in the order in which they can go |

use super::ask::MOST_RECORD_BYTES;
use super::draft::uuid;
use super::load::{Place, Which, list, load};
use super::request::{FailureKind, Request};
use super::{Failure, Host, Outcome};
use crate::catalog::{Folder, PlanError};

const VERSION: &str = "pagemark removal 1";
/// Objects that are deleted at a time: a store may do as many with one request.
const CONCURRENCY: usize = 64;
/// A note names a few objects of each backup: as large as those of very many. In bytes.
const MOST_NOTE_BYTES: u32 = 64 * MOST_RECORD_BYTES;

/// What must go: an object in the store until all of it is gone, so that another run can finish what this one began.
#[derive(Debug, PartialEq, Eq)]
struct Removal {
    ids: Vec<String>,
    keys: Vec<String>,
}

impl Removal {
    fn encode(ids: &[&str], keys: &[String]) -> Vec<u8> {
        let ids = ids.iter().map(|id| ["backup ", id, "\n"]);
        let keys = keys.iter().map(|key| ["object ", key, "\n"]);
        let lines = core::iter::once([VERSION, "", "\n"]).chain(ids).chain(keys);
        lines.flatten().flat_map(str::bytes).collect()
    }

    /// What a note says; nothing when it is damaged, or names what is not of the database.
    fn decode(bytes: &[u8], segment: &str) -> Option<Self> {
        // One that was cut off does not end with a line.
        let mut lines = core::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split('\n');
        let mut removal = Self { ids: Vec::new(), keys: Vec::new() };
        if lines.next() != Some(VERSION) {
            return None;
        }
        for line in lines {
            match line.split_once(' ')? {
                ("backup", id) => removal.ids.push(id.to_owned()),
                ("object", key) if key.strip_prefix(segment)?.starts_with('/') => removal.keys.push(key.to_owned()),
                _ => return None,
            }
        }
        Some(removal)
    }
}

/// Finishes the removals that did not come to their end, then removes the backups `ids`. Nobody may back up on top of these
/// meanwhile. `random` names the note.
///
/// # Errors
/// `BackupUnknown`; `Needed` when another backup is made of one of them; [`Failure::Undeleted`] when the store does not
/// delete: the next removal goes on there.
pub async fn remove(host: &Host, place: &Place, ids: &[String], random: [u8; 16]) -> Outcome<()> {
    let prefix = format!("{}/pagemark/removal-", place.segment);
    let begun = list(host, &prefix).await?.into_iter().map(|(note, _)| Some(note));
    for note in begun.chain((!ids.is_empty()).then_some(None)) {
        let mut noted = None;
        if let Some(key) = note.clone() {
            match host.bytes(Request::Get { key, most: MOST_NOTE_BYTES }).await {
                // Another has finished it.
                Err(Failure::Host(failure)) if failure.kind == FailureKind::Missing => continue,
                // A damaged one says nothing.
                bytes => noted = Removal::decode(&bytes?, &place.segment),
            }
        }
        let folder = load(host, place, Which::All).await?;
        let (keys, note) = match note {
            Some(note) => (noted.map_or(Ok(Vec::new()), |noted| left(noted, &folder))?, note),
            None => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let keys = folder.removal(&ids).map_err(Failure::Plan)?;
                let key = format!("{prefix}{}.txt", uuid(random));
                let bytes = Removal::encode(&ids, &keys);
                host.perform(Request::Put { key: key.clone(), modified_ms: host.now_ms(), bytes }).await?;
                (keys, key)
            }
        };
        delete_all(host, &keys, note).await?;
    }
    Ok(())
}

/// What a removal may still delete: nothing of a backup that was made since, perhaps under a name that was free again.
fn left(Removal { ids, mut keys, .. }: Removal, folder: &Folder) -> Outcome<Vec<String>> {
    let there: Vec<&str> =
        folder.history.entries().filter_map(|(_, record)| record.ok()).map(|record| record.id.as_str()).collect();
    let ours: Vec<&str> = there.iter().copied().filter(|id| ids.iter().any(|other| other == id)).collect();
    let gone = match folder.removal(&ours) {
        // One of them is needed by now.
        Err(PlanError::Needed { .. }) => return Ok(Vec::new()),
        gone => gone.map_err(Failure::Plan)?,
    };
    let theirs = folder.removal(&there).map_err(Failure::Plan)?;
    keys.retain(|key| gone.contains(key) || !theirs.contains(key));
    Ok(keys)
}

/// Deletes records one after the other, the files after them side by side, and the note at the end.
async fn delete_all(host: &Host, keys: &[String], note: String) -> Outcome<()> {
    let mut gone = 0;
    let delete = |key: &String| host.call(Request::Remove { key: key.clone() });
    let is_record = |key: &&String| key.ends_with(".json");
    let is_ltx = |key: &&String| key.ends_with(".ltx");
    // LTX files before fingerprints, which tell them from those that Litestream wrote.
    let groups = [
        (keys.iter().filter(is_record).collect::<Vec<_>>(), 1),
        (keys.iter().filter(is_ltx).collect(), CONCURRENCY),
        (keys.iter().filter(|key| !is_record(key) && !is_ltx(key)).collect(), CONCURRENCY),
        (vec![&note], 1),
    ];
    for (group, at_once) in groups {
        for batch in group.chunks(at_once) {
            let calls: Vec<_> = batch.iter().map(|key| delete(key)).collect();
            for call in calls {
                match call.await {
                    Err(Failure::Host(failure)) if failure.kind == FailureKind::Other => {
                        return Err(Failure::Undeleted { failure, gone, total: keys.len() as u32 + 1 });
                    }
                    deleted => deleted?,
                };
                gone += 1;
            }
        }
    }
    Ok(())
}

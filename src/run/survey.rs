//! Which databases have backups in a store. The store is listed once; of each database only the newest record is read.

use serde::Serialize;

use super::load::{Which, read_records};
use super::request::{Answer, Request};
use super::{Host, Outcome};
use crate::catalog::folder::Listed;
use crate::catalog::{BackupView, Folder, Layout, Name};
use crate::error::ErrorKind;

/// A database that has a folder in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredDatabase {
    /// As its user gave it.
    pub name: String,
    /// How many backups it has; none where Litestream wrote the folder.
    pub backups: u32,
    /// The newest one; `None` where there is none, or its record is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<BackupView>,
    /// Another database, which its newest backup is of: the folder was renamed, or swapped with that database's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_name: Option<String>,
    /// Size of all its objects, in bytes.
    pub stored_size: u64,
}

/// A folder as far as it was listed.
struct Listing {
    folder: Folder,
    segment: String,
    backups: u32,
    files: u32,
    stored_size: u64,
}

/// The databases in the order of their folders. Memory: the objects of one folder at a time.
///
/// # Errors
/// What the host fails with.
pub async fn survey(host: &Host, layout: Layout) -> Outcome<Vec<StoredDatabase>> {
    let mut found = Vec::new();
    let mut open: Option<Listing> = None;
    let mut cursor = None;
    loop {
        let Answer::Listing(page) = host.call(Request::List { prefix: String::new(), cursor }).await? else {
            return Err(ErrorKind::Usage.into());
        };
        for object in page.objects {
            let Some((segment, below)) = object.key.split_once('/') else { continue };
            if open.as_ref().is_none_or(|listing| listing.segment != segment) {
                found.extend(close(host, open.take()).await?);
                let (folder, segment) = (Folder::new(segment, layout), segment.to_owned());
                open = Some(Listing { folder, segment, backups: 0, files: 0, stored_size: 0 });
            }
            let Some(listing) = &mut open else { continue };
            listing.backups += u32::from(crate::catalog::names::parse_record_key(below).is_some());
            listing.files += u32::from(below.ends_with(".ltx"));
            listing.stored_size = listing.stored_size.saturating_add(object.size);
            listing.folder.see(&object.key, Listed { size: object.size, modified_ms: object.modified_ms });
        }
        cursor = page.cursor;
        if cursor.is_none() {
            found.extend(close(host, open).await?);
            return Ok(found);
        }
    }
}

/// What else lies there is nobody's.
async fn close(host: &Host, listing: Option<Listing>) -> Outcome<Option<StoredDatabase>> {
    let Some(Listing { folder, segment, backups, files, stored_size }) = listing else { return Ok(None) };
    let Ok(name) = Name::from_segment(&segment) else { return Ok(None) };
    if backups + files == 0 {
        return Ok(None);
    }
    let folder = read_records(host, folder, Which::Head).await?;
    let newest = folder.history.entries().last().and_then(|(_, record)| record.ok()).map(BackupView::from);
    let other_name = folder.other_name().map(str::to_owned);
    Ok(Some(StoredDatabase { name: name.to_string(), backups, newest, other_name, stored_size }))
}

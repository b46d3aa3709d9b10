//! Finding out what there is: the folder listed, its records read. And what one who makes backups remembers of it.

use super::request::{Answer, FailureKind, Listing, Request};
use super::states::Proved;
use super::{Failure, Host, Outcome};
use crate::catalog::folder::Listed;
use crate::catalog::record::Encoded;
use crate::catalog::{Folder, Layout, Link, Record, Target, names, record};
use crate::error::ErrorKind;
use crate::ltx::HEADER_SIZE;
use crate::page::Txid;

/// Records fetched at a time.
const CONCURRENCY: usize = 16;
/// Larger than any record; what is longer is not one. In bytes.
const MOST_RECORD_BYTES: u32 = 1 << 20;
/// From so many objects on, only those of the newest chain are listed to see whether they are as they were.
const FEW_OBJECTS: usize = 200;

/// Where a database's backups are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The database's name, as a segment of a key.
    pub segment: String,
    /// How LTX files are named in the store.
    pub layout: Layout,
}

/// Which records are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// The newest one.
    Head,
    /// Those back to the last full backup, which is all that the next backup needs.
    Newest,
    /// Those back to the full backup of the newest that no restore made of what it replaced.
    Unsaid,
}

impl Which {
    /// What finding the backup that a user named by this text takes.
    pub fn of(at: &str) -> Self {
        match at.trim() {
            "" => Self::Unsaid,
            "latest" => Self::Newest,
            _ => Self::All,
        }
    }

    /// Whether enough was read.
    fn is_met(self, folder: &Folder) -> bool {
        let newest = || folder.history.entries().last().and_then(|(_, record)| record.ok());
        match self {
            Self::All => false,
            Self::Head => true,
            Self::Newest => folder.history.has_full(),
            Self::Unsaid => folder.history.has_full() && newest().is_none_or(|record| !record.safety),
        }
    }
}

/// What was known of a database's folder after the last backup. As long as the store lists just that (the same objects, of
/// the same sizes and times), nobody else has come, and nothing must be read and proved again.
///
/// Stores such as S3 and a browser's files give objects times of their own, which are taken over from the next listing. They do
/// not say who put the newest objects: its record is read then, which names all before it by their digests.
pub struct Known {
    folder: Folder,
    /// Whether the store gives objects times of its own.
    has_own_times: bool,
    /// What was read of the fingerprints of its newest chain.
    pub(super) proved: Proved,
    /// Beginnings of the keys of what is known: all that belongs to the newest chain. None while there is little else.
    prefixes: Vec<String>,
}

/// A folder, and whether it is the one that was known: then its chain is whole, and nothing is there that a run left.
pub(super) struct Loaded {
    /// What there is.
    pub(super) known: Known,
    /// Whether nothing has changed since.
    pub(super) is_known: bool,
}

/// Lists the database's folder and reads its records.
///
/// # Errors
/// What the host fails with; [`Failure::OtherName`].
pub async fn load(host: &Host, place: &Place, which: Which) -> Outcome<Folder> {
    let folder = Folder::new(&place.segment, place.layout);
    let objects = list(host, folder.prefix()).await?;
    let folder = read(host, folder, objects, which).await?;
    refuse_other_name(&folder)?;
    Ok(folder)
}

/// As [`load`], as many records as finding takes what a user named by `ats`. Who wants states between backups, too, gives
/// `states_at`, the time that ages count from: then it is also read when each state was taken that a time may mean.
///
/// # Errors
/// As [`load`].
pub async fn load_for(host: &Host, place: &Place, ats: &[String], states_at: Option<i64>) -> Outcome<Folder> {
    let which = if let [at] = ats { Which::of(at) } else { Which::All };
    let mut folder = load(host, place, which).await?;
    let Some(now_ms) = states_at else { return Ok(folder) };
    let times = ats.iter().filter_map(|at| Target::parse(at, now_ms).ok()).filter(|at| matches!(at, Target::Time(_)));
    let undated: Vec<String> = times.flat_map(|time| folder.undated(&time)).collect();
    // A store's own time of an object is that of its upload, and often that of a copy.
    for keys in undated.chunks(CONCURRENCY) {
        get_each(host, keys, HEADER_SIZE as u32, |key, start| folder.date(key, start)).await?;
    }
    Ok(folder)
}

/// Refuses a folder whose backups are of a database with another name.
///
/// # Errors
/// [`Failure::OtherName`].
pub(super) fn refuse_other_name(folder: &Folder) -> Outcome<()> {
    let Some(name) = folder.other_name() else { return Ok(()) };
    let folder = folder.prefix().trim_end_matches('/').to_owned();
    Err(Failure::OtherName { name: name.to_owned(), folder })
}

/// See [`names::refuse_nested`].
async fn refuse_nested(host: &Host) -> Outcome<()> {
    let Answer::Listing(page) = host.call(Request::List { prefix: String::new(), cursor: None }).await? else {
        return Err(ErrorKind::Usage.into());
    };
    Ok(names::refuse_nested(page.objects.iter().map(|object| object.key.as_str()))?)
}

/// As [`load`] for the next backup, unless what was known is all that there is.
///
/// # Errors
/// What the host fails with.
pub(super) async fn load_known(host: &Host, place: &Place, known: Option<Known>) -> Outcome<Loaded> {
    let empty = Folder::new(&place.segment, place.layout);
    let mut listed = None;
    if let Some(known) = known {
        let prefixes = if known.prefixes.is_empty() { vec![empty.prefix().to_owned()] } else { known.prefixes.clone() };
        let mut objects = Vec::new();
        for prefix in prefixes {
            objects.extend(list(host, &prefix).await?);
        }
        objects.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut known = known;
        // States between backups come and go, and no backup rests on them.
        let (between, rest): (Vec<_>, Vec<_>) =
            objects.iter().partition(|(key, _)| known.folder.ltx_name(key).is_some_and(|name| name.is_between()));
        if known.is_still(host, &rest).await? {
            for (key, _) in between {
                known.folder.ltx_name(key).into_iter().for_each(|name| known.folder.history.reach(name.max));
            }
            return Ok(Loaded { known, is_known: true });
        }
        listed = known.prefixes.is_empty().then_some(objects);
    }
    let objects = match listed {
        Some(objects) => objects,
        None => list(host, empty.prefix()).await?,
    };
    if objects.is_empty() {
        refuse_nested(host).await?;
    }
    let mut folder = read(host, empty, objects, Which::Newest).await?;
    folder.forget_between();
    Ok(Loaded {
        known: Known { folder, has_own_times: false, proved: Proved::default(), prefixes: Vec::new() },
        is_known: false,
    })
}

impl Known {
    /// Whether `listed` is what was known. Those of the newest backup may have other times, if its record is the same.
    async fn is_still(&mut self, host: &Host, listed: &[&(String, Listed)]) -> Outcome<bool> {
        let is_listed = |folder: &Folder| listed.iter().copied().eq(folder.objects());
        if !self.has_own_times && is_listed(&self.folder) {
            return Ok(true);
        }
        let newest = self.folder.history.entries().last().and_then(|(_, record)| record.ok());
        let Some(newest) = newest else { return Ok(false) };
        let (Encoded { text, .. }, Link { ltx, fingerprints, .. }) = (newest.encode()?, self.folder.link(newest));
        let key = self.folder.record_key(newest.first);
        self.folder.take_times(listed, &[&ltx, &fingerprints, &key]);
        if !is_listed(&self.folder) {
            return Ok(false);
        }
        self.has_own_times = true;
        // What keeps it from being read is met again by who reads all of them.
        let stored = host.bytes(Request::Get { key, most: MOST_RECORD_BYTES }).await;
        Ok(stored.is_ok_and(|stored| stored == text.as_bytes()))
    }

    /// Takes note of the last state between backups that was stored.
    pub fn reach(&mut self, txid: Txid) {
        self.folder.history.reach(txid);
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The same with the backup that was made on top of it; nothing where it is better to find out anew.
    pub fn with(mut self, record: Record, encoded: record::Encoded, modified_ms: i64) -> Option<Self> {
        // With a new chain what came before can be forgotten.
        if record.kind == record::Kind::Full && self.folder.objects().len() > FEW_OBJECTS {
            return None;
        }
        let link = self.folder.link(&record);
        let made = [
            (link.ltx, record.ltx.size),
            (link.fingerprints, record.fingerprints.size),
            (self.folder.record_key(record.first), encoded.text.len() as u64),
        ];
        self.folder.add(record, encoded.digest, made.map(|(key, size)| (key, Listed { size, modified_ms })));
        self.narrow();
        Some(self)
    }

    /// Keeps of many objects those that the next backup rests on. What lies beside them must not have changed either.
    fn narrow(&mut self) {
        if self.prefixes.is_empty() && self.folder.objects().len() <= FEW_OBJECTS {
            return;
        }
        let newest = self.folder.history.entries().last().and_then(|(_, record)| record.ok());
        let base = newest.and_then(|head| self.folder.history.chain(head).ok()?.first().copied());
        let prefixes = base.map(|base| self.folder.prefixes_from(base)).unwrap_or_default();
        if !prefixes.is_empty() && prefixes != self.prefixes {
            self.folder.narrow(&prefixes);
            self.prefixes = prefixes;
        }
    }
}

/// Every object whose key begins with `prefix`.
pub(super) async fn list(host: &Host, prefix: &str) -> Outcome<Vec<(String, Listed)>> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let Answer::Listing(page) = host.call(Request::List { prefix: prefix.to_owned(), cursor }).await? else {
            return Err(ErrorKind::Usage.into());
        };
        let Listing { objects, cursor: next } = page;
        found.extend(objects.into_iter().map(|o| (o.key, Listed { size: o.size, modified_ms: o.modified_ms })));
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(found),
        }
    }
}

async fn read(host: &Host, mut folder: Folder, objects: Vec<(String, Listed)>, which: Which) -> Outcome<Folder> {
    for (key, object) in objects {
        folder.see(&key, object);
    }
    read_records(host, folder, which).await
}

/// Reads the records of a folder that was listed, newest first.
pub(super) async fn read_records(host: &Host, mut folder: Folder, which: Which) -> Outcome<Folder> {
    loop {
        let keys = folder.take_unread(if which == Which::Head { 1 } else { CONCURRENCY });
        if keys.is_empty() {
            return Ok(folder);
        }
        // What is no UTF-8 shows in the record's digest.
        let take = |key: &str, bytes: &[u8]| folder.read(key, &String::from_utf8_lossy(bytes));
        get_each(host, &keys, MOST_RECORD_BYTES, take).await?;
        folder.settle();
        if which.is_met(&folder) {
            return Ok(folder);
        }
    }
}

/// Gets the first `most` bytes of objects side by side; those that were deleted since they were listed are passed over. What an
/// encrypted store cannot open is nothing: one object of somebody else must not hide all others.
async fn get_each(host: &Host, keys: &[String], most: u32, mut take: impl FnMut(&str, &[u8])) -> Outcome<()> {
    let calls: Vec<_> = keys.iter().map(|key| host.call(Request::Get { key: key.clone(), most })).collect();
    for (key, call) in keys.iter().zip(calls) {
        match call.await {
            Ok(Answer::Bytes(bytes)) => take(key, &bytes),
            Ok(_) => return Err(ErrorKind::Usage.into()),
            Err(Failure::Host(failure)) if failure.kind == FailureKind::Missing => {}
            Err(Failure::Host(failure)) if failure.kind == FailureKind::Damaged => take(key, &[]),
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

//! What lies in a database's folder of a store: its objects, and the history that its records tell.

use super::history::{History, Next};
use super::names::{self, LEVEL_INCREMENTAL, LEVEL_SNAPSHOT, Layout, LtxName, Name};
use super::record::{Object, Record};
use crate::error::Result;
use crate::page::Txid;

/// An object as a store lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// In bytes.
    pub size: u64,
    /// In milliseconds since 1970.
    pub modified_ms: i64,
}

/// A backup with the keys of its objects in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// Its record.
    pub record: &'a Record,
    /// Key of its LTX file.
    pub ltx: String,
    /// Key of its fingerprint file.
    pub fingerprints: String,
}

/// The folder of one database, as far as it was listed.
pub struct Folder {
    prefix: String,
    layout: Layout,
    /// What its records tell.
    pub history: History,
    /// By key.
    objects: Vec<(String, Listed)>,
    /// Keys of the records that were not read yet, by age.
    unread: Vec<String>,
    /// See [`Folder::other_name`].
    other_name: Option<String>,
    /// Keys of the files that do not say when their state was taken.
    pub(super) dateless: Vec<String>,
}

impl Folder {
    /// An empty one. `segment` is the database's name as a segment of a key.
    pub fn new(segment: &str, layout: Layout) -> Self {
        Self {
            prefix: format!("{segment}/"),
            layout,
            history: History::default(),
            objects: Vec::new(),
            unread: Vec::new(),
            other_name: None,
            dateless: Vec::new(),
        }
    }

    /// The name of another database, where all records that were read are of that one: the folder was renamed, or swapped with
    /// that database's.
    pub fn other_name(&self) -> Option<&str> {
        self.other_name.as_deref()
    }

    /// What all its keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Every object, by key.
    pub fn objects(&self) -> &[(String, Listed)] {
        &self.objects
    }

    /// An object that was listed.
    pub fn object(&self, key: &str) -> Option<Listed> {
        let at = self.objects.binary_search_by(|(other, _)| other.as_str().cmp(key)).ok()?;
        self.objects.get(at).map(|&(_, listed)| listed)
    }

    /// Takes note of an object of the folder. Those of a listing come in the order of their keys, which is quickest.
    pub fn see(&mut self, key: &str, object: Listed) {
        let Some(below) = key.strip_prefix(&self.prefix) else { return };
        if self.history.see(below, self.layout) {
            let at = self.unread.partition_point(|other| other.as_str() < key);
            self.unread.insert(at, key.to_owned());
        }
        let at = self.objects.partition_point(|(other, _)| other.as_str() < key);
        match self.objects.get_mut(at).filter(|(other, _)| other == key) {
            Some((_, known)) => *known = object,
            None => self.objects.insert(at, (key.to_owned(), object)),
        }
    }

    /// The keys of the newest records that were not read yet, at most `most`, newest first.
    pub fn take_unread(&mut self, most: usize) -> Vec<String> {
        let mut keys = self.unread.split_off(self.unread.len().saturating_sub(most));
        keys.reverse();
        keys
    }

    /// Adds the record stored under `key`.
    pub fn read(&mut self, key: &str, text: &str) {
        let below = key.strip_prefix(&self.prefix).and_then(names::parse_record_key);
        below.into_iter().for_each(|first| self.history.add(first, text));
    }

    /// Tells the records that were read from those of other databases; see [`History::settle`].
    pub fn settle(&mut self) {
        let segment = self.prefix.trim_end_matches('/');
        self.other_name = self.history.settle(|name| Name::parse(name).is_ok_and(|name| name.segment() == segment));
    }

    /// Takes in a backup that was made since: its record with the digest of that, and its objects.
    pub fn add(&mut self, record: Record, digest: String, objects: impl IntoIterator<Item = (String, Listed)>) {
        for (key, object) in objects {
            self.see(&key, object);
        }
        self.unread.clear();
        self.history.add_sound(record, digest);
        self.settle();
    }

    /// Forgets the files between backups, but not how far they reach.
    pub fn forget_between(&mut self) {
        let objects = core::mem::take(&mut self.objects);
        let is_between = |key: &str| self.ltx_name(key).is_some_and(|name| name.is_between());
        self.objects = objects.into_iter().filter(|(key, _)| !is_between(key)).collect();
    }

    /// Takes over from a listing of the same objects when those under `keys` were put.
    pub fn take_times(&mut self, listed: &[&(String, Listed)], keys: &[&String]) {
        for ((key, known), (_, now)) in self.objects.iter_mut().zip(listed) {
            if keys.contains(&&*key) {
                known.modified_ms = now.modified_ms;
            }
        }
    }

    /// Forgets the objects whose keys begin with none of `prefixes`.
    pub fn narrow(&mut self, prefixes: &[String]) {
        self.objects.retain(|(key, _)| prefixes.iter().any(|prefix| key.starts_with(prefix)));
    }

    /// Beginnings of the keys of all objects from those of `record` on, and of little else; none where they would be too
    /// many.
    pub fn prefixes_from(&self, record: &Record) -> Vec<String> {
        let below = names::prefixes_of(self.layout, record.first, self.history.next().txid);
        below.into_iter().map(|below| self.key(&below)).collect()
    }

    /// A backup with the keys of its objects.
    pub fn link<'a>(&self, record: &'a Record) -> Link<'a> {
        let ltx = self.key(&self.history.ltx_key(record, self.layout));
        Link { record, ltx, fingerprints: self.fingerprints_key(record.first, record.txid()) }
    }

    /// The backups from the full one to `record`, oldest first.
    ///
    /// # Errors
    /// As [`History::chain`].
    pub fn chain<'a>(&'a self, record: &'a Record) -> Result<Vec<Link<'a>>> {
        Ok(self.history.chain(record)?.into_iter().map(|record| self.link(record)).collect())
    }

    /// The backups whose fingerprint files together tell every page of `record`, oldest first.
    ///
    /// # Errors
    /// As [`History::fingerprints`].
    pub fn fingerprints<'a>(&'a self, record: &'a Record) -> Result<Vec<Link<'a>>> {
        Ok(self.history.fingerprints(record)?.into_iter().map(|record| self.link(record)).collect())
    }

    /// What the next backup is to be. A chain that lacks an LTX file, or has one of another size, is not made longer: that
    /// would restore nothing.
    pub fn next(&self) -> Next {
        let next = self.history.next();
        let Some(head) = self.head(&next) else { return next };
        let is_there =
            |link: &Link<'_>| self.object(&link.ltx).is_some_and(|listed| listed.size == link.record.ltx.size);
        if self.chain(head).is_ok_and(|chain| chain.iter().all(is_there)) {
            return next;
        }
        let full_because = Some("an object of the chain before is missing or damaged");
        Next { full_because, damaged: true, ..next }
    }

    /// The backup that an incremental `next` is made on top of; `None` when it is a full one.
    pub fn head(&self, next: &Next) -> Option<&Record> {
        let newest = self.history.entries().last().and_then(|(_, record)| record.ok());
        newest.filter(|_| next.full_because.is_none())
    }

    /// Key of the record of the backup whose first TXID is `first`.
    pub fn record_key(&self, first: Txid) -> String {
        self.key(&names::record_key(first))
    }

    /// Key of the fingerprint file of the backup that covers `first` to `max`.
    pub fn fingerprints_key(&self, first: Txid, max: Txid) -> String {
        self.key(&names::fingerprints_key(first, max))
    }

    /// Key of an LTX file.
    pub fn ltx_key(&self, name: LtxName) -> String {
        self.key(&name.key(self.layout))
    }

    /// The files of runs that wanted the name of a record which another run got, or will have got once `next` is made: to
    /// be deleted then, in this order. A record that is only missing, or damaged, keeps its files.
    ///
    /// And whether all fingerprint files there belong to records; what came before the last full backup that was read is
    /// not looked at.
    pub fn leftovers(&self, next: &Next) -> (Vec<String>, bool) {
        let records: Vec<&Record> = self.history.entries().filter_map(|(_, record)| record.ok()).collect();
        let of_records = |first: Txid| first == next.first || records.iter().any(|record| record.first == first);
        let is_known = |max: Txid| max == next.txid || records.iter().any(|record| record.txid() == max);
        let files: Vec<(Txid, Txid)> = self.objects.iter().filter_map(|(key, _)| self.fingerprint_file(key)).collect();
        let oldest = records.first().map_or(Txid(0), |record| record.first);
        let is_tidy = files.iter().all(|&(first, max)| is_known(max) || first < oldest);
        // No record, but files that came after the first: the records were lost.
        if records.is_empty() && files.iter().any(|&(first, _)| first != next.first) {
            return (Vec::new(), is_tidy);
        }
        let left = files.into_iter().filter(|&(first, max)| of_records(first) && !is_known(max));
        let keys = left.flat_map(|(first, max)| {
            let names = [(LEVEL_INCREMENTAL, first), (LEVEL_SNAPSHOT, Txid(1))];
            let [increment, snapshot] = names.map(|(level, min)| self.ltx_key(LtxName { level, min, max }));
            // The fingerprints last: they tell an LTX file of ours from one that Litestream wrote.
            [increment, snapshot, self.fingerprints_key(first, max)]
        });
        (keys.collect(), is_tidy)
    }

    /// Reads the key of an LTX file.
    pub fn ltx_name(&self, key: &str) -> Option<LtxName> {
        LtxName::parse(key.strip_prefix(&self.prefix)?, self.layout)
    }

    fn fingerprint_file(&self, key: &str) -> Option<(Txid, Txid)> {
        names::parse_fingerprints_key(key.strip_prefix(&self.prefix)?)
    }

    fn key(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }
}

impl Link<'_> {
    /// The LTX file's key, with what proves it.
    pub fn ltx_file(&self) -> (String, Object) {
        (self.ltx.clone(), self.record.ltx.clone())
    }

    /// The fingerprint file's key, with what proves it.
    pub fn fingerprint_file(&self) -> (String, Object) {
        (self.fingerprints.clone(), self.record.fingerprints.clone())
    }
}

//! Levels of a chain: what eight incrementals change is one file of level 2, what eight of those change one of level 3. A
//! restore then reads a few files, and of what changes all the time only the newest. Litestream reads such files, too.
//!
//! They are made of incrementals that stay, whose records prove them: whichever of them is missing, nothing is lost.

use serde::Serialize;

use super::folder::{Folder, Link};
use super::names::LtxName;
use super::record::Record;
use super::stored::StoredFile;

/// How many files become one of the next level.
const FAN: usize = 8;
/// The level of states that `watch` stores between backups.
pub const LEVEL_STATES: u8 = 1;
/// The levels of merged files, with how many incrementals are in one; the largest first.
const LEVELS: [(u8, usize); 2] = [(3, FAN * FAN), (2, FAN)];

/// A file that should be made of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Merging {
    /// Key of the file.
    pub key: String,
    /// What it is made of, oldest first.
    pub files: Vec<StoredFile>,
    /// When its state was stored, in milliseconds since 1970.
    pub modified_ms: i64,
}

impl LtxName {
    /// Whether it is made of incrementals.
    pub fn is_merged(&self) -> bool {
        self.is_between() && self.level > LEVEL_STATES
    }
}

impl Folder {
    /// The files that should be made of the newest chain, those first of which others are made.
    pub fn merges(&self) -> Vec<Merging> {
        let newest = self.history.entries().last().and_then(|(_, record)| record.ok());
        let chain = newest.and_then(|newest| self.chain(newest).ok()).unwrap_or_default();
        let increments = chain.get(1..).unwrap_or_default();
        LEVELS.iter().rev().flat_map(|&(level, count)| self.merges_of(increments, level, count)).collect()
    }

    fn merges_of<'a>(
        &'a self,
        increments: &'a [Link<'a>],
        level: u8,
        count: usize,
    ) -> impl Iterator<Item = Merging> + 'a {
        let merging = move |stretch: &'a [Link<'a>]| {
            let key = self.merged_key(stretch, level)?;
            if self.object(&key).is_some() {
                return None;
            }
            let files = self.shortest(stretch);
            let modified_ms = self.object(&stretch.last()?.ltx)?.modified_ms;
            // Nothing can be made from files that are missing; and what is whole already needs no copy.
            let is_there = files.iter().all(|file| self.check_presence(file).is_ok());
            (is_there && files.len() == FAN).then_some(Merging { key, files, modified_ms })
        };
        increments.chunks_exact(count).filter_map(merging)
    }

    /// The files to read for a stretch of a chain: as few as there are.
    pub fn shortest(&self, chain: &[Link<'_>]) -> Vec<StoredFile> {
        let mut files = Vec::new();
        let mut rest = chain;
        while let Some((first, others)) = rest.split_first() {
            let merged = LEVELS.iter().find_map(|&(level, count)| {
                let (stretch, after) = rest.split_at_checked(count)?;
                let key = self.merged_key(stretch, level)?;
                let size = self.object(&key)?.size;
                Some((StoredFile::unproved(key, size), after))
            });
            let (file, after) = merged.unwrap_or_else(|| (StoredFile::ltx(first), others));
            files.push(file);
            rest = after;
        }
        files
    }

    /// Keys of all merged files.
    pub fn merged(&self) -> impl Iterator<Item = (LtxName, &str)> {
        let named = |(key, _): &'_ (String, _)| self.ltx_name(key).filter(LtxName::is_merged);
        self.objects().iter().filter_map(move |object| Some((named(object)?, object.0.as_str())))
    }

    /// Keys of the merged files that no backup can be read by, once `is_gone` is removed.
    pub(super) fn unused(&self, is_gone: impl Fn(&Record) -> bool) -> Vec<String> {
        let kept = || self.history.entries().filter_map(|(_, record)| record.ok()).filter(|record| !is_gone(record));
        let is_used = |name: &LtxName| {
            kept().any(|record| record.first == name.min) && kept().any(|record| record.txid() == name.max)
        };
        self.merged().filter(|(name, _)| !is_used(name)).map(|(_, key)| key.to_owned()).collect()
    }

    fn merged_key(&self, stretch: &[Link<'_>], level: u8) -> Option<String> {
        let (min, max) = (stretch.first()?.record.first, stretch.last()?.record.txid());
        Some(self.ltx_key(LtxName { level, min, max }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::folder::Listed;
    use crate::catalog::names::Layout;
    use crate::catalog::record::tests::record;
    use crate::catalog::{Kind, Target};
    use crate::page::Txid;

    /// A full backup and `count` incrementals, TXIDs 1 to `count` + 1.
    fn folder(count: u64) -> Folder {
        let mut folder = Folder::new("app", Layout::Folder);
        let mut previous: Option<String> = None;
        for txid in 1..=count + 1 {
            let kind = if txid == 1 { Kind::Full } else { Kind::Incremental };
            let mut made = record(txid, txid, kind, previous.as_ref().map(|digest| (txid - 1, digest.as_str())));
            made.created_at = "2026-11-21T10:00:00.000000Z".into();
            let encoded = made.encode().unwrap();
            see(&mut folder, &format!("app/pagemark/{}.json", Txid(txid)));
            folder.read(&format!("app/pagemark/{}.json", Txid(txid)), &encoded.text);
            previous = Some(encoded.digest);
            let link = folder.link(&made).ltx;
            see(&mut folder, &link);
        }
        folder
    }

    fn see(folder: &mut Folder, key: &str) {
        folder.see(key, Listed { size: 1, modified_ms: 7 });
    }

    fn merge_all(folder: &mut Folder) -> Vec<String> {
        let mut made = Vec::new();
        loop {
            let keys: Vec<String> = folder.merges().into_iter().map(|merging| merging.key).collect();
            if keys.is_empty() {
                return made;
            }
            keys.iter().for_each(|key| see(folder, key));
            made.extend(keys);
        }
    }

    fn ids(range: core::ops::RangeInclusive<u64>) -> Vec<String> {
        range.map(|txid| format!("{txid:08x}-0000-4000-8000-000000000000")).collect()
    }

    fn removal(folder: &Folder, ids: &[String]) -> Vec<String> {
        folder.removal(&ids.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_restore_of_the_longest_chain_reads_few_files() {
        let mut folder = folder(167);
        assert_eq!(folder.plan(&Target::Latest).unwrap().files.len(), 168);
        let made = merge_all(&mut folder);
        assert_eq!(made.len(), 20 + 2, "twenty files of eight incrementals, and two of eight of those");
        let files = folder.plan(&Target::Latest).unwrap().files;
        assert_eq!(files.len(), 1 + 2 + 4 + 7);
        assert_eq!(files[1].key, format!("app/ltx/3/{}-{}.ltx", Txid(2), Txid(65)));
        assert_eq!(made[20..], [files[1].key.clone(), files[2].key.clone()]);
        // A backup in the middle of a merged stretch has its own way there.
        let files = folder.plan(&Target::Txid(Txid(70))).unwrap().files;
        assert_eq!(files.len(), 1 + 1 + 5);
    }

    #[test]
    fn what_is_merged_already_or_not_there_is_not_merged() {
        let mut folder = folder(16);
        let [first, second] = folder.merges().try_into().unwrap();
        assert_eq!((first.files.len(), first.modified_ms), (8, 7));
        see(&mut folder, &first.key);
        assert_eq!(folder.merges(), [second]);
        let folder = super::tests::folder(7);
        assert_eq!(folder.merges(), []);
    }

    #[test]
    fn a_merged_file_goes_with_the_first_or_the_last_backup_that_it_is_of() {
        let mut folder = folder(17);
        let made = merge_all(&mut folder);
        assert_eq!(made.len(), 2);
        assert!(removal(&folder, &ids(18..=18)).iter().all(|key| !made.contains(key)));
        assert!(removal(&folder, &ids(17..=18)).contains(&made[1]));
        assert!(!removal(&folder, &ids(17..=18)).contains(&made[0]));
        let all = removal(&folder, &ids(1..=18));
        assert!(made.iter().all(|key| all.contains(key)));
        // States that are outdated go, what is merged stays.
        see(&mut folder, &format!("app/ltx/1/{}-{}.ltx", Txid(3), Txid(3)));
        assert_eq!(folder.outdated(i64::MAX), [format!("app/ltx/1/{}-{}.ltx", Txid(3), Txid(3))]);
    }
}

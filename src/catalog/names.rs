//! Names of databases and of the objects in a store.
//!
//! ```text
//! <database>/ltx/9/<min>-<max>.ltx          a snapshot, in a folder      (Litestream's layout)
//! <database>/ltx/0/<min>-<max>.ltx          an incremental, in a folder
//! <database>/0009/<min>-<max>.ltx           a snapshot, in a bucket
//! <database>/pagemark/<first>.json          a backup's record
//! <database>/pagemark/<first>-<max>.pages   its page fingerprints
//! ```
//! TXIDs are 16 lower-case hex digits. `<first>` is the TXID after the backup before: two hosts that back up at
//! once want the same record name, and the store lets one of them have it.

use core::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::page::Txid;

/// Where Litestream keeps incrementals as they are made.
pub const LEVEL_INCREMENTAL: u8 = 0;
/// Where Litestream keeps snapshots.
pub const LEVEL_SNAPSHOT: u8 = 9;

const LONGEST_NAME: usize = 128;

/// A database's name, as the user gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Accepts 1 to 128 bytes of text that can be one folder's name everywhere, once encoded.
    ///
    /// # Errors
    /// `NameInvalid` with the offset of what is not allowed.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > LONGEST_NAME || text == "." || text == ".." {
            return Err(ErrorKind::NameInvalid.into());
        }
        match text.char_indices().find(|&(_, c)| !is_allowed(c)) {
            Some((offset, _)) => Err(Error::at_offset(ErrorKind::NameInvalid, offset as u64)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Reads the folder name that [`Name::segment`] makes.
    ///
    /// # Errors
    /// `NameInvalid` for what `segment` never makes.
    pub fn from_segment(segment: &str) -> Result<Self> {
        let name = Self::parse(&percent_decode(segment).ok_or(ErrorKind::NameInvalid)?)?;
        // One name has one segment: `%41` for `A` would be a second.
        if name.segment() == segment { Ok(name) } else { Err(ErrorKind::NameInvalid.into()) }
    }

    /// The name as one segment of a key: what is not a letter, digit, `_`, `-` or a `.` inside is percent-encoded.
    pub fn segment(&self) -> String {
        let mut segment = String::with_capacity(self.0.len());
        for (position, byte) in self.0.bytes().enumerate() {
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || (byte == b'.' && position > 0) {
                segment.push(char::from(byte));
            } else {
                segment.push_str(&format!("%{byte:02X}"));
            }
        }
        segment
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text in which bytes may be written as `%` and two hex digits; `None` when it is not such.
pub(super) fn percent_decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|d| d.and_then(|d| char::from(d).to_digit(16)));
                let [Some(high), Some(low)] = digits else { return None };
                (high << 4 | low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Neither a path separator, nor a control character, nor one that changes the direction of the text around it:
/// a name must look like what it is wherever it is shown.
fn is_allowed(c: char) -> bool {
    let direction =
        matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || direction || c == '/' || c == '\\' || c == '\u{2028}' || c == '\u{2029}')
}

/// How LTX files are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `ltx/9/…`: folders, SFTP, WebDAV.
    Folder,
    /// `0009/…`: S3, R2, OSS.
    Bucket,
}

impl Layout {
    /// The one that it is not.
    pub fn other(self) -> Self {
        match self {
            Self::Folder => Self::Bucket,
            Self::Bucket => Self::Folder,
        }
    }
}

/// The name of an LTX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LtxName {
    /// Compaction level, 0 to 9.
    pub level: u8,
    /// First TXID in it.
    pub min: Txid,
    /// Last TXID in it.
    pub max: Txid,
}

impl LtxName {
    /// The name of a snapshot of the state `max`.
    pub fn snapshot(max: Txid) -> Self {
        Self { level: LEVEL_SNAPSHOT, min: Txid(1), max }
    }

    /// The key below the database's folder.
    pub fn key(&self, layout: Layout) -> String {
        let Self { level, min, max } = self;
        match layout {
            Layout::Folder => format!("ltx/{level}/{min}-{max}.ltx"),
            Layout::Bucket => format!("{level:04x}/{min}-{max}.ltx"),
        }
    }

    /// Reads a key of either layout: a bucket may have been copied into a folder.
    fn parse_any(key: &str) -> Option<Self> {
        [Layout::Folder, Layout::Bucket].into_iter().find_map(|layout| Self::parse(key, layout))
    }

    /// Reads a key below the database's folder; `None` for other objects.
    pub fn parse(key: &str, layout: Layout) -> Option<Self> {
        let (level, file) = match layout {
            Layout::Folder => key.strip_prefix("ltx/")?.split_once('/')?,
            Layout::Bucket => key.split_once('/')?,
        };
        let (min, max) = file.strip_suffix(".ltx")?.split_once('-')?;
        let name = Self { level: level.parse().ok()?, min: Txid::parse(min)?, max: Txid::parse(max)? };
        (name.level <= 9 && name.min.0 > 0 && name.min <= name.max && name.key(layout) == key).then_some(name)
    }
}

/// An LTX file as it lies in a store, whoever put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What celld counts up when a cell gets another owner, each with a chain of its own; 0 elsewhere.
    pub epoch: u32,
    /// Its level and TXIDs.
    pub name: LtxName,
}

impl Found {
    /// Reads a key below the database's folder in either layout, or in that of celld, `ltx/e<epoch>/<level as in a bucket>/…`; `None` for other objects.
    pub fn parse(key: &str) -> Option<Self> {
        if let Some(name) = LtxName::parse_any(key) {
            return Some(Self { epoch: 0, name });
        }
        let (epoch, file) = key.strip_prefix("ltx/").unwrap_or(key).strip_prefix('e')?.split_once('/')?;
        Some(Self { epoch: epoch.parse().ok()?, name: LtxName::parse(file, Layout::Bucket)? })
    }
}

/// Refuses a store with such keys: it is the folder of a database in another store, and whatever is put into it would be taken for a
/// part of that database.
///
/// # Errors
/// `StoreNested`.
pub fn refuse_nested<'a>(mut keys: impl Iterator<Item = &'a str>) -> Result<()> {
    let is_of_backup =
        |key| Found::parse(key).is_some() || parse_record_key(key).is_some() || parse_fingerprints_key(key).is_some();
    if keys.any(is_of_backup) { Err(ErrorKind::StoreNested.into()) } else { Ok(()) }
}

/// Whether a key below the database's folder is of a replica of Litestream 0.3: `generations/<16 hex digits>/…`.
pub fn is_of_old_replica(key: &str) -> bool {
    let generation = key.strip_prefix("generations/").and_then(|rest| rest.split_once('/'));
    generation.is_some_and(|(generation, _)| Txid::parse(generation).is_some())
}

/// Beginnings of the keys, below the database's folder, of all objects of the backups from `first` to `last` and of
/// little else; none where that would be too many.
pub fn prefixes_of(layout: Layout, first: Txid, last: Txid) -> Vec<String> {
    let blocks = first.0 >> 8..=last.0 >> 8;
    if blocks.end() - blocks.start() > 3 {
        return Vec::new();
    }
    let start = |key: String, len: usize| key.get(..key.len().saturating_sub(len)).unwrap_or_default().to_owned();
    let of_block = |block: u64| {
        let txid = Txid((block << 8).max(1));
        let [increment, snapshot] = [(LEVEL_INCREMENTAL, txid), (LEVEL_SNAPSHOT, Txid(1))]
            .map(|(level, min)| LtxName { level, min, max: txid }.key(layout));
        // Less the last two digits and what follows them.
        [
            start(increment, "00-0000000000000000.ltx".len()),
            start(snapshot, "00.ltx".len()),
            start(record_key(txid), "00.json".len()),
        ]
    };
    blocks.flat_map(of_block).collect()
}

/// Key of the record of the backup whose first TXID is `first`, below the database's folder.
pub fn record_key(first: Txid) -> String {
    format!("pagemark/{first}.json")
}

/// Reads a record's key; `None` for other objects.
pub fn parse_record_key(key: &str) -> Option<Txid> {
    Txid::parse(key.strip_prefix("pagemark/")?.strip_suffix(".json")?).filter(|first| first.0 > 0)
}

/// Key of the fingerprints of the backup that covers `first` to `max`, below the database's folder.
pub fn fingerprints_key(first: Txid, max: Txid) -> String {
    format!("pagemark/{first}-{max}.pages")
}

/// Reads the first and the last TXID off a fingerprint file's key; `None` for other objects.
pub fn parse_fingerprints_key(key: &str) -> Option<(Txid, Txid)> {
    let (first, max) = key.strip_prefix("pagemark/")?.strip_suffix(".pages")?.split_once('-')?;
    let (first, max) = (Txid::parse(first)?, Txid::parse(max)?);
    (first.0 > 0 && first <= max).then_some((first, max))
}

/// The key that an object of a database's folder has in a store of that layout; `None` for what is no part of a backup.
pub fn key_in(layout: Layout, key: &str) -> Option<String> {
    let is_same_everywhere = parse_record_key(key).is_some() || parse_fingerprints_key(key).is_some();
    let ltx = LtxName::parse_any(key).map(|name| name.key(layout));
    ltx.or_else(|| is_same_everywhere.then(|| key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn objects_have_a_key_in_either_layout_and_what_is_no_part_of_a_backup_has_none() {
        let [folder, bucket] = ["ltx/9/", "0009/"].map(|start| format!("{start}0000000000000001-0000000000000003.ltx"));
        for key in [&folder, &bucket] {
            assert_eq!(key_in(Layout::Folder, key).as_ref(), Some(&folder));
            assert_eq!(key_in(Layout::Bucket, key).as_ref(), Some(&bucket));
        }
        for key in ["pagemark/0000000000000001.json", "pagemark/0000000000000001-0000000000000003.pages"] {
            assert_eq!(key_in(Layout::Bucket, key).as_deref(), Some(key));
        }
        for key in ["pagemark/verified-0000001795168800.json", "ltx/10/0000000000000001-0000000000000003.ltx", "x", ""]
        {
            assert_eq!(key_in(Layout::Folder, key), None, "{key}");
        }
    }

    #[test]
    fn names_that_could_leave_the_folder_or_mislead_are_refused() {
        for bad in ["", ".", "..", "../../x", "a/b", "a\\b", "nul\0", "line\n", "\u{202e}txt.exe", &"x".repeat(129)] {
            assert_eq!(Name::parse(bad).map(|_| ()).unwrap_err().kind, ErrorKind::NameInvalid, "{bad:?}");
        }
    }

    #[test]
    fn names_in_any_script_are_one_safe_segment() {
        assert_eq!(Name::parse("app-1.db").unwrap().segment(), "app-1.db");
        assert_eq!(Name::parse(".hidden").unwrap().segment(), "%2Ehidden");
        assert_eq!(Name::parse("عربي").unwrap().segment(), "%D8%B9%D8%B1%D8%A8%D9%8A");
        assert!(Name::from_segment("%61").is_err());
    }

    #[test]
    fn ltx_names_are_litestreams() {
        let name = LtxName { level: 9, min: Txid(1), max: Txid(255) };
        assert_eq!(name.key(Layout::Folder), "ltx/9/0000000000000001-00000000000000ff.ltx");
        assert_eq!(name.key(Layout::Bucket), "0009/0000000000000001-00000000000000ff.ltx");
        for layout in [Layout::Folder, Layout::Bucket] {
            assert_eq!(LtxName::parse(&name.key(layout), layout), Some(name));
        }
        assert_eq!(LtxName::parse("ltx/10/0000000000000001-0000000000000001.ltx", Layout::Folder), None);
        assert_eq!(LtxName::parse("ltx/0/0000000000000002-0000000000000001.ltx", Layout::Folder), None);
    }

    #[test]
    fn ltx_files_are_found_in_either_layout_and_in_that_of_celld() {
        let found = |key| Found::parse(key).map(|found| (found.epoch, found.name.level, found.name.max.0));
        assert_eq!(found("ltx/0/0000000000000002-0000000000000003.ltx"), Some((0, 0, 3)));
        assert_eq!(found("0009/0000000000000001-0000000000000003.ltx"), Some((0, 9, 3)));
        assert_eq!(found("ltx/e12/0009/0000000000000001-0000000000000003.ltx"), Some((12, 9, 3)));
        assert_eq!(found("e1/0000/0000000000000001-0000000000000003.ltx"), Some((1, 0, 3)));
        for other in
            ["ltx/e1/0000/x.ltx", "ex/0000/0000000000000001-0000000000000003.ltx", "pagemark/0000000000000001.json"]
        {
            assert_eq!(found(other), None, "{other}");
        }
        assert!(is_of_old_replica("generations/16b6ff4ba0cf7b09/wal/0.wal.lz4"));
        assert!(!is_of_old_replica("generations/x/wal/0.wal.lz4"));
    }

    #[test]
    fn prefixes_cover_the_objects_of_a_range_and_not_those_far_before() {
        for layout in [Layout::Folder, Layout::Bucket] {
            let prefixes = prefixes_of(layout, Txid(0x7fe), Txid(0x802));
            assert_eq!(prefixes.len(), 6);
            let covered = |key: &str| prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()));
            for txid in [0x7fe, 0x7ff, 0x800, 0x802].map(Txid) {
                let names = [(0, txid), (9, Txid(1))].map(|(level, min)| LtxName { level, min, max: txid }.key(layout));
                assert!(names.iter().all(|key| covered(key)));
                assert!(covered(&record_key(txid)) && covered(&fingerprints_key(txid, txid)));
            }
            assert!(!covered(&record_key(Txid(0x6ff))) && !covered(&record_key(Txid(0x900))));
        }
        assert_eq!(prefixes_of(Layout::Folder, Txid(1), Txid(1 << 20)), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn every_name_is_refused_or_comes_back(text in "\\PC{0,40}") {
            if let Ok(name) = Name::parse(&text) {
                prop_assert!(name.segment().bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b)));
                prop_assert_eq!(Name::from_segment(&name.segment()).unwrap(), name);
            }
        }
    }
}

//! Bookmarks: names for committed states, as D1 writes them, that also prove what they name.
//!
//! `%08x-%08x-%08x-%032x`: TXID high half, TXID low half, day since 1970, then the database checksum and the
//! lineage in 16 digits each. Bookmarks of one database sort by age as text.

use core::fmt;
use core::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::page::{Checksum, Txid};

const MS_PER_DAY: i64 = 86_400_000;

/// The random 64-bit number that tells one database's backups from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage(pub u64);

impl Lineage {
    /// Reads 16 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        Txid::parse(text).map(|Txid(value)| Self(value))
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A committed state of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// Its number.
    pub txid: Txid,
    /// The day it was taken, counted from 1970 in UTC.
    pub day: u32,
    /// Its checksum over all pages.
    pub checksum: Checksum,
    /// The database.
    pub lineage: Lineage,
}

impl Bookmark {
    /// The bookmark of the state `txid`, seen at `now_ms` milliseconds since 1970.
    pub fn new(txid: Txid, now_ms: i64, checksum: Checksum, lineage: Lineage) -> Self {
        let day = u32::try_from(now_ms.div_euclid(MS_PER_DAY)).unwrap_or(0);
        Self { txid, day, checksum, lineage }
    }

    /// What a user typed, also where no state can have such a bookmark, as one of zeros, or one that D1 gave: it is looked
    /// for, and not found, as any other. `None` where it does not look like one.
    pub fn said(text: &str) -> Option<Self> {
        let (txid, day, checksum, lineage) = parts(text)?;
        Some(Self { txid, day, checksum: Checksum::new(checksum).unwrap_or(Checksum::EMPTY), lineage })
    }

    /// Whether it names the same pages of the same database as `other`.
    pub fn has_pages_of(&self, other: &Self) -> bool {
        (self.checksum, self.lineage) == (other.checksum, other.lineage)
    }

    /// Checks that restored pages are those the bookmark names.
    ///
    /// # Errors
    /// `BookmarkLineage`, `ChainChecksum`.
    pub fn prove(&self, lineage: Lineage, checksum: Checksum) -> Result<()> {
        if lineage != self.lineage {
            return Err(Error::at_txid(ErrorKind::BookmarkLineage, self.txid.0));
        }
        if checksum != self.checksum {
            return Err(Error::at_txid(ErrorKind::ChainChecksum, self.txid.0));
        }
        Ok(())
    }
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Txid(txid) = self.txid;
        write!(f, "{:08x}-{:08x}-{:08x}-{}{}", txid >> 32, txid & 0xffff_ffff, self.day, self.checksum, self.lineage)
    }
}

impl FromStr for Bookmark {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (txid, day, checksum, lineage) = parts(text).filter(|(txid, ..)| txid.0 > 0)?;
            Some(Self { txid, day, checksum: Checksum::new(checksum)?, lineage })
        };
        parse().ok_or_else(|| ErrorKind::BookmarkSyntax.into())
    }
}

fn parts(text: &str) -> Option<(Txid, u32, u64, Lineage)> {
    let parts: Vec<&str> = text.split('-').collect();
    let [high, low, day, proof] = parts[..] else { return None };
    let (checksum, lineage) = proof.split_at_checked(16)?;
    // 16 digits are read by one strict reader: lower case, no sign.
    let txid = Txid::parse(&format!("{high}{low}")).filter(|_| high.len() == 8)?;
    let day = Txid::parse(&format!("00000000{day}")).filter(|_| day.len() == 8)?;
    Some((txid, u32::try_from(day.0).ok()?, Txid::parse(checksum)?.0, Lineage::parse(lineage)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bookmark(txid: u64, day: u32, checksum: u64, lineage: u64) -> Bookmark {
        let checksum = Checksum::new(checksum | 1 << 63).unwrap();
        Bookmark { txid: Txid(txid), day, checksum, lineage: Lineage(lineage) }
    }

    #[test]
    fn has_the_form_d1_writes() {
        let text = bookmark(0x85_0000_024c, 0x4c6d, 0x8e61_117b_f38d_7adb, 0x71b9_34eb_bf89_1683).to_string();
        assert_eq!(text, "00000085-0000024c-00004c6d-8e61117bf38d7adb71b934ebbf891683");
        assert_eq!(text.len(), 59);
    }

    #[test]
    fn proves_lineage_and_checksum() {
        let named = bookmark(1, 1, 5, 7);
        assert!(named.prove(Lineage(7), named.checksum).is_ok());
        assert_eq!(named.prove(Lineage(8), named.checksum).unwrap_err().kind, ErrorKind::BookmarkLineage);
        assert_eq!(named.prove(Lineage(7), Checksum::EMPTY).unwrap_err().kind, ErrorKind::ChainChecksum);
    }

    #[test]
    fn b11_what_looks_like_a_bookmark_and_names_no_state_is_looked_for_but_is_none() {
        for text in [
            format!("00000000-00000000-00000000-{:032}", 0),
            "00000085-0000024c-00004c6d-0e61117bf38d7adb71b934ebbf891683".to_owned(),
        ] {
            assert_eq!(text.parse::<Bookmark>().unwrap_err().kind, ErrorKind::BookmarkSyntax);
            assert!(Bookmark::said(&text).is_some(), "{text}");
        }
        assert_eq!(Bookmark::said("00000000-00000000-00000000-"), None);
        assert_eq!(Bookmark::said("yesterday"), None);
    }

    proptest! {
        #[test]
        fn round_trips_and_sorts_by_txid(a in 1u64.., b in 1u64.., day in any::<u32>(), sum in any::<u64>(), line in any::<u64>()) {
            let (older, newer) = (bookmark(a.min(b), day, sum, line), bookmark(a.max(b), day, sum, line));
            prop_assert_eq!(older.to_string().parse::<Bookmark>(), Ok(older));
            prop_assert!(older.to_string() <= newer.to_string());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,70}") {
            if let Ok(read) = text.parse::<Bookmark>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}

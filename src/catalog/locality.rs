//! Localities: which of several stores a backup goes to, and the account that one of them keeps of all.
//!
//! Each store of a vault has the locality `default` or one tier, `key=value`. A backup goes to the store that fits its writer
//! best. The default store keeps an *account* of each backup, wherever that is: an object without bytes, whose key holds ids.
//!
//! ```text
//! %localities/<lineage>/<first>-<txid>-<full|incremental>-<locality>
//! ```
//! `<lineage>`, `<first>` and `<txid>` are the record's, as 16 hex digits. No database's folder begins with `%l`.

use super::names::{self, Layout, LtxName, Name};
use super::record::Kind;
use crate::bookmark::Lineage;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Txid;
use core::fmt;

/// What the keys of all accounts begin with.
pub const ACCOUNTS: &str = "%localities/";

const DEFAULT: &str = "default";
const FULL: &str = "full";
const INCREMENTAL: &str = "incremental";

/// What a store is tagged with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locality {
    /// The store that takes what fits no other, and keeps account of all.
    Default,
    /// The store of one place.
    Tier(Tier),
}

/// `key=value`: one step of where something is, such as `region=eu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    key: String,
    value: String,
}

impl Locality {
    /// Reads `default` or a tier.
    ///
    /// # Errors
    /// `LocalitySyntax`.
    pub fn parse(text: &str) -> Result<Self> {
        if text == DEFAULT { Ok(Self::Default) } else { Tier::parse(text).map(Self::Tier) }
    }

    /// Reads the value of a URL's parameter, which must be percent-encoded exactly once.
    ///
    /// # Errors
    /// `LocalityEncoding`, `LocalitySyntax`.
    pub fn decode(encoded: &str) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        if let Some(at) = encoded.bytes().position(|byte| !is_plain(byte)) {
            return Err(Error::at_offset(ErrorKind::LocalityEncoding, at as u64));
        }
        let text = names::percent_decode(encoded).filter(|text| !text.contains('%'));
        Self::parse(&text.ok_or(ErrorKind::LocalityEncoding)?)
    }

    /// As one segment of a key.
    fn segment(&self) -> Result<String> {
        Ok(Name::parse(&self.to_string())?.segment())
    }

    fn from_segment(segment: &str) -> Option<Self> {
        Self::parse(&Name::from_segment(segment).ok()?.to_string()).ok()
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str(DEFAULT),
            Self::Tier(Tier { key, value }) => write!(f, "{key}={value}"),
        }
    }
}

impl Tier {
    fn parse(text: &str) -> Result<Self> {
        let syntax = || Error::from(ErrorKind::LocalitySyntax);
        let (key, value) = text.split_once('=').ok_or_else(syntax)?;
        let is_allowed = |c: char| !(c.is_whitespace() || "=,%?&#".contains(c));
        let is_sound = |part: &str| !part.is_empty() && part.chars().all(is_allowed);
        // What is no database's name is no tier, either: it could not be shown, nor be in a key.
        if Name::parse(text).is_err() || !is_sound(key) || !is_sound(value) {
            return Err(syntax());
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }

    /// Reads where a writer is: tiers from the largest place to the smallest, joined by commas; none for `default`.
    ///
    /// # Errors
    /// `LocalitySyntax`, also when a key is there twice.
    pub fn parse_all(text: &str) -> Result<Vec<Self>> {
        if text == DEFAULT {
            return Ok(Vec::new());
        }
        let tiers: Vec<Self> = text.split(',').map(Self::parse).collect::<Result<_>>()?;
        let is_new = |at: usize, tier: &Self| tiers.iter().take(at).all(|before| before.key != tier.key);
        let are_different = tiers.iter().enumerate().all(|(at, tier)| is_new(at, tier));
        if are_different { Ok(tiers) } else { Err(ErrorKind::LocalitySyntax.into()) }
    }
}

/// The localities of a vault's stores, in the order in which the stores were given.
#[derive(Clone, Debug)]
pub struct Localities(Vec<Locality>);

impl Localities {
    /// Accepts stores of which one is the default, and no two are alike.
    ///
    /// # Errors
    /// `LocalityDefault`, `LocalityTwice`.
    pub fn new(stores: Vec<Locality>) -> Result<Self> {
        if stores.iter().enumerate().any(|(at, locality)| stores.iter().take(at).any(|before| before == locality)) {
            return Err(ErrorKind::LocalityTwice.into());
        }
        if !stores.contains(&Locality::Default) {
            return Err(ErrorKind::LocalityDefault.into());
        }
        Ok(Self(stores))
    }

    /// The store at a place of the list.
    pub fn at(&self, store: usize) -> Option<&Locality> {
        self.0.get(store)
    }

    /// Where in the list the default store is.
    pub fn default_store(&self) -> usize {
        self.0.iter().position(|locality| *locality == Locality::Default).unwrap_or(0)
    }

    /// Where in the list the store is for a writer at `tiers`: of those that fit, the one of the smallest place.
    pub fn fitting(&self, tiers: &[Tier]) -> usize {
        let store_of = |tier: &Tier| self.0.iter().position(|each| matches!(each, Locality::Tier(of) if of == tier));
        tiers.iter().rev().find_map(store_of).unwrap_or_else(|| self.default_store())
    }

    /// Where in the list the store is that a user names, by its whole locality or by a value that only one store has.
    ///
    /// # Errors
    /// `LocalityUnknown`.
    pub fn named(&self, text: &str) -> Result<usize> {
        let is_named = |locality: &Locality| {
            locality.to_string() == text || matches!(locality, Locality::Tier(tier) if tier.value == text)
        };
        let mut fitting = self.0.iter().enumerate().filter(|(_, locality)| is_named(locality));
        match (fitting.next(), fitting.next()) {
            (Some((store, _)), None) => Ok(store),
            _ => Err(ErrorKind::LocalityUnknown.into()),
        }
    }

    /// Holds accounts against what is stored: `stores` has of each store of the list the keys below the database's folder, in
    /// their order.
    ///
    /// All that was written to one locality must be together in one store, whichever that is today: stores are moved and
    /// merged. What is nowhere, or not beside the rest, is lost.
    pub fn lost(&self, accounts: &[Account], stores: &[Vec<&str>], layout: Layout) -> Vec<Lost> {
        let mut parts: Vec<Lost> = Vec::new();
        for Account { locality, .. } in accounts {
            if parts.iter().any(|part| part.locality == *locality) {
                continue;
            }
            let given = self.0.iter().position(|each| each == locality);
            let mut part = Lost { locality: locality.clone(), store: 0, given: given.is_some(), keys: Vec::new() };
            // Where nothing of it is, the store that should have it is named.
            let first = given.unwrap_or_else(|| self.default_store());
            for store in core::iter::once(first).chain(0..stores.len()) {
                let Some(there) = stores.get(store) else { continue };
                let of_part = accounts.iter().filter(|account| account.locality == *locality);
                let keys: Vec<String> = of_part.flat_map(|account| account.lost_from(there, layout)).collect();
                if store == first && part.keys.is_empty() || keys.len() < part.keys.len() {
                    part = Lost { store, keys, ..part };
                }
                if part.keys.is_empty() {
                    break;
                }
            }
            parts.push(part);
        }
        parts.retain(|part| !part.keys.is_empty());
        parts
    }
}

/// What is not there of a locality's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Where it was written to.
    pub locality: Locality,
    /// Where in the list the store is that has most of the part.
    pub store: usize,
    /// Whether a store of that locality is in the list.
    pub given: bool,
    /// Below the database's folder.
    pub keys: Vec<String>,
}

/// What the default store says of a backup: its ids, and where it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The record's.
    pub lineage: Lineage,
    /// The record's.
    pub first: Txid,
    /// The record's.
    pub txid: Txid,
    /// The record's.
    pub kind: Kind,
    /// The locality of the store that the backup was written to.
    pub locality: Locality,
}

impl Account {
    /// Reads the ids of a backup in the store of `locality`: its record's lineage, TXIDs and kind, as texts; `None` where
    /// they are none.
    pub fn of(ids: [&str; 4], locality: Locality) -> Option<Self> {
        let [lineage, first, txid, kind] = ids;
        let (lineage, first, txid) = (Lineage::parse(lineage)?, Txid::parse(first)?, Txid::parse(txid)?);
        let kind = match kind {
            FULL => Kind::Full,
            INCREMENTAL => Kind::Incremental,
            _ => return None,
        };
        (first.0 > 0 && first <= txid).then_some(Self { lineage, first, txid, kind, locality })
    }

    /// The account's own key.
    ///
    /// # Errors
    /// None for a locality that was parsed.
    pub fn key(&self) -> Result<String> {
        let Self { txid, kind, locality, .. } = self;
        let kind = match kind {
            Kind::Full => FULL,
            Kind::Incremental => INCREMENTAL,
        };
        let prefix = prefix_of(self.lineage, Some(self.first));
        Ok(format!("{prefix}{txid}-{kind}-{}", locality.segment()?))
    }

    /// Reads an account's key; `None` for what [`Account::key`] never makes.
    pub fn parse(key: &str) -> Option<Self> {
        let (lineage, rest) = key.strip_prefix(ACCOUNTS)?.split_once('/')?;
        let mut parts = rest.splitn(4, '-');
        let [first, txid, kind, locality] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        Self::of([lineage, first, txid, kind], Locality::from_segment(locality)?)
    }

    /// Which of the backup's keys, below the database's folder, are not among `keys`, which are in their order. Its LTX file may
    /// have the name of either layout, as copies do.
    fn lost_from(&self, keys: &[&str], layout: Layout) -> Vec<String> {
        let name = match self.kind {
            Kind::Full => LtxName::snapshot(self.txid),
            Kind::Incremental => LtxName { level: names::LEVEL_INCREMENTAL, min: self.first, max: self.txid },
        };
        let is_lost = |key: &String| keys.binary_search(&key.as_str()).is_err();
        let wanted = [names::record_key(self.first), names::fingerprints_key(self.first, self.txid), name.key(layout)];
        let mut lost = Vec::from(wanted);
        lost.retain(is_lost);
        if !is_lost(&name.key(layout.other())) {
            lost.retain(|key| *key != name.key(layout));
        }
        lost
    }
}

/// What the keys of a database's accounts begin with, or those of its backup from `first` on.
pub fn prefix_of(lineage: Lineage, first: Option<Txid>) -> String {
    let first = first.map_or_else(String::new, |first| format!("{first}-"));
    format!("{ACCOUNTS}{lineage}/{first}")
}

#[cfg(test)]
mod tests;

//! Whether a database is the one whose backups a chain holds.
//!
//! Two files of one name would share a chain in silence, and a restore of one would give the other. So each record says
//! what its database looked like ([`Identity`]), and the next backup is judged by it before anything is stored:
//!
//! | the file | lies | is the chain's database |
//! | --- | --- | --- |
//! | is the same one | anywhere | unless its counters fell and no table is in common: other contents were copied into it |
//! | is another, or that is not known | at the same path | with half of the tables, or half of the rows, in common; one that was there before the last backup only with half of the rows |
//! | is another | at another path | only when it came into being after the last backup, and still has that one's rows |
//! | has no path (memory) | | with half of the tables or of the rows in common |
//!
//! Two tenants of one application have the same tables, so these alone never make a file at another path the same. A
//! database without a table has nothing to compare: it is itself where its path does not say otherwise.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::btree::{BtreePage, Cell, Layout};
use crate::json;
use crate::page::Pgno;
use crate::page::order::ascending;
use crate::snapshot::hex_digits;

/// How many names of tables are kept of a database: enough to tell how many two have in common.
const SKETCH: usize = 32;
/// Rows of the last backup that may be gone from a copy at another path: one in so many.
const FEW: u32 = 50;

/// What tells a database from others, as its record keeps it. Nothing in it can be read back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Digest of the path, 16 hex digits; none for a database that has no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Digest of what names the file itself wherever it is moved, 16 hex digits: inode and time of creation, or the
    /// lineage of a database of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The change counter in the header.
    pub changes: u32,
    /// The schema cookie in the header: rises with every change of the schema.
    pub schema: u32,
    /// Digests of the tables' names, 8 hex digits each: the smallest 32.
    pub tables: Vec<String>,
}

impl json::Read for Identity {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self {
            place: members.take("place")?,
            file: members.take("file")?,
            changes: members.take("changes")?,
            schema: members.take("schema")?,
            tables: members.take("tables")?,
        })
    }
}

/// What a look into both databases has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Rows of the last backup that were looked for.
    pub rows: u32,
    /// How many of them the database has now.
    pub kept: u32,
    /// Whether every page that was looked at is as it was, the first one included.
    pub identical: bool,
}

/// When the file came into being, and when the last backup was made, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Not known on every file system.
    pub born_ms: Option<i64>,
    /// When the last backup was made, in milliseconds since 1970.
    pub backup_ms: i64,
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the chain's database.
    Same,
    /// It is another one.
    Other(Sign),
    /// Ask again with [`Contents`].
    Unsure,
}

/// What shows that a database is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It lies elsewhere, and was there already when the last backup was made.
    Beside,
    /// It lies elsewhere, and lacks rows of the last backup.
    Elsewhere,
    /// It has next to nothing in common with the last backup.
    Contents,
}

impl Sign {
    /// Its name for TypeScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beside => "beside",
            Self::Elsewhere => "elsewhere",
            Self::Contents => "contents",
        }
    }
}

impl Identity {
    /// Keeps of the tables' names what can be compared.
    pub fn sketch<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut digests = ascending(names.into_iter().map(|name| {
            let [a, b, c, d, ..] = *blake3::hash(name.as_bytes()).as_bytes();
            u32::from_be_bytes([a, b, c, d])
        }));
        digests.dedup();
        digests.truncate(SKETCH);
        digests.into_iter().map(|digest| hex_digits(&digest.to_be_bytes())).collect()
    }

    /// Whether the database, which is `now`, is the one that was backed up last as `self`.
    pub fn judge(&self, now: &Self, times: Times, contents: Option<Contents>) -> Verdict {
        let is_file = equal(self.file.as_deref(), now.file.as_deref()) == Some(true);
        let place = equal(self.place.as_deref(), now.place.as_deref());
        let tables = self.shares_tables(now);
        let grown = now.changes >= self.changes && now.schema >= self.schema;
        let was_there = times.born_ms.is_some_and(|born| born <= times.backup_ms);
        if is_file && (grown || tables != Some(false)) {
            return Verdict::Same;
        }
        if !is_file && place == Some(false) {
            return Self::judge_elsewhere(tables, was_there, contents);
        }
        let was_beside = was_there && place == Some(true);
        if tables != Some(false) && !was_beside {
            return Verdict::Same;
        }
        match contents {
            None => Verdict::Unsure,
            Some(Contents { rows, kept, .. }) if rows > 0 && kept >= rows.div_ceil(2) => Verdict::Same,
            // Without rows there is nothing against it but the tables.
            Some(Contents { rows: 0, .. }) if tables != Some(false) => Verdict::Same,
            Some(_) => Verdict::Other(Sign::Contents),
        }
    }

    /// Another file at another path: a copy that took the place of the database, or another database.
    fn judge_elsewhere(tables: Option<bool>, was_there: bool, contents: Option<Contents>) -> Verdict {
        if was_there {
            return Verdict::Other(Sign::Beside);
        }
        match contents {
            None => Verdict::Unsure,
            Some(Contents { rows, kept, identical }) => {
                let few_gone = rows.saturating_sub(kept) <= rows / FEW && tables != Some(false);
                if rows > 0 && (identical || few_gone) { Verdict::Same } else { Verdict::Other(Sign::Elsewhere) }
            }
        }
    }

    /// Whether at least half of the tables of the one that has fewer are in the other, or of many tables a third of all
    /// there are; `None` when one has none.
    fn shares_tables(&self, other: &Self) -> Option<bool> {
        let (ours, theirs) = (&self.tables, &other.tables);
        let fewer = ours.len().min(theirs.len());
        // When there are more names than are kept, only names up to the last one of both lists are a fair sample.
        let last = |names: &[String]| if names.len() < SKETCH { None } else { names.last().cloned() };
        let is_sampled =
            |name: &&String| [ours, theirs].iter().all(|names| last(names).is_none_or(|end| **name <= end));
        let common = ours.iter().filter(is_sampled).filter(|name| theirs.contains(name)).count();
        match ours.len().max(theirs.len()) {
            _ if fewer == 0 => None,
            SKETCH.. => {
                let sampled = |names: &[String]| names.iter().filter(is_sampled).count();
                Some(common * 3 >= sampled(ours) + sampled(theirs) - common)
            }
            _ => Some(common * 2 >= fewer),
        }
    }
}

/// Digest of a path, or of what names a file, which only compares within the chain of `lineage`.
pub fn digest(lineage: &str, text: &str) -> String {
    hex(&[lineage, text].join("\n").into_bytes(), 8)
}

/// Looks for rows of the last backup in the database as it is now.
#[derive(Debug, Default)]
pub struct RowSearch {
    now: BTreeSet<u64>,
    rows: u32,
    kept: u32,
}

impl RowSearch {
    /// Takes the rows of a page of the database as it is now. What is not a leaf of a b-tree has none.
    pub fn add(&mut self, page: &[u8], pgno: Pgno, layout: Layout) {
        for_each_row(page, pgno, layout, |row| {
            self.now.insert(row);
        });
    }

    /// Looks for the rows of a page of the last backup, once all pages were added.
    pub fn look_for(&mut self, page: &[u8], pgno: Pgno, layout: Layout) {
        let Self { now, rows, kept } = self;
        for_each_row(page, pgno, layout, |row| {
            *rows = rows.saturating_add(1);
            *kept = kept.saturating_add(u32::from(now.contains(&row)));
        });
    }

    /// How many rows were looked for, and how many were found.
    pub fn found(&self) -> (u32, u32) {
        (self.rows, self.kept)
    }
}

/// Digests of the rows on a leaf, wherever it lies: numbers of overflow pages, which VACUUM changes, are left out.
fn for_each_row(page: &[u8], pgno: Pgno, layout: Layout, mut use_row: impl FnMut(u64)) {
    let Ok(leaf) = BtreePage::parse(page, pgno, layout) else { return };
    if !leaf.kind().is_leaf() {
        return;
    }
    for cell in leaf.cells().flatten() {
        let (key, payload) = match cell {
            Cell::TableLeaf { rowid, payload } => (rowid, payload),
            Cell::IndexLeaf { payload } => (0, payload),
            Cell::TableInterior { .. } | Cell::IndexInterior { .. } => continue,
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&key.to_be_bytes()).update(&(payload.size as u64).to_be_bytes()).update(payload.local);
        use_row(hasher.finalize().as_bytes().first_chunk().map_or(0, |start| u64::from_be_bytes(*start)));
    }
}

fn equal(one: Option<&str>, other: Option<&str>) -> Option<bool> {
    Some(one? == other?)
}

/// The first `len` bytes of a digest, in hex.
fn hex(bytes: &[u8], len: usize) -> String {
    hex_digits(blake3::hash(bytes).as_bytes().get(..len).unwrap_or_default())
}

#[cfg(test)]
mod tests;

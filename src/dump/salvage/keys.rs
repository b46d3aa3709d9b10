//! Whether a table has rows of which UNIQUE or a PRIMARY KEY takes one only.
//!
//! Each key is remembered by a hash while the rows pass by: SQLite's own indexes may be what is damaged.

use std::collections::BinaryHeap;

use crate::btree::entries::Row;
use crate::btree::{Encoding, Slot, Value};
use crate::dump::affinity::Affinity;
use crate::dump::columns::{Key, TableShape, UniqueIndex};
use crate::dump::constant::{Constant, as_integer};

/// How many keys are remembered, of one table: 16 MiB.
const MOST: usize = 2 << 20;

/// The keys of a table.
#[derive(Clone, Debug, Default)]
pub(in crate::dump) struct Keys(Vec<UniqueKey>);

#[derive(Clone, Debug)]
struct UniqueKey {
    /// `None` where only SQLite can make the key, or compare it.
    parts: Option<Vec<Part>>,
    owner: KeyOwner,
}

/// What refuses a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyOwner {
    /// The table, which passes the row over without a word.
    Table,
    /// An index, which is not made when all rows are there before it.
    Index,
    /// The same, of some of the rows: which, only SQLite can tell.
    PartialIndex,
}

/// A column of a key.
#[derive(Clone, Debug)]
struct Part {
    /// Its place in the record; `None` for the rowid.
    slot: Option<usize>,
    affinity: Affinity,
    default: Constant,
    collation: Collation,
}

#[derive(Clone, Copy, Debug)]
enum Collation {
    Binary,
    NoCase,
    RightTrim,
}

/// What the rows of a table came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    None,
    /// So many rows at least have the key of another.
    Rows(u64),
    /// Only loading shows it.
    Unknown,
    /// The same, and then an index is not made, and says so.
    ForIndex,
}

/// The keys of the rows that passed by.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By key; `None` once it cannot be told any more.
    hashes: Vec<Option<Vec<u64>>>,
    count: usize,
    slots: Vec<Slot>,
}

impl Keys {
    /// Those of a table, and of its indexes.
    pub(super) fn of(shape: &TableShape, indexes: &[UniqueIndex]) -> Self {
        let of_table = shape.keys.iter().map(|key| UniqueKey { parts: parts(shape, key), owner: KeyOwner::Table });
        let of_indexes = indexes.iter().map(|index| {
            let key = index.columns.as_ref().and_then(|columns| key_of(shape, columns));
            let owner = if index.is_partial { KeyOwner::PartialIndex } else { KeyOwner::Index };
            UniqueKey { parts: key.and_then(|key| parts(shape, &key)), owner }
        });
        Self(of_table.chain(of_indexes).collect())
    }
}

impl Seen {
    /// Takes note of a row. With `is_exact` its values are written as they are.
    pub(super) fn add(&mut self, Keys(keys): &Keys, row: Row<'_>, encoding: Encoding, is_exact: bool) {
        if keys.is_empty() || Slot::read_all(row.record, row.pgno, &mut self.slots).is_err() {
            return;
        }
        self.hashes.resize(keys.len(), Some(Vec::new()));
        for (key, seen) in keys.iter().zip(&mut self.hashes) {
            let (Some(parts), Some(hashes)) = (&key.parts, seen.as_mut()) else { continue };
            match hash(parts, row, &self.slots, encoding, is_exact) {
                Some(Hashed::Key(hash)) if self.count < MOST => {
                    self.count += 1;
                    hashes.push(hash);
                }
                Some(Hashed::None) => {}
                _ => {
                    self.count -= hashes.len();
                    *seen = None;
                }
            }
        }
    }

    /// All rows passed by.
    pub(super) fn end(self, Keys(keys): &Keys) -> Repeated {
        let mut found = Repeated::None;
        for (key, seen) in keys.iter().zip(self.hashes) {
            let repeated = seen.filter(|_| key.parts.is_some()).map(repeated);
            let of_key = match (repeated, key.owner) {
                (Some(0), _) => Repeated::None,
                (Some(count), KeyOwner::Table | KeyOwner::Index) => Repeated::Rows(count),
                (None, KeyOwner::Table) => Repeated::Unknown,
                _ => Repeated::ForIndex,
            };
            found = match (found, of_key) {
                (Repeated::Rows(one), Repeated::Rows(other)) => Repeated::Rows(one.max(other)),
                (Repeated::Rows(count), _) | (_, Repeated::Rows(count)) => Repeated::Rows(count),
                (Repeated::Unknown, _) | (_, Repeated::Unknown) => Repeated::Unknown,
                (Repeated::None, of_key) => of_key,
                (found, _) => found,
            };
        }
        found
    }
}

/// How many of the hashes are there already.
fn repeated(hashes: Vec<u64>) -> u64 {
    // Less code than another way to sort.
    let sorted = BinaryHeap::from(hashes).into_sorted_vec();
    sorted.windows(2).filter(|pair| matches!(pair, [one, other] if one == other)).count() as u64
}

enum Hashed {
    Key(u64),
    /// A value is NULL, which is like no other.
    None,
}

/// `None` when that cannot be told.
fn hash(key: &[Part], row: Row<'_>, slots: &[Slot], encoding: Encoding, is_exact: bool) -> Option<Hashed> {
    let mut hash = Hash::default();
    for part in key {
        let (value, encoding) = match part.slot.map(|slot| slots.get(slot)) {
            None => (Value::Integer(row.rowid?), encoding),
            Some(Some(slot)) => (slot.value(row.record, row.pgno).ok()?, encoding),
            Some(None) => (part.default.value()?, Encoding::Utf8),
        };
        // What is changed when it goes in may become like another.
        if !part.affinity.keeps(value, encoding) || !is_exact && is_changed_by_shell(value) {
            return None;
        }
        let value = match value {
            Value::Real(real) => as_integer(real).map_or(value, Value::Integer),
            value => value,
        };
        match value {
            Value::Null => return Some(Hashed::None),
            Value::Integer(integer) => hash.add(1, &integer.to_le_bytes()),
            Value::Real(real) => hash.add(2, &real.to_le_bytes()),
            Value::Text(text) if encoding == Encoding::Utf8 => part.collation.add(text, &mut hash),
            Value::Text(text) => part.collation.add(encoding.decode_lossy(text).as_bytes(), &mut hash),
            Value::Blob(bytes) => hash.add(4, bytes),
        }
    }
    Some(Hashed::Key(hash.0))
}

/// FNV-1a: who makes two keys alike on purpose only makes a table of lost rows.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// `kind` is of a value, and ends the one before it: it is no byte of UTF-8.
    #[inline(never)]
    fn add(&mut self, kind: u8, bytes: &[u8]) {
        for byte in [0xf8 | kind].iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The shell rounds numbers, and cuts text off at a NUL.
fn is_changed_by_shell(value: Value<'_>) -> bool {
    matches!(value, Value::Real(_)) || matches!(value, Value::Text(text) if text.contains(&0))
}

impl Collation {
    /// That of a name; `None` for those that SQLite does not have by itself.
    fn new(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "BINARY" => Some(Self::Binary),
            "NOCASE" => Some(Self::NoCase),
            "RTRIM" => Some(Self::RightTrim),
            _ => None,
        }
    }

    fn add(self, text: &[u8], hash: &mut Hash) {
        match self {
            Self::Binary => hash.add(3, text),
            // It compares up to a NUL.
            Self::NoCase => {
                hash.add(3, &text.split(|&byte| byte == 0).next().unwrap_or_default().to_ascii_lowercase());
            }
            Self::RightTrim => {
                let end = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
                hash.add(3, text.get(..end).unwrap_or_default());
            }
        }
    }
}

/// The columns that an index names.
fn key_of(shape: &TableShape, columns: &[(String, Option<String>)]) -> Option<Key> {
    let of = |(name, collation): &(String, Option<String>)| {
        let index = shape.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
        let collation = collation.as_ref().or(shape.collations.get(index));
        Some((index, collation.cloned().unwrap_or_default()))
    };
    columns.iter().map(of).collect()
}

/// `None` when a column is computed, or has a collation that others brought.
fn parts(shape: &TableShape, key: &Key) -> Option<Vec<Part>> {
    let part = |(index, collation): &(usize, String)| {
        let column = shape.columns.get(*index).filter(|column| !column.generated)?;
        let slot = shape.stored.iter().position(|stored| stored == index)?;
        let (slot, collation) = ((!column.rowid).then_some(slot), Collation::new(collation)?);
        Some(Part { slot, affinity: column.affinity, default: column.default.clone(), collation })
    };
    key.iter().map(part).collect()
}

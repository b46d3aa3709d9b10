//! Whether a table has rows of which UNIQUE or a PRIMARY KEY takes one only.
//!
//! [`Seen`] remembers each key by a hash while the rows pass by: SQLite's own indexes may be what is damaged. [`Neighbours`]
//! reads such an index, in which rows of the same key are side by side.

use std::collections::BinaryHeap;

use crate::btree::entries::Row;
use crate::btree::{Encoding, Record, Slot, Value};
use crate::dump::affinity::Affinity;
use crate::dump::constant::{Constant, as_integer};
use crate::dump::shape::{IndexShape, Key, TableShape, position};

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
pub(in crate::dump) enum Repeated {
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
pub(in crate::dump) struct Seen {
    /// By key; `None` once it cannot be told any more.
    hashes: Vec<Option<Vec<u64>>>,
    count: usize,
    slots: Vec<Slot>,
}

impl Keys {
    /// Those of a table, and of its indexes.
    pub(in crate::dump) fn of(shape: &TableShape, indexes: &[IndexShape]) -> Self {
        let of_table = shape.keys.iter().map(|key| UniqueKey { parts: parts(shape, key), owner: KeyOwner::Table });
        let of_indexes = indexes.iter().map(|index| {
            let key = key_of(shape, &index.columns);
            let owner = if index.is_partial { KeyOwner::PartialIndex } else { KeyOwner::Index };
            UniqueKey { parts: key.and_then(|key| parts(shape, &key)), owner }
        });
        Self(of_table.chain(of_indexes).collect())
    }
}

/// The entries of an index, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Neighbours {
    parts: Vec<Part>,
    /// The record of the entry before, where it was whole in memory.
    before: Option<Vec<u8>>,
    slots: Vec<Slot>,
    pub(super) entries: u64,
    /// How many of them have the key of the one before.
    pub(super) repeated: u64,
}

impl Neighbours {
    /// Compares keys with these collations.
    pub(super) fn new(collations: Vec<Option<String>>) -> Self {
        let part = |(place, collation): (usize, Option<String>)| Part {
            slot: Some(place),
            affinity: Affinity::Blob,
            default: Constant::Null,
            collation: collation.and_then(|name| Collation::new(&name)).unwrap_or(Collation::Binary),
        };
        let parts = collations.into_iter().enumerate().map(part).collect();
        Self { parts, before: None, slots: Vec::new(), entries: 0, repeated: 0 }
    }

    /// Takes note of an entry; `false` if it is none of such an index.
    pub(super) fn add(&mut self, row: Row<'_>, encoding: Encoding) -> bool {
        if row.rest.is_some() {
            // It is not whole in memory, and passes for unlike its neighbours.
            self.entries += 1;
            self.before = None;
            return true;
        }
        let mut kept = self.before.take().unwrap_or_default();
        let before = Row { record: &kept, ..row };
        let collation = self.parts.first().map(|part| part.collation);
        if !collation.is_some_and(|collation| differ_at_once(before, row, collation, encoding)) {
            let Some(entry) = self.entry(row, encoding) else { return false };
            let before = self.entry(before, encoding).flatten();
            // The same row twice is a fault of the index alone.
            let is_repeated = matches!((before, entry), (Some(before), Some(entry))
                if before.0 == entry.0 && (before.1 != entry.1 || entry.1.is_none()));
            self.repeated += u64::from(is_repeated);
        }
        self.entries += 1;
        kept.clear();
        kept.extend_from_slice(row.record);
        self.before = Some(kept);
        true
    }

    /// Hash of the key, and last value, of an entry; no key where a value is NULL. `None` if it is none of such an index.
    fn entry(&mut self, row: Row<'_>, encoding: Encoding) -> Option<Option<(u64, Option<i64>)>> {
        Slot::read_all(row.record, row.pgno, &mut self.slots).ok()?;
        let Hashed::Key(key) = hash(&self.parts, row, &self.slots, encoding, true)? else { return Some(None) };
        let last = self.slots.last().and_then(|slot| slot.value(row.record, row.pgno).ok());
        Some(Some((key, if let Some(Value::Integer(rowid)) = last { Some(rowid) } else { None })))
    }
}

/// Whether the first values of two records are short of being equal at a look; in an index they mostly are.
fn differ_at_once(one: Row<'_>, other: Row<'_>, collation: Collation, encoding: Encoding) -> bool {
    match (first_value(one), first_value(other)) {
        // NULL is like no other.
        (Some(Value::Null), _) | (_, Some(Value::Null)) => true,
        (Some(Value::Integer(one)), Some(Value::Integer(other))) => one != other,
        (Some(Value::Blob(one)), Some(Value::Blob(other))) => one != other,
        (Some(Value::Text(one)), Some(Value::Text(other))) if encoding == Encoding::Utf8 => match collation {
            Collation::Binary => one != other,
            Collation::NoCase | Collation::RightTrim => {
                let first = |text: &[u8]| text.first().map(u8::to_ascii_lowercase);
                matches!((first(one), first(other)), (Some(one), Some(other)) if one != other)
            }
        },
        _ => false,
    }
}

fn first_value(row: Row<'_>) -> Option<Value<'_>> {
    Record::parse(row.record, row.pgno).ok()?.values().next()?.ok()
}

impl Seen {
    /// Takes note of a row. With `is_exact` its values are written as they are.
    pub(in crate::dump) fn add(&mut self, Keys(keys): &Keys, row: Row<'_>, encoding: Encoding, is_exact: bool) {
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

    /// All rows passed by. How many have the key of another, for each of the keys; `None` where that cannot be told.
    pub(super) fn counts(self, Keys(keys): &Keys) -> Vec<Option<u64>> {
        let mut hashes = self.hashes;
        hashes.resize(keys.len(), Some(Vec::new()));
        let count =
            |(key, seen): (&UniqueKey, Option<Vec<u64>>)| match seen.filter(|_| key.parts.is_some()).map(repeated) {
                // It may have none of those rows.
                Some(1..) if key.owner == KeyOwner::PartialIndex => None,
                count => count,
            };
        keys.iter().zip(hashes).map(count).collect()
    }

    /// The same of all keys together.
    pub(in crate::dump) fn end(self, keys: &Keys) -> Repeated {
        let mut found = Repeated::None;
        for (key, count) in keys.0.iter().zip(self.counts(keys)) {
            let of_key = match (count, key.owner) {
                (Some(0), _) => Repeated::None,
                (Some(count), _) => Repeated::Rows(count),
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
fn key_of(shape: &TableShape, columns: &[Option<(String, Option<String>)>]) -> Option<Key> {
    let of = |column: &Option<(String, Option<String>)>| {
        let (name, collation) = column.as_ref()?;
        let index = position(&shape.columns, name)?;
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

//! Rows that repeat a key which the schema says is UNIQUE: files that others wrote have them, and damage makes some.
//!
//! They are looked for before anything is written, in the indexes of such keys, where they are side by side. What an
//! index lacks or has too much of shows in the rows themselves; those of a large table are only looked at where an index
//! of it is damaged or missing. To read all of large indexes would take as long as the dump: of these the first pages are looked at,
//! and `pagemark check` tells the rest.

use super::columns;
use super::guard::may_have_key;
use super::keys::{Keys, Neighbours, Seen};
use super::options::Dialect;
use super::plan::{Planner, is_unique_index, is_virtual, sql_of};
use super::schema::{Kind, Object};
use super::shape::{Key, Shape, TableShape, position};
use crate::btree::Encoding;
use crate::btree::entries::Row;
use crate::page::Pgno;

/// The rows themselves are looked at where an index has no more entries than this.
const FEW_ROWS: u64 = 2_000;
/// Pages of an index, or of rows, that are looked at; of rows whose index is damaged or missing all are.
const FEW_PAGES: u64 = 256;
/// Pages of all indexes together, where the database is small.
const MOST_PAGES: u64 = 256;

/// How many pages are looked at in all, of a database of so many.
pub(super) fn most_pages(page_count: u32) -> u64 {
    MOST_PAGES.max(u64::from(page_count) / 16)
}

/// A table, and where the rows of each of its keys are in order.
#[derive(Clone, Debug)]
pub(super) struct KeyedTable {
    pub(super) name: String,
    pub(super) root: Pgno,
    pub(super) without_rowid: bool,
    pub(super) trees: Vec<KeyTree>,
    keys: Keys,
    is_exact: bool,
    seen: Seen,
    rows: u64,
    /// How many pages were visited before what passes by.
    before: Option<u64>,
    /// What the rows came to, for each tree: once all of them passed by.
    counts: Option<Vec<Option<u64>>>,
    /// Which tree passes by; after all of them the rows.
    current: usize,
}

/// The b-tree of a key.
#[derive(Clone, Debug)]
pub(super) struct KeyTree {
    /// Name of an index that CREATE UNIQUE INDEX made; `None` for what the table says.
    pub(super) index: Option<String>,
    root: Option<Pgno>,
    is_partial: bool,
    neighbours: Neighbours,
    read: Read,
}

/// How much of a b-tree passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Nothing, or it is damaged.
    No,
    /// The first entries, at most.
    Start,
    Whole,
}

/// What comes after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Next,
    /// Enough passed by.
    Enough,
    /// It is none of such a b-tree.
    Damage,
}

/// Whether rows repeat a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    No,
    /// So many rows have the key of another.
    Rows(u64),
    /// Damage keeps that from being told.
    Unknown,
}

impl Planner<'_> {
    /// The tables of which rows are written, with keys; in the order of the schema from its end.
    pub(super) fn keyed_tables(&self) -> Vec<KeyedTable> {
        let mut indexes = vec![Vec::new(); self.schema.objects.len()];
        for index in self.schema.of(Kind::Index).filter(|index| index.sql.is_none() || is_unique_index(index)) {
            let of_table = self.schema.table_at(&index.table).and_then(|table| indexes.get_mut(table));
            of_table.into_iter().for_each(|indexes| indexes.push(index));
        }
        let is_d1 = self.options.dialect == Dialect::D1;
        let is_exact = !matches!(self.options.dialect, Dialect::Shell(_));
        let mut keyed = Vec::new();
        for (table, indexes) in self.schema.objects.iter().zip(indexes).rev() {
            let has_key = !indexes.is_empty() || may_have_key(sql_of(table));
            let is_written = table.kind == Kind::Table && self.is_wanted(&table.name) && !is_virtual(table);
            let (Some(root), true, true) = (table.root, has_key, is_written) else { continue };
            let is_filled_by_d1 = is_d1 && self.is_shadow(&table.name);
            if let (Ok(Shape::Table(shape)), false) = (self.parse(table), is_filled_by_d1) {
                keyed.push(KeyedTable::new(table, root, &shape, &indexes, is_exact));
            }
        }
        keyed
    }
}

impl KeyedTable {
    fn new(table: &Object, root: Pgno, shape: &TableShape, indexes: &[&Object], is_exact: bool) -> Self {
        let mut trees = Vec::with_capacity(shape.keys.len());
        let mut numbers: Vec<usize> = Vec::new();
        for (at, key) in shape.keys.iter().enumerate() {
            // Two that are alike have one index.
            let alike = shape.keys.iter().take(at).position(|other| are_alike(key, other));
            let next = numbers.iter().max().map_or(1, |last| last + 1);
            let number = alike.and_then(|at| numbers.get(at).copied()).unwrap_or(next);
            numbers.push(number);
            let name = format!("sqlite_autoindex_{}_{number}", table.name);
            let index = indexes.iter().find(|index| index.sql.is_none() && index.name.eq_ignore_ascii_case(&name));
            let is_own = shape.without_rowid && shape.key == Some(at);
            let root = if is_own { Some(root) } else { index.and_then(|index| index.root) };
            let collations =
                if is_own { key_record(shape) } else { key.iter().map(|(_, name)| Some(name.clone())).collect() };
            trees.push(KeyTree::new(None, root, false, collations));
        }
        let mut unique = Vec::new();
        for index in indexes {
            let Ok(of) = columns::index(sql_of(index)) else { continue };
            let collation = |column: &Option<(String, Option<String>)>| {
                let (name, collation) = column.as_ref()?;
                let place = position(&shape.columns, name);
                collation.clone().or_else(|| shape.collations.get(place?).cloned())
            };
            let collations = of.columns.iter().map(collation).collect();
            trees.push(KeyTree::new(Some(index.name.clone()), index.root, of.is_partial, collations));
            unique.push(of);
        }
        Self {
            name: table.name.clone(),
            root,
            without_rowid: shape.without_rowid,
            trees,
            keys: Keys::of(shape, &unique),
            is_exact,
            seen: Seen::default(),
            rows: 0,
            before: None,
            counts: None,
            current: 0,
        }
    }

    /// The b-tree whose entries must pass by next; `None` when all did. With `is_enough` only what must be looked at in any case.
    pub(super) fn next_root(&mut self, is_enough: bool) -> Option<Pgno> {
        while let Some(tree) = self.trees.get_mut(self.current) {
            if tree.root.is_some() && !is_enough {
                return tree.root;
            }
            if tree.root.is_some() {
                tree.read = Read::Start;
            }
            self.current += 1;
        }
        let wants_rows = self.is_unsure() || !is_enough && self.trees.iter().any(KeyTree::is_small);
        (self.current == self.trees.len() && wants_rows).then_some(self.root)
    }

    fn is_unsure(&self) -> bool {
        self.trees.iter().any(|tree| tree.read == Read::No)
    }

    /// Takes note of an entry, before which so many pages were visited.
    pub(super) fn add(&mut self, row: Row<'_>, encoding: Encoding, visited: u64) -> After {
        let is_few = visited - *self.before.get_or_insert(visited) <= FEW_PAGES;
        if let Some(tree) = self.trees.get_mut(self.current) {
            let is_entry = tree.neighbours.add(row, encoding);
            return if !is_entry {
                After::Damage
            } else if is_few {
                After::Next
            } else {
                After::Enough
            };
        }
        self.rows += 1;
        self.seen.add(&self.keys, row, encoding, self.is_exact);
        if is_few || self.is_unsure() { After::Next } else { After::Enough }
    }

    /// No more entries of the tree will pass by: all did, or enough, or there is damage.
    pub(super) fn end(&mut self, why: Option<After>) {
        let read = match why {
            None => Read::Whole,
            Some(After::Damage) => Read::No,
            Some(After::Enough | After::Next) => Read::Start,
        };
        match self.trees.get_mut(self.current) {
            Some(tree) => tree.read = read,
            None if read == Read::Whole => self.counts = Some(core::mem::take(&mut self.seen).counts(&self.keys)),
            None => self.seen = Seen::default(),
        }
        self.before = None;
        self.current += 1;
    }

    /// What became of the key of a tree.
    pub(super) fn repeats(&self, at: usize) -> Repeats {
        let of_rows = self.counts.as_ref().and_then(|counts| counts.get(at).copied().flatten());
        let of = |count| if count == 0 { Repeats::No } else { Repeats::Rows(count) };
        match (of_rows, self.trees.get(at)) {
            (Some(count), _) => of(count),
            (None, Some(tree)) if tree.read != Read::No => {
                let lacks_some = self.counts.is_some() && tree.has_every_row() && tree.neighbours.entries != self.rows;
                if lacks_some { Repeats::Unknown } else { of(tree.neighbours.repeated) }
            }
            _ => Repeats::Unknown,
        }
    }

    /// How many rows an index says that there are, where they were not counted.
    pub(super) fn expected(&self) -> Option<u64> {
        let mut whole = self.trees.iter().filter(|tree| tree.has_every_row());
        whole.next().filter(|_| self.counts.is_none()).map(|tree| tree.neighbours.entries)
    }
}

impl KeyTree {
    fn new(index: Option<String>, root: Option<Pgno>, is_partial: bool, collations: Vec<Option<String>>) -> Self {
        Self { index, root, is_partial, neighbours: Neighbours::new(collations), read: Read::No }
    }

    /// Whether it was read whole, and has an entry for each row.
    fn has_every_row(&self) -> bool {
        self.read == Read::Whole && !self.is_partial
    }

    fn is_small(&self) -> bool {
        self.has_every_row() && self.neighbours.entries <= FEW_ROWS
    }
}

/// The collations of the PRIMARY KEY as a record WITHOUT ROWID begins with it.
fn key_record(shape: &TableShape) -> Vec<Option<String>> {
    let key = shape.key.and_then(|at| shape.keys.get(at)).map_or(&[][..], Vec::as_slice);
    let mut parts: Vec<&(usize, String)> = Vec::new();
    for part in key {
        if !parts.iter().any(|other| other.0 == part.0 && other.1.eq_ignore_ascii_case(&part.1)) {
            parts.push(part);
        }
    }
    parts.into_iter().map(|(_, collation)| Some(collation.clone())).collect()
}

/// Whether SQLite has one index for both.
fn are_alike(one: &Key, other: &Key) -> bool {
    let same =
        |(one, other): (&(usize, String), &(usize, String))| one.0 == other.0 && one.1.eq_ignore_ascii_case(&other.1);
    one.len() == other.len() && one.iter().zip(other).all(same)
}

impl Repeats {
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Rows(one), Self::Rows(other)) => Self::Rows(one.max(other)),
            (Self::No, other) => other,
            (found, Self::No | Self::Unknown) => found,
            (Self::Unknown, other) => other,
        }
    }
}

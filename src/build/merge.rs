//! A b-tree of the database before with the entries that changed, so that only these have to be given.
//!
//! What the caller knows is which keys changed, and what there is of them now. Every entry of the b-tree before whose
//! row has such a key is left out, wherever it stands; those that are given come in, in the b-tree's order.

use std::collections::{HashSet, VecDeque};

use super::collate::{Term, compare, put_same};
use crate::btree::{Budget, Entries, Layout, Next, PageRange, Pages, Record, Row, Value};
use crate::error::{ErrorKind, Result};
use crate::page::{PageSize, Pgno};

/// How a b-tree's entries are sorted, and where in each the key of its row is. A table of rowids has neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What the entries are sorted by.
    pub terms: Vec<Term>,
    /// The key of the table: its rowid, or its primary key.
    pub key: Vec<Term>,
}

/// The b-tree before, and what changed of it.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    entries: Entries,
    pages: Pages,
    budget: Budget,
    order: Order,
    /// The keys that changed, as [`put_same`] writes them.
    changed: HashSet<Vec<u8>>,
    added: VecDeque<Added>,
    /// A key in the making.
    key: Vec<u8>,
}

/// An entry that there is now.
#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) rowid: Option<i64>,
    pub(super) record: Vec<u8>,
}

impl Merge {
    pub(super) fn new(root: Pgno, page_size: PageSize, layout: Layout, order: Order) -> Self {
        Self {
            entries: Entries::new(root, layout),
            pages: Pages::new(page_size),
            budget: Budget::new(layout),
            order,
            changed: HashSet::new(),
            added: VecDeque::new(),
            key: Vec::new(),
        }
    }

    /// How many values a changed key has.
    pub(super) fn key_size(&self) -> usize {
        self.order.key.len()
    }

    /// Takes the rowid of a row that changed.
    pub(super) fn change_row(&mut self, rowid: i64) {
        let mut key = Vec::with_capacity(9);
        put_rowid(rowid, &mut key);
        self.changed.insert(key);
    }

    /// Takes the key of a row that changed.
    pub(super) fn change<'v>(&mut self, values: impl Iterator<Item = Value<'v>>) {
        let mut key = Vec::new();
        for (value, term) in values.zip(&self.order.key) {
            put_same(value, term.collation, &mut key);
        }
        self.changed.insert(key);
    }

    /// Takes the next entry that there is now.
    pub(super) fn add(&mut self, added: Added) {
        self.added.push_back(added);
    }

    pub(super) fn supply(&mut self, first: Pgno, bytes: Vec<u8>) {
        self.pages.add(first, bytes);
    }

    /// Passes on all that comes, up to where pages are missing.
    ///
    /// # Errors
    /// Those of a damaged b-tree, which name the page, and those of `take`.
    pub(super) fn run(&mut self, mut take: impl FnMut(Option<i64>, &[u8]) -> Result<()>) -> Result<Vec<PageRange>> {
        loop {
            match self.entries.next(&self.pages, &mut self.budget)? {
                Next::Need(ranges) => return Ok(ranges),
                Next::Given => return Err(ErrorKind::Usage.into()),
                Next::End => break,
                Next::Row(row) => {
                    if row.rest.is_some() {
                        return Err(ErrorKind::BuildRow.into());
                    }
                    if !self.changed.is_empty() && is_changed(&row, &self.order.key, &self.changed, &mut self.key)? {
                        continue;
                    }
                    while let Some(added) = self.added.front()
                        && comes_before(added, &row, &self.order.terms)?
                    {
                        take(added.rowid, &added.record)?;
                        self.added.pop_front();
                    }
                    take(row.rowid, row.record)?;
                }
            }
        }
        self.added.drain(..).try_for_each(|added| take(added.rowid, &added.record))?;
        Ok(Vec::new())
    }
}

fn put_rowid(rowid: i64, key: &mut Vec<u8>) {
    put_same(Value::Integer(rowid), super::collate::Collation::Binary, key);
}

fn is_changed(row: &Row<'_>, terms: &[Term], changed: &HashSet<Vec<u8>>, key: &mut Vec<u8>) -> Result<bool> {
    key.clear();
    if let Some(rowid) = row.rowid {
        put_rowid(rowid, key);
    } else {
        let values = values_of(row.record, row.pgno)?;
        for term in terms {
            put_same(value_at(&values, term), term.collation, key);
        }
    }
    Ok(changed.contains(key.as_slice()))
}

fn comes_before(added: &Added, row: &Row<'_>, terms: &[Term]) -> Result<bool> {
    if let (Some(rowid), Some(other)) = (added.rowid, row.rowid) {
        return Ok(rowid < other);
    }
    let (one, other) = (values_of(&added.record, row.pgno)?, values_of(row.record, row.pgno)?);
    let order = terms.iter().map(|term| {
        let order = compare(value_at(&one, term), value_at(&other, term), term.collation);
        if term.is_descending { order.reverse() } else { order }
    });
    Ok(order.into_iter().find(|order| order.is_ne()).is_some_and(core::cmp::Ordering::is_lt))
}

fn values_of(record: &[u8], pgno: Pgno) -> Result<Vec<Value<'_>>> {
    Record::parse(record, pgno)?.values().collect()
}

fn value_at<'v>(values: &[Value<'v>], term: &Term) -> Value<'v> {
    values.get(term.place).copied().unwrap_or(Value::Null)
}

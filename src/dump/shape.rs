//! What a table is made of, and an index that refuses rows.

use super::affinity::Affinity;
use super::constant::Constant;
use super::foreign_keys::ForeignKey;
use super::guard::Insists;

/// A table, as its CREATE TABLE says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TableShape {
    /// In the order of the declaration.
    pub(super) columns: Vec<Column>,
    /// What a record holds: indexes into `columns`, in the order of the record.
    pub(super) stored: Vec<usize>,
    /// Whether it is WITHOUT ROWID.
    pub(super) without_rowid: bool,
    /// Whether it is AUTOINCREMENT.
    pub(super) autoincrement: bool,
    pub(super) foreign_keys: Vec<ForeignKey>,
    /// Also where that is the rowid. Indexes into `columns`.
    pub(super) primary_key: Vec<usize>,
    /// What PRIMARY KEY and UNIQUE say of it, but for a key that is the rowid, in the order in which SQLite numbers their
    /// indexes. A column that does not exist stands for what cannot be read.
    pub(super) keys: Vec<Key>,
    /// Which of them is the PRIMARY KEY.
    pub(super) key: Option<usize>,
    /// The collation of each column.
    pub(super) collations: Vec<String>,
    /// Whether SQLite takes it, expressions apart.
    pub(super) is_taken: bool,
}

impl TableShape {
    /// The columns that `key` refers to, as indexes into those of this table; empty where it lacks one.
    pub(super) fn referenced_by(&self, key: &ForeignKey) -> Vec<usize> {
        if key.to.is_empty() {
            return self.primary_key.clone();
        }
        key.to.iter().map(|name| position(&self.columns, name)).collect::<Option<_>>().unwrap_or_default()
    }

    /// A name of the rowid; `None` where columns have all of them, or there is no rowid.
    pub(super) fn rowid_name(&self) -> Option<&str> {
        if let Some(column) = self.columns.iter().find(|column| column.rowid) {
            return Some(&column.name);
        }
        let is_free = |name: &&str| position(&self.columns, name).is_none();
        ["rowid", "_rowid_", "oid"].into_iter().filter(|_| !self.without_rowid).find(is_free)
    }
}

/// Where the column of that name is, in upper or lower case.
#[inline(never)] // Once in the module.
pub(super) fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
}

/// Columns of which no two rows have the same values, as indexes into those of the table, with their collations.
pub(super) type Key = Vec<(usize, String)>;

/// What a CREATE INDEX says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexShape {
    /// Names and collations, where those are said; `None` for an expression.
    pub(super) columns: Vec<Option<(String, Option<String>)>>,
    /// Whether it has only some of the rows.
    pub(super) is_partial: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) affinity: Affinity,
    /// Whether it is computed, and so cannot be inserted.
    pub(super) generated: bool,
    /// Whether it is the rowid by another name.
    pub(super) rowid: bool,
    /// What rows have that are older than the column.
    pub(super) default: Constant,
    pub(super) insists: Insists,
}

/// What a CREATE VIRTUAL TABLE says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VirtualTable {
    /// In lower case.
    pub(super) module: String,
    pub(super) arguments: Vec<String>,
}

/// Either kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Table(TableShape),
    Virtual(VirtualTable),
}

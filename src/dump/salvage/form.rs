//! What the rows of a table look like in its pages, to tell whose rows a page has.

use std::collections::HashSet;

use crate::btree::Kind;
use crate::dump::affinity::Affinity;
use crate::dump::columns;
use crate::dump::keys::{Keys, Repeated};
use crate::dump::plan::{Planner, is_unique_index, sql_of};
use crate::dump::schema::{Kind as ObjectKind, Object};
use crate::dump::shape::{IndexShape, Shape, TableShape, position};
use crate::salvage::{LoosePage, types};

/// How many rows of a page are looked at.
const SAMPLE: usize = 64;

/// A table or an index with a b-tree.
#[derive(Clone, Debug)]
pub(in crate::dump) struct Owner {
    pub(super) name: String,
    pub(super) root: u32,
    /// `None` where the SQL does not parse.
    pub(super) form: Option<Form>,
    pub(super) is_index: bool,
    /// Those by which a row can be refused, apart from its rowid.
    pub(super) keys: Keys,
    /// Whether rows in their place have the key of another.
    pub(super) repeated: Repeated,
}

impl Owner {
    /// Whether it is a table WITHOUT ROWID, whose rows look like entries of an index.
    pub(super) fn is_keyed(&self) -> bool {
        !self.is_index && self.form.as_ref().is_some_and(|form| form.without_rowid)
    }

    pub(super) fn form(&self) -> Option<&Form> {
        self.form.as_ref()
    }
}

/// What its records hold.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// In the order of the record.
    columns: Vec<Column>,
    pub(super) without_rowid: bool,
    /// Whether no record has fewer values, as those of indexes.
    is_exact: bool,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    affinity: Affinity,
    /// Whether it is another name of the rowid, for which the record has NULL.
    is_rowid: bool,
}

impl Form {
    fn of(shape: &TableShape) -> Self {
        let columns = shape.stored.iter().filter_map(|&index| shape.columns.get(index));
        let columns = columns.map(|column| Column { affinity: column.affinity, is_rowid: column.rowid }).collect();
        Self { columns, without_rowid: shape.without_rowid, is_exact: false }
    }

    /// What the entries of an index hold: its columns with their collations, `None` for an expression, and the key of the
    /// row. SQLite leaves out of that what the index has already, in the same collation (file format, section 2.5.1).
    fn of_index(mut key: Vec<(Option<usize>, String)>, shape: &TableShape) -> Self {
        let own = shape.key.and_then(|key| shape.keys.get(key)).filter(|_| shape.without_rowid);
        for (column, collation) in own.into_iter().flatten() {
            let is_same =
                |(other, of): &(Option<usize>, String)| *other == Some(*column) && of.eq_ignore_ascii_case(collation);
            if !key.iter().any(is_same) {
                key.push((Some(*column), collation.clone()));
            }
        }
        let affinity =
            |column: Option<usize>| column.and_then(|column| shape.columns.get(column)).map(|of| of.affinity);
        let columns = key.into_iter().map(|(column, _)| affinity(column).unwrap_or(Affinity::Blob));
        let rowid = Some(Affinity::Integer).filter(|_| !shape.without_rowid);
        let columns = columns.chain(rowid).map(|affinity| Column { affinity, is_rowid: false }).collect();
        Self { columns, without_rowid: true, is_exact: true }
    }

    /// How much the rows of a page are like those of the table, a row; `None` when some cannot be.
    pub(super) fn likeness(&self, page: &LoosePage<'_>) -> Option<i64> {
        self.likeness_with(page, None)
    }

    /// Whether the rows of a page have no more values than the table has columns, of whatever types: the types of a schema
    /// that was edited are not those of older rows.
    pub(super) fn has_room(&self, page: &LoosePage<'_>) -> bool {
        self.likeness_with(page, Some(0)).is_some()
    }

    /// `unlike` is what a value counts that no column of its type would hold.
    fn likeness_with(&self, page: &LoosePage<'_>, unlike: Option<i64>) -> Option<i64> {
        if page.kind().is_table() == self.without_rowid {
            return None;
        }
        let (mut fitting, mut all, mut score) = (0, 0, 0);
        for payload in page.cells().filter_map(|cell| cell.payload).take(SAMPLE) {
            all += 1;
            let of_row = self.likeness_of(payload.local, unlike);
            fitting += i64::from(of_row.is_some());
            score += of_row.unwrap_or(0);
        }
        // A cell that is damaged can have any type.
        (all > 0 && fitting * 10 >= all * 9).then(|| score * 100 / all)
    }

    fn likeness_of(&self, local: &[u8], unlike: Option<i64>) -> Option<i64> {
        let (mut score, mut count) = (0, 0);
        for serial_type in types(local) {
            let column = self.columns.get(count)?;
            score += column.likeness(serial_type).or(unlike.filter(|_| !column.is_rowid))?;
            count += 1;
        }
        // A row from before ALTER TABLE ADD COLUMN has fewer; a key has as many as it has.
        let missing = self.columns.len() - count;
        if missing > 0 && (self.is_exact || self.without_rowid && count < 2) || count == 0 {
            return None;
        }
        Some(score + 3 - 4 * missing as i64)
    }
}

impl Column {
    fn likeness(self, serial_type: i64) -> Option<i64> {
        let (is_integer, is_real) = (matches!(serial_type, 1..=6 | 8 | 9), serial_type == 7);
        let is_text = serial_type >= 13 && serial_type % 2 == 1;
        if serial_type == 0 {
            return Some(if self.is_rowid { 2 } else { 0 });
        }
        if self.is_rowid {
            return None;
        }
        Some(match self.affinity {
            Affinity::Text if is_text => 2,
            // Numbers in such a column are stored as text.
            Affinity::Text if is_integer || is_real => return None,
            Affinity::Integer if is_integer => 2,
            Affinity::Real if is_real => 2,
            Affinity::Real if is_integer => 1,
            Affinity::Numeric if is_integer || is_real => 1,
            Affinity::Numeric if is_text => 0,
            Affinity::Blob => 0,
            _ => -2,
        })
    }
}

impl Planner<'_> {
    /// Whatever has a b-tree; where several have the same root, the first of them.
    pub(in crate::dump) fn owners(&self) -> Vec<Owner> {
        let mut roots = HashSet::new();
        let mut unique = vec![Vec::new(); self.schema.objects.len()];
        for (table, index) in self.unique_indexes() {
            if let Some(indexes) = unique.get_mut(table) {
                indexes.push(index);
            }
        }
        let owner = |(object, indexes): (&Object, Vec<IndexShape>)| {
            let root = object.root.map(|root| root.value()).filter(|&root| roots.insert(root))?;
            let is_index = object.kind == ObjectKind::Index;
            let (form, keys) = match self.parse(object) {
                Ok(Shape::Table(shape)) if !is_index => (Some(Form::of(&shape)), Keys::of(&shape, &indexes)),
                _ if is_index => (self.form_of_index(object), Keys::default()),
                _ => (None, Keys::default()),
            };
            Some(Owner { name: object.name.clone(), root, form, is_index, keys, repeated: Repeated::None })
        };
        self.schema.objects.iter().zip(unique).filter_map(owner).collect()
    }

    fn form_of_index(&self, index: &Object) -> Option<Form> {
        let Ok(Shape::Table(shape)) = self.parse(self.schema.table(&index.table)?) else { return None };
        let part = |column: Option<(String, Option<String>)>| {
            let Some((name, said)) = column else { return (None, String::new()) };
            let column = position(&shape.columns, &name);
            let declared = || column.and_then(|column| shape.collations.get(column)).cloned();
            (column, said.or_else(declared).unwrap_or_default())
        };
        let key = if index.sql.is_some() {
            let columns = columns::index(sql_of(index)).ok()?.columns;
            columns.into_iter().map(part).collect()
        } else {
            // SQLite made it for what the table says of itself, and numbers it.
            let number: usize = index.name.rsplit('_').next()?.parse().ok()?;
            shape.keys.get(number.checked_sub(1)?)?.iter().map(|(column, of)| (Some(*column), of.clone())).collect()
        };
        Some(Form::of_index(key, &shape))
    }

    /// Indexes that are made by SQL and refuse rows, with where their tables are among the objects.
    fn unique_indexes(&self) -> impl Iterator<Item = (usize, IndexShape)> {
        self.schema
            .of(ObjectKind::Index)
            .filter(|index| is_unique_index(index))
            .filter_map(|index| Some((self.schema.table_at(&index.table)?, columns::index(sql_of(index)).ok()?)))
    }
}

/// Whether a page has rows or entries, and not only the way to them.
pub(super) fn has_rows(kind: Kind) -> bool {
    kind != Kind::TableInterior
}

//! The machine: schema, trees and rows in, pages out.

use std::collections::{HashMap, HashSet};

use super::batch::Field;
use super::first::{Options, last_pages};
use super::guide::Guide;
use super::merge::{Added, Merge, Order};
use super::open::Open;
use super::output::Output;
use super::previous::Previous;
use super::record::{Column, RecordDraft};
use super::tree::{Form, Root, Tree};
use crate::btree::{PageRange, Value};
use crate::bytes::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// Type and name of an object.
type Name = (Vec<u8>, Vec<u8>);

/// A row of the schema table. Texts are in the database's encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
    /// The name of the table that it belongs to.
    pub table: Vec<u8>,
    /// Its SQL; an index that a constraint made has none.
    pub sql: Option<Vec<u8>>,
    /// Whether it has a b-tree: tables that are not virtual, and indexes.
    pub has_tree: bool,
}

/// Builds a database. First [`Builder::object`] for each row of the schema table; then for each of those that have a
/// b-tree, in any order, [`Builder::begin`], [`Builder::add`] with all of its rows, [`Builder::end`]; at last
/// [`Builder::finish`]. Pages can be taken after each of these calls, and are kept until then.
///
/// After an error it is of no use any more, and every call is an error.
#[derive(Clone, Debug)]
pub struct Builder {
    options: Options,
    objects: Vec<Object>,
    pub(super) roots: Vec<Option<Pgno>>,
    pub(super) previous: Option<Previous>,
    /// Where its b-trees were; known when the first of ours begins.
    roots_before: Option<HashMap<Name, Pgno>>,
    pub(super) out: Output,
    /// The b-tree that is being built.
    pub(super) open: Option<Open>,
    record: RecordDraft,
    head: Vec<u8>,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Building,
    /// Or failed.
    Done,
}

impl Builder {
    /// A builder of a database without objects.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            objects: Vec::new(),
            roots: Vec::new(),
            previous: None,
            roots_before: None,
            out: Output::new(options.page_size),
            open: None,
            record: RecordDraft::default(),
            head: Vec::new(),
            stage: Stage::Building,
        }
    }

    /// A builder behind page `last`: others make the pages up to it, with b-trees that [`Builder::place`] tells of.
    pub fn behind(options: Options, last: u32) -> Self {
        Self { out: Output::behind(options.page_size, last), ..Self::new(options) }
    }

    /// Says where a b-tree is that others make; `Usage` when the object had one already.
    pub fn place(&mut self, object: usize, root: Pgno) -> Result<()> {
        *self.roots.get_mut(object).filter(|slot| slot.is_none()).ok_or(ErrorKind::Usage)? = Some(root);
        Ok(())
    }

    /// A builder that keeps the pages of the database before, as far as rows are the same: for a backup of what changed.
    /// The objects' names tell which b-tree is which. Only pages that differ are given, in any order, page 1 last.
    ///
    /// # Errors
    /// `Usage` when pages are of another size.
    pub fn after(previous: Previous, options: Options) -> Result<Self> {
        if previous.page_size() != options.page_size {
            return Err(ErrorKind::Usage.into());
        }
        Ok(Self { previous: Some(previous), ..Self::new(options) })
    }

    /// Adds a row to the schema table, behind those that it has. Gives the object's number, which counts from 0.
    ///
    /// # Errors
    /// `Usage` when nothing can be added any more.
    pub fn object(&mut self, object: Object) -> Result<usize> {
        self.guarded(|builder| {
            builder.objects.push(object);
            builder.roots.push(None);
            Ok(builder.roots.len() - 1)
        })
    }

    /// Begins the b-tree of object `object`. `columns` are those of its records, in order.
    ///
    /// # Errors
    /// `Usage` when another is open, or the object has none or had it already; `BuildRow` for too many columns.
    pub fn begin(&mut self, object: usize, form: Form, columns: Vec<Column>) -> Result<()> {
        self.guarded(|builder| {
            let has_tree = builder.objects.get(object).is_some_and(|object| object.has_tree);
            let is_new = builder.roots.get(object).is_some_and(Option::is_none);
            if !has_tree || !is_new || builder.open.is_some() || columns.is_empty() {
                return Err(ErrorKind::Usage.into());
            }
            // An index names the columns of the key again.
            if columns.len() > 2 * 32_767 {
                return Err(ErrorKind::BuildRow.into());
            }
            let guide = builder.guide(object);
            let tree = Tree::new(form, guide, &builder.out);
            builder.open = Some(Open::new(object, form, columns, tree));
            Ok(())
        })
    }

    /// Leaves the b-tree of object `object` as it was before, without a look at it: it is not begun. `false` where the
    /// database before has none of that name. That must be one that was built here: elsewhere, overflow pages need not
    /// follow each other.
    ///
    /// # Errors
    /// `Usage` when a b-tree is open, or the object has none or had it already.
    pub fn keep(&mut self, object: usize) -> Result<bool> {
        self.guarded(|builder| {
            let is_new = builder.roots.get(object).is_some_and(Option::is_none);
            if !is_new || builder.open.is_some() {
                return Err(ErrorKind::Usage.into());
            }
            let Some(root) = builder.root_before(object) else { return Ok(false) };
            if let Some(previous) = &builder.previous {
                // A page that another has, too, is damage.
                let mut is_own = true;
                previous.pages_of(root, &mut |pgno| {
                    is_own &= builder.out.keep(pgno);
                    is_own
                });
                if !is_own {
                    return Err(Error::at_page(ErrorKind::BtreeDepth, root.value()));
                }
            }
            if let Some(slot) = builder.roots.get_mut(object) {
                *slot = Some(root);
            }
            Ok(true)
        })
    }

    /// Begins the b-tree of object `object` as it was before, so that only what changed is given: the keys of changed
    /// rows by [`Builder::change`], and the entries that these rows have now by [`Builder::add`], in order; then
    /// [`Builder::missing`] until nothing is. `false`, and nothing is begun, where the database before has none of that
    /// name.
    ///
    /// # Errors
    /// As [`Builder::begin`].
    pub fn begin_after(&mut self, object: usize, form: Form, columns: Vec<Column>, order: Order) -> Result<bool> {
        let Some(root) = self.guarded(|builder| Ok(builder.root_before(object)))? else { return Ok(false) };
        let layout = self.previous.as_ref().and_then(Previous::whole_layout).ok_or(ErrorKind::Usage)?;
        self.begin(object, form, columns)?;
        if let Some(open) = &mut self.open {
            open.merge = Some(Box::new(Merge::new(root, self.options.page_size, layout, order)));
        }
        Ok(true)
    }

    /// Takes the keys of rows that changed: in a table their rowids, else the values of the keys, as in a batch.
    ///
    /// # Errors
    /// `Usage` when no b-tree was begun as it was before, or the batch is not one.
    pub fn change(&mut self, batch: &[u8]) -> Result<()> {
        self.guarded(|builder| {
            let open = builder.open.as_mut().ok_or(ErrorKind::Usage)?;
            let merge = open.merge.as_mut().ok_or(ErrorKind::Usage)?;
            let mut reader = Reader::new(batch, 0, ErrorKind::Usage);
            while reader.remaining() > 0 {
                if open.form == Form::Table {
                    merge.change_row(reader.i64()?);
                    continue;
                }
                let mut values = Vec::with_capacity(merge.key_size());
                for _ in 0..merge.key_size().max(1) {
                    let Field::Value(value) = Field::read(&mut reader)? else { return Err(ErrorKind::Usage.into()) };
                    values.push(value);
                }
                merge.change(values.into_iter());
            }
            Ok(())
        })
    }

    /// Puts the b-tree before and what changed together, as far as its pages are there; gives those that it needs to go
    /// on, for [`Builder::supply`]. None when all of it is done.
    ///
    /// # Errors
    /// `Usage` when no b-tree was begun as it was before; of the database before, where that is damaged; `BuildOrder`;
    /// `BuildSize`.
    pub fn missing(&mut self) -> Result<Vec<PageRange>> {
        self.guarded(|builder| {
            let open = builder.open.as_mut().ok_or(ErrorKind::Usage)?;
            let mut merge = open.merge.take().ok_or(ErrorKind::Usage)?;
            let missing = merge.run(|rowid, record| open.record(rowid, record, &mut builder.head, &mut builder.out))?;
            if !missing.is_empty() {
                open.merge = Some(merge);
            }
            Ok(missing)
        })
    }

    /// Takes pages of the database before, from `first` on.
    ///
    /// # Errors
    /// `Usage` when no b-tree was begun as it was before.
    pub fn supply(&mut self, first: Pgno, bytes: Vec<u8>) -> Result<()> {
        self.guarded(|builder| {
            let merge = builder.open.as_mut().and_then(|open| open.merge.as_mut()).ok_or(ErrorKind::Usage)?;
            merge.supply(first, bytes);
            Ok(())
        })
    }

    /// Adds the rows of a batch (see [`super::Batch`]) to the open b-tree.
    ///
    /// # Errors
    /// `BuildOrder`, naming the rowid that is not larger than the one before; `BuildRow`; `BuildSize`; `Usage` when no
    /// tree is open, the last row still waits for pieces, or the batch is not one.
    pub fn add(&mut self, batch: &[u8]) -> Result<()> {
        self.guarded(|builder| {
            let Some(open) = &mut builder.open else { return Err(ErrorKind::Usage.into()) };
            let mut reader = Reader::new(batch, 0, ErrorKind::Usage);
            while reader.remaining() > 0 {
                if open.pending.is_some() {
                    return Err(ErrorKind::Usage.into());
                }
                let rowid = if open.form == Form::Table { Some(reader.i64()?) } else { None };
                builder.record.clear();
                for &column in &open.columns {
                    match column {
                        Column::Rowid => builder.record.value(Value::Null, column),
                        _ => match Field::read(&mut reader)? {
                            Field::Value(value) => builder.record.value(value, column),
                            Field::Long { is_text, length } => builder.record.long(is_text, length),
                            Field::End => break,
                        },
                    }
                }
                match &mut open.merge {
                    Some(merge) => merge.add(Added { rowid, record: builder.record.whole(&mut builder.head)? }),
                    None => open.row(rowid, &builder.record, &mut builder.head, &mut builder.out)?,
                }
            }
            Ok(())
        })
    }

    /// Adds bytes of the values that the last row of the last batch lacks, in the order of its columns.
    ///
    /// # Errors
    /// `BuildSize`; `Usage` when there are more than it lacks.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.guarded(|builder| {
            let open = builder.open.as_mut().ok_or(ErrorKind::Usage)?;
            open.piece(bytes, &builder.record, &mut builder.out)
        })
    }

    /// Ends the open b-tree.
    ///
    /// # Errors
    /// `BuildSize`; `Usage` when none is open, or its last row still waits for pieces.
    pub fn end(&mut self) -> Result<()> {
        self.guarded(|builder| {
            let open = builder
                .open
                .take()
                .filter(|open| open.pending.is_none() && open.merge.is_none())
                .ok_or(ErrorKind::Usage)?;
            let Root { mut page, right, wanted } = open.tree.finish(&mut builder.out)?;
            let pgno = builder.out.append(wanted, page.finish(right))?;
            builder.out.end_tree();
            if let Some(slot) = builder.roots.get_mut(open.object) {
                *slot = Some(pgno);
            }
            Ok(())
        })
    }

    /// Ends the database: the schema table and page 1 are the last pages. Gives the size of the database, in pages.
    ///
    /// # Errors
    /// `BuildSize`; `BuildRow` for an object with too long an SQL; `Usage` when a b-tree is open or lacks.
    pub fn finish(&mut self) -> Result<u32> {
        self.guarded(|builder| {
            let lacks = |(object, root): (&Object, &Option<Pgno>)| object.has_tree && root.is_none();
            if builder.open.is_some() || builder.objects.iter().zip(&builder.roots).any(lacks) {
                return Err(ErrorKind::Usage.into());
            }
            let root = builder.schema()?;
            last_pages(root, &builder.options, &mut builder.out)?;
            builder.stage = Stage::Done;
            Ok(builder.out.page_count())
        })
    }

    /// The pages that were completed since the last call: which, and their bytes, one after the other. Each page comes
    /// once, but the lock page, and those that are as they were before. Without a database before they ascend from page 2
    /// on; page 1 is the last of all.
    pub fn take(&mut self) -> (Vec<PageRange>, Vec<u8>) {
        self.out.take()
    }

    fn schema(&mut self) -> Result<Root> {
        let columns = vec![Column::Value; 5];
        self.learn();
        let guide = self.begin_guide(Some(Pgno::FIRST));
        let tree = Tree::new(Form::Table, guide, &self.out);
        let mut open = Open::new(0, Form::Table, columns, tree);
        for (rowid, (object, root)) in (1..).zip(self.objects.iter().zip(&self.roots)) {
            let root = Value::Integer(root.map_or(0, Pgno::value).into());
            let sql = object.sql.as_deref().map_or(Value::Null, Value::Text);
            let [kind, name, table] = [&object.kind, &object.name, &object.table].map(|text| Value::Text(text));
            self.record.clear();
            for value in [kind, name, table, root, sql] {
                self.record.value(value, Column::Value);
            }
            open.row(Some(rowid), &self.record, &mut self.head, &mut self.out)?;
        }
        let root = open.tree.finish(&mut self.out)?;
        self.out.end_tree();
        Ok(root)
    }

    /// Where the pages of an object's b-tree were.
    fn guide(&mut self, object: usize) -> Guide {
        let root = self.root_before(object);
        self.begin_guide(root)
    }

    /// Where the root of an object's b-tree was.
    fn root_before(&mut self, object: usize) -> Option<Pgno> {
        self.learn();
        let Object { kind, name, .. } = self.objects.get(object)?;
        self.roots_before.as_ref()?.get(&(kind.clone(), name.clone())).copied()
    }

    fn begin_guide(&mut self, root: Option<Pgno>) -> Guide {
        let previous = self.previous.as_mut().zip(root);
        let mut guide = previous.map(|(previous, root)| previous.take_guide(root)).unwrap_or_default();
        self.out.begin_tree(guide.take_chains());
        guide
    }

    /// Finds out which pages of the database before are those of objects that are still there: all others are free.
    fn learn(&mut self) {
        let Some(previous) = self.previous.as_mut().filter(|_| self.roots_before.is_none()) else { return };
        let mut roots = previous.roots();
        let names: HashSet<_> = self.objects.iter().map(|object| (&object.kind, &object.name)).collect();
        roots.retain(|(kind, name), _| names.contains(&(kind, name)));
        let mut used = vec![false; previous.page_count() as usize + 1];
        for &root in roots.values().chain([&Pgno::FIRST]) {
            previous.pages_of(root, &mut |pgno| {
                used.get_mut(pgno as usize).is_some_and(|used| !core::mem::replace(used, true))
            });
        }
        self.out.reuse(previous.take_fingerprints(), |pgno| used.get(pgno as usize) == Some(&false));
        self.roots_before = Some(roots);
    }

    /// Does `work`, unless it is done; an error is the last thing it does.
    pub(super) fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.stage == Stage::Done {
            return Err(ErrorKind::Usage.into());
        }
        let result = work(self);
        if result.is_err() {
            self.stage = Stage::Done;
        }
        result
    }
}

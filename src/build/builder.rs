//! The machine: schema, trees and rows in, pages out.

use std::collections::{HashMap, HashSet};

use super::batch::Field;
use super::first::{Options, last_pages};
use super::guide::Guide;
use super::output::Output;
use super::previous::Previous;
use super::record::{Column, Long, RecordDraft};
use super::spill::Spill;
use super::tree::{Form, Root, Tree};
use crate::btree::payload::local_size;
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
    roots: Vec<Option<Pgno>>,
    previous: Option<Previous>,
    /// Where its b-trees were; known when the first of ours begins.
    roots_before: Option<HashMap<Name, Pgno>>,
    out: Output,
    /// The b-tree that is being built.
    open: Option<Open>,
    record: RecordDraft,
    head: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Building,
    /// Or failed.
    Done,
}

#[derive(Clone, Debug)]
struct Open {
    object: usize,
    form: Form,
    columns: Vec<Column>,
    tree: Tree,
    /// The last rowid.
    last: Option<i64>,
    /// The row that comes in pieces.
    pending: Option<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    rowid: i64,
    spill: Spill,
    /// What is written between long values: so many bytes of the record's body are done,
    done: usize,
    /// and so many long values,
    next: usize,
    /// and of the current one so many bytes are still to come.
    left: usize,
}

impl Builder {
    /// Of a database without objects.
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

    /// Of a database that keeps the pages of the one before, as far as rows are the same: for a backup of what changed.
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
            builder.open = Some(Open { object, form, columns, tree, last: None, pending: None });
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
                open.row(rowid, &builder.record, &mut builder.head, &mut builder.out)?;
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
            let open = builder.open.take().filter(|open| open.pending.is_none()).ok_or(ErrorKind::Usage)?;
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
        let mut open = Open { object: 0, form: Form::Table, columns, tree, last: None, pending: None };
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
        self.learn();
        let object = self.objects.get(object);
        let name = object.map(|object| (object.kind.clone(), object.name.clone()));
        let root = name.and_then(|name| self.roots_before.as_mut()?.remove(&name));
        self.begin_guide(root)
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
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
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

impl Open {
    /// Adds the row with this record, which must have a rowid in a table.
    #[inline]
    fn row(&mut self, rowid: Option<i64>, record: &RecordDraft, head: &mut Vec<u8>, out: &mut Output) -> Result<()> {
        if let (Some(last), Some(rowid)) = (self.last, rowid)
            && rowid <= last
        {
            return Err(Error::at_row(ErrorKind::BuildOrder, rowid));
        }
        self.last = rowid;
        let (size, header) = record.head(rowid, head)?;
        let local = local_size(self.form.leaf(), size, out.page_size().bytes());
        if local == size && record.longs().is_empty() {
            return self.cell(rowid, [head, record.body()], out);
        }
        let (start, header) = head.split_at(head.len() - header);
        let mut spill = Spill::new(start, size, local, rowid);
        spill.write(header, out)?;
        let mut pending = Pending { rowid: rowid.unwrap_or(0), spill, done: 0, next: 0, left: 0 };
        pending.advance(record, out)?;
        self.pending = Some(pending);
        self.complete(out)
    }

    fn piece(&mut self, bytes: &[u8], record: &RecordDraft, out: &mut Output) -> Result<()> {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let pending = self.pending.as_mut().ok_or(ErrorKind::Usage)?;
            let (here, rest) = bytes.split_at(bytes.len().min(pending.left));
            pending.spill.write(here, out)?;
            pending.left -= here.len();
            bytes = rest;
            if pending.left == 0 {
                pending.advance(record, out)?;
                self.complete(out)?;
            }
        }
        Ok(())
    }

    /// Adds the row that came in pieces, when all of it is there.
    fn complete(&mut self, out: &mut Output) -> Result<()> {
        let Some(pending) = self.pending.take_if(|pending| pending.spill.left() == 0) else { return Ok(()) };
        self.cell(Some(pending.rowid), [pending.spill.cell(), &[]], out)
    }

    #[inline]
    fn cell(&mut self, rowid: Option<i64>, cell: [&[u8]; 2], out: &mut Output) -> Result<()> {
        match self.form {
            Form::Table => self.tree.row(rowid.unwrap_or(0), cell, out),
            Form::Index => self.tree.entry(cell, out),
        }
    }
}

impl Pending {
    /// Writes what comes before the next long value that has a byte, or the rest of the record.
    fn advance(&mut self, record: &RecordDraft, out: &mut Output) -> Result<()> {
        while self.left == 0 {
            let long = record.longs().get(self.next);
            let end = long.map_or(record.body().len(), |long: &Long| long.at);
            self.spill.write(record.body().get(self.done..end).unwrap_or_default(), out)?;
            self.done = end;
            let Some(long) = long else { return Ok(()) };
            self.left = long.length as usize;
            self.next += 1;
        }
        Ok(())
    }
}

//! The b-tree that is being built, and the row that comes in pieces.

use super::merge::Merge;
use super::output::Output;
use super::record::{Column, Long, RecordDraft};
use super::spill::Spill;
use super::tree::{Form, Tree};
use crate::btree::payload::local_size;
use crate::bytes::Writer;
use crate::error::{Error, ErrorKind, Result};

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) object: usize,
    pub(super) form: Form,
    pub(super) columns: Vec<Column>,
    pub(super) tree: Tree,
    /// The last rowid.
    pub(super) last: Option<i64>,
    /// The row that comes in pieces.
    pub(super) pending: Option<Pending>,
    /// The b-tree before, if what is given is only what changed of it.
    pub(super) merge: Option<Box<Merge>>,
}

#[derive(Clone, Debug)]
pub(super) struct Pending {
    rowid: i64,
    spill: Spill,
    /// What is written between long values: so many bytes of the record's body are done,
    done: usize,
    /// and so many long values,
    next: usize,
    /// and of the current one so many bytes are still to come.
    left: usize,
}

impl Open {
    pub(super) fn new(object: usize, form: Form, columns: Vec<Column>, tree: Tree) -> Self {
        Self { object, form, columns, tree, last: None, pending: None, merge: None }
    }

    /// Adds the row with this record, which must have a rowid in a table.
    #[inline]
    pub(super) fn row(
        &mut self,
        rowid: Option<i64>,
        record: &RecordDraft,
        head: &mut Vec<u8>,
        out: &mut Output,
    ) -> Result<()> {
        self.follow(rowid)?;
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

    /// Adds the row with this record, whose bytes are all there.
    pub(super) fn record(
        &mut self,
        rowid: Option<i64>,
        record: &[u8],
        head: &mut Vec<u8>,
        out: &mut Output,
    ) -> Result<()> {
        self.follow(rowid)?;
        head.clear();
        head.put_sqlite_varint(record.len() as i64);
        if let Some(rowid) = rowid {
            head.put_sqlite_varint(rowid);
        }
        let local = local_size(self.form.leaf(), record.len(), out.page_size().bytes());
        if local == record.len() {
            return self.cell(rowid, [head, record], out);
        }
        let mut spill = Spill::new(head, record.len(), local, rowid);
        spill.write(record, out)?;
        self.cell(rowid, [spill.cell(), &[]], out)
    }

    /// Sees to it that rowids rise.
    #[inline]
    fn follow(&mut self, rowid: Option<i64>) -> Result<()> {
        if let (Some(last), Some(rowid)) = (self.last, rowid)
            && rowid <= last
        {
            return Err(Error::at_row(ErrorKind::BuildOrder, rowid));
        }
        self.last = rowid;
        Ok(())
    }

    pub(super) fn piece(&mut self, bytes: &[u8], record: &RecordDraft, out: &mut Output) -> Result<()> {
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

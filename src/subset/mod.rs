//! Some tables of a database as a database of their own: their pages as they are, under other numbers.
//!
//! The b-trees of the tables and of their indexes are walked, and their pages numbered in the order that they have. Behind them come
//! what SQLite keeps of all tables in one (sequences, statistics), as far as it is of these, and the schema. Nothing but
//! page numbers is written anew within a page, so that rows and indexes are to the byte what they were, and zeros where none are.

mod numbers;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::btree::entries::{Budget, Entries, Next};
use crate::btree::{BtreePage, Encoding, Layout, PageRange, Pages, Row, Value, read_ahead};
use crate::build::{self, Batch, Builder, Column, Form};
use crate::error::{Error, ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};
use numbers::Numbers;
use schema::{Object, Schema, values};

/// Where the header says how its schema is to be read (file format, section 1.3.7): descending indexes depend on it.
const SCHEMA_FORMAT: core::ops::Range<usize> = 44..48;
/// More columns than any table has that SQLite keeps itself.
const INTERNAL_COLUMNS: usize = 16;

/// Takes tables out of a database.
///
/// [`Subset::poll`] says which pages are needed, [`Subset::feed`] takes them, until it says that none is. Then
/// [`Subset::page_count`] is known, and pages can be made in any order, of those that [`Subset::origins`] names.
#[derive(Debug)]
pub struct Subset {
    header: DatabaseHeader,
    schema_format: Vec<u8>,
    layout: Layout,
    encoding: Encoding,
    pages: Pages,
    budget: Budget,
    schema: Schema,
    phase: Phase,
    entries: Option<Entries>,
    /// What is still to be visited; the last comes next.
    walk: Vec<Visit>,
    numbers: Numbers,
    builder: Option<Builder>,
    /// Tables that SQLite keeps of all: number in the new schema, and root; the last comes next.
    internal: Vec<(usize, Pgno)>,
    /// Pages that are made anew.
    built: HashMap<u32, Vec<u8>>,
    page_count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Schema,
    Walk,
    Internal,
    Done,
    Failed(Error),
}

#[derive(Clone, Copy, Debug)]
enum Visit {
    Tree(Pgno),
    /// An overflow page, and how many bytes are left from it on.
    Overflow(Pgno, usize),
}

impl Visit {
    fn pgno(self) -> Pgno {
        match self {
            Self::Tree(pgno) | Self::Overflow(pgno, _) => pgno,
        }
    }
}

impl Subset {
    /// Takes these tables, with their indexes, triggers and sequences, and these views, out of the database of
    /// `page_count` pages whose first page begins with `first`.
    ///
    /// # Errors
    /// Those of a header; `PageReserve` when pages have room for an extension, which page numbers may be part of.
    pub fn new(first: &[u8], page_count: u32, tables: Vec<String>) -> Result<Self> {
        let header = DatabaseHeader::parse(first)?;
        if header.reserved > 0 {
            return Err(Error::at_offset(ErrorKind::PageReserve, 20));
        }
        let layout = Layout::new(&header, page_count);
        Ok(Self {
            header,
            schema_format: first.get(SCHEMA_FORMAT).unwrap_or_default().to_vec(),
            layout,
            encoding: Encoding::new(header.encoding),
            pages: Pages::new(header.page_size),
            budget: Budget::new(layout),
            schema: Schema::new(tables),
            phase: Phase::Schema,
            entries: Some(Entries::new(Pgno::FIRST, layout)),
            walk: Vec::new(),
            numbers: Numbers::new(layout),
            builder: None,
            internal: Vec::new(),
            built: HashMap::new(),
            page_count: 0,
        })
    }

    /// The pages that are needed next; none when all is known.
    ///
    /// # Errors
    /// `TableUnknown`, see [`Subset::unknown_tables`]; `SchemaSize`; `BtreePage` or `BtreeDepth`, naming a page;
    /// `BuildSize`. They end it.
    pub fn poll(&mut self) -> Result<Vec<PageRange>> {
        loop {
            let stepped = match self.phase {
                Phase::Schema => self.read_schema(),
                Phase::Walk => self.walk_trees(),
                Phase::Internal => self.copy_internal(),
                Phase::Done => return Ok(Vec::new()),
                Phase::Failed(error) => return Err(error),
            };
            match stepped {
                Ok(Some(ranges)) => return Ok(ranges),
                Ok(None) => {}
                Err(error) => self.phase = Phase::Failed(error),
            }
        }
    }

    /// Takes the pages from `first` on, whole ones.
    pub fn feed(&mut self, first: Pgno, pages: Vec<u8>) {
        self.pages.add(first, pages);
    }

    /// The names asked for that no table and no view has; known once the schema was read.
    pub fn unknown_tables(&self) -> Vec<&str> {
        self.schema.unknown()
    }

    /// Size of the new database, in pages; 0 before it is known.
    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// For each of `count` pages of the new database from `first` on the page that it is made of; 0 where it is made of none.
    pub fn origins(&self, first: u32, count: u32) -> Vec<u32> {
        let last = first.saturating_add(count).min(self.page_count.saturating_add(1));
        (first..last).map(|pgno| self.numbers.origin(pgno).map_or(0, Pgno::value)).collect()
    }

    /// Makes the pages from `first` on of those that they are made of, in their place.
    ///
    /// # Errors
    /// `Usage` for bytes that are not whole pages; `BtreePage` when a page is not what it was.
    pub fn convert(&self, first: u32, pages: &mut [u8]) -> Result<()> {
        let size = self.layout.page_size();
        for (pgno, page) in (first..).zip(pages.chunks_mut(size)) {
            match (self.built.get(&pgno), self.numbers.origin(pgno)) {
                (Some(built), _) if built.len() == page.len() => page.copy_from_slice(built),
                (None, Some(origin)) => self.renumber(page, origin)?,
                (None, None) => page.fill(0),
                _ => return Err(ErrorKind::Usage.into()),
            }
        }
        Ok(())
    }

    fn read_schema(&mut self) -> Result<Option<Vec<PageRange>>> {
        while let Some(entries) = &mut self.entries {
            match entries.next(&self.pages, &mut self.budget)? {
                Next::Need(pages) => return Ok(Some(pages)),
                Next::End | Next::Given => self.entries = None,
                Next::Row(row) => self.schema.add(row, self.encoding, self.layout)?,
            }
        }
        if !self.unknown_tables().is_empty() {
            return Err(ErrorKind::TableUnknown.into());
        }
        self.schema.keep_wanted();
        let trees = self.schema.objects.iter().filter(|object| !object.is_kept_by_sqlite());
        self.walk = trees.filter_map(|object| object.root).rev().map(Visit::Tree).collect();
        self.phase = Phase::Walk;
        Ok(None)
    }

    fn walk_trees(&mut self) -> Result<Option<Vec<PageRange>>> {
        while let Some(&visit) = self.walk.last() {
            let pgno = visit.pgno();
            let Some(page) = self.pages.page(pgno) else { return Ok(Some(self.wanted(visit))) };
            self.walk.pop();
            self.budget.spend(pgno)?;
            let here = self.layout.usable() - 4;
            let is_new = match visit {
                Visit::Tree(_) => self.numbers.add(pgno),
                Visit::Overflow(_, left) => self.numbers.add_overflow(pgno, (left < here).then_some(4 + left)),
            };
            if !is_new {
                return Err(Error::at_page(ErrorKind::BtreeDepth, pgno.value()));
            }
            match visit {
                Visit::Tree(_) => {
                    let parsed = BtreePage::parse(page, pgno, self.layout)?;
                    for overflow in parsed.overflows() {
                        let overflow = overflow?;
                        self.walk.push(Visit::Overflow(overflow.next, overflow.remaining));
                    }
                    for child in parsed.children().rev() {
                        self.walk.push(Visit::Tree(child?));
                    }
                }
                Visit::Overflow(_, left) => {
                    if left > here {
                        let next = page.first_chunk().map_or(0, |next| u32::from_be_bytes(*next));
                        self.walk.push(Visit::Overflow(self.layout.pointer(next, pgno)?, left - here));
                    }
                }
            }
        }
        self.begin_building()?;
        Ok(None)
    }

    /// What is worth reading at once.
    fn wanted(&self, visit: Visit) -> Vec<PageRange> {
        let chain = match visit {
            // Overflow pages of one row mostly follow each other.
            Visit::Overflow(first, left) => (left / self.layout.usable()).min(64) as u32 + first.value(),
            Visit::Tree(_) => 0,
        };
        let follow = visit.pgno().value()..=chain.min(self.layout.page_count());
        let next = self.walk.iter().rev().map(|visit| visit.pgno());
        read_ahead(next.take(256).chain(follow.filter_map(Pgno::new)), &self.pages, self.layout)
    }

    /// Adds all objects to the new schema, whose b-trees are where the numbers say.
    fn begin_building(&mut self) -> Result<()> {
        let last = self.numbers.end();
        let DatabaseHeader { page_size, change_counter, schema_cookie, user_version, application_id, .. } = self.header;
        let encoding = self.encoding;
        let options =
            build::Options { page_size, encoding, change_counter, schema_cookie, user_version, application_id };
        let mut builder = Builder::behind(options, last);
        for Object { row, root, .. } in self.schema.objects.iter().filter(|object| !object.is_kept_by_sqlite()) {
            let number = builder.object(row.clone())?;
            if let Some(root) = root {
                builder.place(number, self.numbers.number(*root).ok_or(ErrorKind::Usage)?)?;
            }
        }
        for Object { row, root, .. } in self.schema.objects.iter().filter(|object| object.is_kept_by_sqlite()) {
            let number = builder.object(row.clone())?;
            self.internal.extend(root.map(|root| (number, root)));
        }
        self.builder = Some(builder);
        self.phase = Phase::Internal;
        Ok(())
    }

    /// Copies rows of what SQLite keeps of all tables, as far as they are of these.
    fn copy_internal(&mut self) -> Result<Option<Vec<PageRange>>> {
        let tables = self.schema.objects.iter().filter(|object| object.is_table() && !object.is_kept_by_sqlite());
        let names: HashSet<&[u8]> = tables.map(|table| table.row.name.as_slice()).collect();
        let Some(builder) = &mut self.builder else { return Err(ErrorKind::Usage.into()) };
        while let Some(&(number, root)) = self.internal.last() {
            if self.entries.is_none() {
                builder.begin(number, Form::Table, vec![Column::Value; INTERNAL_COLUMNS])?;
            }
            let entries = self.entries.get_or_insert_with(|| Entries::new(root, self.layout));
            match entries.next(&self.pages, &mut self.budget)? {
                Next::Need(pages) => return Ok(Some(pages)),
                Next::Row(row) => {
                    if let Some(batch) = batch_of(row, &names)? {
                        builder.add(&batch)?;
                    }
                }
                Next::End | Next::Given => {
                    builder.end()?;
                    self.entries = None;
                    self.internal.pop();
                }
            }
        }
        self.page_count = builder.finish()?;
        let (runs, bytes) = builder.take();
        let numbers = runs.iter().flat_map(|run| run.first.value()..run.first.value() + run.count);
        let pages = bytes.chunks(self.layout.page_size()).map(<[u8]>::to_vec);
        self.built = numbers.zip(pages).collect();
        if let Some(format) = self.built.get_mut(&1).and_then(|page| page.get_mut(SCHEMA_FORMAT)) {
            format.copy_from_slice(&self.schema_format);
        }
        self.phase = Phase::Done;
        Ok(None)
    }

    /// Writes the new numbers into a page, and zeros where nothing is stored: what rows that are gone left there may be of
    /// tables that nobody asked for.
    fn renumber(&self, page: &mut [u8], origin: Pgno) -> Result<()> {
        let new = |pgno: u32| Pgno::new(pgno).and_then(|pgno| self.numbers.number(pgno)).map_or(0, Pgno::value);
        let (offsets, unused) = if self.numbers.is_overflow(origin) {
            (vec![0], self.numbers.used(origin).map(|end| end..page.len()).into_iter().collect())
        } else {
            let parsed = BtreePage::parse(page, origin, self.layout)?;
            (parsed.pointers()?, parsed.unused()?)
        };
        for gap in unused {
            page.get_mut(gap).ok_or(Error::at_page(ErrorKind::BtreePage, origin.value()))?.fill(0);
        }
        for offset in offsets {
            let at = page.get_mut(offset..offset + 4).ok_or(Error::at_page(ErrorKind::BtreePage, origin.value()))?;
            let old = at.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
            at.copy_from_slice(&new(old).to_be_bytes());
        }
        Ok(())
    }
}

/// A row for the builder, if its first column names one of the tables.
fn batch_of(row: Row<'_>, names: &HashSet<&[u8]>) -> Result<Option<Vec<u8>>> {
    let damaged = Error::at_page(ErrorKind::BtreePage, row.pgno.value());
    let (Some(rowid), None) = (row.rowid, row.rest) else { return Err(damaged) };
    let values = values(row, INTERNAL_COLUMNS)?;
    if !matches!(values.first(), Some(Value::Text(name)) if names.contains(name)) {
        return Ok(None);
    }
    let mut batch = Batch::default();
    batch.rowid(rowid);
    let count = values.len();
    values.into_iter().for_each(|value| batch.value(value));
    if count < INTERNAL_COLUMNS {
        batch.end_row();
    }
    Ok(Some(batch.take()))
}

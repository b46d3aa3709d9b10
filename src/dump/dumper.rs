//! A dump as a step machine: pages in, SQL out.

mod given;
mod part_writer;
pub(super) mod refill;
mod refused;
mod repeats;
mod row_output;
mod salvaged;

use core::cell::RefCell;
use core::mem;
use std::collections::VecDeque;

use super::limits::{Limits, OUTPUT};
use super::long_row::LongRow;
use super::notes::{Notes, short};
use super::options::{Dialect, Options};
use super::pieces::Pieces;
use super::plan::{self, Item, Planner, UniqueIndex};
use super::repack::Repacking;
use super::repeats::KeyedTable;
use super::rowids::Rowids;
use super::rows::RowWriter;
use super::salvage::Salvage;
use super::schema::{Reading, Schema};
use super::schema_check;
use crate::btree::entries::{Budget, Entries, Next};
use crate::btree::{Encoding, Layout, PageRange, Pages};
use crate::error::{At, Error, ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};

use row_output::{LongOutput, RowOutput, Wait};

pub use part_writer::{PartStep, PartWriter};

/// Turns a database into SQL.
#[derive(Debug)]
pub struct Dump {
    layout: Layout,
    header: DatabaseHeader,
    encoding: Encoding,
    options: Options,
    pages: Pages,
    budget: Budget,
    /// Pages visited by the pass before this one.
    scanned: u64,
    schema: Schema,
    items: Vec<Item>,
    /// The item that is being written.
    current: usize,
    /// Where in it, if it is rows.
    entries: Option<Entries>,
    /// Whether a row of the last rows was seen.
    opened: bool,
    /// How many of them were.
    rows: u64,
    /// Tables whose keys must still be looked at, the next one last.
    keyed: Vec<KeyedTable>,
    /// How much text of theirs was written here, in bytes, and from how many leaves.
    weight: (u64, u64),
    /// Items that were given away whole, in order, all of them still to come.
    given: VecDeque<usize>,
    /// What must be done with the text of a part that was given away.
    repacking: Repacking,
    writer: RowWriter,
    /// A row of the item that is being written, if it is a long one.
    long: Option<LongRow>,
    /// Rowids of b-trees on which later output depends.
    rowids: Vec<(Pgno, Rowids)>,
    /// Where values of long rows are put together.
    pieces: Pieces,
    out: Vec<u8>,
    /// How much of `out` was taken.
    taken: usize,
    notes: Notes,
    phase: Phase,
    /// Where rows come from when the database is damaged.
    salvage: Option<Box<Salvage>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Schema,
    /// Keys are looked at, and nothing written.
    Keys,
    /// Everything is read for what is damaged, and nothing written.
    Scan,
    Write,
    Done,
    Failed(Error),
}

/// What must be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpStep {
    /// Hand in these pages with [`Dump::feed`].
    NeedPages(Vec<PageRange>),
    /// Take some of [`Dump::output`].
    Output,
    /// Hand in the oldest part that was given away, with [`Dump::paste`].
    Given,
    /// All was handed out.
    Done,
}

impl Dump {
    /// A dump of the database of `page_count` pages with this header.
    pub fn new(header: DatabaseHeader, page_count: u32, options: Options) -> Self {
        let layout = Layout::new(&header, page_count);
        let encoding = Encoding::new(header.encoding);
        let same_encoding = options.dialect == Dialect::Sqlite && !options.no_schema;
        Self {
            layout,
            header,
            encoding,
            pages: Pages::new(header.page_size),
            budget: Budget::new(layout),
            scanned: 0,
            schema: Schema::default(),
            items: Vec::new(),
            current: 0,
            entries: (page_count > 0).then(|| Entries::new(Pgno::FIRST, layout)),
            opened: false,
            rows: 0,
            keyed: Vec::new(),
            weight: (0, 0),
            given: VecDeque::new(),
            repacking: Repacking::default(),
            writer: RowWriter::new(encoding, same_encoding, Limits::of(options.dialect)),
            long: None,
            rowids: Vec::new(),
            pieces: Pieces::default(),
            out: Vec::new(),
            taken: 0,
            notes: Notes::default(),
            phase: Phase::Schema,
            salvage: options.salvage.then(|| Box::new(Salvage::new(layout, encoding, &options))),
            options,
        }
    }

    /// What must be done next.
    ///
    /// # Errors
    /// `TableUnknown`, see [`Dump::unknown_tables`]; `SchemaSql`, `SchemaSize`; `BtreePage` or `BtreeDepth`, naming a
    /// page, unless the dump is a salvage. They end it.
    pub fn poll(&mut self) -> Result<DumpStep> {
        loop {
            let stepped = match self.phase {
                Phase::Schema if self.salvage.is_some() => self.salvage_schema(),
                Phase::Schema => self.read_schema(),
                Phase::Keys => self.look_for_repeats(),
                Phase::Scan | Phase::Write => self.write(),
                Phase::Done if self.out.is_empty() => return Ok(DumpStep::Done),
                Phase::Done => return Ok(DumpStep::Output),
                Phase::Failed(error) => return Err(error),
            };
            match stepped {
                Ok(Some(step)) => return Ok(step),
                Ok(None) => {}
                Err(error) => self.phase = Phase::Failed(error),
            }
        }
    }

    /// What it will probably ask for next, worth reading while it goes on.
    pub fn ahead(&self) -> Vec<PageRange> {
        self.entries.as_ref().map_or_else(Vec::new, |entries| entries.ahead(&self.pages))
    }

    /// Takes the pages from `first` on, whole ones.
    pub fn feed(&mut self, first: Pgno, pages: Vec<u8>) {
        self.pages.add(first, pages);
    }

    /// The SQL that was not taken yet.
    pub fn output(&self) -> &[u8] {
        self.out.get(self.taken..).unwrap_or_default()
    }

    /// Takes `length` bytes of [`Dump::output`], from its start.
    pub fn take(&mut self, length: usize) {
        self.taken += length;
        if self.taken >= self.out.len() {
            self.writer.taken(self.out.len());
            self.taken = 0;
            self.out.clear();
        }
    }

    /// The names asked for that no table has; known once the schema was read.
    pub fn unknown_tables(&self) -> Vec<String> {
        plan::unknown_tables(&self.schema, &self.options)
    }

    /// Pages visited so far, in all passes: the look at UNIQUE keys is one, and a salvage has three.
    pub fn visited(&self) -> u64 {
        let salvaged = self.salvage.as_ref().map_or(0, |salvage| salvage.visited());
        self.scanned + self.budget.spent(self.layout) + salvaged
    }

    /// What the SQL does not carry, a sentence each. Complete when the dump is done.
    pub fn warnings(&self) -> Vec<String> {
        self.notes.lines().collect()
    }

    #[inline(never)]
    fn read_schema(&mut self) -> Result<Option<DumpStep>> {
        let reading = self.reading();
        while let Some(entries) = &mut self.entries {
            match entries.next(&self.pages, &mut self.budget) {
                Ok(Next::Need(pages)) => return Ok(Some(DumpStep::NeedPages(pages))),
                Ok(Next::End | Next::Given) => self.entries = None,
                Ok(Next::Row(row)) => {
                    self.schema.add(row, reading, Some(self.layout))?;
                }
                Err(error) => return Err(error),
            }
        }
        self.end_schema()
    }

    fn reading(&self) -> Reading {
        let loses_noncharacters = self.encoding != Encoding::Utf8 && self.writer.same_encoding;
        let as_it_is = matches!(self.options.dialect, Dialect::Shell(_));
        Reading { encoding: self.encoding, as_it_is, loses_noncharacters }
    }

    fn end_schema(&mut self) -> Result<Option<DumpStep>> {
        if !self.unknown_tables().is_empty() {
            return Err(ErrorKind::TableUnknown.into());
        }
        self.plan()?;
        self.phase = if self.options.salvage { Phase::Scan } else { Phase::Keys };
        Ok(None)
    }

    fn begin_writing(&mut self) {
        self.phase = Phase::Write;
        self.notes.write_header(&mut self.out, self.options.dialect);
    }

    // Apart, as V8 would optimise all of it together with the loop over the rows: that takes a tenth of a second and 20 MB.
    #[inline(never)]
    fn plan(&mut self) -> Result<()> {
        mem::take(&mut self.schema.remarks).into_iter().for_each(|remark| self.notes.say(remark));
        if self.options.salvage {
            schema_check::salvage(&mut self.schema, &mut self.notes);
        } else {
            schema_check::check(&mut self.schema, self.options.dialect, &mut self.notes)?;
        }
        let planner = Planner {
            schema: &self.schema,
            options: &self.options,
            header: &self.header,
            encoding: self.encoding,
            notes: &mut self.notes,
            items: Vec::new(),
            size: 0,
            shapes: RefCell::default(),
        };
        let owners = if self.options.salvage { planner.owners() } else { Vec::new() };
        if !self.options.salvage && !self.options.no_data {
            self.keyed = planner.keyed_tables();
        }
        self.items = planner.plan()?;
        if let Some(salvage) = &mut self.salvage {
            salvage.set_schema(owners, &self.schema, &mut self.items, &mut self.notes);
        }
        self.pieces = Pieces::new(plan::free_name(&self.schema, "pieces"));
        Ok(())
    }

    fn write(&mut self) -> Result<Option<DumpStep>> {
        if self.phase == Phase::Scan {
            self.take(self.out.len());
        } else if self.out.len() >= OUTPUT {
            return Ok(Some(DumpStep::Output));
        }
        let Some(item) = self.items.get(self.current) else { return self.end() };
        match item {
            Item::Text(text) | Item::UniqueIndex(UniqueIndex { text, .. }) => {
                self.out.extend_from_slice(text);
                self.current += 1;
            }
            Item::Closing(text) => {
                if self.opened {
                    self.out.extend_from_slice(text);
                }
                self.current += 1;
            }
            Item::DropPieces => {
                self.pieces.drop_table(&mut self.out);
                self.current += 1;
            }
            Item::Refill(refill) => {
                refill.write(&mut self.out, &self.rowids, &mut self.notes);
                self.current += 1;
            }
            Item::Rows(_) | Item::Orphans if self.salvage.is_some() => return self.write_salvaged(),
            Item::Rows(_) => return self.weigh_rows(),
            Item::Orphans => self.current += 1,
        }
        Ok(None)
    }

    /// Writes rows, and takes note of how much text a leaf becomes: see [`Dump::give`].
    fn weigh_rows(&mut self) -> Result<Option<DumpStep>> {
        let leaves = |entries: &Option<Entries>| entries.as_ref().map(Entries::leaves);
        let before = (self.writer.position(&self.out), leaves(&self.entries));
        let written = self.write_rows();
        match (before.1, leaves(&self.entries)) {
            (Some(from), Some(to)) => {
                self.weight.0 += self.writer.position(&self.out) - before.0;
                self.weight.1 += to - from;
            }
            // It is for the rows to come.
            _ => self.weight = (0, 0),
        }
        written
    }

    fn write_rows(&mut self) -> Result<Option<DumpStep>> {
        while self.out.len() < OUTPUT {
            let Some(Item::Rows(plan)) = self.items.get(self.current) else { return Ok(None) };
            if self.entries.is_none() && self.given.front() == Some(&self.current) {
                return Ok(Some(DumpStep::Given));
            }
            let entries = self.entries.get_or_insert_with(|| {
                (self.opened, self.rows) = (false, 0);
                Entries::new(plan.root, self.layout)
            });
            let (out, writer, notes) = (&mut self.out, &mut self.writer, &mut self.notes);
            let mut rows = RowOutput { out, writer, notes, schema: &self.schema };
            if self.long.is_some() {
                let (pieces, pages, budget) = (&mut self.pieces, &self.pages, &mut self.budget);
                match (LongOutput { rows, pieces, pages, budget }).go_on(&mut self.long, plan)? {
                    Some(Wait::Need(pages)) => return Ok(Some(DumpStep::NeedPages(pages))),
                    Some(Wait::Output) => return Ok(None),
                    None => continue,
                }
            }
            match entries.next(&self.pages, &mut self.budget)? {
                Next::Need(pages) => return Ok(Some(DumpStep::NeedPages(pages))),
                Next::Given => return Ok(Some(DumpStep::Given)),
                Next::End => {
                    rows.end(plan, self.rows, &mut self.rowids);
                    self.entries = None;
                    self.current += 1;
                    return Ok(None);
                }
                Next::Row(row) => {
                    if !mem::replace(&mut self.opened, true) {
                        rows.begin(plan);
                    }
                    self.rows += 1;
                    self.long = rows.write(plan, row, self.layout, false)?;
                }
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<Option<DumpStep>> {
        if self.phase == Phase::Scan {
            // Now it is known what is left out, and the header can say so.
            self.out.clear();
            self.pieces.drop_table(&mut Vec::new());
            if let Some(salvage) = &mut self.salvage {
                salvage.end_first_pass(&mut self.items, &mut self.notes);
            }
            self.notes.complete();
            self.scanned = self.budget.spent(self.layout);
            self.budget = Budget::new(self.layout);
            self.current = 0;
            self.begin_writing();
        } else {
            self.phase = Phase::Done;
        }
        Ok(None)
    }
}

fn skipped(error: Error, what: &str) -> String {
    let what = short(what);
    match error.at {
        At::Page(page) if matches!(error.kind, ErrorKind::BtreePage | ErrorKind::BtreeDepth) => {
            format!("{what}: page {page} is damaged, and what it held is left out")
        }
        _ => format!("{what}: {}", error.kind.message()),
    }
}

//! What a database holds: its tables, and how many rows each has.

use core::mem;

use super::layout::{Layout, damaged};
use super::page::{BtreePage, Cell};
use super::payload::Overflow;
use super::record::Encoding;
use super::schema::{self, SchemaTable};
use super::walk::Walk;
use crate::error::{At, Error, ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};

/// Bytes that the tables' names may take, the internal ones included. It bounds memory and time whatever the schema
/// says, and is room for some 200,000 tables.
const MAX_NAMES: usize = 16 << 20;

/// Lists the tables of a database, and counts their rows when asked to.
///
/// [`Inventory::poll`] says which page is needed, [`Inventory::feed`] takes it, until `poll` says `Done`. Pages are
/// asked for one at a time, all of one moment. A damaged table is told of and left uncounted, a damaged schema ends it.
/// Counting reads every b-tree page of every table, but no cell of a
/// leaf and no overflow page: the number of rows is the sum of the numbers of cells.
#[derive(Clone, Debug)]
pub struct Inventory {
    layout: Layout,
    encoding: Encoding,
    count_rows: bool,
    /// Whether indexes and SQLite's own tables are looked at, too.
    has_all: bool,
    state: State,
    phase: Phase,
    walk: Walk,
    tables: Vec<TableInfo>,
    /// What the names so far take, in bytes.
    names_size: usize,
    /// The schema's leaf while the rest of one of its rows is read from overflow pages.
    leaf: Vec<u8>,
    /// The bytes of that row so far.
    row: Vec<u8>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// Its name, with U+FFFD where that is not valid text.
    pub name: String,
    /// The first page of its b-tree; `None` for a virtual table, which has none.
    pub root: Option<Pgno>,
    /// How many rows it has; `None` for a virtual table, or when rows were not or could not be counted.
    pub rows: Option<u64>,
    /// What kept its rows from being counted: a page of it that SQLite does not write.
    pub damage: Option<Error>,
}

impl TableInfo {
    /// The damaged page that kept its rows from being counted.
    pub fn damaged_page(&self) -> Option<u32> {
        match self.damage?.at {
            At::Page(page) => Some(page),
            _ => None,
        }
    }
}

/// What must be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InventoryStep {
    /// Hand in this page with [`Inventory::feed`].
    NeedPage(Pgno),
    /// [`Inventory::tables`] is complete.
    Done,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Need(Pgno),
    Done,
    Failed(Error),
}

/// What the page asked for is.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A b-tree page of the schema table.
    Schema,
    /// An overflow page of a row of the schema table.
    SchemaRow(HeldRow),
    /// A b-tree page of the table with this index.
    Rows(usize),
}

/// A row of the schema table whose columns are not all in hand yet.
#[derive(Clone, Copy, Debug)]
struct HeldRow {
    /// The leaf it is on.
    pgno: Pgno,
    /// Its cell on that leaf.
    cell: usize,
    /// Length of its record, in bytes.
    size: usize,
    overflow: Overflow,
}

impl Inventory {
    /// An inventory of the database of `page_count` pages with this header. Without `count_rows` only the schema
    /// is read. At most twice `page_count` pages are asked for.
    pub fn new(header: &DatabaseHeader, page_count: u32, count_rows: bool) -> Self {
        Self::start(header, page_count, count_rows, false)
    }

    /// The same of every b-tree: also of indexes, under their names, and of tables that are not the user's.
    pub fn of_all(header: &DatabaseHeader, page_count: u32) -> Self {
        Self::start(header, page_count, true, true)
    }

    fn start(header: &DatabaseHeader, page_count: u32, count_rows: bool, has_all: bool) -> Self {
        let layout = Layout::new(header, page_count);
        let mut inventory = Self {
            layout,
            encoding: Encoding::new(header.encoding),
            count_rows,
            has_all,
            state: State::Done,
            phase: Phase::Schema,
            walk: Walk::new(layout),
            tables: Vec::new(),
            names_size: 0,
            leaf: Vec::new(),
            row: Vec::new(),
        };
        // An empty file is an empty database.
        if page_count > 0 {
            inventory.walk.start(Pgno::FIRST);
            inventory.go_on(Ok(()));
        }
        inventory
    }

    /// What must be done next. It stays the same until [`Inventory::feed`] is called.
    ///
    /// # Errors
    /// The error that `feed` ended with.
    pub fn poll(&mut self) -> Result<InventoryStep> {
        match self.state {
            State::Need(pgno) => Ok(InventoryStep::NeedPage(pgno)),
            State::Done => Ok(InventoryStep::Done),
            State::Failed(error) => Err(error),
        }
    }

    /// Takes the page that [`Inventory::poll`] asked for, whole.
    ///
    /// # Errors
    /// `BtreePage`, naming the page, for one of the schema that SQLite does not write, or when the tables' names take
    /// over 16 MiB or a row of the schema over 1 MiB (its sql aside); `BtreeDepth` when it refers to itself. These end it.
    /// `Usage` when no page was asked for or `page` is not one page long; that changes nothing.
    pub fn feed(&mut self, page: &[u8]) -> Result<()> {
        let pgno = match self.state {
            State::Need(pgno) => pgno,
            State::Done => return Err(ErrorKind::Usage.into()),
            State::Failed(error) => return Err(error),
        };
        self.layout.content(page)?;
        let taken = match self.phase {
            Phase::Schema => self.take_schema_page(page, pgno),
            Phase::SchemaRow(row) => self.take_overflow(row, page),
            Phase::Rows(table) => self.take_rows(table, page, pgno),
        };
        self.go_on(taken);
        if let State::Failed(error) = self.state { Err(error) } else { Ok(()) }
    }

    /// The tables in the order of the schema; none before [`Inventory::poll`] says `Done`. SQLite's own (`sqlite_…`)
    /// and Cloudflare's (`_cf_…`) are left out.
    pub fn tables(&self) -> &[TableInfo] {
        if matches!(self.state, State::Done) { &self.tables } else { &[] }
    }

    fn go_on(&mut self, mut taken: Result<()>) {
        self.state = loop {
            match taken.and_then(|()| self.next_page()) {
                Ok(Some(pgno)) => break State::Need(pgno),
                Ok(None) => break State::Done,
                Err(error) => match self.phase {
                    Phase::Rows(table) => taken = self.give_up(table, error),
                    Phase::Schema | Phase::SchemaRow(_) => break State::Failed(error),
                },
            }
        };
    }

    /// Leaves a damaged table uncounted.
    fn give_up(&mut self, table: usize, error: Error) -> Result<()> {
        if let Some(table) = self.tables.get_mut(table) {
            (table.rows, table.damage) = (None, Some(error));
        }
        self.walk.stop();
        Ok(())
    }

    /// The page to ask for; `None` at the end.
    fn next_page(&mut self) -> Result<Option<Pgno>> {
        if let Phase::SchemaRow(row) = self.phase {
            self.walk.spend(row.overflow.next)?;
            return Ok(Some(row.overflow.next));
        }
        if let Some(pgno) = self.walk.next_page()? {
            return Ok(Some(pgno));
        }
        if !self.count_rows {
            return Ok(None);
        }
        let counted = if let Phase::Rows(table) = self.phase { table + 1 } else { 0 };
        if self.walk.is_spent() {
            return Ok(None);
        }
        for (index, table) in self.tables.iter_mut().enumerate().skip(counted) {
            if let Some(root) = table.root {
                table.rows = Some(0);
                self.phase = Phase::Rows(index);
                self.walk.start(root);
                return self.walk.next_page();
            }
        }
        Ok(None)
    }

    fn take_rows(&mut self, table: usize, page: &[u8], pgno: Pgno) -> Result<()> {
        let parsed = BtreePage::parse(page, pgno, self.layout)?;
        self.walk.enter(&parsed)?;
        // An index has entries on its interior pages too, and a table WITHOUT ROWID is one.
        if (parsed.kind().is_leaf() || !parsed.kind().is_table())
            && let Some(rows) = self.tables.get_mut(table).and_then(|table| table.rows.as_mut())
        {
            *rows += parsed.cell_count() as u64;
        }
        Ok(())
    }

    fn take_schema_page(&mut self, page: &[u8], pgno: Pgno) -> Result<()> {
        let parsed = BtreePage::parse(page, pgno, self.layout)?;
        if !parsed.kind().is_table() {
            return Err(damaged(pgno));
        }
        self.walk.enter(&parsed)?;
        if parsed.kind().is_leaf() { self.take_schema_rows(page, pgno, 0) } else { Ok(()) }
    }

    /// Reads the rows of a leaf from the cell `first` on, up to one that goes on in an overflow page.
    fn take_schema_rows(&mut self, page: &[u8], pgno: Pgno, first: usize) -> Result<()> {
        let parsed = BtreePage::parse(page, pgno, self.layout)?;
        for cell in first..parsed.cell_count() {
            let Cell::TableLeaf { payload, .. } = parsed.cell(cell)? else { return Err(damaged(pgno)) };
            if !schema::is_enough(payload.local, payload.size, pgno)? {
                let overflow = payload.overflow.ok_or(damaged(pgno))?;
                self.leaf.clear();
                self.leaf.extend_from_slice(page);
                self.row.clear();
                self.row.extend_from_slice(payload.local);
                self.phase = Phase::SchemaRow(HeldRow { pgno, cell, size: payload.size, overflow });
                return Ok(());
            }
            self.take_schema_row(payload.local, pgno)?;
        }
        self.phase = Phase::Schema;
        Ok(())
    }

    fn take_overflow(&mut self, row: HeldRow, page: &[u8]) -> Result<()> {
        let (bytes, rest) = row.overflow.step(page, self.layout)?;
        self.row.extend_from_slice(bytes);
        if !schema::is_enough(&self.row, row.size, row.pgno)? {
            let overflow = rest.ok_or(damaged(row.pgno))?;
            self.phase = Phase::SchemaRow(HeldRow { overflow, ..row });
            return Ok(());
        }
        let bytes = mem::take(&mut self.row);
        self.take_schema_row(&bytes, row.pgno)?;
        let leaf = mem::take(&mut self.leaf);
        self.take_schema_rows(&leaf, row.pgno, row.cell + 1)
    }

    fn take_schema_row(&mut self, bytes: &[u8], pgno: Pgno) -> Result<()> {
        let parsed = schema::parse(bytes, self.encoding, self.layout, pgno, self.has_all)?;
        let Some(SchemaTable { name, root }) = parsed else {
            return Ok(());
        };
        self.names_size += mem::size_of::<TableInfo>() + name.len();
        if self.names_size > MAX_NAMES {
            return Err(damaged(pgno));
        }
        if self.has_all || !is_internal(&name) {
            self.tables.push(TableInfo { name, root, rows: None, damage: None });
        }
        Ok(())
    }
}

/// Whether a table is SQLite's own (section 2.6.2 reserves the names) or Cloudflare's, and not the user's.
fn is_internal(name: &str) -> bool {
    let starts_sqlite = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    starts_sqlite || name.starts_with("_cf_")
}

#[cfg(test)]
mod tests;

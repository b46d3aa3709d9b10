//! What a schema has: tables, indexes, views and triggers.

use super::view::{Side, Stop, View};
use crate::btree::{Budget, Encoding, Entries, Next, Record, Value};
use crate::error::{Error, ErrorKind};
use crate::page::Pgno;
use crate::snapshot::Sha256;

/// How many bytes names may take: memory is bounded whatever the schema says.
const MOST_NAMES: usize = 16 << 20;
/// What tables of their own of virtual tables are called behind the table's name: FTS3, FTS4, FTS5, R-Tree.
const SHADOWS: [&str; 11] =
    ["data", "idx", "content", "docsize", "config", "segments", "segdir", "stat", "node", "rowid", "parent"];

/// A row of the schema table.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The first page of its b-tree, if it has one.
    pub(super) root: Option<Pgno>,
    /// A hash of all the row says but that page.
    pub(super) definition: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    View,
    Other,
}

impl Object {
    /// Whether it is a table, and neither SQLite's (`sqlite_…`) nor Cloudflare's (`_cf_…`).
    pub(super) fn is_users_table(&self) -> bool {
        let starts_sqlite = self.name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        self.kind == Kind::Table && !starts_sqlite && !self.name.starts_with("_cf_")
    }

    pub(super) fn is_view(&self) -> bool {
        self.kind == Kind::View
    }
}

/// Whether `name` is a table that the virtual table `of` keeps its data in.
pub(super) fn is_shadow(name: &str, of: &str) -> bool {
    let suffix = name.strip_prefix(of).and_then(|rest| rest.strip_prefix('_'));
    suffix.is_some_and(|suffix| SHADOWS.contains(&suffix))
}

/// Reads a schema.
pub(super) struct SchemaReader {
    side: Side,
    entries: Option<Entries>,
    budget: Budget,
    encoding: Encoding,
    objects: Vec<Object>,
    names: usize,
}

impl SchemaReader {
    pub(super) fn new(view: &View, side: Side) -> Self {
        let layout = view.layout(side);
        let entries = (layout.page_count() > 0).then(|| Entries::new(Pgno::FIRST, layout));
        let encoding = Encoding::new(view.headers[side as usize].encoding);
        Self { side, entries, budget: Budget::new(layout), encoding, objects: Vec::new(), names: 0 }
    }

    /// # Errors
    /// `BtreePage`, `BtreeDepth`.
    pub(super) fn read(&mut self, view: &mut View) -> Result<Vec<Object>, Stop> {
        let Some(entries) = &mut self.entries else { return Ok(Vec::new()) };
        let encoding = self.encoding;
        loop {
            match entries.next(view.pages(self.side), &mut self.budget)? {
                Next::Need(ranges) => return Err(Stop::Need(self.side, ranges)),
                Next::Given | Next::End => return Ok(core::mem::take(&mut self.objects)),
                Next::Row(row) => {
                    let damaged = Error::at_page(ErrorKind::BtreePage, row.pgno.value());
                    let values: Vec<_> = Record::parse(row.record, row.pgno)?.values().collect::<Result<_, _>>()?;
                    let [Value::Text(kind), Value::Text(name), of, root, sql] = values[..] else {
                        return Err(damaged.into());
                    };
                    let mut definition = Sha256::default();
                    for part in [Value::Text(kind), Value::Text(name), of, sql] {
                        if let Value::Text(text) = part {
                            definition.update(&(text.len() as u64).to_be_bytes());
                            definition.update(text);
                        }
                    }
                    self.names += name.len() + size_of::<Object>();
                    if self.names > MOST_NAMES {
                        return Err(damaged.into());
                    }
                    let root = match root {
                        Value::Integer(0) | Value::Null => None,
                        Value::Integer(root) => u32::try_from(root).ok().and_then(Pgno::new),
                        _ => return Err(damaged.into()),
                    };
                    let kind = match &*encoding.decode_lossy(kind.get(..14).unwrap_or(kind)) {
                        "table" => Kind::Table,
                        "view" => Kind::View,
                        _ => Kind::Other,
                    };
                    self.objects.push(Object {
                        kind,
                        name: encoding.decode_lossy(name).into_owned(),
                        root,
                        definition: definition.finish(),
                    });
                }
            }
        }
    }
}

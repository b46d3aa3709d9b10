//! How the rows of one b-tree become SQL.

use super::affinity::Affinity;
use super::constant::Constant;
use super::guard::Guard;
use super::options::Shell;
use super::rtree::NodeFormat;
use crate::page::Pgno;

/// How the rows of one b-tree are written.
#[derive(Clone, Debug)]
pub(super) struct RowPlan {
    /// Name of the table, for messages.
    pub(super) table: String,
    pub(super) root: Pgno,
    /// What goes before the first row, if there is one.
    pub(super) opening: Vec<u8>,
    /// Up to VALUES, or up to the first label.
    pub(super) prefix: Vec<u8>,
    pub(super) sources: Vec<Source>,
    /// What goes before each value; where there are none it is a comma.
    pub(super) labels: Vec<Vec<u8>>,
    pub(super) style: Style,
    pub(super) filter: Filter,
    /// What the table insists on; nothing where its rows are written as the shell does.
    pub(super) guard: Guard,
    /// Whether its rowids are kept, for what is written later.
    pub(super) keeps_rowids: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A statement a row, as that shell prints it.
    Shell(Shell),
    /// Many rows a statement; with `rowid` that is the first value.
    Many { rowid: bool },
    /// An UPDATE a row, with labels; none for rows whose values are all NULL.
    Update,
    /// Nothing is written: the second column names the nodes of an R-Tree that are no leaves.
    RtreeParents,
    /// Each row is a node of an R-Tree, and the rows to write are in its cells.
    RtreeNodes(NodeFormat),
    /// Nothing is written: only the rowids count.
    Rowids,
}

/// Which rows are written, by their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All,
    /// Rows with a value that is not NULL in one of these places of the record.
    HasOneOf(Vec<usize>),
    /// Rows that begin with one of these texts, in upper or lower case.
    Only(Vec<String>),
    /// Rows that do not begin with this text.
    Except(&'static str),
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its place in the record; `None` for the rowid.
    pub(super) slot: Option<usize>,
    pub(super) affinity: Affinity,
    pub(super) default: Constant,
}

impl RowPlan {
    /// Without a text and without values.
    pub(super) fn new(table: &str, root: Pgno, style: Style) -> Self {
        Self {
            table: table.to_owned(),
            root,
            opening: Vec::new(),
            prefix: Vec::new(),
            sources: Vec::new(),
            labels: Vec::new(),
            style,
            filter: Filter::All,
            guard: Guard::default(),
            keeps_rowids: false,
        }
    }

    /// Lets the target pass over rows whose key is there already.
    pub(super) fn pass_over_repeats(&mut self) {
        if let Some(rest) = self.prefix.strip_prefix(b"INSERT INTO ") {
            self.prefix = [b"INSERT OR IGNORE INTO ", rest].concat();
        }
    }

    /// What goes before value `index`.
    pub(super) fn label(&self, index: usize) -> &[u8] {
        match self.labels.get(index) {
            Some(label) => label,
            None if index == 0 => b"",
            None => b",",
        }
    }
}

impl Source {
    pub(super) fn rowid() -> Self {
        Self { slot: None, affinity: Affinity::Integer, default: Constant::Null }
    }

    /// NULL, whatever the record holds.
    pub(super) fn null() -> Self {
        Self::untyped(usize::MAX)
    }

    /// A value that is stored as it was given.
    pub(super) fn untyped(slot: usize) -> Self {
        Self { slot: Some(slot), affinity: Affinity::Blob, default: Constant::Null }
    }
}

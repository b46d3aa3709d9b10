//! Parts of a table's b-tree, for others to go through at the same time.

use super::page::{BtreePage, Cell};
use super::{Cursor, Layout};
use crate::bytes::Reader;
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

use super::cursor::{Given, Step};

/// How many bytes of leaves make a part, about.
const PART: usize = 1 << 20;
/// On larger pages the leaves below one page are several parts.
const LARGEST_WHOLE: usize = 4096;

/// Some of the leaves below one page of a b-tree; in an index, with the entries between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    is_table: bool,
    /// The page above the leaves.
    page: Pgno,
    /// Which of its children: from the first,
    first: u32,
    /// to the one before this, or to the last there is.
    end: u32,
    /// All rowids are larger than this,
    after: Option<i64>,
    /// and none is larger than this.
    up_to: i64,
    /// The pages above, from the root.
    above: Vec<Pgno>,
}

impl Cursor {
    /// Before the first entry of `part`.
    pub fn of_part(part: &Part, layout: Layout) -> Self {
        if part.is_tree() {
            return Self::new(part.page, layout);
        }
        let mut step = Step::to(part.page, part.after, part.up_to);
        (step.next, step.end) = (part.first as usize, part.end as usize);
        Self {
            path: vec![step],
            is_table: Some(part.is_table),
            leaf_depth: Some(1),
            above: part.above.clone(),
            ..Self::new(part.page, layout)
        }
    }

    /// How many children of the part's page were begun; in an index, and entries between them.
    pub fn begun(&self) -> usize {
        self.path.first().map_or(usize::MAX, |step| step.next)
    }

    /// Goes behind so many children of the root, or as [`Cursor::begun`] counts, or behind everything. For one that was not
    /// begun, of a tree whose pages below the root are leaves.
    pub fn skip(&mut self, done: Option<usize>) {
        match (done, self.path.first_mut()) {
            (Some(done), Some(root)) => root.skip = done,
            _ => self.path.clear(),
        }
    }

    /// Whether what is still to come is below the last of the pages above leaves.
    pub fn is_ending(&self) -> bool {
        let Some(depth) = self.leaf_depth else { return false };
        // All further up are at their last child: its index is as many cells as they have.
        let per_cell = if self.is_table == Some(true) { 1 } else { 2 };
        self.path.iter().take(depth.saturating_sub(1)).all(|step| step.next > step.cells * per_cell)
    }

    /// Whether there are pages between its root and its leaves.
    pub fn is_deep(&self) -> bool {
        self.leaf_depth.is_some_and(|depth| depth > 1)
    }

    /// Gives away some of what is still to come, so that so many parts stay between it and what was given before, or
    /// where it stands; `None` when that cannot be told from the pages on its way, or there is not enough. A part has
    /// `leaves` leaves at most, about.
    pub fn give(&mut self, between: usize, leaves: usize) -> Option<Part> {
        let (leaf_depth, is_table) = (self.leaf_depth?, self.is_table?);
        let most = (PART / self.layout.page_size()).clamp(1, leaves.max(1));
        let are_leaves = self.layout.page_size() > LARGEST_WHOLE || most < PART / self.layout.page_size() / 2;
        // In an index, there are entries between the leaves.
        if are_leaves && !is_table {
            return None;
        }
        let index = leaf_depth.checked_sub(if are_leaves { 1 } else { 2 })?;
        let step = self.path.get(index).filter(|step| step.kind.is_some_and(|kind| !kind.is_leaf()))?;
        let page = BtreePage::parse(&step.page, step.pgno, self.layout).ok()?;
        let count = if are_leaves { most } else { 1 };
        let next = if is_table { step.next } else { step.next.div_ceil(2) };
        let from = self.given.back().map_or(next, |given| given.end);
        let first = from + between * count;
        let end = (first + count).min(page.cell_count() + 1);
        let before = first.checked_sub(1).filter(|_| first < end)?;
        let key = |child| match page.cell(child) {
            Ok(Cell::TableInterior { key, .. }) => Some(key),
            _ => None,
        };
        let after = if is_table { Some(key(before)?) } else { None };
        let mut above: Vec<Pgno> = self.path.iter().take(index).map(|step| step.pgno).collect();
        let part = if are_leaves {
            Part { is_table, page: step.pgno, first: first as u32, end: end as u32, after, up_to: step.up_to, above }
        } else {
            above.push(step.pgno);
            let up_to = if first == page.cell_count() || !is_table { step.up_to } else { key(first)? };
            Part { is_table, page: page.child(first).ok()?, first: 0, end: u32::MAX, after, up_to, above }
        };
        self.given.push_back(Given { step: index, first, end, are_leaves });
        Some(part)
    }

    /// Goes on behind so many children of the part that it stands before, or as [`Cursor::begun`] counts; all of them when
    /// there is no number.
    ///
    /// # Errors
    /// As a cursor that goes through the entries.
    pub fn resume(&mut self, done: Option<usize>) -> Result<()> {
        let Some(given) = self.given.pop_front() else { return Err(ErrorKind::Usage.into()) };
        if !given.are_leaves {
            let mut below = self.descend(given.first)?;
            below.skip = done.unwrap_or(0);
            if done.is_some() {
                self.path.push(below);
            }
            return Ok(());
        }
        let end = done.map_or(given.end, |done| given.first + done);
        for child in given.first..end.min(given.end) {
            self.descend(child)?;
        }
        Ok(())
    }
}

impl Part {
    /// All of the b-tree with this root.
    pub fn tree(root: Pgno) -> Self {
        // Whether it is a table is seen by its root.
        Self { is_table: true, page: root, first: 0, end: u32::MAX, after: None, up_to: i64::MAX, above: Vec::new() }
    }

    /// Whether it is a whole b-tree.
    pub fn is_tree(&self) -> bool {
        self.is_all() && self.above.is_empty()
    }

    /// How many of the page's children come before it.
    pub fn before(&self) -> usize {
        self.first as usize
    }

    /// Whether it is all that is below its page.
    pub fn is_all(&self) -> bool {
        self.end == u32::MAX
    }

    /// The part as bytes, for another instance of this program.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let flags = u32::from(self.after.is_some()) | u32::from(self.is_table) << 1;
        for number in [self.page.value(), self.first, self.end, flags] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.after.unwrap_or_default().to_be_bytes());
        bytes.extend_from_slice(&self.up_to.to_be_bytes());
        for page in &self.above {
            bytes.extend_from_slice(&page.value().to_be_bytes());
        }
        bytes
    }

    /// From [`Part::to_bytes`].
    ///
    /// # Errors
    /// `Usage` for others.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, 0, ErrorKind::Usage);
        let page = Pgno::new(reader.u32()?).ok_or(ErrorKind::Usage)?;
        let (first, end) = (reader.u32()?, reader.u32()?);
        let (flags, after) = (reader.u32()?, reader.i64()?);
        let up_to = reader.i64()?;
        let mut above = Vec::new();
        while reader.remaining() > 0 {
            above.push(Pgno::new(reader.u32()?).ok_or(ErrorKind::Usage)?);
        }
        Ok(Self { is_table: flags & 2 != 0, page, first, end, after: (flags & 1 != 0).then_some(after), up_to, above })
    }
}

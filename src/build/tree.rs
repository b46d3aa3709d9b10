//! A b-tree that grows from its leaves up, as entries come in the order of their keys (file format, section 1.6).
//!
//! Each level has one page that is being filled. When an entry does not fit, the page ends: in an index the entry goes
//! to the level above, between this page and the next one; above the leaves of a table, what goes there is a rowid that
//! parts the two. The page ends only when there is another entry for the next one: a page with none would not do.
//!
//! With a guide a page ends also where one ended before, and gets that one's number. So what changes here and there
//! changes the pages that it is on, and what is behind them stays.

use super::draft::Draft;
use super::guide::{Guide, GuideLevel};
use super::output::Output;
use crate::btree::Kind;
use crate::bytes::{Reader, Writer};
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

/// What is in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Rows by rowid.
    Table,
    /// Entries by their values: an index, or a table WITHOUT ROWID.
    Index,
}

impl Form {
    /// The kind of its leaves.
    pub(super) fn leaf(self) -> Kind {
        if self == Self::Table { Kind::TableLeaf } else { Kind::IndexLeaf }
    }

    fn interior(self) -> Kind {
        if self == Self::Table { Kind::TableInterior } else { Kind::IndexInterior }
    }
}

/// The tree so far: what of it is not written yet.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    form: Form,
    /// From the leaves up.
    levels: Vec<Level>,
    guide: Guide,
    /// The last row's rowid.
    rowid: i64,
}

#[derive(Clone, Debug)]
struct Level {
    page: Draft,
    /// The page before it, as long as `page` has no cell.
    ended: Option<Ended>,
    guide: GuideLevel,
}

/// A page that is full, or ends where it did before, and what comes after it.
#[derive(Clone, Debug)]
struct Ended {
    page: Draft,
    right: Option<Pgno>,
    /// The entry that follows all those of the page, for the level above.
    divider: Vec<u8>,
    /// The number that it had before.
    wanted: Option<u32>,
}

/// The root's page, and what it lacks: its right-most child.
pub(super) struct Root {
    pub(super) page: Draft,
    pub(super) right: Option<Pgno>,
    /// The number that it had before.
    pub(super) wanted: Option<u32>,
}

impl Tree {
    pub(super) fn new(form: Form, guide: Guide, out: &Output) -> Self {
        let mut tree = Self { form, levels: Vec::new(), guide, rowid: 0 };
        tree.add_level(form.leaf(), out);
        tree
    }

    /// Appends it as it is, without what goes by a tree before; see [`super::saved`].
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        out.put_u64(self.rowid as u64);
        out.put_u32(self.levels.len() as u32);
        for Level { page, ended, .. } in &self.levels {
            page.write_to(out);
            out.push(ended.is_some().into());
            let Some(ended) = ended else { continue };
            ended.page.write_to(out);
            out.put_u32(ended.right.map_or(0, Pgno::value));
            out.put_u32(ended.divider.len() as u32);
            out.extend_from_slice(&ended.divider);
        }
    }

    /// What [`Tree::write_to`] has written.
    ///
    /// # Errors
    /// `SavedState`.
    pub(super) fn read(reader: &mut Reader<'_>, form: Form, out: &Output) -> Result<Self> {
        let mut tree = Self { form, levels: Vec::new(), guide: Guide::default(), rowid: reader.i64()? };
        for depth in 0..reader.u32()? {
            let page = Draft::read(reader, out.page_size())?;
            if page.kind() != if depth == 0 { form.leaf() } else { form.interior() } {
                return Err(ErrorKind::SavedState.into());
            }
            let ended = match reader.u8()? {
                0 => None,
                _ => {
                    let page = Draft::read(reader, out.page_size())?;
                    let right = Pgno::new(reader.u32()?);
                    let length = reader.u32()? as usize;
                    Some(Ended { page, right, divider: reader.take(length)?.to_vec(), wanted: None })
                }
            };
            tree.levels.push(Level { page, ended, guide: GuideLevel::default() });
        }
        if tree.levels.is_empty() { Err(ErrorKind::SavedState.into()) } else { Ok(tree) }
    }

    fn add_level(&mut self, kind: Kind, out: &Output) {
        let guide = self.guide.take_level(self.levels.len(), self.form == Form::Index);
        self.levels.push(Level { page: Draft::new(out.page_size(), kind), ended: None, guide });
    }

    /// Adds a row of a table: its rowid, and its cell in parts.
    #[inline]
    pub(super) fn row(&mut self, rowid: i64, cell: [&[u8]; 2], out: &mut Output) -> Result<()> {
        while let Some((pgno, last)) = self.levels.first_mut().and_then(|leaf| leaf.guide.pass_before(rowid)) {
            self.end_leaf(Some(pgno), last, out)?;
        }
        if let Some(leaf) = self.levels.first_mut()
            && !push(&mut leaf.page, None, cell)
        {
            self.end_leaf(None, self.rowid, out)?;
            if let Some(leaf) = self.levels.first_mut() {
                push(&mut leaf.page, None, cell);
            }
        }
        self.rowid = rowid;
        Ok(())
    }

    /// Ends a table's leaf, whose rowids are `last` at most.
    fn end_leaf(&mut self, wanted: Option<u32>, last: i64, out: &mut Output) -> Result<()> {
        let Some(leaf) = self.levels.first_mut() else { return Ok(()) };
        if leaf.page.is_empty() {
            wanted.into_iter().for_each(|pgno| out.release(pgno));
            return Ok(());
        }
        let pgno = out.append(wanted, leaf.page.finish(None))?;
        leaf.page.clear();
        let mut key = Vec::with_capacity(9);
        key.put_sqlite_varint(last);
        self.put(1, Some(pgno), [&key, &[]], out)
    }

    /// Adds an entry of an index, in parts.
    #[inline]
    pub(super) fn entry(&mut self, entry: [&[u8]; 2], out: &mut Output) -> Result<()> {
        self.put(0, None, entry, out)
    }

    /// Adds an entry to a level; `left` is the child before it.
    fn put(&mut self, depth: usize, left: Option<Pgno>, entry: [&[u8]; 2], out: &mut Output) -> Result<()> {
        if depth == self.levels.len() {
            self.add_level(self.form.interior(), out);
        }
        let Some(level) = self.levels.get_mut(depth) else { return Ok(()) };
        let mut before = level.ended.take();
        let mut wanted = level.guide_end(self.form, entry)?;
        if wanted.is_some() && level.page.is_empty() {
            match before.take() {
                // An entry more filled the page that ended here before: a part of it goes on as that one.
                Some(full) if full.wanted.is_none() => before = Some(level.share(full)),
                other => {
                    before = other;
                    wanted.take().into_iter().for_each(|pgno| out.release(pgno));
                }
            }
        }
        if wanted.is_some() || !push(&mut level.page, left, entry) {
            let next = Draft::new(out.page_size(), level.page.kind());
            let page = core::mem::replace(&mut level.page, next);
            level.ended = Some(Ended { page, right: left, divider: entry.concat(), wanted });
        }
        let Some(mut ended) = before else { return Ok(()) };
        let pgno = out.append(ended.wanted, ended.page.finish(ended.right))?;
        self.put(depth + 1, Some(pgno), [&ended.divider, &[]], out)
    }

    /// Ends the tree: writes all of it but the root.
    pub(super) fn finish(mut self, out: &mut Output) -> Result<Root> {
        let mut right = None;
        let wanted = self.guide.root().map(Pgno::value);
        for depth in 0.. {
            self.settle(depth, out)?;
            let is_root = depth + 1 == self.levels.len();
            let Some(level) = self.levels.get_mut(depth) else { break };
            let page = &mut level.page;
            if is_root {
                let page = core::mem::replace(page, Draft::new(out.page_size(), self.form.leaf()));
                return Ok(Root { page, right, wanted });
            }
            right = Some(out.append(level.guide.current(), page.finish(right))?);
        }
        // Not reached: the last level is the root's.
        Ok(Root { page: Draft::new(out.page_size(), self.form.leaf()), right: None, wanted })
    }

    /// Sees to it that a level's last page has a cell.
    fn settle(&mut self, depth: usize, out: &mut Output) -> Result<()> {
        let Some(level) = self.levels.get_mut(depth) else { return Ok(()) };
        let Some(mut ended) = level.ended.take() else { return Ok(()) };
        if push(&mut ended.page, ended.right, [&ended.divider, &[]]) {
            // It had not to end: it is the last one.
            level.page = ended.page;
            level.guide.step_back();
            return Ok(());
        }
        let mut ended = level.share(ended);
        let pgno = out.append(ended.wanted, ended.page.finish(ended.right))?;
        self.put(depth + 1, Some(pgno), [&ended.divider, &[]], out)
    }
}

impl Level {
    /// Begins the page with what follows a page that is full, whose last entry follows it instead. So full, it has three
    /// entries at least.
    fn share(&mut self, mut full: Ended) -> Ended {
        push(&mut self.page, full.right, [&full.divider, &[]]);
        let cell = full.page.pop();
        (full.right, full.divider) = if full.page.kind().is_leaf() { (None, cell) } else { split_child(&cell) };
        full
    }

    /// The number of the page that ended before this entry, if one did.
    fn guide_end(&mut self, form: Form, entry: [&[u8]; 2]) -> Result<Option<u32>> {
        if form == Form::Index {
            return Ok(self.guide.pass_entry(entry));
        }
        let [key, _] = entry;
        Ok(self.guide.pass_at(Reader::new(key, 0, ErrorKind::Usage).sqlite_varint()?))
    }
}

/// Adds a cell: the child before it, where the page has children, and the entry.
fn push(page: &mut Draft, left: Option<Pgno>, [entry, rest]: [&[u8]; 2]) -> bool {
    match left {
        Some(child) => page.push([&child.value().to_be_bytes(), entry, rest]),
        None => page.push([entry, rest, &[]]),
    }
}

/// A cell of an interior page as its child and its entry.
fn split_child(cell: &[u8]) -> (Option<Pgno>, Vec<u8>) {
    match cell.split_first_chunk::<4>() {
        Some((child, entry)) => (Pgno::new(u32::from_be_bytes(*child)), entry.to_vec()),
        None => (None, cell.to_vec()),
    }
}

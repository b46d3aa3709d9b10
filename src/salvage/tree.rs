//! The rows of a b-tree, around what is broken in it.

use core::ops::Range;

use super::ascending::ascending;
use super::cell::LooseCell;
use super::map::{Mark, PageMap};
use super::page::LoosePage;
use super::shorten::shorten;
use crate::btree::Kind;
use crate::btree::entries::{MAX_WHOLE, Row, chain_pages};
use crate::btree::{Layout, Overflow, PageRange, Pages, read_ahead};
use crate::page::Pgno;
use crate::page::header::HEADER_SIZE;

/// SQLite itself gives up at 20.
const MAX_DEPTH: usize = 40;

/// Rowids that a page can have: larger than `after`, and not larger than `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rowids {
    /// `None` for no bound.
    pub after: Option<i64>,
    /// The largest.
    pub up_to: i64,
}

impl Rowids {
    /// Every rowid.
    pub const ALL: Self = Self { after: None, up_to: i64::MAX };

    /// Whether a rowid is in it.
    pub fn contains(self, rowid: i64) -> bool {
        self.after.is_none_or(|after| rowid > after) && rowid <= self.up_to
    }
}

/// Goes through a b-tree: each page that it comes to is marked as visited, and no page is visited twice.
///
/// Memory: the children of the pages on the way, which are `MAX_DEPTH` at most, and one page.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Pgno,
    /// Where the header of the root begins in its page.
    start: usize,
    is_table: Option<bool>,
    /// Whether it gives only the rows of one page that are out of order.
    only_astray: bool,
    /// What of each page on the way is still to come, the next one last.
    path: Vec<Vec<(u32, Rowids)>>,
    /// The page whose rows come next.
    open: Option<Open>,
    /// A record that is put together from several pages.
    record: Vec<u8>,
    held: Option<Held>,
    current: Option<Current>,
}

/// The row that it stands on.
#[derive(Clone, Debug)]
struct Current {
    rowid: Option<i64>,
    /// Where its record is in the page; `None` when it was put together.
    span: Option<Range<usize>>,
    rest: Option<Overflow>,
}

/// A page whose rows are being read.
#[derive(Clone, Debug)]
struct Open {
    pgno: Pgno,
    kind: Kind,
    content: Vec<u8>,
    cells: Vec<u16>,
    /// Where those end whose length is wrong.
    mended: Vec<(u16, usize)>,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    rowid: Option<i64>,
    size: usize,
    next: u32,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeStep {
    /// These pages have to be in hand.
    Need(Vec<PageRange>),
    /// A page with rows was opened, of whose cells so many are damaged; it can be judged before they come.
    Opened {
        /// Its number.
        pgno: Pgno,
        /// How many of its cells are not sound.
        damaged: usize,
        /// The rowids that it should have, when some are not of these or out of order: such rows are left out, and come
        /// from [`Tree::astray`].
        astray: Option<Rowids>,
    },
    /// A row, see [`Tree::row`].
    Row {
        /// Whether its end is lost: a value is cut off, and those behind it are NULL.
        is_cut: bool,
    },
    /// A row whose start cannot be read either.
    LostRow(Pgno),
    /// What is at this number is no page of this tree, as far as can be seen.
    LostPage {
        /// The number.
        pgno: u32,
        /// The rowids that are missing with it.
        range: Rowids,
        /// Whether it is a page with rows in it, of something else.
        is_misplaced: bool,
    },
    /// There are no more.
    End,
}

/// What a tree is read with.
pub struct Context<'a> {
    /// Layout of the database.
    pub layout: Layout,
    /// What each page is.
    pub map: &'a mut PageMap,
    /// The page with the header of the database.
    pub first: Option<Pgno>,
    /// How many overflow pages may still be read: their chains can cross each other.
    pub budget: &'a mut u64,
    /// Whether pages of the list of free pages are left out.
    pub without_free: bool,
    /// Whether rows are left out whose rowids are out of order: they may have those of others.
    pub without_astray: bool,
    /// Whether a page of this number may be one of this tree, by what its rows are like.
    pub fits: &'a dyn Fn(u32, &LoosePage<'_>) -> bool,
}

impl Tree {
    /// Before the first row of the b-tree with this root.
    pub fn new(root: Pgno, is_table: Option<bool>, first: Option<Pgno>) -> Self {
        let start = if first == Some(root) { HEADER_SIZE } else { 0 };
        let path = vec![vec![(root.value(), Rowids::ALL)]];
        let only_astray = false;
        Self { root, start, is_table, only_astray, path, open: None, record: Vec::new(), held: None, current: None }
    }

    /// Before the first of the rows that are out of order on a page of this tree that was visited.
    pub fn astray(root: Pgno, pgno: Pgno, range: Rowids) -> Self {
        Self { path: vec![vec![(pgno.value(), range)]], only_astray: true, ..Self::new(root, Some(true), None) }
    }

    /// The row that it stands on.
    pub fn row(&self) -> Option<Row<'_>> {
        let (open, current) = (self.open.as_ref()?, self.current.as_ref()?);
        let record = match &current.span {
            Some(span) => open.content.get(span.clone())?,
            None => &self.record,
        };
        Some(Row { pgno: open.pgno, rowid: current.rowid, record, rest: current.rest })
    }

    /// The page whose rows come next.
    pub fn open_page(&self, layout: Layout) -> Option<LoosePage<'_>> {
        let open = self.open.as_ref()?;
        LoosePage::read(&open.content, self.start_of(open.pgno), open.kind, layout)
    }

    /// Goes on without the rows of the page that was opened.
    pub fn skip_page(&mut self) {
        (self.open, self.held) = (None, None);
    }

    /// What comes next.
    pub fn next(&mut self, pages: &Pages, context: &mut Context<'_>) -> TreeStep {
        let layout = context.layout;
        self.current = None;
        if self.held.is_some() {
            return self.go_on(pages, context);
        }
        if let Some(open) = &mut self.open {
            if let Some(&at) = open.cells.get(open.next) {
                open.next += 1;
                return self.begin_row(at, pages, context);
            }
            self.open = None;
        }
        loop {
            let Some(children) = self.path.last_mut() else { return TreeStep::End };
            let Some((child, range)) = children.last().copied() else {
                self.path.pop();
                continue;
            };
            let lost = |is_misplaced| TreeStep::LostPage { pgno: child, range, is_misplaced };
            let is_new = !context.map.has(child, Mark::Visited) && !context.map.has(child, Mark::Other);
            let is_new = is_new && !(context.without_free && context.map.has(child, Mark::Free));
            let is_new = is_new || self.only_astray;
            let kind = context.map.any_kind(child).filter(|kind| self.is_table.is_none_or(|is| is == kind.is_table()));
            let (Some(pgno), Some(kind), true) = (Pgno::new(child), kind, is_new) else {
                children.pop();
                return lost(false);
            };
            let Some(page) = pages.page(pgno) else {
                let wanted = children.iter().rev().filter_map(|&(child, _)| Pgno::new(child));
                let wanted = wanted.filter(|wanted| context.map.any_kind(wanted.value()).is_some());
                return TreeStep::Need(read_ahead(wanted, pages, layout));
            };
            children.pop();
            let start = if pgno == self.root { self.start } else { 0 };
            let content = layout.content(page).unwrap_or_default();
            let Some(page) = LoosePage::read(content, start, kind, layout) else { return lost(false) };
            let is_deep = !kind.is_leaf() && self.path.len() > MAX_DEPTH;
            // The first page of the file holds the schema, wherever it is pointed to from.
            let is_schema = context.first == Some(pgno) && pgno != self.root;
            if is_deep || is_schema || !is_in_place(&page, range) || !(context.fits)(child, &page) {
                return lost(true);
            }
            // A leaf that loses its last row is taken out of its tree.
            if kind.is_leaf() && pgno != self.root && page.offsets().is_empty() {
                return lost(false);
            }
            context.map.set(child, Mark::Visited);
            self.is_table = Some(kind.is_table());
            if !kind.is_leaf() {
                self.path.push(children_of(&page, range));
            }
            if kind != Kind::TableInterior {
                let (damaged, mut cells) = (page.damaged(), page.offsets().to_vec());
                let mut astray = None;
                if kind == Kind::TableLeaf && (context.without_astray || self.only_astray) {
                    let rowids: Vec<Option<i64>> = page.cells().map(|cell| cell.rowid).collect();
                    let keys = rowids.iter().map(|rowid| rowid.filter(|&rowid| range.contains(rowid)));
                    let good = ascending(&keys.collect::<Vec<_>>());
                    astray = good.contains(&false).then_some(range);
                    let mut wanted = good.into_iter().map(|is_good| is_good != self.only_astray);
                    cells.retain(|_| wanted.next() == Some(true));
                }
                let mended = page.mended().to_vec();
                self.open = Some(Open { pgno, kind, content: content.to_vec(), cells, mended, next: 0 });
                return TreeStep::Opened { pgno, damaged, astray };
            }
        }
    }

    fn start_of(&self, pgno: Pgno) -> usize {
        if pgno == self.root { self.start } else { 0 }
    }

    fn begin_row(&mut self, at: u16, pages: &Pages, context: &mut Context<'_>) -> TreeStep {
        let Some(open) = &self.open else { return TreeStep::End };
        let pgno = open.pgno;
        let bytes = open.content.get(usize::from(at)..).unwrap_or_default();
        let cell = match open.mended.iter().find(|&&(mended, _)| mended == at) {
            Some(&(_, end)) => {
                let bytes = open.content.get(usize::from(at)..end).unwrap_or_default();
                LooseCell::read_whole(bytes, open.kind, context.layout)
            }
            None => LooseCell::read(bytes, open.kind, context.layout),
        };
        let Some(LooseCell { rowid, payload: Some(payload), .. }) = cell else {
            return TreeStep::LostRow(pgno);
        };
        let Some(next) = payload.next else {
            let start = usize::from(at) + payload.start;
            let span = start..start + payload.local.len();
            self.current = Some(Current { rowid, span: Some(span), rest: None });
            return TreeStep::Row { is_cut: false };
        };
        self.record.clear();
        self.record.extend_from_slice(payload.local);
        self.held = Some(Held { rowid, size: payload.size, next });
        self.go_on(pages, context)
    }

    /// Puts the record together that goes on in overflow pages.
    fn go_on(&mut self, pages: &Pages, context: &mut Context<'_>) -> TreeStep {
        let (Some(mut held), Some(pgno)) = (self.held.take(), self.open.as_ref().map(|open| open.pgno)) else {
            return TreeStep::End;
        };
        let layout = context.layout;
        loop {
            let remaining = held.size - self.record.len();
            let rowid = held.rowid;
            if remaining == 0 {
                self.current = Some(Current { rowid, span: None, rest: None });
                return TreeStep::Row { is_cut: false };
            }
            // A page of a b-tree is no overflow page.
            let next = Pgno::new(held.next).filter(|next| {
                held.next <= layout.page_count() && *next != layout.lock_page() && context.map.kind(held.next).is_none()
            });
            let Some(next) = next.filter(|_| *context.budget > 0) else { break };
            let rest = Overflow { next, remaining };
            if held.size > MAX_WHOLE {
                self.current = Some(Current { rowid, span: None, rest: Some(rest) });
                return TreeStep::Row { is_cut: false };
            }
            let Some(page) = pages.page(next) else {
                self.held = Some(held);
                return TreeStep::Need(chain_pages(rest, layout));
            };
            *context.budget -= 1;
            let Some((bytes, after)) = link(page, layout, remaining) else { break };
            // The chain ends too early: this page is no part of it, or was wiped.
            if after == 0 && bytes.len() < remaining {
                break;
            }
            self.record.extend_from_slice(bytes);
            held.next = after;
        }
        match shorten(&self.record) {
            Some(record) => {
                self.record = record;
                self.current = Some(Current { rowid: held.rowid, span: None, rest: None });
                TreeStep::Row { is_cut: true }
            }
            None => TreeStep::LostRow(pgno),
        }
    }
}

/// The bytes that an overflow page adds, and the number of the page after it.
fn link(page: &[u8], layout: Layout, remaining: usize) -> Option<(&[u8], u32)> {
    let content = layout.content(page).ok()?;
    let (next, bytes) = content.split_first_chunk::<4>()?;
    Some((bytes.get(..remaining.min(bytes.len()))?, u32::from_be_bytes(*next)))
}

/// Whether most of the rowids on a page are those that its place asks for.
fn is_in_place(page: &LoosePage<'_>, range: Rowids) -> bool {
    if !page.kind().is_table() || range == Rowids::ALL {
        return true;
    }
    let rowids = page.cells().filter_map(|cell| cell.rowid);
    let (inside, outside): (Vec<i64>, Vec<i64>) = rowids.partition(|&rowid| range.contains(rowid));
    inside.len() >= outside.len()
}

/// The children of a page, the first one last, each with the rowids that it can have.
fn children_of(page: &LoosePage<'_>, range: Rowids) -> Vec<(u32, Rowids)> {
    let cells: Vec<(u32, Option<i64>)> =
        page.cells().filter_map(|cell| cell.child.map(|child| (child, cell.rowid))).collect();
    let mut children = Vec::with_capacity(cells.len() + 1);
    let keys: Vec<Option<i64>> = cells.iter().map(|&(_, key)| key.filter(|&key| range.contains(key))).collect();
    let good = ascending(&keys);
    // A key that is out of order bounds nothing.
    let key_of = |index: usize| keys.get(index).copied().flatten().filter(|_| good.get(index) == Some(&true));
    let mut bounds: Vec<i64> = vec![range.up_to; cells.len() + 1];
    let mut up_to = range.up_to;
    for index in (0..cells.len()).rev() {
        up_to = key_of(index).unwrap_or(up_to);
        if let Some(bound) = bounds.get_mut(index) {
            *bound = up_to;
        }
    }
    let mut after = range.after;
    let all = cells.iter().map(|&(child, _)| child).chain(page.right_most());
    for ((index, child), up_to) in all.enumerate().zip(bounds) {
        children.push((child, Rowids { after, up_to }));
        after = key_of(index).or(after);
    }
    children.reverse();
    children
}

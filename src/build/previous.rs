//! What a database looked like before: which page holds which keys, so that most rows find their old page again.

use std::collections::HashMap;

use super::guide::{Chain, Guide, GuideLevel, key_of};
use crate::btree::{BtreePage, Cell, Kind, Layout, Payload, Slot, Value};
use crate::bytes::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{DatabaseHeader, PageSize, Pgno};

/// No tree of SQLite is deeper.
const MOST_LEVELS: usize = 20;

/// The database before, learnt from its file, which is fed from its beginning to its end.
///
/// Keeps a fingerprint of 16 bytes for each page, as much for where it belongs, and as much for each row with overflow
/// pages. It is a hint: whatever it says, the pages that are built of it are a valid database of the rows that are given.
#[derive(Clone, Debug)]
pub struct Previous {
    page_size: PageSize,
    layout: Option<Layout>,
    /// The start of a page that is not all there.
    rest: Vec<u8>,
    /// How many pages were fed,
    pages: u32,
    /// and their fingerprints.
    fingerprints: Vec<Fingerprint>,
    interiors: HashMap<u32, Interior>,
    /// By the page that has their cells.
    chains: HashMap<u32, Vec<Chain>>,
    /// What may be rows of the schema table, by the page that has them.
    objects: HashMap<u32, Vec<(Name, Pgno)>>,
    /// Size of those names, in bytes.
    names: usize,
    /// Those of which a part is missing.
    cut: Vec<Cut>,
}

/// The beginning of a row that may be of the schema table.
#[derive(Clone, Debug)]
struct Cut {
    /// The page that has its cell.
    page: u32,
    bytes: Vec<u8>,
    /// How many bytes it takes to tell,
    wanted: usize,
    /// and the overflow page that has the next of them.
    next: u32,
}

/// How much memory the names of objects take, in bytes: a table may hold any number of rows that look like them.
const MOST_NAMES: usize = 16 << 20;

/// The first half of a page's BLAKE3: whoever writes rows could forge less, and a change would go unnoticed.
pub(super) type Fingerprint = [u8; 16];

pub(super) fn fingerprint(page: &[u8]) -> Fingerprint {
    blake3::hash(page).as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Type and name of an object of the schema.
type Name = (Vec<u8>, Vec<u8>);

/// A page with children.
#[derive(Clone, Debug)]
struct Interior {
    /// Each child but the last, and the key after it.
    children: Vec<(u32, u64)>,
    right: u32,
}

impl Previous {
    /// What is known of a database with pages of that size.
    pub fn new(page_size: PageSize) -> Self {
        Self {
            page_size,
            layout: None,
            rest: Vec::new(),
            pages: 0,
            fingerprints: Vec::new(),
            interiors: HashMap::new(),
            chains: HashMap::new(),
            objects: HashMap::new(),
            names: 0,
            cut: Vec::new(),
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// As [`DatabaseHeader::parse`]; `ChainPageSize` when its pages are of another size.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let size = self.page_size.bytes();
        let mut bytes = bytes;
        while self.rest.len() + bytes.len() >= size {
            let (start, after) = bytes.split_at(size - self.rest.len());
            bytes = after;
            if self.rest.is_empty() {
                self.page(start)?;
            } else {
                let mut page = core::mem::take(&mut self.rest);
                page.extend_from_slice(start);
                self.page(&page)?;
            }
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn page(&mut self, page: &[u8]) -> Result<()> {
        self.pages = self.pages.checked_add(1).ok_or(ErrorKind::BuildSize)?;
        self.fingerprints.push(fingerprint(page));
        let layout = match self.layout {
            Some(layout) => layout,
            None => {
                let header = DatabaseHeader::parse(page)?;
                if header.page_size != self.page_size {
                    return Err(Error::from(ErrorKind::ChainPageSize));
                }
                // Any page number may come; those that no page has are of no use.
                *self.layout.insert(Layout::new(&header, u32::MAX))
            }
        };
        // What is no b-tree page is an overflow page or free.
        if let Some(pgno) = Pgno::new(self.pages)
            && let Ok(page) = BtreePage::parse(page, pgno, layout)
        {
            let _ = self.learn(&page, layout);
        }
        Ok(())
    }

    /// Learns a page, up to what is damaged.
    fn learn(&mut self, page: &BtreePage<'_>, layout: Layout) -> Result<()> {
        let pgno = page.pgno().value();
        let mut chains = Vec::new();
        let mut children = Vec::new();
        for cell in page.cells() {
            match cell? {
                Cell::TableInterior { child, key } => children.push((child.value(), key as u64)),
                Cell::TableLeaf { rowid, payload } => chains.extend(chain(rowid as u64, payload, layout)),
                Cell::IndexInterior { child, payload } => {
                    let mut entry = entry(payload);
                    chains.extend(chain(key_of(&entry), payload, layout));
                    payload.overflow.into_iter().for_each(|overflow| entry.put_u32(overflow.next.value()));
                    children.push((child.value(), key_of(&entry)));
                }
                Cell::IndexLeaf { payload } => {
                    if payload.overflow.is_some() {
                        chains.extend(chain(key_of(&entry(payload)), payload, layout));
                    }
                }
            }
        }
        if !chains.is_empty() {
            self.chains.insert(pgno, chains);
        }
        if let Some(right) = page.right_most() {
            self.interiors.insert(pgno, Interior { children, right: right.value() });
        } else if page.kind() == Kind::TableLeaf {
            for (payload, wanted) in page.cells().map_while(naming) {
                self.names = self.names.saturating_add(wanted + 64);
                if self.names > MOST_NAMES {
                    break;
                }
                let next = payload.overflow.map_or(0, |overflow| overflow.next.value());
                self.go_on(Cut { page: pgno, bytes: payload.local.to_vec(), wanted, next });
            }
        }
        Ok(())
    }

    fn go_on(&mut self, cut: Cut) {
        if cut.bytes.len() < cut.wanted {
            self.cut.push(cut);
        } else {
            self.objects.entry(cut.page).or_default().extend(object(&cut.bytes));
        }
    }

    /// Once all pages were fed: those that have the rest of rows of the schema, which are to be supplied.
    pub fn missing(&self) -> Vec<u32> {
        self.cut.iter().map(|cut| cut.next).filter(|&pgno| pgno > 0 && pgno <= self.pages).collect()
    }

    /// Takes a page that was missing; another one may be missing then.
    pub fn supply(&mut self, pgno: u32, page: &[u8]) {
        let usable = self.layout.map_or(0, Layout::usable);
        let Some(at) = self.cut.iter().position(|cut| cut.next == pgno) else { return };
        let mut cut = self.cut.swap_remove(at);
        let Some((next, bytes)) = page.get(..usable).and_then(<[u8]>::split_first_chunk) else { return };
        cut.bytes.extend_from_slice(bytes.get(..cut.wanted - cut.bytes.len()).unwrap_or(bytes));
        cut.next = u32::from_be_bytes(*next);
        self.go_on(cut);
    }

    /// The layout of its pages, once all were fed.
    pub(super) fn whole_layout(&self) -> Option<Layout> {
        self.layout.map(|layout| layout.with_pages(self.pages))
    }

    /// How many pages it has.
    pub(super) fn page_count(&self) -> u32 {
        self.pages
    }

    /// The fingerprints of its pages, in order; they are forgotten.
    pub(super) fn take_fingerprints(&mut self) -> Vec<Fingerprint> {
        core::mem::take(&mut self.fingerprints)
    }

    pub(super) fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// The roots of its objects, by their names.
    pub(super) fn roots(&self) -> HashMap<Name, Pgno> {
        let mut roots = HashMap::new();
        self.visit(Pgno::FIRST, &mut |pgno| {
            roots.extend(self.objects.get(&pgno).into_iter().flatten().cloned());
            true
        });
        roots
    }

    /// Calls `page` with each page of the tree with this root, overflow pages too, until it says no.
    pub(super) fn pages_of(&self, root: Pgno, page: &mut impl FnMut(u32) -> bool) {
        self.visit(root, &mut |pgno| {
            let is_new = page(pgno);
            if is_new {
                for chain in self.chains.get(&pgno).into_iter().flatten() {
                    // One that shares pages with others is none.
                    let _ = chain.pages(self.page_size).all(&mut *page);
                }
            }
            is_new
        });
    }

    /// Calls `page` with each b-tree page below a root, and goes on below those of which it says yes.
    fn visit(&self, root: Pgno, page: &mut impl FnMut(u32) -> bool) {
        let mut pending = vec![(root.value(), 0)];
        while let Some((pgno, depth)) = pending.pop() {
            if depth > MOST_LEVELS || pgno > self.pages || !page(pgno) {
                continue;
            }
            if let Some(interior) = self.interiors.get(&pgno) {
                let children = interior.children.iter().map(|&(child, _)| child).chain([interior.right]);
                pending.extend(children.map(|child| (child, depth + 1)));
            }
        }
    }

    /// Where the pages of a tree begin and end; what is known of them is forgotten.
    pub(super) fn take_guide(&mut self, root: Pgno) -> Guide {
        let mut guide = Guide::new(root);
        // There cannot be more overflow pages than pages: what claims more is damaged, and would take long.
        let mut room = self.pages;
        let mut fits = |chain: &Chain| match room.checked_sub(chain.count) {
            Some(rest) => {
                room = rest;
                true
            }
            None => false,
        };
        // The pages of a level, each with the key after it.
        let mut level = vec![(root.value(), 0)];
        for _ in 0..MOST_LEVELS {
            for (pgno, _) in &level {
                guide.add_chains(self.chains.remove(pgno).unwrap_or_default().into_iter().filter(&mut fits));
            }
            let mut below = Vec::new();
            for &(pgno, after) in &level {
                if let Some(Interior { children, right }) = self.interiors.remove(&pgno) {
                    below.extend(children);
                    below.push((right, after));
                }
            }
            if below.is_empty() {
                break;
            }
            guide.add_level(GuideLevel::new(below.clone()));
            level = below;
        }
        guide
    }
}

/// The overflow pages of a payload.
fn chain(key: u64, payload: Payload<'_>, layout: Layout) -> Option<Chain> {
    let overflow = payload.overflow?;
    let count = overflow.remaining.div_ceil(layout.usable() - 4);
    Some(Chain { key, first: overflow.next.value(), count: u32::try_from(count).ok()? })
}

/// An entry as it stands in its cell, up to the number of its first overflow page.
fn entry(payload: Payload<'_>) -> Vec<u8> {
    let mut entry = Vec::with_capacity(payload.local.len() + 13);
    entry.put_sqlite_varint(payload.size as i64);
    entry.extend_from_slice(payload.local);
    entry
}

/// A row that may be one of the schema table, and how many of its bytes it takes to tell its name and root.
fn naming(cell: Result<Cell<'_>>) -> Option<(Payload<'_>, usize)> {
    let Ok(Cell::TableLeaf { payload, .. }) = cell else { return None };
    let mut slots = Vec::new();
    Slot::read_all(payload.local, Pgno::FIRST, &mut slots).ok()?;
    let [kind, _, _, root, _] = *slots.as_slice() else { return None };
    let Ok(Value::Text(kind)) = kind.value(payload.local, Pgno::FIRST) else { return None };
    // In UTF-16 every other byte is 0.
    let word: Vec<u8> = kind.iter().copied().filter(|&byte| byte != 0).take(8).collect();
    let is_object = matches!(&*word, b"table" | b"index" | b"view" | b"trigger");
    is_object.then(|| (payload, root.range().end))
}

/// Its name and root, if it has one.
fn object(record: &[u8]) -> Option<(Name, Pgno)> {
    let mut slots = Vec::new();
    Slot::read_all(record, Pgno::FIRST, &mut slots).ok()?;
    let [kind, name, _, root, _] = *slots.as_slice() else { return None };
    let value = |slot: Slot| slot.value(record, Pgno::FIRST).ok();
    let (Some(Value::Text(kind)), Some(Value::Text(name))) = (value(kind), value(name)) else { return None };
    let Some(Value::Integer(root)) = value(root) else { return None };
    let root = u32::try_from(root).ok().and_then(Pgno::new)?;
    Some(((kind.to_vec(), name.to_vec()), root))
}

//! The sound cells of a page.

use super::cell::LooseCell;
use crate::btree::Kind;
use crate::btree::Layout;
use crate::bytes::Reader;
use crate::error::ErrorKind;

/// Where more cells are damaged it is not their length: each try looks through all pointers.
const MOST_TRIES: usize = 8;

/// A b-tree page, read for what is sound in it.
#[derive(Clone, Debug)]
pub struct LoosePage<'a> {
    content: &'a [u8],
    layout: Layout,
    kind: Kind,
    /// Offsets of the sound cells, in the order of their pointers, each once.
    cells: Vec<u16>,
    /// The page number of the child with the largest keys.
    right_most: Option<u32>,
    /// How many cells the page says that it has.
    stated: usize,
    /// How many pointers lead to no sound cell.
    damaged: usize,
    /// How many do before the first that does not.
    leading: usize,
    /// Cells whose length is wrong, each with where it ends.
    mended: Vec<(u16, usize)>,
}

impl<'a> LoosePage<'a> {
    /// Reads the usable part of a page as one of this kind, whose header begins at `start`; `None` where there is no room
    /// for a header.
    // Large, and called from many places.
    #[inline(never)]
    pub fn read(content: &'a [u8], start: usize, kind: Kind, layout: Layout) -> Option<Self> {
        let mut reader = Reader::new(content.get(start..)?, 0, ErrorKind::BtreePage);
        reader.take(3).ok()?;
        let stated = usize::from(reader.u16().ok()?);
        reader.take(3).ok()?;
        let right_most = if kind.is_leaf() { None } else { Some(reader.u32().ok()?) };
        let first = content.len() - reader.remaining();
        // A pointer, and four bytes or more of a cell.
        let most = reader.remaining() / 6;
        let is_empty = stated == 0 && cells_start(content, start) == Some(content.len());
        let (pointers, _) = content.get(first..)?.as_chunks::<2>();
        let mut page = Self {
            content,
            layout,
            kind,
            cells: Vec::new(),
            right_most,
            stated: stated.min(most),
            damaged: 0,
            leading: 0,
            mended: Vec::new(),
        };
        // Cells that need more together lie one over the other: thousands of pointers can lead to the same bytes.
        let mut room = content.len();
        // A page that was emptied still has its old pointers.
        let is_count_lost = stated > most || stated == 0 && !is_empty;
        let count = if is_count_lost { most } else { stated };
        let mut seen = Seen::default();
        let mut tries = 0;
        let offsets = || pointers.iter().take(count).map(|pointer| u16::from_be_bytes(*pointer));
        for at in offsets() {
            let mut cell = if usize::from(at) < first { None } else { page.cell_at(at) };
            if cell.is_none() && usize::from(at) >= first && !is_count_lost && tries < MOST_TRIES {
                tries += 1;
                // It ends where another begins, or the page.
                let end = offsets().filter(|&other| other > at).min().map_or(content.len(), usize::from);
                let bytes = content.get(usize::from(at)..end).unwrap_or_default();
                cell = LooseCell::read_whole(bytes, kind, layout);
                page.mended.extend(cell.map(|_| (at, end)));
            }
            let size = cell.map(|cell| cell.payload.map_or(4, |payload| payload.local.len()));
            match size.and_then(|size| room.checked_sub(size)) {
                Some(left) if seen.add(at) => {
                    room = left;
                    page.leading += usize::from(page.damaged == 0);
                    page.cells.push(at);
                }
                _ if is_count_lost => break,
                _ => page.damaged += 1,
            }
        }
        if stated > most {
            // At least one of those that it states cannot be told from what is no cell.
            page.damaged = page.damaged.max(1);
        }
        Some(page)
    }

    /// The page's kind; `None` when it is no page of a b-tree, or hardly anything in it is sound.
    pub fn classify(content: &'a [u8], start: usize, layout: Layout) -> Option<Kind> {
        let flag = *content.get(start)?;
        if let Some(kind) = Kind::new(flag) {
            let page = Self::read(content, start, kind, layout)?;
            let (sound, stated) = (page.cells.len(), page.stated);
            // Page 1 can have a single child, as its header leaves no room for what is in that.
            let has_child = page.right_most.is_none_or(|child| (2..=layout.page_count()).contains(&child));
            let is_empty = stated == 0 && has_child && cells_start(content, start) == Some(content.len());
            // How many it states may be what is damaged: then the sound ones come first.
            let is_half = sound * 2 >= stated || page.leading * 2 >= sound;
            // Fewer than one in a hundred random places look like a cell.
            let is_plausible = sound > 0 && is_half || sound >= 4 && sound * 8 >= stated;
            return (is_empty || is_plausible).then_some(kind);
        }
        // Its first byte may be what is damaged.
        [Kind::TableLeaf, Kind::IndexLeaf].into_iter().find(|&kind| {
            Self::read(content, start, kind, layout).is_some_and(|page| {
                let is_stated = page.stated > 0 && page.damaged == 0 && page.cells.len() == page.stated;
                is_stated && page.cells.iter().min().map(|&at| usize::from(at)) == cells_start(content, start)
            })
        })
    }

    /// What kind of leaf it is if what points to it is right: hardly anything in it is sound.
    pub fn classify_weakly(content: &'a [u8], layout: Layout) -> Option<Kind> {
        let kind = content.first().and_then(|&flag| Kind::new(flag)).filter(|kind| kind.is_leaf())?;
        Self::read(content, 0, kind, layout).filter(|page| !page.cells.is_empty()).map(|_| kind)
    }

    /// Which of the four kinds of page it was read as.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many cells are not sound.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// The sound cells.
    pub fn cells(&self) -> impl Iterator<Item = LooseCell<'a>> {
        self.cells.iter().filter_map(|&at| self.cell_at(at))
    }

    /// Where they begin in the page.
    pub fn offsets(&self) -> &[u16] {
        &self.cells
    }

    /// The page number of the child with the largest keys, whatever that leads to.
    pub fn right_most(&self) -> Option<u32> {
        self.right_most
    }

    /// The page numbers of all children.
    pub fn children(&self) -> impl Iterator<Item = u32> {
        self.cells().filter_map(|cell| cell.child).chain(self.right_most)
    }

    #[inline(never)]
    fn cell_at(&self, at: u16) -> Option<LooseCell<'a>> {
        let mended = self.mended.iter().find(|&&(mended, _)| mended == at);
        match mended {
            Some(&(_, end)) => LooseCell::read_whole(self.content.get(usize::from(at)..end)?, self.kind, self.layout),
            None => LooseCell::read(self.content.get(usize::from(at)..)?, self.kind, self.layout),
        }
    }

    /// Where cells end whose length is wrong.
    pub fn mended(&self) -> &[(u16, usize)] {
        &self.mended
    }
}

/// Where the page says that its cells begin.
fn cells_start(content: &[u8], start: usize) -> Option<usize> {
    let bytes = content.get(start + 5..start + 7)?;
    // 0 stands for 65,536.
    Some(match u16::from_be_bytes(bytes.try_into().ok()?) {
        0 => 1 << 16,
        offset => offset.into(),
    })
}

/// Offsets in a page that were seen.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// `false` when it was there already.
    fn add(&mut self, at: u16) -> bool {
        let (word, bit) = (usize::from(at / 64), 1u64 << (at % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let Some(bits) = self.0.get_mut(word) else { return false };
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }
}

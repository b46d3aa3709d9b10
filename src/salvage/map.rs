//! What each page of the file is, in a byte.

use crate::btree::Kind;

/// A byte a page: its kind, and what became of it.
#[derive(Clone, Debug, Default)]
pub struct PageMap(Vec<u8>);

/// What a page is marked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The list of free pages has it.
    Free = 1 << 3,
    /// A page that nobody points to points to it.
    Claimed = 1 << 4,
    /// Its rows were read in this pass.
    Visited = 1 << 5,
    /// It is of an index, or of a table that is not asked for.
    Other = 1 << 6,
}

const KIND: u8 = 7;

impl PageMap {
    /// The mark of pages of which nothing is known.
    pub fn new(page_count: u32) -> Self {
        Self(vec![0; page_count as usize])
    }

    /// Size of the file, in pages.
    pub fn page_count(&self) -> u32 {
        self.0.len() as u32
    }

    /// What kind of b-tree page it is, if it is one.
    pub fn kind(&self, pgno: u32) -> Option<Kind> {
        match self.byte(pgno) & KIND {
            1 => Some(Kind::TableLeaf),
            2 => Some(Kind::TableInterior),
            3 => Some(Kind::IndexLeaf),
            4 => Some(Kind::IndexInterior),
            _ => None,
        }
    }

    /// What a page is when the page that points to it is believed to point to a leaf.
    pub fn any_kind(&self, pgno: u32) -> Option<Kind> {
        match self.byte(pgno) & KIND {
            5 => Some(Kind::TableLeaf),
            6 => Some(Kind::IndexLeaf),
            _ => self.kind(pgno),
        }
    }

    /// Takes note of what kind of leaf it may be.
    pub fn set_weak_kind(&mut self, pgno: u32, kind: Kind) {
        if let Some(byte) = self.byte_mut(pgno) {
            *byte = *byte & !KIND | if kind.is_table() { 5 } else { 6 };
        }
    }

    /// Takes note of what kind of page it is.
    pub fn set_kind(&mut self, pgno: u32, kind: Option<Kind>) {
        let code = match kind {
            None => 0,
            Some(Kind::TableLeaf) => 1,
            Some(Kind::TableInterior) => 2,
            Some(Kind::IndexLeaf) => 3,
            Some(Kind::IndexInterior) => 4,
        };
        if let Some(byte) = self.byte_mut(pgno) {
            *byte = *byte & !KIND | code;
        }
    }

    /// Whether it has the mark.
    pub fn has(&self, pgno: u32, mark: Mark) -> bool {
        self.byte(pgno) & mark as u8 != 0
    }

    /// Marks a page.
    pub fn set(&mut self, pgno: u32, mark: Mark) {
        if let Some(byte) = self.byte_mut(pgno) {
            *byte |= mark as u8;
        }
    }

    /// Takes a mark from a page.
    pub fn unset(&mut self, pgno: u32, mark: Mark) {
        if let Some(byte) = self.byte_mut(pgno) {
            *byte &= !(mark as u8);
        }
    }

    /// Takes a mark from every page.
    pub fn clear(&mut self, mark: Mark) {
        for byte in &mut self.0 {
            *byte &= !(mark as u8);
        }
    }

    /// Whether it is a page of a b-tree that belongs to nothing so far.
    pub fn is_orphan(&self, pgno: u32) -> bool {
        let taken = Mark::Free as u8 | Mark::Visited as u8 | Mark::Other as u8;
        self.kind(pgno).is_some() && self.byte(pgno) & taken == 0
    }

    fn byte(&self, pgno: u32) -> u8 {
        pgno.checked_sub(1).and_then(|index| self.0.get(index as usize)).copied().unwrap_or(0)
    }

    fn byte_mut(&mut self, pgno: u32) -> Option<&mut u8> {
        self.0.get_mut(pgno.checked_sub(1)? as usize)
    }
}

//! Old and new page numbers: two bits a page, and 16 bytes for each row with overflow pages.

use crate::btree::Layout;
use crate::page::Pgno;

/// Which pages are taken, in the order of their numbers: the first of them becomes page 2.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    layout: Layout,
    /// A bit for each page that is taken, by its number,
    taken: Vec<u64>,
    /// and for each of those that is an overflow page.
    overflow: Vec<u64>,
    /// How many bytes are in use of the last overflow page of each row, by its number once all are taken.
    ends: Vec<(Pgno, usize)>,
    /// How many are taken before each word.
    before: Vec<u32>,
    count: u32,
}

impl Numbers {
    pub(super) fn new(layout: Layout) -> Self {
        let words = layout.page_count() as usize / 64 + 1;
        Self { layout, taken: vec![0; words], overflow: vec![0; words], ends: Vec::new(), before: Vec::new(), count: 0 }
    }

    /// Takes a page of a b-tree; `false` when it was taken before, or is the first, which the schema has.
    pub(super) fn add(&mut self, pgno: Pgno) -> bool {
        let (word, bit) = place(pgno.value());
        let Some(taken) = self.taken.get_mut(word).filter(|taken| **taken & bit == 0 && pgno != Pgno::FIRST) else {
            return false;
        };
        *taken |= bit;
        true
    }

    /// The same for an overflow page, of which so many bytes are in use if it is the last of its row.
    pub(super) fn add_overflow(&mut self, pgno: Pgno, end: Option<usize>) -> bool {
        let (word, bit) = place(pgno.value());
        if !self.add(pgno) {
            return false;
        }
        self.overflow.get_mut(word).into_iter().for_each(|overflow| *overflow |= bit);
        self.ends.extend(end.map(|end| (pgno, end)));
        true
    }

    /// Numbers all that are taken. Gives the last number.
    pub(super) fn end(&mut self) -> u32 {
        self.ends.sort_unstable();
        self.before.clear();
        self.count = 0;
        for word in &self.taken {
            self.before.push(self.count);
            self.count += word.count_ones();
        }
        self.numbered(self.count)
    }

    pub(super) fn is_overflow(&self, pgno: Pgno) -> bool {
        let (word, bit) = place(pgno.value());
        self.overflow.get(word).is_some_and(|overflow| overflow & bit != 0)
    }

    /// How many bytes of an overflow page are in use, where that is not all of them.
    pub(super) fn used(&self, pgno: Pgno) -> Option<usize> {
        let at = self.ends.binary_search_by_key(&pgno, |&(other, _)| other).ok()?;
        self.ends.get(at).map(|&(_, end)| end)
    }

    /// The new number of a page that is taken.
    pub(super) fn number(&self, pgno: Pgno) -> Option<Pgno> {
        let (word, bit) = place(pgno.value());
        let taken = self.taken.get(word).filter(|taken| *taken & bit != 0)?;
        let index = self.before.get(word)? + (taken & (bit - 1)).count_ones();
        Pgno::new(self.numbered(index + 1))
    }

    /// The page that has this new number.
    pub(super) fn origin(&self, pgno: u32) -> Option<Pgno> {
        let lock_page = self.layout.lock_page().value();
        let index = match pgno {
            ..2 => return None,
            _ if pgno == lock_page => return None,
            _ => pgno - 2 - u32::from(pgno > lock_page),
        };
        if index >= self.count {
            return None;
        }
        let word = self.before.partition_point(|&before| before <= index).checked_sub(1)?;
        let mut bits = *self.taken.get(word)?;
        for _ in *self.before.get(word)?..index {
            bits &= bits - 1;
        }
        Pgno::new(word as u32 * 64 + bits.trailing_zeros())
    }

    /// The number of the page that is taken as the `nth`, counted from 1: the first has number 2, and none has the lock page's.
    fn numbered(&self, nth: u32) -> u32 {
        let number = nth + 1;
        number + u32::from(number >= self.layout.lock_page().value())
    }
}

fn place(pgno: u32) -> (usize, u64) {
    (pgno as usize / 64, 1 << (pgno % 64))
}

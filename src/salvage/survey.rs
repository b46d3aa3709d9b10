//! One look at every page, in the order of the file.

use super::cell::LooseCell;
use super::map::PageMap;
use super::page::LoosePage;
use crate::btree::{Encoding, Layout, PageRange, Pages, Record, Value};
use crate::page::header::HEADER_SIZE;
use crate::page::{DatabaseHeader, Pgno};

/// What is asked for at once, in bytes.
const AT_ONCE: usize = 512 << 10;
/// How many pages that look like parts of the schema, or of the list of free pages, are remembered.
const MOST: usize = 4096;

/// Looks at every page once.
#[derive(Clone, Debug)]
pub struct Survey {
    layout: Layout,
    encoding: Encoding,
    next: u32,
    found: Surveyed,
}

/// What it found.
#[derive(Clone, Debug, Default)]
pub struct Surveyed {
    /// What each page is.
    pub map: PageMap,
    /// The page that begins as a database does, and has a b-tree page behind its header.
    pub first: Option<Pgno>,
    /// Its header, with the list of free pages.
    pub header: Vec<u8>,
    /// Leaves whose rows are of a schema.
    pub schema: Vec<u32>,
    /// Pages that look like parts of the list of free pages.
    pub trunks: Vec<u32>,
}

impl Survey {
    /// A survey that has not looked at any page.
    pub fn new(layout: Layout, encoding: Encoding) -> Self {
        let found = Surveyed { map: PageMap::new(layout.page_count()), ..Surveyed::default() };
        Self { layout, encoding, next: 1, found }
    }

    /// How many pages were looked at.
    pub fn done(&self) -> u32 {
        self.next - 1
    }

    /// Looks at the pages in hand; the ones it needs next, or nothing when all were seen.
    pub fn step(&mut self, pages: &Pages) -> Option<PageRange> {
        while self.next <= self.layout.page_count() {
            let pgno = Pgno::new(self.next)?;
            let lock = self.layout.lock_page();
            if pgno != lock {
                let Some(page) = pages.page(pgno) else {
                    let most = (AT_ONCE / self.layout.page_size()).max(1) as u32;
                    let end = if lock > pgno { lock.value() } else { u32::MAX };
                    let left = (self.layout.page_count() - self.next + 1).min(end - self.next);
                    return Some(PageRange { first: pgno, count: most.min(left) });
                };
                self.look(pgno, page);
            }
            self.next += 1;
        }
        None
    }

    /// What was found, at the end.
    pub fn into_found(self) -> Surveyed {
        self.found
    }

    fn look(&mut self, pgno: Pgno, page: &[u8]) {
        let Ok(content) = self.layout.content(page) else { return };
        let is_first = DatabaseHeader::parse(page).is_ok()
            && LoosePage::classify(content, HEADER_SIZE, self.layout).is_some_and(|kind| kind.is_table());
        // The real page 1 may have been put in another's place.
        if is_first && (pgno == Pgno::FIRST || self.found.first.is_none()) {
            self.found.first = Some(pgno);
            self.found.header = content.get(..HEADER_SIZE).unwrap_or_default().to_vec();
        }
        let start = if is_first { HEADER_SIZE } else { 0 };
        let mut kind = LoosePage::classify(content, start, self.layout);
        let mut start = start;
        if kind.is_none() && pgno == Pgno::FIRST {
            // Its header may be lost while the schema behind it is not.
            start = HEADER_SIZE;
            kind = LoosePage::classify(content, start, self.layout).filter(|kind| kind.is_table());
            if kind.is_some() && self.found.first.is_none() {
                self.found.first = Some(pgno);
                // A header in which these three bytes are sound is mostly sound altogether (file format, section 1.3.5).
                let header = content.get(..HEADER_SIZE).filter(|header| header.get(21..24) == Some(&[64, 32, 32]));
                self.found.header = header.unwrap_or_default().to_vec();
            }
        }
        self.found.map.set_kind(pgno.value(), kind);
        if kind.is_none()
            && let Some(weak) = LoosePage::classify_weakly(content, self.layout)
        {
            self.found.map.set_weak_kind(pgno.value(), weak);
        }
        let leaf = kind.filter(|kind| kind.is_table() && kind.is_leaf());
        if let Some(page) = leaf.and_then(|kind| LoosePage::read(content, start, kind, self.layout)) {
            if self.found.schema.len() < MOST && is_of_schema(&page, self.encoding) {
                self.found.schema.push(pgno.value());
            }
        } else if kind.is_none() && self.found.trunks.len() < MOST && super::freelist::is_trunk(content, self.layout) {
            self.found.trunks.push(pgno.value());
        }
    }
}

/// Whether most rows are as those of the schema are: type, name, table, root page, SQL.
pub fn is_of_schema(page: &LoosePage<'_>, encoding: Encoding) -> bool {
    let is_object = |cell: &LooseCell<'_>| {
        let payload = cell.payload?;
        let record = Record::parse(payload.local, Pgno::FIRST).ok()?;
        let mut values = record.values();
        let Some(Ok(Value::Text(kind))) = values.next() else { return None };
        let kind = if kind.len() <= 14 { encoding.decode_lossy(kind) } else { return None };
        let types: Vec<i64> = super::types(payload.local).collect();
        let is_known = ["table", "index", "view", "trigger"].contains(&&*kind);
        (is_known && types.len() == 5 && types.get(1..3)?.iter().all(|&text| text >= 13 && text % 2 == 1)).then_some(())
    };
    let (all, of_schema) = (page.cells().count(), page.cells().filter(|cell| is_object(cell).is_some()).count());
    all > 0 && of_schema * 2 > all
}

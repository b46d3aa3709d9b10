//! Page size, reserve and encoding of a file, from its pages: the header may be what is damaged.

use super::cell::types;
use super::page::LoosePage;
use super::shift::Shift;
use crate::btree::{Encoding, Kind, Layout, Record, Value};
use crate::bytes::{Reader, packed_by};
use crate::error::{ErrorKind, Result};
use crate::page::header::HEADER_SIZE;
use crate::page::{DatabaseHeader, PageSize, Pgno};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
/// What is looked at in one piece, in bytes: a page of any size begins with it.
const WINDOW: u64 = 1 << 16;
/// How many of these are looked at.
const MOST: u64 = 48;

/// Looks at samples of a file.
#[derive(Clone, Debug)]
pub struct Detect {
    size: u64,
    /// Where samples are still to be taken, the next one last.
    windows: Vec<u64>,
    /// The first bytes of the file, or of the page that looks most like a first one.
    header: Vec<u8>,
    /// Whether the file begins as a database does.
    has_start: bool,
    sizes: Vec<Evidence>,
}

/// What speaks for a page size.
#[derive(Clone, Debug)]
struct Evidence {
    layout: Layout,
    page_size: PageSize,
    pages: u64,
    /// How many pages end so many bytes before their end.
    reserves: Vec<u32>,
    /// Texts that are only UTF-8, UTF-16le or UTF-16be.
    texts: [u32; 3],
    shift: Shift,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// In bytes.
    pub page_size: PageSize,
    /// Size of the file in pages, the last of which may be cut off.
    pub page_count: u32,
    /// A header that says so, with what is left of the one that was there.
    pub header: Vec<u8>,
    /// Whether the file's own header says something else.
    pub is_repaired: bool,
    /// How many pages are missing before the first one of the file; `page_count` is without them.
    pub missing: u32,
}

impl Detect {
    /// For a file of `size` bytes; `page_size` where it is known.
    pub fn new(size: u64, page_size: Option<PageSize>) -> Self {
        let count = size.div_ceil(WINDOW);
        let step = count.div_ceil(MOST).max(1);
        let mut windows: Vec<u64> = (0..count).step_by(step as usize).map(|index| index * WINDOW).collect();
        windows.reverse();
        let sizes =
            SIZES.into_iter().filter_map(PageSize::new).filter(|&each| page_size.is_none_or(|size| size == each));
        Self { size, windows, header: Vec::new(), has_start: false, sizes: sizes.map(Evidence::new).collect() }
    }

    /// The offset and the length of the bytes that it needs, or nothing when it has seen enough.
    pub fn poll(&self) -> Option<(u64, usize)> {
        let offset = *self.windows.last()?;
        Some((offset, (self.size - offset).min(WINDOW) as usize))
    }

    /// Takes the bytes asked for.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(offset) = self.windows.pop() else { return };
        if offset == 0 {
            self.has_start = bytes.starts_with(MAGIC);
            self.header = bytes.get(..HEADER_SIZE.min(bytes.len())).unwrap_or_default().to_vec();
        }
        for evidence in &mut self.sizes {
            for (index, page) in bytes.chunks_exact(evidence.page_size.bytes()).enumerate() {
                let is_first = page.starts_with(MAGIC) || offset == 0 && index == 0;
                let place = offset / page.len() as u64 + index as u64 + 1;
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                if !is_first || !evidence.look(page, HEADER_SIZE, place) {
                    evidence.look(page, 0, place);
                }
                if is_first && !is_plausible(&self.header) && DatabaseHeader::parse(page).is_ok() {
                    self.header = page.get(..HEADER_SIZE).unwrap_or_default().to_vec();
                }
            }
        }
    }

    /// What the file is.
    ///
    /// # Errors
    /// `DatabaseEmpty`; `DatabaseNotSqlite` when neither a header nor a page is one that SQLite writes.
    pub fn finish(&self) -> Result<Detected> {
        if self.size == 0 {
            return Err(ErrorKind::DatabaseEmpty.into());
        }
        let stated = DatabaseHeader::parse(&self.header).ok();
        let best = self.sizes.iter().max_by_key(|evidence| evidence.bytes()).ok_or(ErrorKind::Usage)?;
        let of_header = self.sizes.iter().find(|evidence| {
            // A few pages that look otherwise do not speak against a header.
            let is_likely = best.pages < 4 || evidence.pages > 0 && evidence.bytes() * 8 >= best.bytes();
            Some(evidence.page_size) == stated.map(|header| header.page_size) && is_likely
        });
        let is_known = self.sizes.len() == 1;
        let nothing = match packed_by(&self.header) {
            Some(_) => ErrorKind::DatabasePacked,
            None => ErrorKind::DatabaseNotSqlite,
        };
        let chosen = of_header.or((best.pages > 0 || is_known).then_some(best)).ok_or(nothing)?;
        let page_size = chosen.page_size;
        let page_count = self.size.div_ceil(page_size.bytes() as u64);
        let page_count = u32::try_from(page_count).map_err(|_| ErrorKind::DatabaseHeader)?;
        let fields = if is_plausible(&self.header) { self.header.clone() } else { Vec::new() };
        let reserved = chosen.reserved(fields.get(20).copied());
        let encoding = chosen.encoding(field(&fields, 56) & 3);
        let header = write_header(fields, page_size, reserved, encoding, page_count);
        let repaired = DatabaseHeader::parse(&header)?;
        let is_repaired = stated.is_none_or(|stated| {
            let are_alike = (stated.page_size, stated.reserved) == (page_size, reserved);
            !are_alike || Encoding::new(stated.encoding) != Encoding::new(repaired.encoding)
        });
        let missing = if self.has_start { 0 } else { chosen.shift.pages(page_count) };
        Ok(Detected { page_size, page_count, header, is_repaired, missing })
    }
}

impl Evidence {
    fn new(page_size: PageSize) -> Self {
        // Room for every page number: where the file ends is no question here.
        let layout = Layout::of(page_size, 0, u32::MAX);
        Self { layout, page_size, pages: 0, reserves: vec![0; 256], texts: [0; 3], shift: Shift::default() }
    }

    /// What its pages come to.
    fn bytes(&self) -> u64 {
        self.pages * self.page_size.bytes() as u64
    }

    /// Takes note of a page, if it is one of a b-tree.
    fn look(&mut self, page: &[u8], start: usize, place: u32) -> bool {
        let Some(loose) = page
            .get(start)
            .and_then(|&flag| Kind::new(flag))
            .and_then(|kind| LoosePage::read(page, start, kind, self.layout).filter(|loose| loose.damaged() == 0))
        else {
            return false;
        };
        let (mut end, mut is_long) = (0, false);
        for (cell, &at) in loose.cells().zip(loose.offsets()) {
            let length = match cell.payload {
                Some(payload) => payload.start + payload.local.len() + if payload.next.is_some() { 4 } else { 0 },
                None => 5,
            };
            // How much of a long one is here depends on the reserve.
            is_long |= cell.payload.is_some_and(|payload| payload.next.is_some());
            end = end.max(usize::from(at) + length);
        }
        // Cells are put at the end of a page: in smaller pages they would not lie, and larger ones would be half empty.
        if end <= page.len() / 2 || end > page.len() {
            return false;
        }
        self.pages += 1;
        self.shift.note(place, &loose);
        // How long cells of numbers alone are is not known to the byte.
        let is_exact = !is_long && loose.kind() != Kind::TableInterior;
        if let Some(count) = self.reserves.get_mut(page.len() - end).filter(|_| is_exact) {
            *count += 1;
        }
        if loose.kind() == Kind::TableLeaf {
            for local in loose.cells().filter_map(|cell| cell.payload).map(|payload| payload.local) {
                self.look_at_texts(local);
            }
        }
        true
    }

    fn look_at_texts(&mut self, local: &[u8]) {
        if !types(local).any(|serial_type| serial_type >= 13 && serial_type % 2 == 1) {
            return;
        }
        let Ok(record) = Record::parse(local, Pgno::FIRST) else { return };
        for value in record.values().map_while(Result::ok) {
            let Value::Text(text) = value else { continue };
            let index = match text {
                [b' '..0x7f, 0, ..] if text.len() % 2 == 0 => 1,
                [0, b' '..0x7f, ..] if text.len() % 2 == 0 => 2,
                [_, _, ..] if text.len() % 2 == 1 || text.iter().all(|byte| (b' '..0x7f).contains(byte)) => 0,
                _ => continue,
            };
            if let Some(count) = self.texts.get_mut(index) {
                *count += 1;
            }
        }
    }

    /// How many bytes at the end of each page are left alone; `stated` is what the header says.
    fn reserved(&self, stated: Option<u8>) -> u8 {
        let most = self.page_size.bytes().saturating_sub(480);
        let stated = stated.filter(|&stated| usize::from(stated) <= most);
        let all: u32 = self.reserves.iter().sum();
        let most_common = self.reserves.iter().max().copied().unwrap_or(0);
        let seen = self.reserves.iter().position(|&count| count == most_common).unwrap_or(0);
        let seen = u8::try_from(seen.min(most)).unwrap_or(0);
        let within = |stated: u8| -> u32 { self.reserves.iter().take(stated.into()).sum() };
        match stated {
            // Bytes are in use that it says are not.
            Some(stated) if within(stated) * 10 > all => seen,
            // Nearly every page leaves as many alone, and it says none.
            Some(0) if all >= 16 && most_common * 10 >= all * 9 => seen,
            Some(stated) => stated,
            // In a page from which rows were deleted, the last bytes may be free; a few pages say little.
            None if all >= 4 && most_common * 2 >= all => seen,
            None => 0,
        }
    }

    /// How text is stored; `stated` is what the header says.
    fn encoding(&self, stated: u32) -> u32 {
        let all: u32 = self.texts.iter().sum();
        let (best, most) = (1..).zip(self.texts).max_by_key(|&(_, count)| count).unwrap_or((1, 0));
        let share = |encoding: u32| self.texts.get(encoding.wrapping_sub(1) as usize).copied();
        match share(stated) {
            _ if all == 0 => {
                if share(stated).is_some() {
                    stated
                } else {
                    1
                }
            }
            Some(count) if count * 10 >= all || most * 10 < all * 6 => stated,
            _ => best,
        }
    }
}

/// Whether what stands in a header is a header's, apart from its first bytes and the page size.
fn is_plausible(header: &[u8]) -> bool {
    header.get(21..24) == Some(&[64, 32, 32]) && (0..=4).contains(&field(header, 44)) && header.len() >= HEADER_SIZE
}

fn field(header: &[u8], offset: usize) -> u32 {
    let bytes = header.get(offset..).unwrap_or_default();
    Reader::new(bytes, 0, ErrorKind::DatabaseHeader).u32().unwrap_or(0)
}

fn write_header(fields: Vec<u8>, page_size: PageSize, reserved: u8, encoding: u32, page_count: u32) -> Vec<u8> {
    let mut header = fields;
    header.resize(HEADER_SIZE, 0);
    let counter: [u8; 4] = field(&header, 24).to_be_bytes();
    // 1 stands for 65,536.
    let size = u16::try_from(page_size.value()).unwrap_or(1).to_be_bytes();
    let mut put = |offset: usize, bytes: &[u8]| {
        if let Some(place) = header.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, MAGIC);
    put(16, &size);
    put(18, &[1, 1, reserved, 64, 32, 32]);
    put(28, &page_count.to_be_bytes());
    put(56, &encoding.to_be_bytes());
    put(92, &counter);
    header
}

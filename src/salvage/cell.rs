//! One cell, and whether it is one that SQLite wrote.

use crate::btree::Kind;
use crate::btree::Layout;
use crate::btree::payload::local_size;
use crate::bytes::Reader;
use crate::error::ErrorKind;

/// More values than any record has.
const MAX_VALUES: usize = 1 << 16;

/// A cell that is whole as far as its page goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LooseCell<'a> {
    /// On an interior page, the page number in it, whatever that leads to.
    pub child: Option<u32>,
    /// In a table: the rowid, or the largest below.
    pub rowid: Option<i64>,
    /// The record; none on interior pages of tables.
    pub payload: Option<LoosePayload<'a>>,
}

/// A record whose first bytes are sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoosePayload<'a> {
    /// Where it begins in the cell.
    pub start: usize,
    /// The bytes on the cell's own page.
    pub local: &'a [u8],
    /// Length of the whole record, in bytes.
    pub size: usize,
    /// The page number of the rest, if there is one, whatever that leads to.
    pub next: Option<u32>,
}

impl<'a> LooseCell<'a> {
    /// The cell that begins `bytes`; `None` for bytes that are none.
    // Large, and called from many places.
    #[inline(never)]
    pub fn read(bytes: &'a [u8], kind: Kind, layout: Layout) -> Option<Self> {
        let mut reader = Reader::new(bytes, 0, ErrorKind::BtreePage);
        let child = if kind.is_leaf() { None } else { Some(reader.u32().ok()?) };
        if kind == Kind::TableInterior {
            // Page 1 is no child of any other. That it is beyond the end may be because the end is lost.
            child.filter(|&child| {
                child > 1 && child <= layout.page_count().saturating_mul(64).saturating_add(1 << 10)
            })?;
            return Some(Self { child, rowid: Some(reader.sqlite_varint().ok()?), payload: None });
        }
        let size = usize::try_from(reader.sqlite_varint().ok()?).ok()?;
        let rowid = if kind.is_table() { Some(reader.sqlite_varint().ok()?) } else { None };
        if size == 0 || size > layout.largest_payload().max(layout.usable()) {
            return None;
        }
        let start = bytes.len() - reader.remaining();
        let local = reader.take(local_size(kind, size, layout.usable())).ok()?;
        let next = if local.len() < size { Some(reader.u32().ok()?) } else { None };
        if !is_record(local, size) {
            return None;
        }
        Some(Self { child, rowid, payload: Some(LoosePayload { start, local, size, next }) })
    }
}

impl<'a> LooseCell<'a> {
    /// The record of a cell that only states a wrong length: `bytes` are all of the cell, and the record says that it
    /// is just as long. Rows of tables only, and no longer ones than a page holds.
    pub fn read_whole(bytes: &'a [u8], kind: Kind, layout: Layout) -> Option<Self> {
        if kind != Kind::TableLeaf {
            return None;
        }
        let mut reader = Reader::new(bytes, 0, ErrorKind::BtreePage);
        reader.sqlite_varint().ok()?;
        let rowid = reader.sqlite_varint().ok()?;
        let size = reader.remaining();
        let start = bytes.len() - size;
        let local = reader.take(size).ok()?;
        let is_whole = size > 0 && local_size(kind, size, layout.usable()) == size && is_record(local, size);
        let payload = LoosePayload { start, local, size, next: None };
        is_whole.then_some(Self { child: None, rowid: Some(rowid), payload: Some(payload) })
    }
}

/// The serial types of a record that begins with `local`, as far as its header is in there.
pub fn types(local: &[u8]) -> impl Iterator<Item = i64> {
    let mut reader = Reader::new(local, 0, ErrorKind::BtreePage);
    let header = reader.sqlite_varint().ok().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
    let mut reader = Reader::new(local.get(..header.min(local.len())).unwrap_or_default(), 0, ErrorKind::BtreePage);
    let _ = reader.sqlite_varint();
    core::iter::from_fn(move || if reader.remaining() == 0 { None } else { reader.sqlite_varint().ok() })
}

/// Length of a value of this serial type, in bytes; `None` for one that SQLite does not store.
pub(super) fn size_of(serial_type: i64) -> Option<usize> {
    Some(match serial_type {
        0 | 8 | 9 => 0,
        1..=4 => serial_type as usize,
        5 => 6,
        6 | 7 => 8,
        12.. => usize::try_from((serial_type - 12) / 2).ok()?,
        _ => return None,
    })
}

/// Whether a record of `size` bytes may begin with `local`: header and values together have to be as long as the cell
/// says.
#[inline(never)]
fn is_record(local: &[u8], size: usize) -> bool {
    let mut reader = Reader::new(local, 0, ErrorKind::BtreePage);
    let Some(header) = reader.sqlite_varint().ok().and_then(|header| usize::try_from(header).ok()) else {
        return false;
    };
    if header == 0 || header > size {
        return false;
    }
    let is_whole = header <= local.len();
    let start = local.len() - reader.remaining();
    let Some(bytes) = local.get(start..header.min(local.len())) else { return false };
    let mut reader = Reader::new(bytes, 0, ErrorKind::BtreePage);
    let (mut total, mut count) = (header, 0);
    while reader.remaining() > 0 {
        // The last of a header that goes on elsewhere can be cut in two.
        let Ok(serial_type) = reader.sqlite_varint() else { return !is_whole };
        let Some(value) = size_of(serial_type) else { return false };
        total = total.saturating_add(value);
        count += 1;
        if total > size || count > MAX_VALUES {
            return false;
        }
    }
    !is_whole || total == size
}

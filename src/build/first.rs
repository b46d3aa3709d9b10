//! Page 1: the database header and the root of the schema table (file format, sections 1.3 and 2.6).

use super::draft::Draft;
use super::output::Output;
use super::tree::Root;
use crate::btree::{Encoding, Kind};
use crate::bytes::Writer;
use crate::error::Result;
use crate::page::header::HEADER_SIZE;
use crate::page::{PageSize, Pgno};

/// The version of SQLite that is said to have written the file.
const SQLITE_VERSION: u32 = 3_050_000;
/// With descending indexes, and 0 and 1 in no bytes.
const SCHEMA_FORMAT: u32 = 4;

/// What the header says of a database, besides its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// In bytes.
    pub page_size: PageSize,
    /// How text is stored. It is given so, too.
    pub encoding: Encoding,
    /// Rises with every commit.
    pub change_counter: u32,
    /// Rises with every change of the schema.
    pub schema_cookie: u32,
    /// `PRAGMA user_version`.
    pub user_version: u32,
    /// `PRAGMA application_id`.
    pub application_id: u32,
}

/// Writes the last pages: the free ones, and page 1 with the root of the schema's tree. A root that takes more room than
/// is left there becomes a page of its own.
pub(super) fn last_pages(root: Root, options: &Options, out: &mut Output) -> Result<()> {
    let right = root.right;
    let mut page = match root.page.finish_first(right) {
        Ok(page) => page,
        Err(mut page) => {
            let child = out.append(None, page.finish(right))?;
            // There is always room for a page without cells.
            Draft::new(out.page_size(), Kind::TableInterior).finish_first(Some(child)).unwrap_or_default()
        }
    };
    let free = out.end_pages();
    write_free_pages(&free, out);
    let header = header(options, out.page_count(), &free);
    if let Some(to) = page.get_mut(..header.len()) {
        to.copy_from_slice(&header);
    }
    out.put(Pgno::FIRST, &page);
    Ok(())
}

/// The list of free pages (file format, section 1.5): trunk pages, each with the numbers of those that follow it up to
/// the next one. They are written in order; what was on them is not kept.
fn write_free_pages(free: &[u32], out: &mut Output) {
    let size = out.page_size().bytes();
    // As many as SQLite itself puts there.
    let leaves = size / 4 - 8;
    let mut page = Vec::with_capacity(size);
    let mut trunks = free.chunks(leaves + 1).peekable();
    while let Some(trunk) = trunks.next() {
        let next = trunks.peek().and_then(|next| next.first()).copied().unwrap_or(0);
        page.put_u32(next);
        page.put_u32(trunk.len() as u32 - 1);
        trunk.iter().skip(1).for_each(|&leaf| page.put_u32(leaf));
        for &pgno in trunk {
            page.resize(size, 0);
            Pgno::new(pgno).into_iter().for_each(|pgno| out.put(pgno, &page));
            page.clear();
        }
    }
}

fn header(options: &Options, page_count: u32, free: &[u32]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_SIZE);
    header.extend_from_slice(b"SQLite format 3\0");
    // 65,536 is 1.
    let page_size = options.page_size.value();
    header.put_u16((page_size as u16).max(1));
    // Written and read with a rollback journal, no reserved bytes; then three fractions that have one value only.
    header.extend_from_slice(&[1, 1, 0, 64, 32, 32]);
    header.put_u32(options.change_counter);
    header.put_u32(page_count);
    header.put_u32(free.first().copied().unwrap_or(0));
    header.put_u32(free.len() as u32);
    header.put_u32(options.schema_cookie);
    header.put_u32(SCHEMA_FORMAT);
    // The size of the cache is the reader's choice, and the file does not shrink by itself.
    header.put_u64(0);
    header.put_u32(match options.encoding {
        Encoding::Utf8 => 1,
        Encoding::Utf16Le => 2,
        Encoding::Utf16Be => 3,
    });
    header.put_u32(options.user_version);
    header.put_u32(0);
    header.put_u32(options.application_id);
    header.extend_from_slice(&[0; 20]);
    header.put_u32(options.change_counter);
    header.put_u32(SQLITE_VERSION);
    header
}

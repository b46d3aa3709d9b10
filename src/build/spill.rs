//! A cell whose payload goes on in overflow pages, or comes in pieces (file format, section 1.6).

use super::guide::key_of;
use super::output::Output;
use crate::bytes::Writer;
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

/// Length of the page number at the start of an overflow page, in bytes.
const NEXT: usize = 4;

/// The cell, while the bytes of its payload come. Each overflow page is written once it is full.
#[derive(Clone, Debug)]
pub(super) struct Spill {
    rowid: Option<i64>,
    cell: Vec<u8>,
    /// How many bytes of the payload the cell still takes,
    local: usize,
    /// and how many are still to come in all.
    left: usize,
    /// The overflow page that is being filled, and its number.
    page: Vec<u8>,
    pgno: Option<u32>,
}

impl Spill {
    /// A cell that begins with `start`, of whose payload of `size` bytes it takes `local`; in a table, of this row.
    pub(super) fn new(start: &[u8], size: usize, local: usize, rowid: Option<i64>) -> Self {
        Self { rowid, cell: start.to_vec(), local, left: size, page: Vec::new(), pgno: None }
    }

    /// How many bytes of the payload are still to come.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Takes the next bytes of the payload.
    ///
    /// # Errors
    /// `BuildSize`; `Usage` when there are more than were to come.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut Output) -> Result<()> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(ErrorKind::Usage)?;
        let (local, mut rest) = bytes.split_at(bytes.len().min(self.local));
        self.cell.extend_from_slice(local);
        self.local -= local.len();
        let size = out.page_size().bytes();
        while !rest.is_empty() {
            let pgno = match self.pgno {
                Some(pgno) => pgno,
                None => self.begin(rest.len() + self.left, out)?,
            };
            let (here, after) = rest.split_at(rest.len().min(size - self.page.len()));
            self.page.extend_from_slice(here);
            rest = after;
            let is_last = rest.is_empty() && self.left == 0;
            if self.page.len() == size || is_last {
                let next = if is_last { 0 } else { out.page_after(pgno) };
                self.page.resize(size, 0);
                if let Some(to) = self.page.first_chunk_mut::<NEXT>() {
                    *to = next.to_be_bytes();
                }
                out.put(Pgno::new(pgno).ok_or(ErrorKind::BuildSize)?, &self.page);
                self.page.truncate(NEXT);
                self.pgno = Some(next);
            }
        }
        Ok(())
    }

    /// Begins the overflow pages, which hold so many bytes; gives the first.
    fn begin(&mut self, bytes: usize, out: &mut Output) -> Result<u32> {
        let key = self.rowid.map_or_else(|| key_of(&self.cell), |rowid| rowid as u64);
        let count = bytes.div_ceil(out.page_size().bytes() - NEXT);
        let chain = out.allot_chain(key, u32::try_from(count).map_err(|_| ErrorKind::BuildSize)?)?;
        self.cell.put_u32(chain.first);
        self.page.put_u32(0);
        Ok(*self.pgno.insert(chain.first))
    }

    /// The cell, when all of its payload came.
    pub(super) fn cell(&self) -> &[u8] {
        &self.cell
    }
}

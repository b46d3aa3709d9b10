//! From a chain of LTX files to the database file, as a stream, with the database checksum proved at the end.

use crate::error::{Error, ErrorKind, Result};
use crate::ltx::{Merge, MergeEvent};
use crate::page::checksum::PageChecksummer;
use crate::page::{Checksum, PageSize};

/// How much is put out at a time, in bytes.
const OUTPUT: usize = 1 << 20;

/// Restores one state. Output is the database file from its first byte to its last, the lock page as zeros.
pub struct Restore {
    merge: Merge,
    shape: Option<Shape>,
    /// What the checksum must be, where the newest file says so.
    after: Option<Checksum>,
    crc: Option<PageChecksummer>,
    output: Vec<u8>,
    checksum: Checksum,
    /// Pages written.
    written: u32,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Shape {
    page_size: PageSize,
    page_count: u32,
}

/// What the restore needs or gives next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreEvent {
    /// Feed this file of the chain.
    NeedInput(usize),
    /// Call [`Restore::take_output`].
    Output,
    /// All was put out, and this is the database checksum of it.
    End(Checksum),
}

impl Restore {
    /// From `files` LTX files, oldest first; the first must be a snapshot. With `is_proved` the caller knows what checksum must come
    /// out of it, and pages that later files replace are not looked at.
    pub fn new(files: usize, is_proved: bool) -> Self {
        let mut merge = Merge::new(files);
        if is_proved {
            merge.skip_replaced();
        }
        Self {
            merge,
            shape: None,
            after: None,
            crc: None,
            output: Vec::new(),
            checksum: Checksum::EMPTY,
            written: 0,
            ended: false,
        }
    }

    /// Appends the next bytes of a file; empty `bytes` mean that it ends.
    ///
    /// # Errors
    /// `Usage` for a file that is not there.
    pub fn feed(&mut self, file: usize, bytes: &[u8]) -> Result<()> {
        self.merge.feed(file, bytes)
    }

    /// Page size in bytes and page count, once the headers were read.
    pub fn shape(&self) -> Option<(u32, u32)> {
        self.shape.map(|shape| (shape.page_size.value(), shape.page_count))
    }

    /// The next step.
    ///
    /// # Errors
    /// Any `Ltx…` and `Chain…` kind.
    pub fn poll(&mut self) -> Result<RestoreEvent> {
        loop {
            if self.output.len() >= OUTPUT || (self.ended && !self.output.is_empty()) {
                return Ok(RestoreEvent::Output);
            }
            if self.ended {
                return Ok(RestoreEvent::End(self.checksum));
            }
            if let Some(event) = self.step()? {
                return Ok(event);
            }
        }
    }

    /// Takes the bytes that come next.
    pub fn take_output(&mut self) -> Vec<u8> {
        let capacity = self.output.capacity();
        core::mem::replace(&mut self.output, Vec::with_capacity(capacity))
    }

    fn step(&mut self) -> Result<Option<RestoreEvent>> {
        let (Some(shape), Some(checksummer)) = (self.shape, &self.crc) else {
            match self.merge.poll(&mut [])? {
                MergeEvent::NeedInput(file) => return Ok(Some(RestoreEvent::NeedInput(file))),
                MergeEvent::Header(header) if header.is_snapshot() => {
                    let (page_size, page_count) = (header.page_size, header.commit);
                    self.output.reserve(OUTPUT + page_size.bytes());
                    self.shape = Some(Shape { page_size, page_count });
                    self.after = header.after;
                    self.crc = Some(PageChecksummer::new(page_size));
                }
                MergeEvent::Header(header) => {
                    return Err(Error::at_txid(ErrorKind::ChainNoSnapshot, header.min.0));
                }
                MergeEvent::Page(..) | MergeEvent::End => return Err(ErrorKind::Usage.into()),
            }
            return Ok(None);
        };
        let start = self.output.len();
        if self.written + 1 == shape.page_size.lock_page().value() && self.written < shape.page_count {
            self.output.resize(start + shape.page_size.bytes(), 0);
            self.written += 1;
            return Ok(None);
        }
        self.output.resize(start + shape.page_size.bytes(), 0);
        let page = self.output.get_mut(start..).unwrap_or_default();
        match self.merge.poll(page) {
            Ok(MergeEvent::Page(pgno, crc)) => {
                self.checksum.toggle(checksummer.page(pgno, crc));
                self.written += 1;
                return Ok(None);
            }
            Ok(MergeEvent::NeedInput(file)) => {
                self.output.truncate(start);
                return Ok(Some(RestoreEvent::NeedInput(file)));
            }
            Ok(MergeEvent::End) if self.after.is_some_and(|after| after != self.checksum) => {
                return Err(ErrorKind::ChainChecksum.into());
            }
            Ok(MergeEvent::End) => self.ended = true,
            Ok(MergeEvent::Header(_)) => return Err(ErrorKind::Usage.into()),
            Err(error) => return Err(error),
        }
        self.output.truncate(start);
        Ok(None)
    }
}

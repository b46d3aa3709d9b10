//! Compaction: the files of a chain as one ascending run of pages, each at its newest.

use super::decoder::{Decoder, Event};
use super::header::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Checksum, Crc64, Pgno};

/// Merges the files of a chain, oldest first. Holds one decoder's buffer a file.
///
/// Every page of every file is decompressed, also those that a later file replaces, because each file's
/// checksum covers all of them: unless [`Merge::skip_replaced`] says that the outcome is proved.
pub struct Merge {
    inputs: Vec<Input>,
    /// The next page number of each input, or [`UNKNOWN`] or [`ENDED`]; side by side, as all are looked at for each page.
    heads: Vec<u32>,
    /// One that may be unknown; those before it are known.
    unknown: usize,
    skips_replaced: bool,
    scratch: Vec<u8>,
    output: Option<Header>,
    last: Option<Pgno>,
}

struct Input {
    decoder: Decoder,
    header: Option<Header>,
    /// Pages past this were cut off by this file or a later one.
    limit: u32,
    /// Database checksum of a snapshot that carries one, as it builds up.
    rolling: Checksum,
}

/// No page has this number.
const UNKNOWN: u32 = 0;
/// No database has so many pages.
const ENDED: u32 = u32::MAX;

/// What the merge needs or gives next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeEvent {
    /// Feed this input, or close it.
    NeedInput(usize),
    /// What the merged file's header is: comes first and once.
    Header(Header),
    /// A page was written to the buffer given to [`Merge::poll`].
    Page(Pgno, Crc64),
    /// Every input is whole, and their pages were given out.
    End,
}

impl Merge {
    /// A merge of `inputs` files, oldest first.
    pub fn new(inputs: usize) -> Self {
        let input = || Input { decoder: Decoder::default(), header: None, limit: u32::MAX, rolling: Checksum::EMPTY };
        Self {
            inputs: core::iter::repeat_with(input).take(inputs).collect(),
            heads: vec![UNKNOWN; inputs],
            unknown: 0,
            skips_replaced: false,
            scratch: Vec::new(),
            output: None,
            last: None,
        }
    }

    /// Decompresses no page that a later file replaces, and leaves the checksums of their files alone: for those who prove what comes
    /// out of the merge.
    pub fn skip_replaced(&mut self) {
        self.skips_replaced = true;
    }

    /// Appends the next bytes of file `input`; empty `bytes` mean that it ends.
    ///
    /// # Errors
    /// `Usage` for an input that is not there.
    pub fn feed(&mut self, input: usize, bytes: &[u8]) -> Result<()> {
        let input = self.inputs.get_mut(input).ok_or(ErrorKind::Usage)?;
        if bytes.is_empty() {
            input.decoder.close();
        } else {
            input.decoder.feed(bytes);
        }
        Ok(())
    }

    /// The next step; a page goes to `page`, which must be one page long once the header is known.
    ///
    /// # Errors
    /// Any `Ltx…` kind, `ChainNoSnapshot`, `ChainGap`, `ChainPageSize`.
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn poll(&mut self, page: &mut [u8]) -> Result<MergeEvent> {
        loop {
            while let (Some(head), Some(input)) = (self.heads.get_mut(self.unknown), self.inputs.get_mut(self.unknown))
            {
                if *head == UNKNOWN {
                    let Some(next) = input.advance()? else { return Ok(MergeEvent::NeedInput(self.unknown)) };
                    *head = next;
                }
                self.unknown += 1;
            }
            let Some(output) = self.output else {
                return self.plan().map(MergeEvent::Header);
            };
            let Some(pgno) = self.heads.iter().copied().min().filter(|&next| next != ENDED).and_then(Pgno::new) else {
                self.prove_complete(output, output.commit.saturating_add(1))?;
                return Ok(MergeEvent::End);
            };
            // Where every file's page was cut off later, the next page is looked at.
            if let Some(crc) = self.take(pgno, page)? {
                self.prove_complete(output, pgno.value())?;
                self.last = Some(pgno);
                return Ok(MergeEvent::Page(pgno, crc));
            }
        }
    }

    /// Takes page `pgno` from every file that has it; the newest one's content goes to `page`.
    fn take(&mut self, pgno: Pgno, page: &mut [u8]) -> Result<Option<Crc64>> {
        let mut newest = None;
        // Newest first: what comes after it is of no use.
        for (number, head) in self.heads.iter_mut().enumerate().rev().filter(|(_, head)| **head == pgno.value()) {
            let Some(input) = self.inputs.get_mut(number) else { continue };
            *head = UNKNOWN;
            self.unknown = number;
            let is_newest = newest.is_none() && pgno.value() <= input.limit;
            if self.skips_replaced && !is_newest {
                input.decoder.skip()?;
                continue;
            }
            let target: &mut [u8] = if is_newest { page } else { &mut self.scratch };
            let crc = input.decoder.page(target)?;
            // A file that does not state the checksum needs none computed: that would take a third of the time.
            if input.header.is_some_and(|header| header.tracked) {
                input.rolling.toggle(Checksum::of_page(pgno, crc));
            }
            if is_newest {
                newest = Some(crc);
            }
        }
        Ok(newest)
    }

    /// Checks the headers against each other, once all are known.
    fn plan(&mut self) -> Result<Header> {
        let headers: Vec<Header> = self.inputs.iter().filter_map(|input| input.header).collect();
        let (Some(&first), Some(&last)) = (headers.first(), headers.last()) else {
            return Err(ErrorKind::ChainNoSnapshot.into());
        };
        let mut reached = None;
        for header in &headers {
            if header.page_size != first.page_size {
                return Err(Error::at_txid(ErrorKind::ChainPageSize, header.min.0));
            }
            // A file may begin before the state reached, as Litestream's compacted files do, but not after it.
            if reached.is_some_and(|reached| header.min.0 > reached + 1 || header.max.0 <= reached) {
                return Err(Error::at_txid(ErrorKind::ChainGap, header.min.0));
            }
            reached = Some(header.max.0);
        }
        let mut limit = u32::MAX;
        for (input, header) in self.inputs.iter_mut().zip(&headers).rev() {
            limit = limit.min(header.commit);
            input.limit = limit;
        }
        self.scratch = vec![0; first.page_size.bytes()];
        let output = Header { min: first.min, ..last };
        self.output = Some(output);
        Ok(output)
    }

    /// A merge that begins with a snapshot must give every page but the lock page.
    fn prove_complete(&self, output: Header, next: u32) -> Result<()> {
        let mut expected = self.last.map_or(0, Pgno::value) + 1;
        if expected == output.page_size.lock_page().value() {
            expected += 1;
        }
        if output.is_snapshot() && next > expected {
            return Err(Error::at_page(ErrorKind::LtxPageMissing, expected));
        }
        Ok(())
    }
}

impl Input {
    /// Moves to the next page or the end: its number or [`ENDED`]. `None`: more bytes are needed.
    fn advance(&mut self) -> Result<Option<u32>> {
        loop {
            match self.decoder.poll()? {
                Event::NeedInput => return Ok(None),
                Event::Header(header) => self.header = Some(header),
                Event::Page(pgno) if pgno.value() == ENDED => {
                    return Err(Error::at_page(ErrorKind::LtxPageOrder, ENDED));
                }
                Event::Page(pgno) => return Ok(Some(pgno.value())),
                Event::End(trailer) => {
                    let is_whole =
                        self.header.is_some_and(|header| header.is_snapshot()) && !self.decoder.has_skipped();
                    if is_whole && trailer.post_apply.is_some_and(|post| post != self.rolling) {
                        return Err(ErrorKind::ChainChecksum.into());
                    }
                    return Ok(Some(ENDED));
                }
            }
        }
    }
}

//! Reads an LTX file in pieces of any size, and proves its checksum.

use super::frame::{FrameSpan, FrameUnpacker};
use super::header::{HEADER_SIZE, Header, TRAILER_SIZE, Trailer};
use super::index::write_triple;
use crate::bytes::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Checksum, Crc64, Pgno};

/// Decodes one file, fed from its start.
///
/// Call [`Decoder::poll`] until it says [`Event::NeedInput`], then [`Decoder::feed`]; after [`Event::Page`] call
/// [`Decoder::page`] before polling again. Holds what was fed and not yet read: at least one frame.
pub struct Decoder {
    input: Input,
    state: State,
    /// Once the header has told the page size.
    unpacker: Option<FrameUnpacker>,
    crc: Crc64,
    /// Over the index as the frames say it must be.
    index: Crc64,
    /// Whether a page was left as it is, so that the file's checksum is not known.
    skipped: bool,
}

/// What comes next in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Feed more, or [`Decoder::close`] when there is none.
    NeedInput,
    /// The header; comes first and once.
    Header(Header),
    /// A page; fetch it with [`Decoder::page`].
    Page(Pgno),
    /// The end: the file is whole and its checksum is right.
    End(Trailer),
}

#[derive(Clone, Copy)]
enum State {
    Header,
    Frames { header: Header, last: Option<Pgno>, pending: Option<FrameSpan>, pages: u32 },
    Index { header: Header, start: u64, seen: Crc64 },
    Trailer { header: Header },
    Done(Trailer),
}

impl Default for Decoder {
    fn default() -> Self {
        let (crc, index) = (Crc64::default(), Crc64::default());
        Self { input: Input::default(), state: State::Header, unpacker: None, crc, index, skipped: false }
    }
}

impl Decoder {
    /// Appends the file's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.feed(bytes);
    }

    /// Says that no more bytes come: from now on a lack of them is an error.
    pub fn close(&mut self) {
        self.input.closed = true;
    }

    /// What comes next.
    ///
    /// # Errors
    /// Any `Ltx…` kind.
    pub fn poll(&mut self) -> Result<Event> {
        let event = match self.state {
            State::Header => self.poll_header(),
            State::Frames { header, last, pending, pages } => {
                if let Some(span) = pending {
                    return Ok(Event::Page(span.pgno));
                }
                self.poll_frame(header, last, pages)
            }
            State::Index { header, start, seen } => self.poll_index(header, start, seen),
            State::Trailer { header } => self.poll_trailer(header),
            State::Done(trailer) if self.input.bytes().is_empty() => Ok(Some(Event::End(trailer))),
            State::Done(_) => Err(self.input.error(ErrorKind::LtxTrailing)),
        };
        match event? {
            Some(event) => Ok(event),
            None if self.input.closed => Err(self.input.error(ErrorKind::LtxTruncated)),
            None => Ok(Event::NeedInput),
        }
    }

    /// Decompresses the page that [`Decoder::poll`] announced into `page`, and returns its checksum.
    ///
    /// # Errors
    /// `LtxCompression`; `Usage` when no page was announced.
    pub fn page(&mut self, page: &mut [u8]) -> Result<Crc64> {
        let (State::Frames { pending: Some(span), .. }, Some(unpacker)) = (self.state, &self.unpacker) else {
            return Err(ErrorKind::Usage.into());
        };
        let crc = unpacker.unpack(self.input.bytes(), span, page, &mut self.crc)?;
        self.pass(span);
        Ok(crc)
    }

    /// Goes past the page that [`Decoder::poll`] announced, as it is stored. The file's checksum is not proved any more.
    ///
    /// # Errors
    /// `Usage` when no page was announced.
    pub fn skip(&mut self) -> Result<()> {
        let State::Frames { pending: Some(span), .. } = self.state else {
            return Err(ErrorKind::Usage.into());
        };
        self.skipped = true;
        self.pass(span);
        Ok(())
    }

    /// Whether a page was skipped.
    pub fn has_skipped(&self) -> bool {
        self.skipped
    }

    fn pass(&mut self, span: FrameSpan) {
        let mut triple = Vec::with_capacity(24);
        write_triple(&mut triple, span.pgno.value(), self.input.offset, span.len as u32);
        self.index.update(&triple);
        self.input.advance(span.len);
        if let State::Frames { pending, last, pages, .. } = &mut self.state {
            (*pending, *last) = (None, Some(span.pgno));
            *pages += 1;
        }
    }

    fn poll_header(&mut self) -> Result<Option<Event>> {
        let Some(bytes) = self.input.bytes().get(..HEADER_SIZE) else {
            // Says at once when the first bytes are not an LTX file's.
            return match Header::decode(self.input.bytes()) {
                Err(error) if error.kind == ErrorKind::LtxMagic && self.input.bytes().len() >= 4 => Err(error),
                _ => Ok(None),
            };
        };
        let header = Header::decode(bytes)?;
        self.crc.update(bytes);
        self.input.advance(HEADER_SIZE);
        self.unpacker = Some(FrameUnpacker::new(header.page_size));
        self.state = State::Frames { header, last: None, pending: None, pages: 0 };
        Ok(Some(Event::Header(header)))
    }

    fn poll_frame(&mut self, header: Header, last: Option<Pgno>, pages: u32) -> Result<Option<Event>> {
        let unpacker = self.unpacker.as_ref().ok_or(ErrorKind::Usage)?;
        let span = match unpacker.measure(self.input.bytes(), self.input.offset)? {
            None => return Ok(None),
            Some(Ok(span)) => span,
            Some(Err(len)) => {
                if header.is_snapshot() && pages != header.page_size.data_pages(header.commit) {
                    return Err(Error::at_page(ErrorKind::LtxPageMissing, last.map_or(0, Pgno::value) + 1));
                }
                self.crc.update(self.input.bytes().get(..len).unwrap_or_default());
                self.input.advance(len);
                self.state = State::Index { header, start: self.input.offset, seen: Crc64::default() };
                return self.poll_index(header, self.input.offset, Crc64::default());
            }
        };
        let pgno = span.pgno;
        if pgno == header.page_size.lock_page() {
            return Err(Error::at_page(ErrorKind::LtxLockPage, pgno.value()));
        }
        if pgno.value() > header.commit || last.is_some_and(|last| pgno <= last) {
            return Err(Error::at_page(ErrorKind::LtxPageOrder, pgno.value()));
        }
        self.state = State::Frames { header, last, pending: Some(span), pages };
        Ok(Some(Event::Page(pgno)))
    }

    /// Takes whole triples until the one that is a lone zero, and the length behind it.
    fn poll_index(&mut self, header: Header, start: u64, mut seen: Crc64) -> Result<Option<Event>> {
        const LONGEST_TRIPLE: usize = 30;
        loop {
            let bytes = self.input.bytes();
            let mut reader = Reader::new(bytes, self.input.offset, ErrorKind::LtxIndex);
            let whole = bytes.len() >= LONGEST_TRIPLE || self.input.closed;
            if bytes.first() != Some(&0) {
                if !whole {
                    self.state = State::Index { header, start, seen };
                    return Ok(None);
                }
                for _ in 0..3 {
                    reader.uvarint()?;
                }
                let len = (reader.offset() - self.input.offset) as usize;
                seen.update(bytes.get(..len).unwrap_or_default());
                self.crc.update(bytes.get(..len).unwrap_or_default());
                self.input.advance(len);
                continue;
            }
            let Some(end) = bytes.get(..9) else {
                self.state = State::Index { header, start, seen };
                return Ok(None);
            };
            reader.take(1)?;
            if seen != self.index || reader.u64()? != self.input.offset + 1 - start {
                return Err(self.input.error(ErrorKind::LtxIndex));
            }
            self.crc.update(end);
            self.input.advance(9);
            self.state = State::Trailer { header };
            return self.poll_trailer(header);
        }
    }

    fn poll_trailer(&mut self, header: Header) -> Result<Option<Event>> {
        let Some(bytes) = self.input.bytes().get(..TRAILER_SIZE) else { return Ok(None) };
        let mut reader = Reader::new(bytes, self.input.offset, ErrorKind::LtxTruncated);
        let post = reader.u64()?;
        self.crc.update(&post.to_be_bytes());
        let file = reader.u64()?;
        let is_right = |file: &Checksum| self.skipped || file.value() == self.crc.value() | 1 << 63;
        let expected = Checksum::new(file).filter(is_right);
        let file = expected.ok_or(self.input.error(ErrorKind::LtxChecksum))?;
        let post_apply = match (header.tracked, post) {
            (true, post) => Some(Checksum::new(post).ok_or(self.input.error(ErrorKind::LtxHeader))?),
            (false, 0) => None,
            (false, _) => return Err(self.input.error(ErrorKind::LtxHeader)),
        };
        self.input.advance(TRAILER_SIZE);
        let trailer = Trailer { post_apply, file };
        self.state = State::Done(trailer);
        if !self.input.bytes().is_empty() {
            return Err(self.input.error(ErrorKind::LtxTrailing));
        }
        Ok(Some(Event::End(trailer)))
    }
}

/// Bytes fed and not yet read.
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    start: usize,
    /// Offset of the next unread byte in the file.
    offset: u64,
    closed: bool,
}

impl Input {
    fn feed(&mut self, bytes: &[u8]) {
        // Moves the unread rest to the front; callers feed far more than one frame at a time, so the rest is short.
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn advance(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::at_offset(kind, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltx::{Encoder, FramePacker, PackedFrames};
    use crate::page::{PageSize, Txid};

    fn file(pages: &[(u32, u8)], commit: u32, min: u64) -> Vec<u8> {
        let page_size = PageSize::new(512).unwrap();
        let mut encoder = Encoder::new(Header::new(page_size, commit, Txid(min), Txid(min + 1), 5));
        let mut frames = PackedFrames::default();
        let mut packer = FramePacker::new(page_size);
        for &(pgno, fill) in pages {
            let data = vec![fill; 512];
            packer.pack(Pgno::new(pgno).unwrap(), &data, Crc64::of(&data), &mut frames).unwrap();
        }
        let mut bytes = encoder.header().to_vec();
        encoder.append(&frames).unwrap();
        bytes.extend(frames.bytes);
        encoder.finish().unwrap().for_each(|piece| bytes.extend(piece));
        bytes
    }

    fn decode(bytes: &[u8], step: usize) -> Result<Vec<(u32, u8)>> {
        let mut decoder = Decoder::default();
        let (mut chunks, mut pages, mut page) = (bytes.chunks(step), Vec::new(), vec![0; 512]);
        loop {
            match decoder.poll()? {
                Event::NeedInput => match chunks.next() {
                    Some(chunk) => decoder.feed(chunk),
                    None => decoder.close(),
                },
                Event::Header(_) => {}
                Event::Page(pgno) => {
                    decoder.page(&mut page)?;
                    pages.push((pgno.value(), page[0]));
                }
                Event::End(_) => {
                    return match chunks.next() {
                        None => Ok(pages),
                        Some(rest) => {
                            decoder.feed(rest);
                            decoder.poll().map(|_| pages)
                        }
                    };
                }
            }
        }
    }

    #[test]
    fn reads_what_the_encoder_wrote_in_any_pieces() {
        for (pages, commit, min) in
            [(vec![(1, 1), (2, 2), (3, 3)], 3, 1), (vec![(7, 9), (200, 3)], 200, 5), (vec![], 9, 2)]
        {
            let bytes = file(&pages, commit, min);
            for step in [1, 7, 100, 10_000] {
                assert_eq!(decode(&bytes, step), Ok(pages.clone()));
            }
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_detected_or_harmless() {
        let pages = vec![(1, 1), (2, 2)];
        let bytes = file(&pages, 2, 1);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // The checksum covers the pages uncompressed: another block that says the same is no damage.
            assert!(decode(&damaged, 64).is_ok_and(|read| read == pages) || decode(&damaged, 64).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], 64).is_err(), "length {len}");
        }
        assert_eq!(decode(&[bytes, vec![0]].concat(), 64).unwrap_err().kind, ErrorKind::LtxTrailing);
    }

    #[test]
    fn a_snapshot_without_all_its_pages_is_refused_when_written() {
        let page_size = PageSize::new(512).unwrap();
        let encoder = Encoder::new(Header::new(page_size, 3, Txid(1), Txid(1), 0));
        assert_eq!(encoder.finish().err().map(|e| e.kind), Some(ErrorKind::LtxPageMissing));
    }
}

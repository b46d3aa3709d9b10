//! Page frames: six bytes of header, four of size, and the page as one LZ4 block.

use lz4_flex::block::get_maximum_output_size;

use super::compress::{Compressor, room_for};
use super::index::IndexBuilder;
use super::lz4::decompress;

use crate::bytes::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::page::checksum::PageChecksummer;
use crate::page::{Crc64, PageSize, Pgno};

/// Length of a frame's header with its size field, in bytes.
pub(super) const FRAME_HEADER_SIZE: usize = 10;
/// The size field follows, and the data is an LZ4 block. Files written before July 2026 have neither.
const HAS_SIZE: u16 = 1;

/// Compresses pages into frames. Keeps its hash table between pages.
pub struct FramePacker {
    page_size: PageSize,
    crc: PageChecksummer,
    lz4: Compressor,
}

/// Frames of ascending pages, and what an [`super::Encoder`] must know of them.
#[derive(Clone, Debug, Default)]
pub struct PackedFrames {
    /// The frames, as they stand in the file.
    pub bytes: Vec<u8>,
    /// Page number and frame size of each.
    pub index: IndexBuilder,
    /// Over what the file checksum covers: each frame's header and size field, then the uncompressed page.
    pub crc: Crc64,
}

impl FramePacker {
    /// For pages of `page_size`.
    pub fn new(page_size: PageSize) -> Self {
        Self { page_size, crc: PageChecksummer::new(page_size), lz4: Compressor::new() }
    }

    /// Appends the frame of a page. `data` is one whole page and `data_crc` its checksum; pages must ascend.
    ///
    /// # Errors
    /// `Usage` when `data` is not one page, `LtxPageOrder`, `LtxLockPage`.
    #[inline(never)] // Once, and not wherever it is called: it is large.
    pub fn pack(&mut self, pgno: Pgno, data: &[u8], data_crc: Crc64, frames: &mut PackedFrames) -> Result<()> {
        if data.len() != self.page_size.bytes() {
            return Err(Error::at_page(ErrorKind::Usage, pgno.value()));
        }
        if pgno == self.page_size.lock_page() {
            return Err(Error::at_page(ErrorKind::LtxLockPage, pgno.value()));
        }
        let out = &mut frames.bytes;
        let start = out.len();
        out.resize(start + FRAME_HEADER_SIZE + room_for(data.len()), 0);
        let (_, frame) = out.split_at_mut(start);
        let (header, block) = frame.split_at_mut(FRAME_HEADER_SIZE);
        // There is room for any block, so compressing cannot fail.
        let size = self.lz4.compress(data, block).ok_or(Error::at_page(ErrorKind::LtxCompression, pgno.value()))?;
        header.copy_from_slice(&frame_header(pgno, size as u32));
        frames.crc.update(header);
        self.crc.join(&mut frames.crc, data_crc);
        out.truncate(start + FRAME_HEADER_SIZE + size);
        frames.index.push(pgno, (FRAME_HEADER_SIZE + size) as u32)
    }
}

fn frame_header(pgno: Pgno, size: u32) -> [u8; FRAME_HEADER_SIZE] {
    let mut bytes = Vec::with_capacity(FRAME_HEADER_SIZE);
    bytes.put_u32(pgno.value());
    bytes.put_u16(HAS_SIZE);
    bytes.put_u32(size);
    let mut header = [0; FRAME_HEADER_SIZE];
    header.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    header
}

/// Where a frame lies in a buffer, and how it is encoded.
#[derive(Clone, Copy, Debug)]
pub struct FrameSpan {
    /// The page in it.
    pub pgno: Pgno,
    /// Length of the header, 6 or 10 bytes.
    header: usize,
    /// Length of header and data, in bytes.
    pub len: usize,
    block: bool,
}

/// Decompresses frames of both encodings.
#[derive(Clone)]
pub struct FrameUnpacker {
    page_size: PageSize,
    crc: PageChecksummer,
}

impl FrameUnpacker {
    /// For pages of `page_size`.
    pub fn new(page_size: PageSize) -> Self {
        Self { page_size, crc: PageChecksummer::new(page_size) }
    }

    /// Measures the frame at the start of `bytes`, which lie at `offset` in the file.
    /// `Ok(None)`: more bytes are needed. The span of the end of pages is `Ok(Some(Err(length)))`.
    ///
    /// # Errors
    /// `LtxFrame`.
    pub fn measure(&self, bytes: &[u8], offset: u64) -> Result<Option<Result<FrameSpan, usize>>> {
        const END_SIZE: usize = 6;
        let mut reader = Reader::new(bytes, offset, ErrorKind::LtxFrame);
        if reader.remaining() < END_SIZE {
            return Ok(None);
        }
        let (pgno, flags) = (reader.u32()?, reader.u16()?);
        let bad = Error::at_offset(ErrorKind::LtxFrame, offset);
        let Some(pgno) = Pgno::new(pgno) else {
            return if flags == 0 { Ok(Some(Err(END_SIZE))) } else { Err(bad) };
        };
        match flags {
            HAS_SIZE => {
                if reader.remaining() < 4 {
                    return Ok(None);
                }
                let size = reader.u32()? as usize;
                if size == 0 || size > get_maximum_output_size(self.page_size.bytes()) {
                    return Err(bad);
                }
                if reader.remaining() < size {
                    return Ok(None);
                }
                Ok(Some(Ok(FrameSpan { pgno, header: FRAME_HEADER_SIZE, len: FRAME_HEADER_SIZE + size, block: true })))
            }
            0 => {
                let Some(size) = lz4_frame_len(&mut reader, self.page_size)? else { return Ok(None) };
                Ok(Some(Ok(FrameSpan { pgno, header: END_SIZE, len: END_SIZE + size, block: false })))
            }
            _ => Err(bad),
        }
    }

    /// Decompresses the frame that `span` measured at the start of `bytes` into `page` (one page long).
    /// Returns the page's checksum, and takes the frame into the file's checksum `crc`.
    ///
    /// # Errors
    /// `LtxCompression`.
    pub fn unpack(&self, bytes: &[u8], span: FrameSpan, page: &mut [u8], crc: &mut Crc64) -> Result<Crc64> {
        let bad = Error::at_page(ErrorKind::LtxCompression, span.pgno.value());
        let (header, data) = bytes.get(..span.len).and_then(|frame| frame.split_at_checked(span.header)).ok_or(bad)?;
        let page = page.get_mut(..self.page_size.bytes()).ok_or(bad)?;
        let written = if span.block {
            decompress(data, page).ok_or(bad)?
        } else {
            decompress_lz4_frame(data, page).ok_or(bad)?
        };
        if written != page.len() {
            return Err(bad);
        }
        let data_crc = Crc64::of(page);
        crc.update(header);
        self.crc.join(crc, data_crc);
        Ok(data_crc)
    }

    /// Page `pgno` out of its frame, which is all of `bytes`.
    ///
    /// # Errors
    /// `LtxFrame`, `LtxCompression`, at the page: where in its file the frame lies, only the caller knows.
    pub fn unpack_one(&self, pgno: u32, bytes: &[u8]) -> Result<Vec<u8>> {
        let here = |error: Error| Error::at_page(error.kind, pgno);
        let span = match self.measure(bytes, 0).map_err(here)? {
            Some(Ok(span)) if span.pgno.value() == pgno => span,
            _ => return Err(Error::at_page(ErrorKind::LtxFrame, pgno)),
        };
        let mut page = vec![0; self.page_size.bytes()];
        self.unpack(bytes, span, &mut page, &mut Crc64::default()).map_err(here)?;
        Ok(page)
    }
}

/// Length of the LZ4 frame at the reader (LZ4 frame format 1.6.4): files of ltx 0.5.0 and 0.5.1 hold one a page.
fn lz4_frame_len(reader: &mut Reader<'_>, page_size: PageSize) -> Result<Option<usize>> {
    const MAGIC: [u8; 4] = 0x184D_2204u32.to_le_bytes();
    const LONGEST_HEADER: usize = 15;
    let start = reader.offset();
    let bad = Error::at_offset(ErrorKind::LtxFrame, start);
    // The shortest frame: header of 7, end mark of 4.
    if reader.remaining() < 11 {
        return Ok(None);
    }
    if reader.array()? != MAGIC {
        return Err(bad);
    }
    let flags = reader.u8()?;
    let (block_checksum, content_size, content_checksum) = (flags & 0x10 != 0, flags & 0x08 != 0, flags & 0x04 != 0);
    let dictionary = flags & 0x01 != 0;
    if flags >> 6 != 1 || dictionary {
        return Err(bad);
    }
    // Block descriptor, content size, header checksum.
    if reader.remaining() < LONGEST_HEADER - 5 + 4 && reader.remaining() < 2 + 4 + if content_size { 8 } else { 0 } {
        return Ok(None);
    }
    reader.take(2 + if content_size { 8 } else { 0 })?;
    loop {
        if reader.remaining() < 4 {
            return Ok(None);
        }
        let block = u32::from_le_bytes(reader.array()?);
        if block == 0 {
            break;
        }
        let size = (block & 0x7fff_ffff) as usize + if block_checksum { 4 } else { 0 };
        if size > get_maximum_output_size(page_size.bytes()) + 4 {
            return Err(bad);
        }
        if reader.remaining() < size {
            return Ok(None);
        }
        reader.take(size)?;
        // One page never takes more than a few blocks; a frame of endless tiny ones is hostile.
        if reader.offset() - start > 4 * get_maximum_output_size(page_size.bytes()) as u64 {
            return Err(bad);
        }
    }
    if content_checksum {
        if reader.remaining() < 4 {
            return Ok(None);
        }
        reader.take(4)?;
    }
    Ok(Some((reader.offset() - start) as usize))
}

fn decompress_lz4_frame(data: &[u8], page: &mut [u8]) -> Option<usize> {
    use std::io::Read;
    let mut decoder = lz4_flex::frame::FrameDecoder::new(data);
    decoder.read_exact(page).ok()?;
    // Reads the content checksum too, and proves that nothing follows.
    (decoder.read(&mut [0]).ok()? == 0).then_some(page.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> PageSize {
        PageSize::new(512).unwrap()
    }

    #[test]
    fn packs_and_unpacks_a_page_whatever_it_holds() {
        let noise: Vec<u8> = (0..16u32).flat_map(|i| *blake3::hash(&i.to_be_bytes()).as_bytes()).collect();
        for data in [vec![0; 512], vec![0xff; 512], noise] {
            let mut frames = PackedFrames::default();
            FramePacker::new(size()).pack(Pgno::FIRST, &data, Crc64::of(&data), &mut frames).unwrap();
            let unpacker = FrameUnpacker::new(size());
            let span = unpacker.measure(&frames.bytes, 0).unwrap().unwrap().unwrap();
            let mut page = vec![1; 512];
            let mut crc = Crc64::default();
            assert_eq!(unpacker.unpack(&frames.bytes, span, &mut page, &mut crc), Ok(Crc64::of(&data)));
            assert_eq!((page, crc), (data, frames.crc));
            for cut in 0..frames.bytes.len() {
                assert!(unpacker.measure(&frames.bytes[..cut], 0).unwrap().is_none());
            }
        }
    }

    #[test]
    fn reads_the_older_encoding_an_lz4_frame_a_page() {
        use std::io::Write;
        let data = vec![5; 512];
        let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&data).unwrap();
        let mut bytes = vec![0, 0, 0, 1, 0, 0];
        bytes.extend(encoder.finish().unwrap());
        let unpacker = FrameUnpacker::new(size());
        for cut in 0..bytes.len() {
            assert!(unpacker.measure(&bytes[..cut], 0).unwrap().is_none());
        }
        let span = unpacker.measure(&bytes, 0).unwrap().unwrap().unwrap();
        assert_eq!(span.len, bytes.len());
        let mut page = vec![0; 512];
        unpacker.unpack(&bytes, span, &mut page, &mut Crc64::default()).unwrap();
        assert_eq!(page, data);
    }
}

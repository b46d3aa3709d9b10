//! The files of a stretch of a chain as one file, as it is written.

use super::encoder::Encoder;
use super::frame::{FramePacker, PackedFrames};
use super::merge::{Merge, MergeEvent};
use crate::error::{ErrorKind, Result};

/// How much is put out at a time, in bytes.
const OUTPUT: usize = 1 << 20;

/// Makes one LTX file of several. It leads from the state before the oldest to that of the newest, and is as old as that.
pub struct Compaction {
    merge: Merge,
    /// Once the headers were read.
    file: Option<(FramePacker, Encoder)>,
    page: Vec<u8>,
    packed: PackedFrames,
    output: Vec<u8>,
    is_whole: bool,
}

/// What the compaction needs or gives next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionEvent {
    /// Feed this input.
    NeedInput(usize),
    /// Call [`Compaction::take_output`].
    Output,
    /// All was put out.
    End,
}

impl Compaction {
    /// A compaction of `files` files, oldest first.
    pub fn new(files: usize) -> Self {
        let (page, packed, output) = (Vec::new(), PackedFrames::default(), Vec::new());
        Self { merge: Merge::new(files), file: None, page, packed, output, is_whole: false }
    }

    /// Appends the next bytes of an input; empty `bytes` mean that it ends.
    ///
    /// # Errors
    /// `Usage` for an input that is not there.
    pub fn feed(&mut self, input: usize, bytes: &[u8]) -> Result<()> {
        self.merge.feed(input, bytes)
    }

    /// The next step.
    ///
    /// # Errors
    /// As [`Merge::poll`].
    pub fn poll(&mut self) -> Result<CompactionEvent> {
        loop {
            if self.output.len() >= OUTPUT || (self.is_whole && !self.output.is_empty()) {
                return Ok(CompactionEvent::Output);
            }
            if self.is_whole {
                return Ok(CompactionEvent::End);
            }
            match self.merge.poll(&mut self.page)? {
                MergeEvent::NeedInput(input) => return Ok(CompactionEvent::NeedInput(input)),
                MergeEvent::Header(header) => {
                    let encoder = Encoder::new(header);
                    self.output.extend_from_slice(&encoder.header());
                    self.page.resize(header.page_size.bytes(), 0);
                    self.file = Some((FramePacker::new(header.page_size), encoder));
                }
                MergeEvent::Page(pgno, crc) => {
                    let (packer, encoder) = self.file.as_mut().ok_or(ErrorKind::Usage)?;
                    packer.pack(pgno, &self.page, crc, &mut self.packed)?;
                    encoder.append(&self.packed)?;
                    self.output.extend_from_slice(&self.packed.bytes);
                    self.packed = PackedFrames { bytes: core::mem::take(&mut self.packed.bytes), ..Default::default() };
                    self.packed.bytes.clear();
                }
                MergeEvent::End => {
                    let (_, encoder) = self.file.take().ok_or(ErrorKind::Usage)?;
                    encoder.finish()?.for_each(|piece| self.output.extend_from_slice(&piece));
                    self.is_whole = true;
                }
            }
        }
    }

    /// Takes the bytes that come next.
    pub fn take_output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltx::{Decoder, Event, Header};
    use crate::page::{Crc64, PageSize, Pgno, Txid};

    /// A file that leads from `min` to `max`, whose pages hold nothing but a number each.
    fn file(min: u64, max: u64, commit: u32, pages: &[(u32, u8)]) -> Vec<u8> {
        let size = PageSize::new(512).unwrap();
        let mut encoder = Encoder::new(Header::new(size, commit, Txid(min), Txid(max), max as i64));
        let mut packed = PackedFrames::default();
        for &(pgno, byte) in pages {
            let page = vec![byte; 512];
            FramePacker::new(size).pack(Pgno::new(pgno).unwrap(), &page, Crc64::of(&page), &mut packed).unwrap();
        }
        encoder.append(&packed).unwrap();
        let mut bytes = encoder.header().to_vec();
        bytes.extend_from_slice(&packed.bytes);
        encoder.finish().unwrap().for_each(|piece| bytes.extend_from_slice(&piece));
        bytes
    }

    fn compact(files: &[Vec<u8>]) -> Result<Vec<u8>> {
        let mut compaction = Compaction::new(files.len());
        let mut fed = vec![0; files.len()];
        let mut output = Vec::new();
        loop {
            match compaction.poll()? {
                CompactionEvent::NeedInput(input) => {
                    let rest = &files[input][fed[input]..];
                    let next = &rest[..rest.len().min(100)];
                    fed[input] += next.len();
                    compaction.feed(input, next)?;
                }
                CompactionEvent::Output => output.extend(compaction.take_output()),
                CompactionEvent::End => return Ok(output),
            }
        }
    }

    fn read(bytes: &[u8]) -> (Header, Vec<(u32, u8)>) {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.close();
        let (mut header, mut pages, mut page) = (None, Vec::new(), [0; 512]);
        loop {
            match decoder.poll().unwrap() {
                Event::NeedInput => {}
                Event::Header(read) => header = Some(read),
                Event::Page(pgno) => {
                    decoder.page(&mut page).unwrap();
                    pages.push((pgno.value(), page[0]));
                }
                Event::End(_) => return (header.unwrap(), pages),
            }
        }
    }

    #[test]
    fn each_page_is_the_newest_and_what_was_cut_off_is_left_out() {
        let files = [
            file(5, 7, 9, &[(1, 1), (2, 2), (9, 9)]),
            file(8, 8, 3, &[(2, 20), (3, 3)]),
            file(9, 12, 8, &[(2, 200), (8, 8)]),
        ];
        let (header, pages) = read(&compact(&files).unwrap());
        assert_eq!((header.min, header.max, header.commit, header.timestamp_ms), (Txid(5), Txid(12), 8, 12));
        assert_eq!(pages, [(1, 1), (2, 200), (3, 3), (8, 8)], "page 9 was cut off by the second file");
    }

    #[test]
    fn the_same_files_make_the_same_bytes_and_one_file_alone_itself() {
        let one = file(5, 7, 3, &[(1, 1), (3, 3)]);
        assert_eq!(compact(core::slice::from_ref(&one)).unwrap(), one);
    }

    #[test]
    fn a_gap_and_damage_are_refused() {
        let files = [file(5, 7, 3, &[(1, 1)]), file(9, 9, 3, &[(1, 1)])];
        assert_eq!(compact(&files).unwrap_err().kind, ErrorKind::ChainGap);
        let mut damaged = file(5, 7, 3, &[(1, 1)]);
        damaged[120] ^= 1;
        compact(&[damaged]).unwrap_err();
    }
}

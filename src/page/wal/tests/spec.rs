//! A WAL as plain data, written by other code than the one under test.

/// Everything a WAL says.
#[derive(Clone, Debug)]
pub(crate) struct WalSpec {
    pub(super) page_size: usize,
    pub(super) big_endian: bool,
    pub(super) salts: [u32; 2],
    pub(super) frames: Vec<FrameSpec>,
}

/// One frame, whose page is `fill` throughout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameSpec {
    pub(super) pgno: u32,
    /// 0 unless it commits.
    pub(super) commit: u32,
    pub(super) fill: u8,
}

impl WalSpec {
    /// With pages of 512 bytes; `frames` are (page, database size in pages if it commits).
    pub(crate) fn new(frames: &[(u32, u32)]) -> Self {
        let frames = frames.iter().zip(1..).map(|(&(pgno, commit), fill)| FrameSpec { pgno, commit, fill }).collect();
        Self { page_size: 512, big_endian: false, salts: [0x1234_5678, 0x9abc_def0], frames }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let magic = 0x377f_0682 + u32::from(self.big_endian);
        let header = [magic, 3_007_000, self.page_size as u32, 7, self.salts[0], self.salts[1], 0, 0];
        bytes.extend(header.iter().flat_map(|word| word.to_be_bytes()));
        for frame in &self.frames {
            let header = [frame.pgno, frame.commit, self.salts[0], self.salts[1], 0, 0];
            bytes.extend(header.iter().flat_map(|word| word.to_be_bytes()));
            bytes.resize(bytes.len() + self.page_size, frame.fill);
        }
        reseal(&mut bytes, self.page_size);
        bytes
    }
}

/// Byte offset of the end of frame `frame`, and of the header when it is 0.
pub(super) fn end_of(frame: usize, page_size: usize) -> usize {
    32 + frame * (24 + page_size)
}

/// Writes the right checksums into the header and every whole frame.
pub(super) fn reseal(bytes: &mut [u8], page_size: usize) {
    let Some((header, frames)) = bytes.split_at_mut_checked(32) else { return };
    let big_endian = header[3] & 1 == 1;
    let mut sums = checksum([0, 0], &header[..24], big_endian);
    store(&mut header[24..], sums);
    for frame in frames.chunks_exact_mut(24 + page_size) {
        sums = checksum(sums, &frame[..8], big_endian);
        sums = checksum(sums, &frame[24..], big_endian);
        store(&mut frame[16..24], sums);
    }
}

fn store(at: &mut [u8], sums: [u32; 2]) {
    at[..4].copy_from_slice(&sums[0].to_be_bytes());
    at[4..8].copy_from_slice(&sums[1].to_be_bytes());
}

/// The formula of section 4.2, word for word.
pub(super) fn checksum(sums: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let [mut s0, mut s1] = sums;
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let word = pair[at..at + 4].try_into().unwrap();
            if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        s0 = s0.wrapping_add(word(0)).wrapping_add(s1);
        s1 = s1.wrapping_add(word(4)).wrapping_add(s0);
    }
    [s0, s1]
}

//! Compressing pages to LZ4 blocks (lz4_Block_format.md, 1.6.4).
//!
//! Made for speed where there is little to gain: the more places had no match, the more are passed over, and a match
//! takes back only some of that.

/// Four bytes that begin alike are found by these many bits of a hash of them.
const HASH_BITS: u32 = 12;
const LEAST_MATCH: usize = 4;
/// The last match begins so many bytes before the end, or earlier.
const LAST_MATCH: usize = 12;
/// So many bytes at the end must be literals, too.
const LAST_LITERALS: usize = 5;
/// What is copied at a time. More than is wanted may be: what follows is written over it.
const STEP: usize = 16;
/// So many places without a match make the next step a byte longer.
const PATIENCE: usize = 16;
/// A match makes up for so many of them.
const REWARD: usize = 16;

/// Compresses pages one after the other.
pub(super) struct Compressor {
    /// Where in the page something with that hash stood last.
    table: Box<[u16; 1 << HASH_BITS]>,
}

/// Room for the block of `len` bytes, whatever they are.
pub(super) const fn room_for(len: usize) -> usize {
    len + len / 255 + 16 + STEP
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { table: Box::new([0; 1 << HASH_BITS]) }
    }

    /// Writes the block of `page`, which is at most 64 KiB long, to the start of `out`, and says how long it is. Nothing
    /// where `out` is too short, which it is not if there is [`room_for`] the page.
    pub(super) fn compress(&mut self, page: &[u8], out: &mut [u8]) -> Option<usize> {
        self.table.fill(0);
        let mut block = Block { out, filled: 0 };
        let (mut literals, mut at, mut misses) = (0, 1, 0);
        while at + LAST_MATCH <= page.len() {
            let word = word(page, at)?;
            let place = self.table.get_mut((word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize)?;
            let before = usize::from(core::mem::replace(place, at as u16));
            if self::word(page, before)? != word {
                misses += 1;
                at += 1 + misses / PATIENCE;
                continue;
            }
            let back = alike_before(page, before, at, at - literals);
            let (start, from) = (at - back, before - back);
            let end = at + LEAST_MATCH + alike(page, before + LEAST_MATCH, at + LEAST_MATCH);
            block.sequence(page, literals, start, Some((start - from, end - start)))?;
            (literals, at) = (end, end);
            misses = misses.saturating_sub(REWARD);
        }
        block.sequence(page, literals, page.len(), None)?;
        Some(block.filled)
    }
}

#[inline]
fn word(page: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*page.get(at..)?.first_chunk()?))
}

/// How many bytes are alike at `from` and at `at`, up to where the last literals begin.
#[inline]
fn alike(page: &[u8], from: usize, at: usize) -> usize {
    let end = page.len() - LAST_LITERALS;
    let (Some(before), Some(here)) = (page.get(from..), page.get(at..end)) else { return 0 };
    let (words, _) = here.as_chunks::<8>();
    let mut len = 0;
    for (a, b) in words.iter().zip(before.as_chunks::<8>().0) {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return len + differing.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let rest = here.get(len..).unwrap_or_default().iter().zip(before.get(len..).unwrap_or_default());
    len + rest.take_while(|(a, b)| a == b).count()
}

/// How many bytes are alike before `from` and before `at`, `most` at most.
#[inline]
fn alike_before(page: &[u8], from: usize, at: usize, most: usize) -> usize {
    let (Some(before), Some(here)) = (page.get(..from), page.get(..at)) else { return 0 };
    before.iter().rev().zip(here.iter().rev()).take(most).take_while(|(a, b)| a == b).count()
}

struct Block<'a> {
    out: &'a mut [u8],
    filled: usize,
}

impl Block<'_> {
    /// Appends the bytes of `page` from `start` to `end`, then a match: how far back, and how long.
    #[inline]
    fn sequence(&mut self, page: &[u8], start: usize, end: usize, repeat: Option<(usize, usize)>) -> Option<()> {
        let literals = end - start;
        let (offset, len) = repeat.map_or((0, 0), |(offset, len)| (offset, len - LEAST_MATCH));
        self.push((literals.min(15) << 4 | len.min(15)) as u8)?;
        self.length(literals)?;
        match (page.get(start..)?.first_chunk::<STEP>(), self.out.get_mut(self.filled..)?.first_chunk_mut::<STEP>()) {
            (Some(step), Some(place)) if literals <= STEP => *place = *step,
            _ => {
                let place = self.out.get_mut(self.filled..self.filled + literals)?;
                place.copy_from_slice(page.get(start..end)?);
            }
        }
        self.filled += literals;
        if repeat.is_some() {
            *self.out.get_mut(self.filled..)?.first_chunk_mut()? = (offset as u16).to_le_bytes();
            self.filled += 2;
            self.length(len)?;
        }
        Some(())
    }

    /// What of a length does not fit the token.
    #[inline]
    fn length(&mut self, len: usize) -> Option<()> {
        let Some(mut rest) = len.checked_sub(15) else { return Some(()) };
        while rest >= 255 {
            self.push(255)?;
            rest -= 255;
        }
        self.push(rest as u8)
    }

    #[inline]
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.filled)? = byte;
        self.filled += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::lz4::decompress;
    use super::*;
    use proptest::prelude::*;

    /// The block, which both our decoder and another must turn into `page` again.
    fn block(page: &[u8]) -> Vec<u8> {
        let mut out = vec![0; room_for(page.len())];
        let len = Compressor::new().compress(page, &mut out).unwrap();
        out.truncate(len);
        assert_eq!(lz4_flex::block::decompress(&out, page.len()).unwrap(), page);
        let mut ours = vec![0; page.len()];
        assert_eq!(decompress(&out, &mut ours), Some(page.len()));
        assert_eq!(ours, page);
        out
    }

    fn noise(len: usize) -> Vec<u8> {
        (0u32..).flat_map(|i| *blake3::hash(&i.to_be_bytes()).as_bytes()).take(len).collect()
    }

    #[test]
    fn pages_of_every_size_come_back() {
        for size in [512, 1024, 4096, 65536] {
            assert!(block(&vec![0; size]).len() < 20 + size / 255);
            assert!(block(&noise(size)).len() <= size + size / 255 + 16);
            let half = [noise(size / 4), noise(size / 2), vec![7; size / 4]].concat();
            assert!(block(&half).len() < size * 5 / 8, "{size}");
        }
    }

    #[test]
    fn the_end_is_literals_as_the_format_wants_it() {
        for len in 1..64 {
            let block = block(&vec![b'x'; len]);
            // Other decoders copy more than is wanted, and need these bytes to do so.
            assert!(block.ends_with(&vec![b'x'; len.min(LAST_LITERALS)]), "{len}");
            assert!(len >= LAST_MATCH || block.len() == 1 + len);
        }
    }

    #[test]
    fn without_room_there_is_nothing() {
        let page = noise(512);
        for len in 0..page.len() {
            assert_eq!(Compressor::new().compress(&page, &mut vec![0; len]), None);
        }
    }

    #[test]
    fn a_page_does_not_depend_on_the_one_before() {
        let (mut lz4, page) = (Compressor::new(), [noise(300), noise(212)].concat());
        let mut out = vec![0; room_for(512)];
        lz4.compress(&noise(512), &mut out).unwrap();
        let len = lz4.compress(&page, &mut out).unwrap();
        assert_eq!(out.get(..len), Some(&*block(&page)));
    }

    proptest! {
        #[test]
        fn any_page_comes_back(runs in prop::collection::vec((any::<u8>(), 1usize..40, 1usize..20), 1..90)) {
            let fill = |(byte, len, step)| (0..len).map(move |i| u8::wrapping_add(byte, (i / step * step) as u8));
            block(&runs.into_iter().flat_map(fill).collect::<Vec<u8>>());
        }

        #[test]
        fn any_bytes_come_back(page in prop::collection::vec(0u8..3, 1..700)) {
            block(&page);
        }
    }
}

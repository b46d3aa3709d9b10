//! Decompressing LZ4 blocks (lz4_Block_format.md, 1.6.4).
//!
//! Pages are short and so are most copies in them: here these are a load and a store of sixteen bytes, which in wasm is
//! several times as fast as a copy of any length.

/// What is copied at a time. More than is wanted may be: what follows is written over later.
const STEP: usize = 16;
/// A match is four bytes or more; its length is stored without these.
const LEAST_MATCH: usize = 4;

/// Decompresses all of `block` to the start of `out`, and says how many bytes that is; what is behind them may have
/// changed. Nothing for a block that is damaged, or whose content is longer than `out`.
pub(super) fn decompress(block: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut at, mut filled) = (0, 0);
    loop {
        let token = *block.get(at)?;
        at += 1;
        let literals = length(token >> 4, block, &mut at)?;
        copy_literals(block.get(at..)?, out.get_mut(filled..)?, literals)?;
        at += literals;
        filled += literals;
        // The last sequence has literals only.
        if at == block.len() {
            return Some(filled);
        }
        let offset = usize::from(u16::from_le_bytes(*block.get(at..)?.first_chunk()?));
        at += 2;
        let len = length(token & 0xf, block, &mut at)? + LEAST_MATCH;
        repeat(out, filled, offset, len)?;
        filled += len;
    }
}

/// Reads a length that begins with `nibble`.
fn length(nibble: u8, block: &[u8], at: &mut usize) -> Option<usize> {
    let mut length = usize::from(nibble);
    if nibble == 0xf {
        loop {
            let byte = *block.get(*at)?;
            *at += 1;
            length += usize::from(byte);
            if byte != 0xff {
                break;
            }
        }
    }
    Some(length)
}

#[inline]
fn copy_literals(from: &[u8], to: &mut [u8], len: usize) -> Option<()> {
    if len <= STEP
        && let (Some(step), Some(place)) = (from.first_chunk::<STEP>(), to.first_chunk_mut::<STEP>())
    {
        *place = *step;
    } else {
        to.get_mut(..len)?.copy_from_slice(from.get(..len)?);
    }
    Some(())
}

/// Writes `len` bytes at `at`, those that stand `offset` bytes before them; the two may overlap.
#[inline]
fn repeat(out: &mut [u8], at: usize, offset: usize, len: usize) -> Option<()> {
    let mut from = at.checked_sub(offset).filter(|_| offset > 0)?;
    let (mut at, end) = (at, at + len);
    if offset >= STEP && end + STEP <= out.len() {
        while at < end {
            let step = *out.get(from..)?.first_chunk::<STEP>()?;
            *out.get_mut(at..)?.first_chunk_mut::<STEP>()? = step;
            (from, at) = (from + STEP, at + STEP);
        }
        return Some(());
    }
    if end > out.len() {
        return None;
    }
    // Each copy doubles what there is to copy from.
    while at < end {
        let len = (at - from).min(end - at);
        out.copy_within(from..from + len, at);
        at += len;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(block: &[u8], len: usize) -> Option<Vec<u8>> {
        let mut out = vec![0xee; len];
        let filled = decompress(block, &mut out)?;
        out.truncate(filled);
        Some(out)
    }

    #[test]
    fn overlapping_matches_repeat_what_they_write() {
        // Literals "ab", then a match of 4 + 5 bytes two back, then the literal "c".
        assert_eq!(page(&[0x25, b'a', b'b', 2, 0, 0x10, b'c'], 12).unwrap(), b"abababababac");
    }

    #[test]
    fn damaged_blocks_are_refused() {
        let cases: &[(&str, &[u8])] = &[
            ("nothing", &[]),
            ("literals past the end", &[0x30, 1, 2]),
            ("a length without an end", &[0xf0, 0xff]),
            ("half an offset", &[0x10, 1, 1]),
            ("no last literals", &[0x10, 1, 1, 0]),
            ("offset 0", &[0x10, 1, 0, 0, 0]),
            ("a match before the start", &[0x10, 1, 2, 0, 0]),
            ("a match past the end", &[0x1f, 1, 1, 0, 200, 0]),
            ("literals longer than the page", &[0xf0, 20, 0]),
        ];
        for (name, block) in cases {
            assert_eq!(page(block, 16), None, "{name}");
        }
    }

    /// What compresses well, badly, and in every way between.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec((any::<u8>(), 1usize..40, 1usize..20), 0..60).prop_map(|runs| {
            let mut bytes = Vec::new();
            for (byte, len, step) in runs {
                bytes.extend((0..len).map(|i| byte.wrapping_add((i / step * step) as u8)));
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn gives_back_what_was_compressed(bytes in content()) {
            let block = lz4_flex::block::compress(&bytes);
            prop_assert_eq!(page(&block, bytes.len()), Some(bytes.clone()));
            prop_assert_eq!(page(&block, bytes.len() + 40), Some(bytes.clone()));
            prop_assert!(bytes.is_empty() || page(&block, bytes.len() - 1).is_none());
        }

        #[test]
        fn agrees_with_another_decoder_on_damage(bytes in content(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut block = lz4_flex::block::compress(&bytes);
            let at = at.index(block.len());
            block[at] ^= 1 << bit;
            let theirs = lz4_flex::block::decompress(&block, bytes.len()).ok();
            let ours = page(&block, bytes.len());
            if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
                prop_assert_eq!(ours, theirs);
            }
        }

        #[test]
        fn any_bytes_end(block in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = page(&block, 512);
        }
    }
}

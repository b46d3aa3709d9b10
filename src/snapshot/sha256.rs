//! SHA-256 of a stream that can be saved in the middle, which hosts' own cannot.

use sha2::compress256;

use crate::bytes::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Crc64;

const BLOCK: usize = 64;

/// FIPS 180-4, 5.3.3.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A running SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sha256 {
    state: [u32; 8],
    /// Bytes so far.
    len: u64,
    /// Bytes that do not fill a block yet.
    rest: Vec<u8>,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self { state: START, len: 0, rest: Vec::with_capacity(BLOCK) }
    }
}

/// A digest as hex digits.
pub fn hex_digits(digest: &[u8]) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Self::default();
        hash.update(bytes);
        hash.finish()
    }

    /// Appends `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        let missing = (BLOCK - self.rest.len()) % BLOCK;
        let (head, bytes) = bytes.split_at(missing.min(bytes.len()));
        self.rest.extend_from_slice(head);
        if let Some(&block) = self.rest.first_chunk() {
            self.rest.clear();
            self.compress(block);
        }
        let (blocks, tail) = bytes.as_chunks();
        blocks.iter().for_each(|&block| self.compress(block));
        self.rest.extend_from_slice(tail);
    }

    /// The digest.
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.len * 8;
        // A one, zeros, and the length, which ends a block.
        let zeros = (2 * BLOCK - 9 - self.rest.len()) % BLOCK;
        let mut end = vec![0x80];
        end.resize(1 + zeros, 0);
        end.put_u64(bits);
        self.update(&end);
        let mut digest = [0; 32];
        digest.iter_mut().zip(self.state.iter().flat_map(|word| word.to_be_bytes())).for_each(|(to, from)| *to = from);
        digest
    }

    /// All there is to know, for [`Sha256::resume`]; at most 112 bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * BLOCK);
        self.state.iter().for_each(|&word| out.put_u32(word));
        out.put_u64(self.len);
        out.extend_from_slice(&self.rest);
        let proof = Crc64::of(&out).value();
        out.put_u64(proof);
        out
    }

    /// Goes on where [`Sha256::save`] was called.
    ///
    /// # Errors
    /// `SavedState`.
    pub fn resume(saved: &[u8]) -> Result<Self> {
        let damaged = Error::from(ErrorKind::SavedState);
        let body = saved.len().checked_sub(8).and_then(|end| saved.get(..end)).ok_or(damaged)?;
        let mut reader = Reader::new(saved, 0, ErrorKind::SavedState);
        let mut state = START;
        for word in &mut state {
            *word = reader.u32()?;
        }
        let len = reader.u64()?;
        let rest = reader.take((len % BLOCK as u64) as usize)?.to_vec();
        let is_whole = reader.u64()? == Crc64::of(body).value() && reader.remaining() == 0;
        if is_whole { Ok(Self { state, len, rest }) } else { Err(damaged) }
    }

    fn compress(&mut self, block: [u8; BLOCK]) {
        compress256(&mut self.state, &[block.into()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::Digest;

    use super::*;

    proptest! {
        #[test]
        fn is_sha_256_however_often_it_is_saved(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..12)) {
            let mut hasher = Sha256::default();
            for piece in &pieces {
                hasher.update(piece);
                let resumed = Sha256::resume(&hasher.save()).unwrap();
                prop_assert_eq!(&resumed, &hasher);
                hasher = resumed;
            }
            prop_assert_eq!(hasher.finish(), <[u8; 32]>::from(sha2::Sha256::digest(pieces.concat())));
        }

        #[test]
        fn damaged_states_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>(), bit in 0..8) {
            let mut hasher = Sha256::default();
            hasher.update(&bytes);
            let mut saved = hasher.save();
            let at = at % saved.len();
            prop_assert!(Sha256::resume(&saved[..at]).is_err());
            saved[at] ^= 1u8 << bit;
            prop_assert_eq!(Sha256::resume(&saved).unwrap_err().kind, ErrorKind::SavedState);
        }
    }
}

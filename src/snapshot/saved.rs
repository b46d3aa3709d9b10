//! A [`Writer`] saved in the middle of a backup, and continued, in another process for example.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PMSW` |
//! | 4 | version, 1 |
//! | 100 | header of the LTX file |
//! | 8, 8 | CRC-64 of that file so far, and how many bytes it covers |
//! | 8 | database checksum so far |
//! | 8 | length of the page index so far, in bytes |
//! | 8 | CRC-64 of all of the above, then the page index |
//!
//! Integers are big-endian. The index, about three bytes a page, is kept apart: it only ever grows at its end.

use super::writer::Writer;
use crate::bytes::{Reader, Writer as _};
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::{Encoder, HEADER_SIZE, Header, IndexBuilder};
use crate::page::{Checksum, Crc64};

const MAGIC: &[u8; 4] = b"PMSW";
const VERSION: u32 = 1;

impl Writer {
    /// All there is to know but the page index: 148 bytes.
    pub fn save(&self) -> Vec<u8> {
        let (crc, index) = (self.encoder.crc(), self.encoder.index().as_bytes());
        let mut out = MAGIC.to_vec();
        out.put_u32(VERSION);
        out.extend_from_slice(&self.encoder.header());
        out.put_u64(crc.value());
        out.put_u64(crc.len());
        out.put_u64(self.checksum.value());
        out.put_u64(index.len() as u64);
        let mut proof = Crc64::of(&out);
        proof.update(index);
        out.put_u64(proof.value());
        out
    }

    /// The page index from byte `from` on: what to save beside [`Writer::save`] when all before it was saved already.
    pub fn index_from(&self, from: usize) -> &[u8] {
        self.encoder.index().as_bytes().get(from..).unwrap_or_default()
    }

    /// Goes on where [`Writer::save`] was called, with the whole index of that time.
    ///
    /// # Errors
    /// `SavedState`.
    pub fn resume(saved: &[u8], index: &[u8]) -> Result<Self> {
        Self::read(saved, index).map_err(|_| ErrorKind::SavedState.into())
    }

    fn read(saved: &[u8], index: &[u8]) -> Result<Self> {
        let damaged = Error::from(ErrorKind::SavedState);
        let mut reader = Reader::new(saved, 0, ErrorKind::SavedState);
        if reader.take(MAGIC.len())? != MAGIC || reader.u32()? != VERSION {
            return Err(damaged);
        }
        let header = Header::decode(reader.take(HEADER_SIZE)?)?;
        let crc = Crc64::from_parts(reader.u64()?, reader.u64()?);
        let checksum = Checksum::new(reader.u64()?).ok_or(damaged)?;
        let length = reader.u64()?;
        let mut proof = Crc64::of(saved.get(..reader.offset() as usize).ok_or(damaged)?);
        proof.update(index);
        if reader.u64()? != proof.value() || reader.remaining() > 0 || length != index.len() as u64 {
            return Err(damaged);
        }
        let encoder = Encoder::resume(header, IndexBuilder::from_bytes(index)?, crc)?;
        Ok(Self { header, encoder, checksum })
    }
}

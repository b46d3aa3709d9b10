//! A [`Writer`] saved in the middle of a backup, and continued, in another process for example.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PMSW` |
//! | 4 | version, 2 |
//! | 100 | header of the LTX file |
//! | 8, 8 | CRC-64 of that file so far, and how many bytes it covers |
//! | 8 | database checksum so far |
//! | 8 | length of the log, in bytes |
//! | 8 | CRC-64 of all of the above and below, then the log |
//! | … | the runs of the page directory's last block |
//!
//! The log is kept apart, as it only ever grows at its end. At each saving it gets what came to the page index and then what came
//! to the page directory since the last one, about three bytes a page, each after its length u32.
//!
//! Integers are big-endian.

use super::directory::DirectoryBuilder;
use super::writer::Writer;
use crate::bytes::{Reader, Writer as _};
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::{Encoder, HEADER_SIZE, Header, IndexBuilder};
use crate::page::{Checksum, Crc64};

const MAGIC: &[u8; 4] = b"PMSW";
const VERSION: u32 = 2;

/// How much is in the log, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    index: usize,
    directory: usize,
}

impl Writer {
    /// All there is to know but what is in `log`, to which [`Writer::log`] wrote just now.
    pub fn save(&self, log: &[u8]) -> Vec<u8> {
        let crc = self.encoder.crc();
        let mut out = MAGIC.to_vec();
        out.put_u32(VERSION);
        out.extend_from_slice(&self.encoder.header());
        out.put_u64(crc.value());
        out.put_u64(crc.len());
        out.put_u64(self.checksum.value());
        out.put_u64(log.len() as u64);
        let proof = proof(&out, self.directory.open(), log);
        out.put_u64(proof);
        out.extend_from_slice(self.directory.open());
        out
    }

    /// Appends to the log what is not in it yet.
    pub fn log(&self, logged: &mut Logged, log: &mut Vec<u8>) {
        let (index, directory) = (self.encoder.index().as_bytes(), self.directory.closed());
        for (all, from) in [(index, logged.index), (directory, logged.directory)] {
            let grown = all.get(from..).unwrap_or_default();
            log.put_u32(grown.len() as u32);
            log.extend_from_slice(grown);
        }
        *logged = self.logged();
    }

    /// How much is in the log when all is.
    pub fn logged(&self) -> Logged {
        Logged { index: self.encoder.index().as_bytes().len(), directory: self.directory.closed().len() }
    }

    /// Goes on where [`Writer::save`] was called, with the whole log of that time.
    ///
    /// # Errors
    /// `SavedState`.
    pub fn resume(saved: &[u8], log: &[u8]) -> Result<Self> {
        Self::read(saved, log).map_err(|_| ErrorKind::SavedState.into())
    }

    fn read(saved: &[u8], log: &[u8]) -> Result<Self> {
        let damaged = Error::from(ErrorKind::SavedState);
        let mut reader = Reader::new(saved, 0, ErrorKind::SavedState);
        if reader.take(MAGIC.len())? != MAGIC || reader.u32()? != VERSION {
            return Err(damaged);
        }
        let header = Header::decode(reader.take(HEADER_SIZE)?)?;
        let crc = Crc64::from_parts(reader.u64()?, reader.u64()?);
        let checksum = Checksum::new(reader.u64()?).ok_or(damaged)?;
        let length = reader.u64()?;
        let before = saved.get(..reader.offset() as usize).ok_or(damaged)?;
        let expected = reader.u64()?;
        let open = reader.take(reader.remaining())?;
        if expected != proof(before, open, log) || length != log.len() as u64 {
            return Err(damaged);
        }
        let (mut index, mut directory) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(log, 0, ErrorKind::SavedState);
        while reader.remaining() > 0 {
            for part in [&mut index, &mut directory] {
                let length = reader.u32()? as usize;
                part.extend_from_slice(reader.take(length)?);
            }
        }
        let encoder = Encoder::resume(header, IndexBuilder::from_bytes(&index)?, crc)?;
        let directory = DirectoryBuilder::resume(directory, open.to_vec())?;
        Ok(Self { header, encoder, checksum, directory })
    }
}

fn proof(before: &[u8], open: &[u8], log: &[u8]) -> u64 {
    let mut proof = Crc64::of(before);
    proof.update(open);
    proof.update(log);
    proof.value()
}

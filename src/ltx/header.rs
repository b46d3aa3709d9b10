//! The fixed parts at both ends of an LTX file.

use crate::bytes::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Checksum, PageSize, Txid};

/// Length of the header, in bytes.
pub const HEADER_SIZE: usize = 100;
/// Length of the trailer, in bytes.
pub const TRAILER_SIZE: usize = 16;

const MAGIC: &[u8; 4] = b"LTX1";
/// The only valid flag: the file carries no database checksums.
const NO_CHECKSUM: u32 = 1 << 1;
/// What the 20 reserved bytes begin with where [`Header::after`] follows.
const MAGIC_AFTER: &[u8; 4] = b"PMK1";

/// The first 100 bytes: from which state to which the pages lead, and the size of the database then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// In bytes.
    pub page_size: PageSize,
    /// Size of the database after applying the file, in pages.
    pub commit: u32,
    /// First TXID covered; the file applies to the state before it. 1 in a snapshot.
    pub min: Txid,
    /// Last TXID covered: the state after applying the file.
    pub max: Txid,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Database checksum before; `None` in a snapshot and when the file carries none.
    pub pre_apply: Option<Checksum>,
    /// Whether the file carries database checksums. Pagemark's own never do: stock `litestream restore` refuses them.
    pub tracked: bool,
    /// Where in which WAL the pages came from (offset, size, both salts), carried along and not used.
    pub wal: (i64, i64, u32, u32),
    /// Which node wrote it; in files of [`crate::snapshot::Tail`] the database's lineage.
    pub node_id: u64,
    /// Database checksum afterwards, in bytes that LTX reserves: in a file that has no record to say it.
    pub after: Option<Checksum>,
}

impl Header {
    /// The header of a file as Pagemark writes it: without database checksums.
    pub fn new(page_size: PageSize, commit: u32, min: Txid, max: Txid, timestamp_ms: i64) -> Self {
        let wal = (0, 0, 0, 0);
        Self {
            page_size,
            commit,
            min,
            max,
            timestamp_ms,
            pre_apply: None,
            tracked: false,
            wal,
            node_id: 0,
            after: None,
        }
    }

    /// Whether the file holds every page.
    pub fn is_snapshot(&self) -> bool {
        self.min == Txid(1)
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let (wal_offset, wal_size, salt1, salt2) = self.wal;
        let mut bytes = Vec::with_capacity(HEADER_SIZE);
        bytes.extend_from_slice(MAGIC);
        bytes.put_u32(if self.tracked { 0 } else { NO_CHECKSUM });
        bytes.put_u32(self.page_size.value());
        bytes.put_u32(self.commit);
        bytes.put_u64(self.min.0);
        bytes.put_u64(self.max.0);
        bytes.put_u64(self.timestamp_ms as u64);
        bytes.put_u64(self.pre_apply.map_or(0, Checksum::value));
        bytes.put_u64(wal_offset as u64);
        bytes.put_u64(wal_size as u64);
        bytes.put_u32(salt1);
        bytes.put_u32(salt2);
        bytes.put_u64(self.node_id);
        if let Some(after) = self.after {
            bytes.extend_from_slice(MAGIC_AFTER);
            bytes.put_u64(after.value());
        }
        let mut header = [0; HEADER_SIZE];
        header.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        header
    }

    /// Reads a header.
    ///
    /// # Errors
    /// `LtxTruncated`, `LtxMagic`, `LtxHeader` with the offset of the field.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, 0, ErrorKind::LtxTruncated);
        let bad = |offset| Error::at_offset(ErrorKind::LtxHeader, offset);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(Error::at_offset(ErrorKind::LtxMagic, 0));
        }
        let tracked = match reader.u32()? {
            0 => true,
            NO_CHECKSUM => false,
            _ => return Err(bad(4)),
        };
        let page_size = PageSize::new(reader.u32()?).ok_or(bad(8))?;
        let commit = reader.u32()?;
        let (min, max) = (Txid(reader.u64()?), Txid(reader.u64()?));
        if min.0 == 0 || max < min {
            return Err(bad(16));
        }
        if commit == 0 {
            return Err(bad(12));
        }
        let timestamp_ms = reader.i64()?;
        let pre_apply = reader.u64()?;
        let pre_apply = match (tracked && min != Txid(1), pre_apply) {
            (true, value) => Some(Checksum::new(value).ok_or(bad(40))?),
            (false, 0) => None,
            (false, _) => return Err(bad(40)),
        };
        let wal = (reader.i64()?, reader.i64()?, reader.u32()?, reader.u32()?);
        let node_id = reader.u64()?;
        let is_said = reader.take(MAGIC_AFTER.len())? == MAGIC_AFTER;
        let after = Some(reader.u64()?).filter(|_| is_said).and_then(Checksum::new);
        reader.take(8)?;
        Ok(Self { page_size, commit, min, max, timestamp_ms, pre_apply, tracked, wal, node_id, after })
    }
}

/// The last 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Database checksum after; `None` when the file carries none.
    pub post_apply: Option<Checksum>,
    /// CRC-64 of everything before, with the pages uncompressed, and bit 63 set.
    pub file: Checksum,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header::new(PageSize::new(4096).unwrap(), 9, Txid(1), Txid(3), 1_700_000_000_000)
    }

    #[test]
    fn round_trips() {
        let proved = Header { after: Some(Checksum::EMPTY), node_id: 7, ..header() };
        for header in [header(), proved] {
            assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn every_field_outside_its_range_is_refused_at_its_offset() {
        for (offset, value) in [(4, 1u32), (4, 4), (8, 1000), (12, 0), (40, 1)] {
            let mut bytes = header().encode();
            bytes[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
            assert_eq!(Header::decode(&bytes), Err(Error::at_offset(ErrorKind::LtxHeader, offset as u64)));
        }
        assert_eq!(Header::decode(b"LTX2").unwrap_err().kind, ErrorKind::LtxMagic);
        assert_eq!(Header::decode(&header().encode()[..99]).unwrap_err().kind, ErrorKind::LtxTruncated);
    }
}

//! Packing a batch of pages: fingerprint, checksum, compress. The work that runs on every core.

use super::fingerprint::{Fingerprint, PageState, STATE_SIZE};
use crate::bytes::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::{FramePacker, IndexBuilder, PackedFrames};
use crate::page::checksum::PageChecksummer;
use crate::page::{Checksum, Crc64, PageSize, Pgno};

/// Packs batches of pages. Batches do not depend on each other.
pub struct Packer {
    page_size: PageSize,
    crc: PageChecksummer,
    frames: FramePacker,
    packed: Packed,
}

/// The changed pages of a batch, compressed, and what a [`super::Writer`] must know of them.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The frames and their index.
    pub frames: PackedFrames,
    /// The new state of each page in `frames`, in its order.
    pub states: Vec<u8>,
    /// The change of the database checksum: old pages out, new ones in.
    pub toggled: Checksum,
}

impl Default for Packed {
    fn default() -> Self {
        Self { frames: PackedFrames::default(), states: Vec::new(), toggled: Checksum::EMPTY }
    }
}

impl Packer {
    /// A packer for pages of `page_size`.
    pub fn new(page_size: PageSize) -> Self {
        Self {
            page_size,
            crc: PageChecksummer::new(page_size),
            frames: FramePacker::new(page_size),
            packed: Packed::default(),
        }
    }

    /// The size it is for.
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Adds the whole pages in `pages`, which count from `first`; those that are as in `previous` are left out.
    /// Without `previous` every page is packed. The lock page is passed over.
    ///
    /// # Errors
    /// `Usage` when `pages` are not whole pages or `previous` has another length; `LtxPageOrder`.
    pub fn add(&mut self, first: Pgno, pages: &[u8], previous: Option<&[Option<PageState>]>) -> Result<()> {
        let pages = pages.chunks_exact(self.page_size.bytes());
        if !pages.remainder().is_empty() || previous.is_some_and(|previous| previous.len() != pages.len()) {
            return Err(ErrorKind::Usage.into());
        }
        for (position, page) in pages.enumerate() {
            let pgno = u32::try_from(position).ok().and_then(|position| first.value().checked_add(position));
            let pgno = pgno.and_then(Pgno::new).ok_or(ErrorKind::Usage)?;
            if pgno == self.page_size.lock_page() {
                continue;
            }
            let before = previous.and_then(|previous| previous.get(position).copied().flatten());
            let fingerprint = Fingerprint::of(page);
            if before.is_some_and(|before| before.fingerprint == fingerprint) {
                continue;
            }
            let data_crc = Crc64::of(page);
            let checksum = self.crc.page(pgno, data_crc);
            self.frames.pack(pgno, page, data_crc, &mut self.packed.frames)?;
            PageState { checksum, fingerprint }.encode(&mut self.packed.states);
            before.into_iter().for_each(|before| self.packed.toggled.toggle(before.checksum));
            self.packed.toggled.toggle(checksum);
        }
        Ok(())
    }

    /// [`Packer::add`] for runs of pages, one after the other in `pages`: the first page of each, and how many it has.
    ///
    /// # Errors
    /// As [`Packer::add`]; `Usage` when the runs are not all of `pages`.
    pub fn add_runs(
        &mut self,
        runs: &[[u32; 2]],
        mut pages: &[u8],
        mut previous: Option<&[Option<PageState>]>,
    ) -> Result<()> {
        for &[first, count] in runs {
            let first = Pgno::new(first).ok_or(ErrorKind::Usage)?;
            let bytes = (count as usize).saturating_mul(self.page_size.bytes());
            let (these, after) = pages.split_at_checked(bytes).ok_or(ErrorKind::Usage)?;
            let states = previous.map(|states| states.split_at_checked(count as usize).ok_or(ErrorKind::Usage));
            let states = states.transpose()?;
            self.add(first, these, states.map(|(these, _)| these))?;
            (pages, previous) = (after, states.map(|(_, after)| after));
        }
        if pages.is_empty() { Ok(()) } else { Err(ErrorKind::Usage.into()) }
    }

    /// What was packed since the last call.
    pub fn take(&mut self) -> Packed {
        core::mem::take(&mut self.packed)
    }
}

impl Packed {
    /// Everything but the frames' bytes, to hand it to another process or worker.
    pub fn summary(&self) -> Vec<u8> {
        let index = self.frames.index.as_bytes();
        let mut out = Vec::with_capacity(28 + index.len() + self.states.len());
        out.put_u64(self.frames.crc.value());
        out.put_u64(self.frames.crc.len());
        out.put_u64(self.toggled.value());
        out.put_u32(index.len() as u32);
        out.extend_from_slice(index);
        out.extend_from_slice(&self.states);
        out
    }

    /// Reads [`Packed::summary`]; the frames' bytes are not there.
    ///
    /// # Errors
    /// `Usage`.
    pub fn from_summary(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, 0, ErrorKind::Usage);
        let crc = Crc64::from_parts(reader.u64()?, reader.u64()?);
        let toggled = Checksum::new(reader.u64()?).ok_or(ErrorKind::Usage)?;
        let len = reader.u32()? as usize;
        let index = IndexBuilder::from_bytes(reader.take(len)?)?;
        let states = reader.take(reader.remaining())?.to_vec();
        if states.len() != index.len() as usize * STATE_SIZE {
            return Err(Error::from(ErrorKind::Usage));
        }
        Ok(Self { frames: PackedFrames { bytes: Vec::new(), index, crc }, states, toggled })
    }
}

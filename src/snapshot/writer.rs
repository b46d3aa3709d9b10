//! One backup's two files, the LTX file and the fingerprint file, put together from packed batches in order.

use super::fingerprint::{FILE_END, PageState, STATE_SIZE, file_header};
use super::pack::Packed;
use crate::bytes::Writer as _;
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::encoder::Tail;
use crate::ltx::{Encoder, Header};
use crate::page::{Checksum, Pgno};

/// Writes a full or an incremental backup.
///
/// Give out [`Writer::ltx_header`], then each batch's frames; to the other file go [`Writer::fingerprint_header`],
/// then what [`Writer::append`] returns, then [`Writer::fingerprint_end`].
pub struct Writer {
    header: Header,
    encoder: Encoder,
    checksum: Checksum,
}

impl Writer {
    /// Begins a backup on top of a state with the database checksum `before` ([`Checksum::EMPTY`] for a full one).
    pub fn new(header: Header, before: Checksum) -> Self {
        Self { header, encoder: Encoder::new(header), checksum: before }
    }

    /// The first bytes of the LTX file.
    pub fn ltx_header(&self) -> Vec<u8> {
        self.encoder.header().to_vec()
    }

    /// The first bytes of the fingerprint file.
    pub fn fingerprint_header(&self) -> Vec<u8> {
        file_header(self.header.page_size, self.header.commit)
    }

    /// The last bytes of the fingerprint file.
    pub fn fingerprint_end(&self) -> Vec<u8> {
        FILE_END.to_vec()
    }

    /// Takes note of a batch, whose frames come next in the LTX file; returns what comes next in the fingerprint file.
    ///
    /// # Errors
    /// `LtxPageOrder` unless batches ascend.
    pub fn append(&mut self, packed: &Packed) -> Result<Vec<u8>> {
        self.encoder.append(&packed.frames)?;
        self.checksum.toggle(packed.toggled);
        let mut out = Vec::with_capacity(packed.states.len() + 64);
        let mut run: Option<(u32, u32, usize)> = None;
        for (position, (pgno, _)) in packed.frames.index.iter().enumerate() {
            run = match run {
                Some((first, count, from)) if first + count == pgno => Some((first, count + 1, from)),
                _ => {
                    write_run(&mut out, run, &packed.states);
                    Some((pgno, 1, position))
                }
            };
        }
        write_run(&mut out, run, &packed.states);
        Ok(out)
    }

    /// Takes the pages that a smaller database no longer has out of the checksum.
    pub fn forget(&mut self, pages: &[Option<PageState>]) {
        pages.iter().flatten().for_each(|page| self.checksum.toggle(page.checksum));
    }

    /// How many pages were packed.
    pub fn pages(&self) -> u32 {
        self.encoder.pages()
    }

    /// Ends the LTX file: its last pieces, and the database checksum after it.
    ///
    /// # Errors
    /// `LtxPageMissing` when a full backup does not hold every page.
    pub fn finish(self) -> Result<(Tail, Checksum)> {
        let pages = Pgno::new(self.header.commit).ok_or(Error::from(ErrorKind::Usage));
        pages.and_then(|_| Ok((self.encoder.finish()?, self.checksum)))
    }
}

fn write_run(out: &mut Vec<u8>, run: Option<(u32, u32, usize)>, states: &[u8]) {
    let Some((first, count, from)) = run else { return };
    out.put_u32(first);
    out.put_u32(count);
    let start = from * STATE_SIZE;
    out.extend_from_slice(states.get(start..start + count as usize * STATE_SIZE).unwrap_or_default());
}

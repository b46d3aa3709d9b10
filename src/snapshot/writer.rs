//! One backup's two files, the LTX file and the fingerprint file, put together from packed batches in order.

use super::directory::DirectoryBuilder;
use super::fingerprint::{FILE_END, PageState, STATE_SIZE, file_header};
use super::pack::Packed;
use crate::error::{Error, ErrorKind, Result};
use crate::ltx::encoder::Tail;
use crate::ltx::{Encoder, Header};
use crate::page::{Checksum, Pgno};

/// Writes a full or an incremental backup.
///
/// Give out [`Writer::ltx_header`], then each batch's frames; to the other file go [`Writer::fingerprint_header`],
/// then what [`Writer::append`] returns, then [`Writer::fingerprint_end`] and [`Writer::directory`].
pub struct Writer {
    pub(super) header: Header,
    pub(super) encoder: Encoder,
    pub(super) checksum: Checksum,
    pub(super) directory: DirectoryBuilder,
}

impl Writer {
    /// Begins a backup on top of a state with the database checksum `before` ([`Checksum::EMPTY`] for a full one).
    pub fn new(header: Header, before: Checksum) -> Self {
        Self { header, encoder: Encoder::new(header), checksum: before, directory: DirectoryBuilder::default() }
    }

    /// The first bytes of the LTX file.
    pub fn ltx_header(&self) -> Vec<u8> {
        self.encoder.header().to_vec()
    }

    /// The first bytes of the fingerprint file.
    pub fn fingerprint_header(&self) -> Vec<u8> {
        file_header(self.header.page_size, self.header.commit)
    }

    /// What ends the runs of the fingerprint file.
    pub fn fingerprint_end(&self) -> Vec<u8> {
        FILE_END.to_vec()
    }

    /// The last bytes of the fingerprint file, once every batch was appended.
    pub fn directory(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.directory).finish(self.encoder.index())
    }

    /// Takes note of a batch, whose frames come next in the LTX file; returns what comes next in the fingerprint file.
    ///
    /// # Errors
    /// `LtxPageOrder` unless batches ascend.
    pub fn append(&mut self, packed: &Packed) -> Result<Vec<u8>> {
        self.take(packed)?;
        let pages: Vec<u32> = packed.frames.index.iter().map(|(pgno, _)| pgno).collect();
        Ok(self.directory.append(&pages, &packed.states))
    }

    /// [`Writer::append`] for a fingerprint file that is to hold every page: `before` are the states of all pages of
    /// the batch, which begins with page `first`; those in `packed` replace them.
    ///
    /// # Errors
    /// `LtxPageOrder`; `Usage` when a page is in neither.
    pub fn append_complete(&mut self, packed: &Packed, first: Pgno, before: &[Option<PageState>]) -> Result<Vec<u8>> {
        self.take(packed)?;
        let (mut pages, mut states) = (Vec::with_capacity(before.len()), Vec::new());
        let mut changed =
            packed.frames.index.iter().map(|(pgno, _)| pgno).zip(packed.states.chunks(STATE_SIZE)).peekable();
        for (pgno, state) in (first.value()..).zip(before) {
            if let Some((_, state)) = changed.next_if(|&(changed, _)| changed == pgno) {
                states.extend_from_slice(state);
            } else if let Some(state) = state {
                state.encode(&mut states);
            } else if pgno == self.header.page_size.lock_page().value() {
                continue;
            } else {
                return Err(Error::at_page(ErrorKind::Usage, pgno));
            }
            pages.push(pgno);
        }
        Ok(self.directory.append(&pages, &states))
    }

    fn take(&mut self, packed: &Packed) -> Result<()> {
        self.encoder.append(&packed.frames)?;
        self.checksum.toggle(packed.toggled);
        Ok(())
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

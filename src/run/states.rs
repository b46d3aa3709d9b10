//! The states of every page at the last backup, in order: what an incremental backup compares with.

use super::request::Request;
use super::{Failure, Host, Outcome};
use crate::catalog::record::Object;
use crate::error::ErrorKind;
use crate::page::{Checksum, PageSize};
use crate::snapshot::{PageState, Previous};

/// Small fingerprint files of changes that were read and proved, by their SHA-256: they need not be read again.
pub(super) type Proved = Vec<(String, Vec<u8>)>;

/// Larger ones are not kept. In bytes: a chain has less than 200 files.
const MOST_PROVED: usize = 16 << 10;

/// Read from the fingerprint files of a chain: the oldest one streamed, the others whole. Every failure to read them is
/// [`Failure::LostFingerprints`] where the files are to blame.
pub(super) struct States {
    host: Host,
    previous: Previous,
    base: (String, Object),
    at_end: bool,
}

impl States {
    /// Opens the state of a backup of `page_count` pages with the database checksum `checksum`; `files` are oldest first.
    pub(super) async fn open(
        host: &Host,
        files: &[(String, Object)],
        (page_size, page_count, checksum): (PageSize, u32, Checksum),
        proved: &mut Proved,
    ) -> Outcome<Self> {
        let (base, changes) = files.split_first().ok_or(ErrorKind::Usage)?;
        let mut previous = Previous::new(page_size, page_count, checksum);
        let mut before = core::mem::take(proved);
        for (key, proof) in changes {
            let known = before.iter().position(|(sha256, _)| *sha256 == proof.sha256);
            let mut whole = known.map(|at| before.swap_remove(at).1).unwrap_or_default();
            while known.is_none() {
                let bytes = read(host, key, proof).await?;
                if bytes.is_empty() {
                    break;
                }
                whole.extend_from_slice(&bytes);
            }
            previous.add_changes(&whole).map_err(|_| Failure::LostFingerprints)?;
            if whole.len() <= MOST_PROVED {
                proved.push((proof.sha256.clone(), whole));
            }
        }
        Ok(Self { host: host.clone(), previous, base: base.clone(), at_end: false })
    }

    /// How many pages the database had.
    pub(super) fn page_count(&self) -> u32 {
        self.previous.page_count()
    }

    /// The states of the next `count` pages; none of a page that was not there.
    pub(super) async fn next(&mut self, count: u32) -> Outcome<Vec<Option<PageState>>> {
        loop {
            if let Some(states) = self.previous.states(count).map_err(|_| Failure::LostFingerprints)? {
                return Ok(states);
            }
            if !self.feed().await? {
                return Err(Failure::LostFingerprints);
            }
        }
    }

    /// Reads the rest, so that the oldest file is proved whole: until then nothing may rest on it.
    pub(super) async fn finish(&mut self) -> Outcome<()> {
        while self.feed().await? {}
        Ok(())
    }

    /// Lets go of the oldest file.
    pub(super) async fn close(self) {
        // It has been read as far as it was wanted.
        let _ = self.host.perform(Request::Close { key: self.base.0 }).await;
    }

    async fn feed(&mut self) -> Outcome<bool> {
        if !self.at_end {
            let bytes = read(&self.host, &self.base.0, &self.base.1).await?;
            self.at_end = bytes.is_empty();
            self.previous.feed(&bytes);
        }
        Ok(!self.at_end)
    }
}

async fn read(host: &Host, key: &str, proof: &Object) -> Outcome<Vec<u8>> {
    let read = host.bytes(Request::Read { key: key.to_owned(), proof: proof.clone() }).await;
    read.map_err(|failure| match failure {
        Failure::Host(failure) if failure.kind.is_of_store() => Failure::LostFingerprints,
        other => other,
    })
}

//! Reading stored objects.

use super::ask::Lender;
use super::fault::{Done, Fault};
use crate::catalog::StoredFile;
use crate::snapshot::{Sha256, hex_digits};

/// Reads an object from its start to its end, and proves it there.
pub(super) struct ObjectReader {
    lender: Lender,
    file: StoredFile,
    step: u32,
    read: u64,
    /// None for an object of which nothing is recorded.
    hash: Option<Sha256>,
}

impl ObjectReader {
    /// Reads `step` bytes at a time.
    pub(super) fn new(lender: &Lender, file: StoredFile, step: u32) -> Self {
        let hash = file.sha256.is_some().then(Sha256::default);
        Self { lender: lender.clone(), file, step, read: 0, hash }
    }

    /// The next bytes; none at the end, once the whole was proved.
    pub(super) async fn next(&mut self) -> Done<Vec<u8>> {
        let StoredFile { key, size, sha256, .. } = &self.file;
        let length = size.saturating_sub(self.read).min(u64::from(self.step)) as u32;
        if length == 0 {
            let digest = self.hash.take().map(|hash| hex_digits(&hash.finish()));
            if digest.is_some() && digest != *sha256 {
                return Err(Fault::damaged(key, "does not have the recorded SHA-256"));
            }
            return Ok(Vec::new());
        }
        let bytes = self.lender.get(key, self.read, length).await?;
        if bytes.is_empty() {
            return Err(Fault::damaged(key, format_args!("ends after {} of {size} bytes", self.read)));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes);
        }
        self.read += bytes.len() as u64;
        Ok(bytes)
    }

    /// The object's key.
    pub(super) fn key(&self) -> &str {
        &self.file.key
    }
}

/// Exactly `length` bytes of an object.
pub(super) async fn get_all(lender: &Lender, key: &str, offset: u64, length: u64) -> Done<Vec<u8>> {
    // What is asked for comes from an object, which may lie: memory is taken as bytes come.
    let mut whole = Vec::new();
    while (whole.len() as u64) < length {
        let left = length - whole.len() as u64;
        let step = left.min(u64::from(super::TRANSFER)) as u32;
        let bytes = lender.get(key, offset + whole.len() as u64, step).await?;
        if bytes.is_empty() {
            return Err(Fault::damaged(key, format_args!("ends before byte {}", offset.saturating_add(length))));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

//! Journals, temporary files and the target of a compaction: files in memory, gone with the connection.

use crate::store::{StoreError, zeroed};

/// Grows block by block, so that a large file is never copied to make room.
const BLOCK: usize = 64 * 1024;

/// A file's bytes.
#[derive(Debug, Default)]
pub(crate) struct MemoryFile {
    blocks: Vec<Box<[u8]>>,
    len: u64,
}

impl MemoryFile {
    /// In bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from byte `offset`; beyond the end with zeros. Whether all of it was there.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        let there = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let whole = there == buffer.len();
        let (inside, outside) = buffer.split_at_mut(there);
        outside.fill(0);
        let mut at = offset;
        let mut rest = inside;
        while !rest.is_empty() {
            let (block, skip) = place(at);
            let (piece, after) = rest.split_at_mut((BLOCK - skip).min(rest.len()));
            match self.blocks.get(block).and_then(|block| block.get(skip..skip + piece.len())) {
                Some(bytes) => piece.copy_from_slice(bytes),
                None => piece.fill(0),
            }
            at += piece.len() as u64;
            rest = after;
        }
        whole
    }

    /// Writes `bytes` at byte `offset`.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let end = offset.saturating_add(bytes.len() as u64);
        while (self.blocks.len() as u64).saturating_mul(BLOCK as u64) < end {
            self.blocks.try_reserve(1)?;
            self.blocks.push(zeroed(BLOCK)?);
        }
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (block, skip) = place(at);
            let (piece, after) = rest.split_at((BLOCK - skip).min(rest.len()));
            if let Some(slot) = self.blocks.get_mut(block).and_then(|block| block.get_mut(skip..skip + piece.len())) {
                slot.copy_from_slice(piece);
            }
            at += piece.len() as u64;
            rest = after;
        }
        self.len = self.len.max(end);
        Ok(())
    }

    /// Cuts the file; a longer one grows when it is written.
    pub(crate) fn truncate(&mut self, len: u64) {
        if len >= self.len {
            return;
        }
        self.len = len;
        let (block, kept) = place(len);
        self.blocks.truncate(block + usize::from(kept > 0));
        // What was cut off must not show again.
        if let Some(last) = self.blocks.get_mut(block) {
            last.iter_mut().skip(kept).for_each(|byte| *byte = 0);
        }
    }
}

fn place(offset: u64) -> (usize, usize) {
    let block = offset / BLOCK as u64;
    (usize::try_from(block).unwrap_or(usize::MAX), (offset % BLOCK as u64) as usize)
}

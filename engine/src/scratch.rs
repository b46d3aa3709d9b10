//! Journals, temporary files and the target of a compaction: gone with whoever has them open.
//!
//! They are made of blocks in memory. Where the store takes what is not committed, memory holds only some of them, all
//! files together, and the store the others; a file that stays small never gets there.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;

use crate::store::{SharedStore, StoreError, zeroed};

/// A file grows block by block, so that a large one is never copied to make room; and a block is what the store gets
/// at a time, so that a sort that reads many of its runs side by side finds one of each in memory.
pub(crate) const BLOCK: usize = 32 * 1024;

/// The blocks of a connection's temporary files.
#[derive(Clone)]
pub(crate) struct Blocks(Rc<RefCell<Cache>>);

impl Blocks {
    /// Holds at most `limit` bytes in memory, one block at least, if the store takes what is beyond.
    pub(crate) fn new(store: SharedStore, limit: u64) -> Self {
        let limit = usize::try_from(limit / BLOCK as u64).unwrap_or(usize::MAX).max(1);
        let limit = if store.spills() { limit } else { usize::MAX };
        let (slots, places, stored) = (Vec::new(), HashMap::new(), HashMap::new());
        Self(Rc::new(RefCell::new(Cache { store, limit, slots, places, stored, hand: 0, next_file: 1 })))
    }

    /// A new, empty file.
    pub(crate) fn file(&self) -> Result<ScratchFile, StoreError> {
        let mut cache = self.cache()?;
        let id = cache.next_file;
        cache.next_file = cache.next_file.wrapping_add(1);
        Ok(ScratchFile { blocks: self.clone(), id, len: 0 })
    }

    fn cache(&self) -> Result<RefMut<'_, Cache>, StoreError> {
        self.0.try_borrow_mut().map_err(|_| StoreError::Io("it was called in the middle of a call of its own".into()))
    }
}

/// A file's number, and which of its blocks.
type Place = (u32, u32);

struct Cache {
    store: SharedStore,
    /// How many blocks memory holds.
    limit: usize,
    slots: Vec<Slot>,
    /// Which slot holds a block.
    places: HashMap<Place, usize>,
    /// Which of a file's blocks the store has, perhaps as they were before.
    stored: HashMap<u32, Vec<bool>>,
    /// The slot that was looked at last for one that nobody has used of late.
    hand: usize,
    next_file: u32,
}

struct Slot {
    /// `None` when it holds nothing.
    place: Option<Place>,
    bytes: Box<[u8]>,
    /// Whether the store has not got it as it is.
    is_dirty: bool,
    /// Whether it was used since the hand passed.
    is_used: bool,
}

impl Cache {
    /// The block's bytes; `None` for one that was never written, which is all zeros.
    fn block(&mut self, place: Place) -> Result<Option<&mut Slot>, StoreError> {
        let slot = match self.places.get(&place) {
            Some(&slot) => slot,
            None if !self.is_stored(place) => return Ok(None),
            None => {
                let slot = self.room()?;
                self.places.try_reserve(1)?;
                if let Some(slot) = self.slots.get_mut(slot) {
                    self.store.scratch(|scratch| scratch.read_block(place.0, place.1, &mut slot.bytes))?;
                    (slot.place, slot.is_dirty) = (Some(place), false);
                }
                self.places.insert(place, slot);
                slot
            }
        };
        let mut slot = self.slots.get_mut(slot);
        if let Some(slot) = &mut slot {
            slot.is_used = true;
        }
        Ok(slot)
    }

    /// The block's bytes, to be changed; when `whole`, all of them will be.
    fn block_to_write(&mut self, place: Place, whole: bool) -> Result<Option<&mut Slot>, StoreError> {
        let is_there = self.places.contains_key(&place) || !whole && self.is_stored(place);
        if !is_there {
            let slot = self.room()?;
            self.places.try_reserve(1)?;
            self.places.insert(place, slot);
            if let Some(slot) = self.slots.get_mut(slot) {
                slot.bytes.fill(0);
                slot.place = Some(place);
            }
        }
        let mut slot = self.block(place)?;
        if let Some(slot) = &mut slot {
            slot.is_dirty = true;
        }
        Ok(slot)
    }

    /// A slot that holds nothing.
    fn room(&mut self) -> Result<usize, StoreError> {
        if self.slots.len() < self.limit {
            self.slots.try_reserve(1)?;
            self.slots.push(Slot { place: None, bytes: zeroed(BLOCK)?, is_dirty: false, is_used: false });
            return Ok(self.slots.len() - 1);
        }
        loop {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            let Some(slot) = self.slots.get_mut(self.hand) else { return Err(StoreError::Memory) };
            let Some(place) = slot.place else { return Ok(self.hand) };
            if !core::mem::take(&mut slot.is_used) {
                if slot.is_dirty {
                    set(self.stored.entry(place.0).or_default(), place.1)?;
                    self.store.scratch(|scratch| scratch.write_block(place.0, place.1, &slot.bytes))?;
                }
                (slot.place, slot.is_dirty) = (None, false);
                self.places.remove(&place);
                return Ok(self.hand);
            }
        }
    }

    fn is_stored(&self, (file, block): Place) -> bool {
        self.stored.get(&file).and_then(|stored| stored.get(block as usize)) == Some(&true)
    }

    /// Forgets the blocks of a file from `first` up to `end`.
    fn forget(&mut self, file: u32, first: u32, end: u32) {
        for block in first..end {
            let Some(slot) = self.places.remove(&(file, block)) else { continue };
            self.slots.swap_remove(slot);
            if let Some(place) = self.slots.get(slot).and_then(|moved| moved.place) {
                self.places.insert(place, slot);
            }
        }
        if let Some(stored) = self.stored.get_mut(&file) {
            // What the store has of them is written over before it is read again, or goes with the file.
            stored.iter_mut().skip(first as usize).for_each(|stored| *stored = false);
        }
    }
}

/// Notes that the store has a block.
fn set(stored: &mut Vec<bool>, block: u32) -> Result<(), StoreError> {
    let index = block as usize;
    if stored.len() <= index {
        stored.try_reserve(index + 1 - stored.len())?;
        stored.resize(index + 1, false);
    }
    if let Some(stored) = stored.get_mut(index) {
        *stored = true;
    }
    Ok(())
}

/// A file's bytes.
pub(crate) struct ScratchFile {
    blocks: Blocks,
    id: u32,
    len: u64,
}

impl ScratchFile {
    /// In bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from byte `offset`; beyond the end with zeros. Whether all of it was there.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, StoreError> {
        let there = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let whole = there == buffer.len();
        let (inside, outside) = buffer.split_at_mut(there);
        outside.fill(0);
        let mut cache = self.blocks.cache()?;
        let mut at = offset;
        let mut rest = inside;
        while !rest.is_empty() {
            let (block, skip) = place(at)?;
            let (piece, after) = rest.split_at_mut((BLOCK - skip).min(rest.len()));
            let slot = cache.block((self.id, block))?;
            match slot.and_then(|slot| slot.bytes.get(skip..skip + piece.len())) {
                Some(bytes) => piece.copy_from_slice(bytes),
                None => piece.fill(0),
            }
            at += piece.len() as u64;
            rest = after;
        }
        Ok(whole)
    }

    /// Writes `bytes` at byte `offset`.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut cache = self.blocks.cache()?;
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (block, skip) = place(at)?;
            let (piece, after) = rest.split_at((BLOCK - skip).min(rest.len()));
            let slot = cache.block_to_write((self.id, block), piece.len() == BLOCK)?;
            if let Some(into) = slot.and_then(|slot| slot.bytes.get_mut(skip..skip + piece.len())) {
                into.copy_from_slice(piece);
            }
            at += piece.len() as u64;
            self.len = self.len.max(at);
            rest = after;
        }
        Ok(())
    }

    /// Cuts the file; a longer one grows when it is written.
    pub(crate) fn truncate(&mut self, len: u64) -> Result<(), StoreError> {
        if len >= self.len {
            return Ok(());
        }
        let mut cache = self.blocks.cache()?;
        let (block, kept) = place(len)?;
        // What is cut off must not show again.
        if kept > 0
            && let Some(slot) = cache.block((self.id, block))?
        {
            slot.bytes.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            slot.is_dirty = true;
        }
        cache.forget(self.id, block + u32::from(kept > 0), blocks_of(self.len));
        self.len = len;
        Ok(())
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let Ok(mut cache) = self.blocks.cache() else { return };
        cache.forget(self.id, 0, blocks_of(self.len));
        if cache.stored.remove(&self.id).is_some() {
            // If it cannot be dropped now, it is when the store is opened again.
            let _ = cache.store.scratch(|scratch| scratch.drop_file(self.id));
        }
    }
}

/// The block that holds byte `offset`, and how many of its bytes come before that one.
fn place(offset: u64) -> Result<(u32, usize), StoreError> {
    let block = u32::try_from(offset / BLOCK as u64);
    let block = block.map_err(|_| StoreError::Full("a temporary file has at most 2^32 blocks".into()))?;
    Ok((block, (offset % BLOCK as u64) as usize))
}

fn blocks_of(len: u64) -> u32 {
    u32::try_from(len.div_ceil(BLOCK as u64)).unwrap_or(u32::MAX)
}

//! Objects that are written.

use super::TRANSFER;
use super::fault::{Done, Fault};
use super::lend::{HostError, Store, Upload};
use crate::catalog::record::Object;
use crate::snapshot::{Sha256, hex_digits};

/// An object that is written piece by piece.
pub(super) struct Uploaded<'a> {
    store: &'a dyn Store,
    key: String,
    modified_ms: i64,
    /// What waits until there is enough to hand over.
    waiting: Vec<u8>,
    upload: Option<Box<dyn Upload + 'a>>,
    hash: Sha256,
    size: u64,
    state: State,
}

/// Whether the object is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No, or it is another's.
    Absent,
    /// Yes, and it is ours.
    There,
    /// A store may have stored it and still report an error: perhaps it is there, and is ours or another's.
    Unsure,
}

impl<'a> Uploaded<'a> {
    pub(super) fn begin(store: &'a dyn Store, key: String, modified_ms: i64) -> Self {
        let (waiting, hash, state) = (Vec::new(), Sha256::default(), State::Absent);
        Self { store, key, modified_ms, waiting, upload: None, hash, size: 0, state }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Done<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= TRANSFER as usize {
            let rest = self.waiting.split_off(TRANSFER as usize);
            self.hand_over()?;
            self.waiting = rest;
        }
        Ok(())
    }

    /// Makes the object.
    pub(super) fn finish(&mut self) -> Done<Object> {
        self.hand_over()?;
        let Some(upload) = self.upload.take() else { return Err(Fault::host("lost an object that was begun")) };
        upload.finish().map_err(|error| {
            self.state = if error == HostError::Exists { State::Absent } else { State::Unsure };
            Fault::lent(error, &self.key)
        })?;
        self.state = State::There;
        Ok(Object { sha256: hex_digits(&core::mem::take(&mut self.hash).finish()), size: self.size })
    }

    /// Gives the object up. Where nobody knows whether it was stored, it is only deleted if its key cannot have another's.
    pub(super) fn abort(&mut self, is_ours: bool) -> Done<()> {
        self.upload = None;
        match self.state {
            State::There => self.delete(),
            State::Unsure if is_ours => self.delete(),
            State::Absent | State::Unsure => Ok(()),
        }
    }

    fn delete(&mut self) -> Done<()> {
        self.store.delete(&self.key).map_err(|error| Fault::lent(error, &self.key))?;
        self.state = State::Absent;
        Ok(())
    }

    fn hand_over(&mut self) -> Done<()> {
        let lent = |error| Fault::lent(error, &self.key);
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.store.create(&self.key, self.modified_ms).map_err(lent)?,
        };
        self.upload.insert(upload).append(&self.waiting).map_err(lent)?;
        self.waiting.clear();
        Ok(())
    }
}

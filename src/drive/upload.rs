//! Objects that are written.

use super::TRANSFER;
use super::ask::{Ask, Lender, UploadId};
use super::fault::{Done, Fault};
use super::lend::HostError;
use super::object::ObjectReader;
use crate::bytes::{Reader, Writer as _};
use crate::catalog::StoredFile;
use crate::catalog::record::Object;
use crate::error::{ErrorKind, Result};
use crate::snapshot::{Sha256, hex_digits};

/// An object that is written piece by piece.
pub(super) struct Uploaded {
    lender: Lender,
    id: UploadId,
    key: String,
    modified_ms: i64,
    /// What waits until there is enough to hand over.
    waiting: Vec<u8>,
    has_begun: bool,
    /// Begun before the job was saved, and the host knows nothing of it any more.
    is_lost: bool,
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

impl Uploaded {
    pub(super) fn begin(lender: &Lender, id: UploadId, key: String, modified_ms: i64) -> Self {
        let (lender, waiting, hash) = (lender.clone(), Vec::new(), Sha256::default());
        let (has_begun, is_lost, state) = (false, false, State::Absent);
        Self { lender, id, key, modified_ms, waiting, has_begun, is_lost, hash, size: 0, state }
    }

    /// All there is to know once nothing waits: number, time, whether it has begun, whether it is there, size, key and hash.
    pub(super) fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32(self.id);
        out.put_u64(self.modified_ms as u64);
        out.push(self.has_begun.into());
        out.push((self.state == State::There).into());
        out.put_u64(self.size);
        put_bytes(&mut out, self.key.as_bytes());
        put_bytes(&mut out, &self.hash.save());
        out
    }

    /// As it was saved; the host does not know of it yet ([`Uploaded::go_on`]).
    pub(super) fn resume(lender: &Lender, saved: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(saved, 0, ErrorKind::SavedState);
        let (id, modified_ms) = (reader.u32()?, reader.u64()? as i64);
        let (has_begun, is_there, size) = (reader.u8()? != 0, reader.u8()? != 0, reader.u64()?);
        let key = String::from_utf8(take_bytes(&mut reader)?.to_vec()).map_err(|_| ErrorKind::SavedState)?;
        let hash = Sha256::resume(take_bytes(&mut reader)?)?;
        let state = if is_there { State::There } else { State::Absent };
        let mut object = Self::begin(lender, id, key, modified_ms);
        (object.has_begun, object.hash, object.size, object.state) = (has_begun, hash, size, state);
        Ok(object)
    }

    /// Has the host go on with it.
    pub(super) async fn go_on(&mut self) -> Done<()> {
        if !self.has_begun {
            return Ok(());
        }
        let (upload, key, modified_ms, size) = (self.id, self.key.clone(), self.modified_ms, self.size);
        match self.lender.lent(Ask::Resume { upload, key, modified_ms, size }).await {
            // Perhaps it was finished after the job was saved.
            Err(HostError::Missing) => {
                (self.has_begun, self.is_lost) = (false, true);
                Ok(())
            }
            resumed => resumed.map_err(|error| Fault::lent(error, &self.key)),
        }
    }

    pub(super) async fn append(&mut self, bytes: &[u8]) -> Done<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= TRANSFER as usize {
            let rest = self.waiting.split_off(TRANSFER as usize);
            let piece = core::mem::replace(&mut self.waiting, rest);
            self.hand_over(piece).await?;
        }
        Ok(())
    }

    /// Makes the object.
    pub(super) async fn finish(&mut self) -> Done<Object> {
        self.flush().await?;
        if self.is_lost {
            return self.find().await;
        }
        self.has_begun = false;
        self.lender.lent(Ask::Finish { upload: self.id }).await.map_err(|error| {
            self.state = if error == HostError::Exists { State::Absent } else { State::Unsure };
            Fault::lent(error, &self.key)
        })?;
        self.state = State::There;
        Ok(Object { sha256: hex_digits(&core::mem::take(&mut self.hash).finish()), size: self.size })
    }

    /// Gives the object up. Where nobody knows whether it was stored, it is only deleted if its key cannot have another's.
    pub(super) async fn abort(&mut self, is_ours: bool) -> Done<()> {
        self.let_go();
        match self.state {
            State::There => self.delete().await,
            State::Unsure if is_ours => self.delete().await,
            State::Absent | State::Unsure => Ok(()),
        }
    }

    /// Hands over what waits; of an object that was made nothing does.
    pub(super) async fn flush(&mut self) -> Done<()> {
        if self.state != State::Absent {
            return Ok(());
        }
        let piece = core::mem::take(&mut self.waiting);
        self.hand_over(piece).await
    }

    /// An object that was finished after the job was saved is there, and is the same.
    async fn find(&mut self) -> Done<Object> {
        let sha256 = hex_digits(&core::mem::take(&mut self.hash).finish());
        let object = Object { sha256, size: self.size };
        let mut reader = ObjectReader::new(&self.lender, StoredFile::new((self.key.clone(), object.clone())), TRANSFER);
        while !reader.next().await?.is_empty() {}
        self.state = State::There;
        Ok(object)
    }

    async fn delete(&mut self) -> Done<()> {
        self.lender.delete(&self.key).await?;
        self.state = State::Absent;
        Ok(())
    }

    async fn hand_over(&mut self, bytes: Vec<u8>) -> Done<()> {
        if self.is_lost {
            return if bytes.is_empty() {
                Ok(())
            } else {
                Err(Fault::of(ErrorKind::SavedState.into(), Some(&self.key)))
            };
        }
        if !self.has_begun {
            let (upload, key, modified_ms) = (self.id, self.key.clone(), self.modified_ms);
            self.lender.done(Ask::Create { upload, key, modified_ms }, &self.key).await?;
            self.has_begun = true;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.lender.done(Ask::Append { upload: self.id, bytes }, &self.key).await
    }

    fn let_go(&mut self) {
        if core::mem::take(&mut self.has_begun) {
            self.lender.post(Ask::Abort { upload: self.id });
        }
    }
}

impl Drop for Uploaded {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Bytes with their length before them, 4 bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// What [`put_bytes`] wrote.
pub(super) fn take_bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let length = reader.u32()? as usize;
    reader.take(length)
}

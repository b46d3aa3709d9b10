//! Backups of pages: packing what changed into LTX files, and putting a chain of them together again.
//!
//! [`Packer`] works on batches of pages and keeps nothing between them, so that several run side by side;
//! [`Writer`] joins what they packed into one file in order. [`Restore`] is the way back.

pub mod directory;
pub mod fingerprint;
pub mod pack;
pub mod proof;
pub mod restore;
mod saved;
pub mod sha256;
pub mod tail;
pub mod writer;

pub use fingerprint::{Fingerprint, PageState, Previous};
pub use pack::{Packed, Packer};
pub use restore::{Restore, RestoreEvent};
pub use saved::Logged;
pub use sha256::{Sha256, hex_digits};
pub use tail::Tail;
pub use writer::Writer;

#[cfg(test)]
mod tests;
